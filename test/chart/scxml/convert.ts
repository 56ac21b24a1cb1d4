/**
 * SCXML documents as machines of XState, for what XState has. What it has not is refused with the reason.
 */
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { AnyStateMachine } from "xstate"
import {
  and,
  assign,
  cancel,
  createMachine,
  enqueueActions,
  log,
  not,
  raise,
  sendParent,
  sendTo,
  stateIn
} from "xstate"
import { fromDurable } from "../../../src/runtime/engine/durable.ts"
import type { Code, SentEvent, Variables } from "./code.ts"
import { codeOf, processor } from "./code.ts"
import { impossible, LeftOut } from "./leftOut.ts"
import type { Element } from "./xml.ts"
import { all, find, parse } from "./xml.ts"

/** What an action, guard or delay is given. */
interface Seen {
  readonly context: Variables
  readonly event: SentEvent
}

/** Where a document comes from, and when what is sent is taken. */
interface Origin {
  readonly folder: string
  /** What it sends to itself it takes a moment later, and what it invokes begins so: SCXML allows that as well. */
  readonly sendsLater: boolean
  /** Which invocation it is of, and whether its parent takes events through its door. */
  readonly invoked?: { readonly id: string; readonly byDoor: boolean }
}

/** A document's code, and the documents that it invokes. */
interface Document extends Code, Origin {
  readonly hasDoor: boolean
  readonly children: Record<string, Converted>
}

/** A document as a machine. */
export interface Converted {
  readonly machine: AnyStateMachine
  /** What its actors are, by their names: each the document of one invocation. */
  readonly children: Readonly<Record<string, Converted>>
  /**
   * Whether an event from outside comes to it as `external`, which carries the event: its root then finalizes what a child sent,
   * forwards it to the children that are to have it, and raises it.
   */
  readonly hasDoor: boolean
  /** The names of what it and its children send. */
  readonly sends: ReadonlyArray<string>
}

/** The parts of a machine, as plain objects: the types of XState's configuration follow a machine that is known before. */
type Part = unknown

/** A state's name as XState's: its own uses the point in paths. */
export const nameOf = (id: string): string => id.replaceAll(".", "$")

/** Makes the machine of the document in a file. Throws `LeftOut`. */
export const machineOf = (file: string, sendsLater: boolean): Converted =>
  convert(parse(readFileSync(file, "utf8")), { folder: dirname(file), sendsLater })

const convert = (root: Element, origin: Origin): Converted => {
  for (const [pattern, reason] of impossible) {
    if (find(root, (element) => pattern(element))) throw new LeftOut(reason)
  }
  const data = all(root, "data")
  const scripts = all(root, "script").map((script) => sourceOf(script, origin))
  const assigned = scripts.flatMap((script) =>
    [...script.matchAll(/\bvar\s+(?!var\b)(\w+)/g)].map(([, name = ""]) => name)
  )
  const loops = all(root, "foreach").flatMap(({ attributes: { item, index } }) => [item, index])
  const names = new Set([...data.map(({ attributes }) => attributes["id"]), ...assigned, ...loops])
  names.delete(undefined)
  const hasDoor = find(root, (element) => element.name === "finalize" || isForwarding(element))
  const doc: Document = { ...codeOf([...names] as ReadonlyArray<string>), ...origin, hasDoor, children: {} }
  const begins = [
    ...data.map((element) => {
      const name = element.attributes["id"] ?? ""
      const begin = doc.run(`${name} = ${initialOf(element, doc)}`)
      // What an invocation gives takes the place of what a document begins with.
      return (context: Variables, given: Variables) =>
        Object.hasOwn(given, name) ? { ...context, [name]: given[name] } : begin(context)
    }),
    ...root.children
      .filter(({ name }) => name === "script")
      .map((script) => {
        const run = doc.run(sourceOf(script, doc))
        return (context: Variables) => run(context)
      })
  ]
  const { entry: _entry, ...chart } = stateOf(root, doc)
  const machine = createMachine(
    {
      ...(origin.invoked !== undefined && origin.sendsLater ? beginningLater(chart) : chart),
      id: "scxml",
      context: ({ input }: { readonly input: unknown }) =>
        begins.reduce<Variables>((context, begin) => begin(context, (input ?? {}) as never), {}), // the values of `inputOf`
      output: ({ event }: Seen) => event.output
    } as object,
    { actors: Object.fromEntries(Object.keys(doc.children).map((name) => [name, fromDurable()])) } as object
  )
  const sends = [
    ...all(root, "send").flatMap(({ attributes: { event } }) => (event === undefined ? [] : [event])),
    ...Object.values(doc.children).flatMap(({ sends }) => sends)
  ]
  return { machine, children: doc.children, hasDoor, sends }
}

