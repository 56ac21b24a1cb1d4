/**
 * The SCXML suite of `@scion-scxml/test-framework`: documents, each with a script of events and the configurations that must
 * follow. Each is converted for XState, and played by XState itself, or has a reason why it is not.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { AnyStateMachine, AnyStateNode, StateValue } from "xstate"
import { createActor, SimulatedClock } from "xstate"
import { projectRoot } from "../../support/projectRoot.ts"
import type { Converted } from "./convert.ts"
import { machineOf, nameOf } from "./convert.ts"
import { differences, LeftOut, unsendable } from "./leftOut.ts"

/** One event of a script, and the active atomic states that must follow. Units: milliseconds. */
export interface Step {
  readonly after?: number
  readonly event: { readonly name: string; readonly data?: unknown }
  readonly nextConfiguration: ReadonlyArray<string>
}

/** A script of the suite. */
export interface Script {
  readonly initialConfiguration: ReadonlyArray<string>
  readonly events: ReadonlyArray<Step>
}

/** One test of the suite: it has a document, or a reason why it is left out. */
export interface Case {
  readonly name: string
  readonly script: Script
  readonly document?: Converted
  readonly leftOut?: string
}

const folder = join(projectRoot, "node_modules/@scion-scxml/test-framework/test")

/** All tests of the suite, by their names. */
export const cases = (): ReadonlyArray<Case> =>
  readdirSync(folder)
    .flatMap((group) =>
      readdirSync(join(folder, group))
        .filter((file) => file.endsWith(".json"))
        .map((file) => `${group}/${file.slice(0, -".json".length)}`)
    )
    .sort()
    .map(caseOf)

const caseOf = (name: string): Case => {
  const script = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as Script // the suite's format
  const isSendable = script.events.every(({ event }) => /^[\w-]*$/.test(event.name))
  const reason = differences[name] ?? (isSendable ? undefined : unsendable)
  try {
    // Where a script lets time pass, it sees the configuration before the document takes what it sends to itself.
    const sendsLater = script.events.some(({ after }) => after !== undefined)
    const document = machineOf(join(folder, `${name}.scxml`), sendsLater)
    return { name, script, document, ...(reason === undefined ? {} : { leftOut: reason }) }
  } catch (thrown) {
    if (thrown instanceof LeftOut) return { name, script, leftOut: thrown.message }
    if (reason !== undefined) return { name, script, leftOut: reason }
    throw thrown
  }
}

/** The configurations that a script expects, in order, as sorted names. */
export const expected = ({ initialConfiguration, events }: Script): ReadonlyArray<string> =>
  [initialConfiguration, ...events.map(({ nextConfiguration }) => nextConfiguration)].map((states) =>
    states.map(nameOf).sort().join(" ")
  )

/** The active atomic states of a machine, as sorted names. */
export const atomicOf = ({ root }: AnyStateMachine, value: StateValue): string => {
  const within = (node: AnyStateNode, part: StateValue | undefined): ReadonlyArray<string> => {
    const children = typeof part === "string" ? [[part, undefined] as const] : Object.entries(part ?? {})
    if (children.length === 0) return [node.id]
    return children.flatMap(([key, inner]) => within(node.states[key] as AnyStateNode, inner)) // a state of the machine
  }
  return [...within(root, value)].sort().join(" ")
}

/** Plays a script with XState's own actor; answers the configurations. Throws what stops the actor. */
export const played = (document: Converted, { events }: Script): ReadonlyArray<string> => {
  const clock = new SimulatedClock()
  const machine = withChildren(document)
  const actor = createActor(machine, { clock, logger: () => {} })
  const errors: Array<unknown> = []
  actor.subscribe({ error: (error) => errors.push(error) })
  const configuration = () => {
    if (errors.length > 0) throw errors[0]
    return atomicOf(machine, actor.getSnapshot().value)
  }
  actor.start()
  const seen = [configuration()]
  for (const { after = 0, event } of events) {
    // Moment by moment: at one stroke, a timer would be armed late by one that was due before.
    for (let ms = 0; ms < after; ms++) clock.increment(1)
    if (event.name !== "" && actor.getSnapshot().status === "active")
      actor.send(sentTo(document, { type: event.name, ...("data" in event ? { data: event.data } : {}) }))
    seen.push(configuration())
  }
  return seen
}

/** An event of a script as a document takes it. */
export const sentTo = <Event extends { readonly type: string }>({ hasDoor }: Converted, event: Event) =>
  hasDoor ? { type: "external", event } : event

/** A machine whose actors are those of XState. */
const withChildren = ({ machine, children }: Converted): AnyStateMachine =>
  machine.provide({
    actors: Object.fromEntries(Object.entries(children).map(([name, child]) => [name, withChildren(child)]))
  } as object)
