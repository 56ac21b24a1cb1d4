/**
 * SCXML documents as machines of XState, for what XState has. What it has not is refused with the reason.
 */
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { AnyStateMachine } from "xstate"
import { assign, cancel, createMachine, enqueueActions, log, not, raise, sendTo, stateIn } from "xstate"
import type { Code, SentEvent, Variables } from "./code.ts"
import { codeOf } from "./code.ts"
import type { Element } from "./xml.ts"
import { parse } from "./xml.ts"

/** Why a document has no machine. */
export class LeftOut extends Error {}

/** What an action, guard or delay is given. */
interface Seen {
  readonly context: Variables
  readonly event: SentEvent
}

/** A document's code, where its files are, and whether what it sends to itself comes a moment later. */
interface Document extends Code {
  readonly folder: string
  readonly sendsLater: boolean
}

/** The parts of a machine, as plain objects: the types of XState's configuration follow a machine that is known before. */
type Part = unknown

/** A state's name as XState's: its own uses the point in paths. */
export const nameOf = (id: string): string => id.replaceAll(".", "$")

/**
 * Makes the machine of the document in a file. Throws `LeftOut`.
 *
 * An event that a document sends to itself is taken at once, or `sendsLater`: by a timer of no length. SCXML allows both.
 */
export const machineOf = (file: string, sendsLater: boolean): AnyStateMachine => {
  const root = parse(readFileSync(file, "utf8"))
  for (const [pattern, reason] of impossible) {
    if (find(root, (element) => pattern(element))) throw new LeftOut(reason)
  }
  const folder = dirname(file)
  const data = all(root, "data")
  const scripts = all(root, "script").map((script) => sourceOf(script, { folder }))
  const assigned = scripts.flatMap((script) =>
    [...script.matchAll(/\bvar\s+(?!var\b)(\w+)/g)].map(([, name = ""]) => name)
  )
  const loops = all(root, "foreach").flatMap(({ attributes: { item, index } }) => [item, index])
  const names = new Set([...data.map(({ attributes }) => attributes["id"]), ...assigned, ...loops])
  names.delete(undefined)
  const doc: Document = { ...codeOf([...names] as ReadonlyArray<string>), folder, sendsLater }
  const begins = [
    ...data.map((element) => doc.run(`${element.attributes["id"]} = ${initialOf(element, doc)}`)),
    ...root.children.filter(({ name }) => name === "script").map((script) => doc.run(sourceOf(script, doc)))
  ]
  const { entry: _entry, ...chart } = stateOf(root, doc)
  return createMachine({
    ...chart,
    id: "scxml",
    context: () => begins.reduce<Variables>((context, begin) => begin(context), {})
  } as object)
}

/** What XState has not, by the elements that ask for it. */
const impossible: ReadonlyArray<readonly [(element: Element) => boolean, string]> = [
  [({ name }) => name === "invoke", "invokes a document: XState invokes logic that is declared in the machine"],
  [({ name }) => name === "finalize", "XState has no finalize"],
  [({ attributes }) => attributes["idlocation"] !== undefined, "XState keeps no generated id for a send"],
  [({ attributes }) => attributes["binding"] === "late", "XState has no late binding of data"],
  [
    ({ name, attributes: { type, typeexpr } }) =>
      name === "send" && (typeexpr !== undefined || (type !== undefined && !type.endsWith("SCXMLEventProcessor"))),
    "XState has no other event processors"
  ],
  [
    ({ name, attributes: { target, targetexpr } }) =>
      name === "send" && (targetexpr !== undefined || (target !== undefined && target !== "#_internal")),
    "XState has no sessions and processors to send to by their address"
  ],
  [
    ({ name, children }) => name === "history" && find({ ...empty, children }, ({ name }) => executable.has(name)),
    "XState has no actions on the default transition of a history state"
  ],
  [
    ({ name, attributes, text }) =>
      name !== "log" &&
      [...Object.values(attributes), text].some((code) => /_sessionid|_ioprocessors|\b_name|\b_x\b/.test(code)),
    "XState has no system variables"
  ],
  [
    ({ attributes, text }) =>
      [...Object.values(attributes), text].some((code) =>
        /_event\.(sendid|origin|invokeid|raw|type)|'sendid' in _event/.test(code)
      ),
    "the events of XState have no sender"
  ],
  [
    ({ attributes: { event = "" } }) => /^error\b/.test(event),
    "XState raises no error events: what throws stops the machine"
  ],
  [({ name, attributes }) => name === "data" && (attributes["src"] ?? "").startsWith("http"), "XState loads nothing"]
]

