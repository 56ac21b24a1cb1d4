/**
 * What the tests of every machine ask of it: its states, where it is, and that each step is pure and survives JSON.
 */
import { assert } from "@effect/vitest"
import type { AnyStateMachine, EventFromLogic, InputFrom, SnapshotFrom, StateValue } from "xstate"
import { getShortestPaths, getStateNodes } from "xstate/graph"
import type { CommandFrom } from "../../machines/xstate/step.ts"
import * as Step from "../../machines/xstate/step.ts"

/** A state value without regions as one word: the keys on its way, joined by dots. */
export const placeOf = (value: StateValue): string =>
  typeof value === "string"
    ? value
    : Object.entries(value)
        .map(([key, child]) => `${key}.${placeOf(child ?? "")}`)
        .join(" ")

/** The places in which a machine can be at all: its states that have no states. Asserts that every state says what it means. */
export const placesOf = (machine: AnyStateMachine): ReadonlyArray<string> =>
  [machine.root, ...getStateNodes(machine.root)]
    .flatMap(({ path, states, description }) => {
      assert.match(String(description), /^[A-Z].{8,}\.$/, `${machine.id} ${path.join(".")}`)
      return Object.keys(states).length === 0 ? [path.join(".")] : []
    })
    .toSorted()

/** The places that some order of the events leads to; `tells` names the part of a context without end that matters. */
export const reachedBy = <Machine extends AnyStateMachine>(
  machine: Machine,
  input: InputFrom<Machine>,
  events: ReadonlyArray<EventFromLogic<Machine>>,
  tells: (context: SnapshotFrom<Machine>["context"]) => unknown = (context) => context
): ReadonlyArray<string> => {
  const known: AnyStateMachine = machine
  const paths = getShortestPaths(known, {
    input,
    events,
    serializeState: ({ value, context }) => JSON.stringify([value, tells(context)])
  })
  return [...new Set(paths.map(({ state }) => placeOf(state.value)))].toSorted()
}

/** One step, and where it led. */
export interface Visit<Machine extends AnyStateMachine> {
  readonly place: string
  readonly snapshot: SnapshotFrom<Machine>
  readonly commands: ReadonlyArray<CommandFrom<Machine>>
}

/** Begins a machine; asserts that it begins alike twice. */
export const begun = <Machine extends AnyStateMachine>(machine: Machine, input: InputFrom<Machine>): Visit<Machine> => {
  const step = Step.begin(machine, input)
  const twin = Step.begin(machine, input)
  assert.deepStrictEqual(Step.persist(twin.snapshot), Step.persist(step.snapshot))
  assert.deepStrictEqual(twin.commands, step.commands)
  return visit(machine, step)
}

/**
 * Advances a machine by one event.
 *
 * Asserts that the step comes out alike twice and from a snapshot that was stored, that the context is plain JSON, and that
 * the snapshot before it is left alone.
 */
export const stepped = <Machine extends AnyStateMachine>(
  machine: Machine,
  { snapshot }: { readonly snapshot: SnapshotFrom<Machine> },
  event: EventFromLogic<Machine>
): Visit<Machine> => {
  const before = JSON.stringify(Step.persist(snapshot))
  const step = Step.advance(machine, snapshot, event)
  const stored = Step.persist(step.snapshot)
  assert.deepStrictEqual(JSON.parse(JSON.stringify(stored)), stored)
  assert.strictEqual(JSON.stringify(Step.persist(snapshot)), before)
  for (const start of [snapshot, Step.restore(machine, JSON.parse(before))]) {
    // A final snapshot is restored as an active one that handles nothing, which comes to the same.
    const twin = Step.advance(machine, start, event)
    assert.deepStrictEqual(Step.persist(twin.snapshot), stored)
    assert.deepStrictEqual(twin.commands, step.commands)
  }
  return visit(machine, step)
}

/** Where a list of events leads, from the first state. */
export const ledBy = <Machine extends AnyStateMachine>(
  machine: Machine,
  input: InputFrom<Machine>,
  events: ReadonlyArray<EventFromLogic<Machine>>
): Visit<Machine> => events.reduce((at: Visit<Machine>, event) => stepped(machine, at, event), begun(machine, input))

const visit = <Machine extends AnyStateMachine>(
  _machine: Machine,
  { snapshot, commands }: Step.Step<SnapshotFrom<Machine>, CommandFrom<Machine>>
): Visit<Machine> => {
  const { value }: { readonly value: StateValue } = snapshot
  return { place: placeOf(value), snapshot, commands }
}