/** What "later" is, of what SCXML lets come at once or later. Units: milliseconds. */
const moment = 1

/** A machine that begins a moment later. */
const beginningLater = ({
  initial,
  states,
  ...chart
}: Readonly<Record<string, Part>>): Readonly<Record<string, Part>> => ({
  ...chart,
  initial: "invoked",
  states: { invoked: { after: { [moment]: initial } }, ...(states as object) }
})

const stateOf = (element: Element, doc: Document): Readonly<Record<string, Part>> => {
  const { attributes, children } = element
  const { id } = attributes
  const of = (...names: ReadonlyArray<string>) => children.filter(({ name }) => names.includes(name))
  const states = of("state", "parallel", "final", "history")
  const transitions = of("transition")
  const initial = initialState(element, states, doc)
  const invokes = of("invoke").map(
    (invoke, index) => [invoke, invoke.attributes["id"] ?? `${nameOf(idOf(element))}.${index}`] as const
  )
  return {
    ...(id === undefined ? {} : { id: nameOf(id) }),
    ...typeOf(element),
    ...(states.length === 0
      ? {}
      : { states: Object.fromEntries(states.map((state) => [nameOf(idOf(state)), stateOf(state, doc)])) }),
    ...(initial === undefined ? {} : { initial }),
    ...(element.name === "history" ? { target: targetsOf(transitions[0])?.[0] } : {}),
    entry: [
      ...of("onentry").flatMap((block) => actionsOf(block.children, doc)),
      ...invokes.flatMap(([{ attributes }, name]) =>
        attributes["idlocation"] === undefined ? [] : [running(`${attributes["idlocation"]} = "${name}"`, doc)]
      )
    ],
    ...(invokes.length === 0 ? {} : { invoke: invokes.map(([invoke, name]) => invokeOf(invoke, name, doc)) }),
    exit: of("onexit").flatMap((block) => actionsOf(block.children, doc)),
    ...(element.name === "history"
      ? {}
      : transitionsOf(transitions, doc, element.name === "scxml" ? doorOf(element, doc) : [])),
    ...outputOf(of("donedata")[0], doc)
  }
}

let unnamed = 0
const names = new WeakMap<Element, string>()

/** The id of a state; one without is given one. */
const idOf = (element: Element): string => {
  const name = element.attributes["id"] ?? names.get(element) ?? `unnamed${unnamed++}`
  names.set(element, name)
  return name
}

const typeOf = ({ name, attributes }: Element): Readonly<Record<string, Part>> => {
  if (name === "parallel" || name === "final") return { type: name }
  return name === "history" ? { type: "history", history: attributes["type"] ?? "shallow" } : {}
}

const initialState = (element: Element, states: ReadonlyArray<Element>, doc: Document): Part | undefined => {
  if (element.name === "parallel" || states.length === 0 || element.name === "history") return undefined
  const transition = element.children.find(({ name }) => name === "initial")?.children[0]
  const first = states.find(({ name }) => name !== "history") ?? states[0]
  const target = transition?.attributes["target"] ?? element.attributes["initial"] ?? idOf(first as Element) // there is one
  if (!states.some((state) => idOf(state) === target)) {
    throw new LeftOut("XState begins a state with one of its children, not further inside")
  }
  return { target: nameOf(target), actions: actionsOf(transition?.children ?? [], doc) }
}