const executable = new Set(["raise", "send", "assign", "log", "if", "foreach", "script", "cancel"])
const empty: Element = { name: "", attributes: {}, children: [], text: "" }

const stateOf = (element: Element, doc: Document): Readonly<Record<string, Part>> => {
  const { attributes, children } = element
  const { id } = attributes
  const of = (...names: ReadonlyArray<string>) => children.filter(({ name }) => names.includes(name))
  const states = of("state", "parallel", "final", "history")
  const transitions = of("transition")
  const initial = initialState(element, states, doc)
  return {
    ...(id === undefined ? {} : { id: nameOf(id) }),
    ...typeOf(element),
    ...(states.length === 0
      ? {}
      : { states: Object.fromEntries(states.map((state) => [nameOf(idOf(state)), stateOf(state, doc)])) }),
    ...(initial === undefined ? {} : { initial }),
    ...(element.name === "history" ? { target: targetsOf(transitions[0])?.[0] } : {}),
    entry: of("onentry").flatMap((block) => actionsOf(block.children, doc)),
    exit: of("onexit").flatMap((block) => actionsOf(block.children, doc)),
    ...(element.name === "history" ? {} : transitionsOf(transitions, doc)),
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

const transitionsOf = (transitions: ReadonlyArray<Element>, doc: Document) => {
  const on: Record<string, Array<Part>> = {}
  const always: Array<Part> = []
  for (const transition of transitions) {
    const { event, cond, type } = transition.attributes
    const target = targetsOf(transition)
    const part = {
      ...(target === undefined ? {} : { target, ...(type === "internal" ? {} : { reenter: true }) }),
      ...(cond === undefined ? {} : { guard: guardOf(cond, doc) }),
      actions: actionsOf(transition.children, doc)
    }
    if (event === undefined) always.push(part)
    else for (const descriptor of descriptorsOf(event)) on[descriptor] = [...(on[descriptor] ?? []), part]
  }
  return { on, ...(always.length === 0 ? {} : { always }) }
}

/** A descriptor of SCXML matches whole names and beginnings of names; one of XState says which. */
const descriptorsOf = (event: string): ReadonlyArray<string> =>
  event
    .trim()
    .split(/\s+/)
    .map((descriptor) => descriptor.replace(/\.\*?$/, ""))
    .flatMap((descriptor) => {
      if (descriptor === "*") return ["*"]
      if (/^done\.(state|invoke)$/.test(descriptor)) return [`xstate.${descriptor}.*`]
      return descriptor.startsWith("done.") ? [`xstate.${descriptor}`] : [descriptor, `${descriptor}.*`]
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
  const made = ({ context, event: cause }: Seen) => ({
    type: String(type(context, cause)),
    ...(data === undefined ? {} : { data: data(context, cause) })
  })
  const wait = delayexpr === undefined ? (delay === undefined ? undefined : () => delay) : compiled(delayexpr, doc)
  if (target === "#_internal") return raise(made as never)
  const named = id === undefined ? {} : { id }
  if (wait === undefined && !doc.sendsLater)
    return sendTo((({ self }: { self: never }) => self) as never, made as never, named)
  const ms = ({ context, event: cause }: Seen) => lengthOf(String(wait?.(context, cause) ?? "0"))
  return raise(made as never, { ...named, delay: ms as never })
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

const find = (element: Element, holds: (element: Element) => boolean): boolean =>
  holds(element) || element.children.some((child) => find(child, holds))

const all = (element: Element, name: string): ReadonlyArray<Element> => [
  ...(element.name === name ? [element] : []),
  ...element.children.flatMap((child) => all(child, name))
]
