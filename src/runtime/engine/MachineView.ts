/**
 * A process of a machine as those outside see it: its states as values of the machine's types, and events on their way to it.
 */
import * as Effect from "effect/Effect"
import type {
  AnyStateMachine,
  ContextFrom,
  EmittedFrom,
  EventFromLogic,
  InputFrom,
  OutputFrom,
  SnapshotFrom,
  StateValueFrom,
  TagsFrom
} from "xstate"
import { hasWork } from "../../../machines/chart/state.ts"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import { InputInvalid, ProcessAlreadyTerminal } from "../../model/errors.ts"
import { messageOf } from "../../model/Failure.ts"
import type { ProcessId } from "../../model/ids.ts"
import { copyOf } from "../../model/json.ts"
import type { Chart } from "../../operations/decisions/chartStep.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import * as Arguments from "../arguments.ts"
import type { ChartParts } from "./chart.ts"
import type { EventTypes, SignalOf } from "./MachineOptions.ts"
import type { Signal } from "./Signal.ts"
import type { Startable } from "./Startable.ts"

/** The events of a machine that may come from outside. */
export type SentEvent<Machine extends AnyStateMachine> = Extract<
  EventFromLogic<Machine>,
  { readonly type: EventTypes<Machine> }
>

/** The events that a machine emits. */
export type EmittedEvent<Machine extends AnyStateMachine> = EmittedFrom<Machine>

/** An event that a state takes, with the JSON Schema of what it carries besides its type. */
export interface AcceptedEvent<Type extends string = string> {
  readonly type: Type
  readonly schema: unknown
}

/** A machine at rest: what one transition left. It is a value, and does not change. */
export interface MachineSnapshot<Machine extends AnyStateMachine> {
  readonly processId: ProcessId
  /** The number of the transition; the beginning is 0. */
  readonly revision: number
  readonly value: SnapshotFrom<Machine>["value"]
  readonly context: ContextFrom<Machine>
  /**
   * What is not `active` has ended, in the store, and does not change. `done` and `error`: it ended by itself, or failed. `stopped`:
   * it was cancelled or given up. In a final state it is `active` while its last actions are performed: one that fails, or a
   * cancel, may still decide how it ends.
   */
  readonly status: "active" | "done" | "error" | "stopped"
  readonly tags: ReadonlySet<TagsFrom<Machine>>
  /** What it ended with, when it is `done`. */
  readonly output?: OutputFrom<Machine>
  /** What it failed with, as it is stored, when its status is `error`. */
  readonly error?: unknown
  /** Whether it has nothing to do: no event to take, and no action to perform. */
  readonly isAtRest: boolean
  /** The events that it takes: an active state has a transition for each, which a guard may still refuse. */
  readonly accepts: ReadonlyArray<AcceptedEvent<EventTypes<Machine>>>
  readonly matches: (value: StateValueFrom<Machine>) => boolean
  readonly hasTag: (tag: TagsFrom<Machine>) => boolean
  /** Whether it takes this event, guards included. Throws `InputInvalid` with what a guard throws. */
  readonly can: (event: SentEvent<Machine>) => boolean
}

/** What a machine's engine says to those outside. */
export interface MachineView<Machine extends AnyStateMachine> {
  readonly chart: Chart
  /** The name under which an event is sent, and what it carries. Fails with `InputInvalid`, naming the field. */
  readonly encode: (
    event: SentEvent<Machine>
  ) => Effect.Effect<{ readonly name: string; readonly payload: unknown }, InputInvalid>
  /** The snapshot of a row; `undefined` while it has not begun. Fails with `InputInvalid` when it is not of this machine. */
  readonly snapshot: (
    row: ProcessRow
  ) => Effect.Effect<MachineSnapshot<Machine> | undefined, InputInvalid | ProcessAlreadyTerminal>
}

/** What is started as a process of a machine: see `Engine.fromMachine`. */
export interface MachineStartable<Machine extends AnyStateMachine>
  extends Startable<InputFrom<Machine>, OutputFrom<Machine>, never, SignalOf<Machine>> {
  readonly machine: Machine
  /** How those outside see its processes. */
  readonly view: MachineView<Machine>
}