const transitionsOf = (transitions: ReadonlyArray<Element>, doc: Document, door: ReadonlyArray<Part>) => {
  const on: Record<string, Array<Part>> = door.length === 0 ? {} : { external: [{ actions: door }] }
  const always: Array<Part> = []
  for (const transition of transitions) {
    const { event, cond, type } = transition.attributes
    const target = targetsOf(transition)
    const guards = [
      ...(doc.hasDoor && event === "*" ? [isInside] : []),
      ...(cond === undefined ? [] : [guardOf(cond, doc)])
    ]
    const part = {
      ...(target === undefined ? {} : { target, ...(type === "internal" ? {} : { reenter: true }) }),
      ...(guards.length === 0 ? {} : { guard: and(guards as never) }),
      actions: actionsOf(transition.children, doc)
    }
    if (event === undefined) always.push(part)
    else for (const descriptor of descriptorsOf(event)) on[descriptor] = [...(on[descriptor] ?? []), part]
  }
  return { on, ...(always.length === 0 ? {} : { always }) }
}

/** The root alone takes what comes by the door. */
const isInside = ({ event }: Seen): boolean => event.type !== "external"

/** A descriptor of SCXML matches whole names and beginnings of names; one of XState says which. */
const descriptorsOf = (event: string): ReadonlyArray<string> =>
  event
    .trim()
    .split(/\s+/)
    .map((descriptor) => descriptor.replace(/\.\*?$/, ""))
    .flatMap((descriptor) => {
      if (descriptor === "*") return ["*"]
      if (!descriptor.startsWith("done.")) return [descriptor, `${descriptor}.*`]
      const name = `xstate.${descriptor.replace("done.invoke", "done.actor")}`
      return /^done\.(state|invoke)$/.test(descriptor) ? [`${name}.*`] : [name]
    })

const targetsOf = (transition: Element | undefined): ReadonlyArray<string> | undefined =>
  transition?.attributes["target"]
    ?.trim()
    .split(/\s+/)
    .map((target) => `#${nameOf(target)}`)

const guardOf = (cond: string, doc: Document): Part => {
  const [, negated, state] = /^\s*(!?)\s*In\(\s*['"]([^'"]+)['"]\s*\)\s*$/.exec(cond) ?? []
  if (state !== undefined) {
    const inside = stateIn(`#${nameOf(state)}`)
    return negated === "!" ? not(inside as never) : inside
  }
  if (/\bIn\(/.test(cond)) throw new LeftOut("XState asks for a state by a guard, not within an expression")
  const value = compiled(cond, doc)
  return ({ context, event }: Seen) => Boolean(value(context, event))
}

const outputOf = (donedata: Element | undefined, doc: Document): Readonly<Record<string, Part>> => {
  if (donedata === undefined) return {}
  const value = payloadOf(donedata, doc)
  return { output: ({ context, event }: Seen) => value?.(context, event) }
}

/** What `param`, `namelist` and `content` make of the variables. */
const payloadOf = (
  element: Element,
  doc: Document
): ((context: Variables, event: SentEvent) => unknown) | undefined => {
  const content = element.children.find(({ name }) => name === "content")
  if (content !== undefined) {
    const { expr } = content.attributes
    if (content.children.length > 0) throw new LeftOut("the events of XState carry JSON, not XML")
    return expr === undefined ? () => literal(content.text) : compiled(expr, doc)
  }
  const named = (element.attributes["namelist"] ?? "").split(/\s+/).filter((name) => name !== "")
  const params = element.children.filter(({ name }) => name === "param").map(({ attributes }) => attributes)
  if (named.length + params.length === 0) return undefined
  const fields = [
    ...named.map((name) => [name, compiled(name, doc)] as const),
    ...params.map(({ name = "", expr, location = "" }) => [name, compiled(expr ?? location, doc)] as const)
  ]
  return (context, event) => Object.fromEntries(fields.map(([name, value]) => [name, value(context, event)]))
}

const literal = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text.trim().replace(/\s+/g, " ")
  }
}

const compiled = (expression: string, doc: Document) => {
  try {
    return doc.value(expression)
  } catch {
    throw new LeftOut("XState has no errors of expressions: this one is no JavaScript")
  }
}

const actionsOf = (elements: ReadonlyArray<Element>, doc: Document): ReadonlyArray<Part> =>
  elements.flatMap((element) => (element.name === "elseif" || element.name === "else" ? [] : [actionOf(element, doc)]))

