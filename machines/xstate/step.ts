/**
 * The one place that runs XState: a pure step from a snapshot and an event to the next snapshot and the commands asked for.
 *
 * Invariant: nothing here or below it has an effect. Actions are `assign` (folded into the context by XState) or a named
 * `command`, which is collected as data and never executed.
 *
 * XState's own `transition()` builds a throw-away actor for every call; calling the machine with one shared inert scope is
 * several times cheaper. The scope is not documented, so a test pins its shape and compares its results with `transition()`.
 */
import type {
  AnyActorScope,
  AnyEventObject,
  AnyMachineSnapshot,
  AnyStateMachine,
  EventFromLogic,
  InputFrom,
  ParameterizedObject,
  SnapshotFrom,
  StateValue
} from "xstate"
import { createActor, createMachine } from "xstate"
import type { ActionOf } from "./types.ts"

/** A request of a machine to its runtime, as plain data: what to do, and with which parameters. */
export interface Command<Type extends string = string, Params = unknown> {
  readonly type: Type
  readonly params: Params
}

/** What one event did: the snapshot after it, and the commands it asked for, in order. */
export interface Step<Snapshot, Cmd> {
  readonly snapshot: Snapshot
  readonly commands: ReadonlyArray<Cmd>
}

/** The part of a snapshot that is stored: its state value and its context; everything else is derived from the machine. */
export interface Persisted<Context> {
  readonly value: StateValue
  readonly context: Context
}

/** The closed union of the commands a machine declares, so that an interpreter which forgets one does not compile. */
export type CommandFrom<Machine extends AnyStateMachine> =
  ActionOf<Machine> extends infer Action
    ? Action extends ParameterizedObject
      ? { readonly type: Action["type"]; readonly params: NonNullable<Action["params"]> }
      : never
    : never

/**
 * Declares a command in a machine's `actions`: a name and the type of its parameters, with no implementation at all.
 *
 * The parameters must be plain JSON: they are stored, compared and shown.
 */
export const command =
  <Params extends Readonly<Record<string, unknown>> = Readonly<Record<string, never>>>(): ((
    _args: unknown,
    params: Params
  ) => void) =>
  () => {}

/**
 * Enters a machine at its initial state.
 *
 * The same input always gives the same snapshot and commands.
 */
export const begin = <Machine extends AnyStateMachine>(
  machine: Machine,
  input: InputFrom<Machine>
): Step<SnapshotFrom<Machine>, CommandFrom<Machine>> => {
  const collected = collect()
  const snapshot: any = machine.getInitialSnapshot(scope, input)
  return { snapshot, commands: collected as any }
}

/**
 * Advances a snapshot by one event.
 *
 * An event that the present state does not handle answers the same snapshot reference and no commands.
 */
export const advance = <Machine extends AnyStateMachine>(
  machine: Machine,
  snapshot: SnapshotFrom<Machine>,
  event: EventFromLogic<Machine>
): Step<SnapshotFrom<Machine>, CommandFrom<Machine>> => {
  const collected = collect()
  const next: any = machine.transition(snapshot as AnyMachineSnapshot as any, event as AnyEventObject, scope)
  return { snapshot: next, commands: collected as any }
}

/**
 * Rebuilds a live snapshot from its stored part. No entry action runs, so no command is asked for twice.
 *
 * Throws when the value names a state that the machine does not have: the caller refolds from the log instead.
 */
export const restore = <Machine extends AnyStateMachine>(
  machine: Machine,
  persisted: Persisted<SnapshotFrom<Machine>["context"]>
): SnapshotFrom<Machine> => machine.resolveState({ value: persisted.value, context: persisted.context }) as any

/**
 * Makes {@link restore} for a machine of which many snapshots are read at once: the states of each value are looked up once.
 *
 * Only for values that a machine was in: each is kept.
 */
export const restorer = <Machine extends AnyStateMachine>(
  machine: Machine
): ((persisted: Persisted<SnapshotFrom<Machine>["context"]>) => SnapshotFrom<Machine>) => {
  const known = new Map<string, SnapshotFrom<Machine>>()
  return (persisted) => {
    const key = JSON.stringify(persisted.value)
    const same = known.get(key)
    if (same !== undefined)
      return { ...(same as object), context: persisted.context, children: {} } as SnapshotFrom<Machine>
    const restored = restore(machine, persisted)
    known.set(key, restored)
    return restored
  }
}

/** The stored part of a snapshot. */
export const persist = <Context>(snapshot: {
  readonly value: StateValue
  readonly context: Context
}): Persisted<Context> => ({ value: snapshot.value, context: snapshot.context })

/** The steps of one machine whose events carry nothing but their type, each computed once. */
export interface Table<Machine extends AnyStateMachine> {
  readonly initial: Step<SnapshotFrom<Machine>, CommandFrom<Machine>>
  readonly advance: (
    snapshot: SnapshotFrom<Machine>,
    type: EventFromLogic<Machine>["type"]
  ) => Step<SnapshotFrom<Machine>, CommandFrom<Machine>>
}

/**
 * Tabulates a machine without context: such a machine has as many steps as states times events, so none is computed twice.
 *
 * For machines that run once per process, where even ten microseconds a step would show.
 */
export const tabulate = <Machine extends AnyStateMachine>(
  machine: Machine,
  input: InputFrom<Machine>
): Table<Machine> => {
  const initial = begin(machine, input)
  const known = new Map<string, Step<SnapshotFrom<Machine>, CommandFrom<Machine>>>()
  const keys = new WeakMap<object, string>()
  const keyOf = (snapshot: any): string => {
    const key = keys.get(snapshot) ?? JSON.stringify(snapshot.value)
    keys.set(snapshot, key)
    return key
  }
  return {
    initial,
    advance: (snapshot, type) => {
      const key = `${keyOf(snapshot)} ${type}`
      const step = known.get(key) ?? advance(machine, snapshot, { type } as any)
      known.set(key, step)
      return step
    }
  }
}

let commands: Array<Command> = []

const collect = (): Array<Command> => {
  commands = []
  return commands
}

const inert = createActor(createMachine({}))

/** One never-started actor is `self` for every machine: a machine that only decides never sends to it. */
const scope: AnyActorScope = {
  self: inert,
  system: inert.system,
  id: "",
  sessionId: "",
  logger: () => {},
  defer: () => {},
  stopChild: () => {},
  emit: () => {},
  actionExecutor: (action) => {
    commands.push({ type: action.type, params: (action.params ?? {}) as Record<string, unknown> })
  }
}