/** Whether what is started is a process of a machine. */
export const isMachine = (startable: object): startable is MachineStartable<AnyStateMachine> =>
  "view" in startable && "machine" in startable

/** Makes the view of a machine, of its chart and its declared events. */
export const make = <Machine extends AnyStateMachine, R>(
  { chart, read }: ChartParts<R>,
  signals: ReadonlyArray<Signal<string, unknown>>
): MachineView<Machine> => {
  const of = `machine \`${chart.definition.id}\``
  const declared = new Map(signals.map((signal) => [signal.signal as string, signal]))

  const snapshotOf = (row: ProcessRow): MachineSnapshot<Machine> | undefined => {
    const { registration } = row.base
    const { kind } = registration.identity
    if (registration.input._tag !== "Engine" || kind !== chart.kind) {
      throw new InputInvalid({
        field: "id",
        problem: `\`${registration.id}\` is a process of \`${kind}\`, not of ${of}`
      })
    }
    const { chart: state, output } = row.snapshot.context
    const lifecycle = lifecycleOf(row.snapshot)
    if (state === undefined) {
      if (lifecycle === "running") return undefined
      throw new ProcessAlreadyTerminal({ processId: registration.id, state: lifecycle, refused: "begin its machine" })
    }
    const { snapshot, output: answer } = read(row, state)
    const status = lifecycle === "running" ? "active" : statusOf[lifecycle]
    const isOpen = status === "active" && state.end === undefined
    const taken = isOpen ? chart.accepts(state) : []
    const shown = {
      processId: registration.id,
      revision: state.revision,
      value: snapshot.value,
      context: snapshot.context,
      status,
      tags: snapshot.tags,
      ...(status === "done" ? { output: answer } : {}),
      ...(status === "error" ? { error: copyOf(state.end?.status === "error" ? state.end.error : output) } : {}),
      isAtRest: lifecycle !== "running" || !hasWork(state),
      accepts: taken.map((type) => ({ type, schema: copyOf(declared.get(type)?.type.payloadSchema.schema) })),
      matches: (value: never) => snapshot.matches(value),
      hasTag: (tag: never) => snapshot.hasTag(tag),
      can: (event: { readonly type: string }) =>
        isOpen && declared.has(event.type) && judged(of, event.type, () => snapshot.can(event as never)) // an event of the machine, see its type
    }
    return shown as unknown as MachineSnapshot<Machine> // the machine and its schemas made each part
  }

  return {
    chart,
    encode: (event) =>
      Arguments.refusing(() => {
        const { type, ...fields } = Arguments.record<{ readonly type: string }>("event", event)
        const signal = declared.get(Arguments.text("type of an event", type))
        if (signal !== undefined) return Effect.map(signal.encode(fields), (payload) => ({ name: type, payload }))
        const names = [...declared.keys()].map((name) => `\`${name}\``).join(", ")
        const problem = `\`${type}\` is no event of ${of} that may be sent${names === "" ? "" : `: those are ${names}`}`
        return Effect.fail(new InputInvalid({ field: "type of an event", problem }))
      }),
    snapshot: (row) =>
      Effect.try({
        try: () => snapshotOf(row),
        catch: (thrown) =>
          thrown instanceof InputInvalid || thrown instanceof ProcessAlreadyTerminal
            ? thrown
            : new InputInvalid({ field: `stored state of ${of}`, problem: `cannot be read here: ${messageOf(thrown)}` })
      })
  }
}

const statusOf = { completed: "done", failed: "error", cancelled: "stopped", abandoned: "stopped" } as const

/** What a guard says. Throws `InputInvalid` with what it throws. */
const judged = (of: string, type: string, judge: () => boolean): boolean => {
  try {
    return judge()
  } catch (thrown) {
    throw new InputInvalid({
      field: "event",
      problem: `\`${type}\` cannot be judged: ${of} threw: ${messageOf(thrown)}`
    })
  }
}