const actionOf = (element: Element, doc: Document): Part => {
  const { attributes, children } = element
  switch (element.name) {
    case "raise":
      return raise({ type: attributes["event"] ?? "" } as never)
    case "send":
      return sendOf(element, doc)
    case "cancel": {
      const { sendid, sendidexpr } = attributes
      return sendidexpr === undefined
        ? cancel(sendid ?? "")
        : cancel((({ context, event }: Seen) => String(compiled(sendidexpr, doc)(context, event))) as never)
    }
    case "assign":
      return running(`${attributes["location"]} = ${attributes["expr"] ?? valueText(element)}`, doc)
    case "script":
      return running(sourceOf(element, doc), doc)
    case "log": {
      const value = compiled(attributes["expr"] ?? "null", doc)
      return log((({ context, event }: Seen) => value(context, event) ?? null) as never, attributes["label"])
    }
    case "if":
      return branching(element, doc)
    case "foreach": {
      const { array = "", item = "", index } = attributes
      const list = compiled(array, doc)
      const body = actionsOf(children, doc)
      const one = (key: number) =>
        running(`${item} = ${array}[${key}];${index === undefined ? "" : `${index} = ${key}`}`, doc)
      return enqueueActions((({ context, event, enqueue }: Seen & { readonly enqueue: (action: Part) => void }) => {
        const { length } = list(context, event) as ReadonlyArray<unknown> // what a document iterates over
        for (let key = 0; key < length; key++) for (const action of [one(key), ...body]) enqueue(action)
      }) as never)
    }
    default:
      throw new LeftOut(`XState has nothing for <${element.name}>`)
  }
}

const running = (statements: string, doc: Document): Part => {
  const run = (() => {
    try {
      return doc.run(statements)
    } catch {
      throw new LeftOut("XState has no errors of expressions: this one is no JavaScript")
    }
  })()
  return assign((({ context, event }: Seen) => run(context, event)) as never)
}

/** `if`, `elseif` and `else` are siblings of what they govern. */
const branching = (element: Element, doc: Document): Part => {
  const branches = [{ cond: element.attributes["cond"] as string | undefined, inside: [] as Array<Element> }]
  for (const child of element.children) {
    if (child.name === "elseif" || child.name === "else") branches.push({ cond: child.attributes["cond"], inside: [] })
    else branches.at(-1)?.inside.push(child)
  }
  const cases = branches.map(({ cond, inside }) => ({
    guard: cond === undefined ? undefined : guardOf(cond, doc),
    actions: actionsOf(inside, doc)
  }))
  interface Enqueue extends Seen {
    readonly enqueue: (action: Part) => void
    readonly check: (guard: Part) => boolean
  }
  return enqueueActions((({ enqueue, check }: Enqueue) => {
    const taken = cases.find(({ guard }) => guard === undefined || check(guard))
    for (const action of taken?.actions ?? []) enqueue(action)
  }) as never)
}

const sendOf = (element: Element, doc: Document): Part => {
  const { event, eventexpr, delay, delayexpr, id, target } = element.attributes
  const type = eventexpr === undefined ? () => event ?? "" : compiled(eventexpr, doc)
  const data = payloadOf(element, doc)
  const bare = ({ context, event: cause }: Seen) => ({
    type: String(type(context, cause)),
    ...(data === undefined ? {} : { data: data(context, cause) })
  })
  if (target === "#_internal") return raise(bare as never)
  const isForParent = target === "#_parent"
  if (isForParent && doc.invoked === undefined)
    throw new LeftOut("nothing invoked the document that sends to its parent")
  const made = (seen: Seen) => {
    const sender = isForParent ? { invokeid: doc.invoked?.id } : {}
    const sent = { ...bare(seen), origintype: processor, ...sender }
    const isByDoor = isForParent ? doc.invoked?.byDoor : target === undefined && doc.hasDoor
    return isByDoor === true ? { type: "external", event: sent } : sent
  }
  const wait = delayexpr === undefined ? (delay === undefined ? undefined : () => delay) : compiled(delayexpr, doc)
  const ms = ({ context, event: cause }: Seen) =>
    wait === undefined ? moment : lengthOf(String(wait(context, cause) ?? "0"))
  const options = { ...(id === undefined ? {} : { id }), ...(wait === undefined ? {} : { delay: ms as never }) }
  if (isForParent) return sendParent(made as never, options)
  if (target !== undefined) return sendTo(target.slice("#_".length) as never, made as never, options)
  if (wait === undefined && !doc.sendsLater)
    return sendTo((({ self }: { self: never }) => self) as never, made as never, options)
  return raise(made as never, { ...options, delay: ms as never })
}

/** An invocation: its document is an actor of its own name, which is begun with the values of its parameters. */
const invokeOf = (element: Element, name: string, doc: Document): Part => {
  const { type, typeexpr, src } = element.attributes
  const content = element.children.find(({ name }) => name === "content")?.children[0]
  const root = src === undefined ? content : parse(sourceOf(element, doc))
  if (root === undefined) throw new LeftOut("it invokes no document")
  const { folder, sendsLater, hasDoor } = doc
  doc.children[name] = convert(root, { folder, sendsLater, invoked: { id: name, byDoor: hasDoor } })
  const typeOf = typeexpr === undefined ? () => type : compiled(typeexpr, doc)
  const given = payloadOf({ ...element, children: element.children.filter(({ name }) => name === "param") }, doc)
  const input = ({ context, event }: Seen) => {
    const type = String(typeOf(context, event) ?? "scxml")
    if (!/^(scxml|http:\/\/www\.w3\.org\/TR\/scxml\/?)$/.test(type)) throw new Error(`there is nothing of type ${type}`)
    return given?.(context, event) ?? {}
  }
  return { id: name, src: name, input }
}

const isForwarding = ({ name, attributes }: Element): boolean =>
  name === "invoke" && attributes["autoforward"] === "true"

/** What the root does with an event from outside before the states have it. */
const doorOf = (root: Element, doc: Document): ReadonlyArray<Part> => {
  if (!doc.hasDoor) return []
  const holders = ["scxml", "state", "parallel"].flatMap((name) => all(root, name))
  const invocations = holders.flatMap((holder) =>
    holder.children
      .filter(({ name }) => name === "invoke")
      .map((invoke, index) => ({
        name: invoke.attributes["id"] ?? `${nameOf(idOf(holder))}.${index}`,
        isActive: stateIn(`#${nameOf(idOf(holder))}`),
        forwards: isForwarding(invoke),
        finalize: actionsOf(invoke.children.find(({ name }) => name === "finalize")?.children ?? [], doc)
      }))
  )
  interface Enqueue {
    readonly event: { readonly event: SentEvent }
    readonly enqueue: (action: Part) => void
    readonly check: (guard: Part) => boolean
  }
  return [
    enqueueActions((({ event: { event }, enqueue, check }: Enqueue) => {
      for (const { name, isActive, forwards, finalize } of invocations) {
        if (!check(isActive)) continue
        if (event.invokeid === name) for (const action of finalize) enqueue(action)
        if (forwards) enqueue(sendTo(name as never, event as never))
      }
      enqueue(raise(event as never))
    }) as never)
  ]
}

/** A length of time of CSS, in milliseconds. */
const lengthOf = (text: string): number => {
  const [, number = "0", unit] = /^\s*([\d.]+)\s*(ms|s)?\s*$/.exec(text) ?? []
  return Number(number) * (unit === "s" ? 1_000 : 1)
}

const sourceOf = ({ attributes: { src }, text }: Element, { folder }: Pick<Document, "folder">): string =>
  src === undefined ? text : readFileSync(join(folder, src.replace(/^file:/, "")), "utf8")

const initialOf = (element: Element, doc: Document): string => {
  const { expr, src } = element.attributes
  if (expr !== undefined) return expr
  return src === undefined ? valueText(element) : JSON.stringify(literal(sourceOf(element, doc)))
}

/** The content of `data` or `assign`, as an expression. */
const valueText = ({ text, children }: Element): string => {
  if (children.length > 0) throw new LeftOut("the context of XState is JSON, not XML")
  if (text === "") return "undefined"
  try {
    new Function(`return (${text})`)
    return text
  } catch {
    return JSON.stringify(text.replace(/\s+/g, " "))
  }
}
