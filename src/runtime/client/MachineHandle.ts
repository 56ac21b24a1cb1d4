/**
 * A handle on a process of a machine: its events, its states, and what it emits, with the types of the machine.
 */
import { randomUUID } from "node:crypto"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { AnyStateMachine, OutputFrom, StateValueFrom, TagsFrom } from "xstate"
import type { ChartTransition } from "../../../machines/chart/state.ts"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { EventNotAccepted, ProcessPruned, ProcessUnknown, StoreError } from "../../model/errors.ts"
import { InputInvalid, ProcessAlreadyTerminal, StateNotReached } from "../../model/errors.ts"
import type { AppendReceipt } from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import { Limits } from "../../operations/checks.ts"
import type { AppendRefusal } from "../../operations/decisions/append.ts"
import { whyNotAccepted } from "../../operations/decisions/chart.ts"
import type { Lookup } from "../../operations/existing.ts"
import type { SignalRequest } from "../../operations/ProcessRegistry.ts"
import { stateAt } from "../../operations/stateAt.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import * as Arguments from "../arguments.ts"
import type { EventTypes, SignalOf } from "../engine/MachineOptions.ts"
import type {
  AcceptedEvent,
  EmittedEvent,
  MachineSnapshot,
  MachineStartable,
  SentEvent
} from "../engine/MachineView.ts"
import type { Awaiter } from "./Awaiter.ts"
import type { HandleActions, ProcessHandle, SignalError } from "./ProcessHandle.ts"
import * as ProcessHandles from "./ProcessHandle.ts"

/** How to send an event. */
export interface SendOptions {
  /** With an id, a retry is the same event. @default a fresh one */
  readonly id?: string
  /** `accepted`: refuse an event that no active state takes. @default it is taken, and changes nothing */
  readonly expect?: "accepted"
}

/** What to wait for: a state, a tag, or whatever a predicate says of a snapshot. */
export type Until<Machine extends AnyStateMachine> =
  | ((snapshot: MachineSnapshot<Machine>) => boolean)
  | { readonly state: StateValueFrom<Machine> }
  | { readonly tag: TagsFrom<Machine> }

/** Why an event was not sent. */
export type SendError = SignalError | EventNotAccepted

/** Why a state could not be read. */
export type ReadError = InputInvalid | ProcessAlreadyTerminal | ProcessUnknown | ProcessPruned | StoreError

/** A process of a machine, addressed with the machine's types. */
export interface MachineHandle<Machine extends AnyStateMachine>
  extends ProcessHandle<OutputFrom<Machine>, never, SignalOf<Machine>> {
  /**
   * Sends an event; durable once it answers. A host that has the machine takes it: this one in the same commit.
   *
   * Fails with `InputInvalid` (a field does not fit the event's schema), `ProcessAlreadyTerminal`, and with `EventNotAccepted` when
   * it was to be accepted and no active state takes it. That is judged in the state that the events before it lead to.
   */
  readonly send: (event: SentEvent<Machine>, options?: SendOptions) => Effect.Effect<void, SendError>
  /**
   * Sends an event, and answers the snapshot that its transition left. It has no time limit of its own.
   *
   * Fails as `send` does, and with `ProcessAlreadyTerminal` when the process ended without taking the event.
   */
  readonly ask: (
    event: SentEvent<Machine>,
    options?: SendOptions
  ) => Effect.Effect<MachineSnapshot<Machine>, SendError | ReadError>
  /** Whether the present state takes an event, guards included. */
  readonly can: (event: SentEvent<Machine>) => Effect.Effect<boolean, ReadError>
  /** The events that the present state takes, each with its JSON Schema: for forms, and as the tools of a model. */
  readonly accepts: Effect.Effect<ReadonlyArray<AcceptedEvent<EventTypes<Machine>>>, ReadError>
  /**
   * What its last transition left; one that has not begun is waited for.
   *
   * Fails with `InputInvalid` when the stored state is none of this machine, and with `ProcessAlreadyTerminal` when the process
   * ended before the machine began.
   */
  readonly snapshot: Effect.Effect<MachineSnapshot<Machine>, ReadError>
  /** The present snapshot and those after it, until the process has ended. A slow reader misses some, and never the last. */
  readonly snapshots: Stream.Stream<MachineSnapshot<Machine>, ReadError>
  /**
   * Waits until a snapshot is the one that was meant, whichever program brings that about. A state that is left at once may be missed.
   *
   * Fails with `StateNotReached` when that takes longer than `timeout`, or when the process has ended elsewhere.
   */
  readonly waitFor: (
    until: Until<Machine>,
    options?: { readonly timeout?: Duration.DurationInput }
  ) => Effect.Effect<MachineSnapshot<Machine>, StateNotReached | ReadError>
  /** The events that it emitted, from the first one on, until it has ended. */
  readonly emitted: Stream.Stream<EmittedEvent<Machine>, ProcessUnknown | ProcessPruned | StoreError>
}

/** How a handle on a machine acts. */
export interface MachineActions extends HandleActions {
  readonly signal: <E = never>(
    id: ProcessId,
    signal: SignalRequest<E>
  ) => Effect.Effect<AppendReceipt, AppendRefusal | InputInvalid | Lookup | E>
  readonly awaiter: typeof Awaiter.Service
  readonly store: typeof ProcessStore.Service
}

/** Makes a handle on a process of a machine. */
export const make = <Machine extends AnyStateMachine>(
  engine: MachineStartable<Machine>,
  id: ProcessId,
  actions: MachineActions
): MachineHandle<Machine> => {
  const { view } = engine
  const { awaiter, store } = actions
  const handle = ProcessHandles.make<OutputFrom<Machine>, never, SignalOf<Machine>>(engine, id, actions)

  const encode = (event: SentEvent<Machine>) => actions.limited(view.encode(event))

  /** The first snapshot in a log that is longer than that. */
  const after = (sequence: number): Effect.Effect<Seen<Machine>, ReadError> =>
    Effect.flatMap(awaiter.nextRow(id, sequence), (row) =>
      Effect.flatMap(view.snapshot(row), (snapshot) =>
        snapshot === undefined ? after(row.sequence) : Effect.succeed({ row, snapshot })
      )
    )

  const present = Effect.map(after(-1), ({ snapshot }) => snapshot)

  const snapshots = Stream.unfoldEffect<Position | undefined, MachineSnapshot<Machine>, ReadError, never>(
    { sequence: -1, shown: "" },
    (position) => {
      if (position === undefined) return Effect.succeed(Option.none())
      const next = ({ sequence, shown }: Position): Effect.Effect<Step<Machine>, ReadError> =>
        Effect.flatMap(after(sequence), ({ row, snapshot }) => {
          const key = `${snapshot.revision} ${snapshot.status} ${snapshot.isAtRest}`
          const then = isOver(row) ? undefined : { sequence: row.sequence, shown: key }
          if (key !== shown) return Effect.succeed(Option.some([snapshot, then] as const))
          return then === undefined ? Effect.succeed(Option.none()) : next(then)
        })
      return next(position)
    }
  )

  const sending = (
    event: SentEvent<Machine>,
    options: SendOptions | undefined
  ): Effect.Effect<AppendReceipt, SendError> =>
    Arguments.refusing(() => {
      const { id: given, expect } = Arguments.fields("options", { id: true, expect: true }, options)
      const signalId = given === undefined ? randomUUID() : Arguments.text("id of an event", given)
      if (expect !== undefined) Arguments.oneOf("expect", expect, ["accepted"])
      return Effect.flatMap(encode(event), ({ name, payload }) => {
        if (expect === undefined) return actions.signal(id, { name, payload, signalId })
        const fields = payload as object // those of an event
        return Effect.flatMap(actions.limited(Limits), (limits) =>
          actions.signal<EventNotAccepted | InputInvalid>(id, {
            name,
            payload,
            signalId,
            judge: whyNotAccepted(view.chart.under(limits), id, { ...fields, type: name })
          })
        )
      })
    })

  /** Sends an event, and answers the snapshot that its transition left. */
  const asking = (
    event: SentEvent<Machine>,
    options: SendOptions | undefined
  ): Effect.Effect<MachineSnapshot<Machine>, SendError | ReadError> =>
    Effect.gen(function* () {
      const { came, row } = yield* awaiter.firstRow(
        id,
        sending(event, options),
        (row, { event: { sequence } }) => takenBy(row) >= sequence || isOver(row)
      )
      const { sequence } = came.event
      if (takenBy(row) < sequence) {
        const state = lifecycleOf(row.snapshot)
        return yield* new ProcessAlreadyTerminal({ processId: id, state, refused: "take a signal" })
      }
      const snapshot = yield* view.snapshot(takenBy(row) === sequence ? row : yield* rowAfter(row, sequence))
      return snapshot ?? (yield* Effect.dieMessage("a machine that took an event has begun"))
    })

  /** The row as the transition of an event left it, when others have followed that this host has not seen one by one. */
  const rowAfter = (row: ProcessRow, event: number): Effect.Effect<ProcessRow, ReadError> =>
    Effect.flatMap(store.eventsAfter(id, event), (events) => {
      const own = events.find(
        ({ eventType, payload }) => eventType === "machine.transitioned" && tookOf(payload) === event
      )
      return Effect.map(
        Effect.provideService(stateAt(id, own?.sequence ?? row.sequence), ProcessStore, store),
        ({ snapshot, sequence }) => ({ ...row, snapshot, sequence })
      )
    })

  return {
    ...handle,
    send: (event, options) => Effect.asVoid(sending(event, options)),
    ask: asking,
    can: (event) =>
      Effect.flatMap(encode(event), () =>
        Effect.flatMap(present, (snapshot) => Arguments.refusing(() => Effect.succeed(snapshot.can(event))))
      ),
    accepts: Effect.map(present, ({ accepts }) => accepts),
    snapshot: present,
    snapshots,
    waitFor: (until, options = {}) =>
      Arguments.refusing(() => {
        const { timeout } = Arguments.options("options", { timeout: true }, options)
        const isMeant = predicateOf(until)
        let last: unknown
        const missed = (ended: boolean) => new StateNotReached({ processId: id, ended, state: last })
        const found = snapshots.pipe(
          Stream.tap(({ value }) => Effect.sync(() => (last = value))),
          Stream.filter(isMeant),
          Stream.runHead,
          Effect.flatMap(Option.match({ onNone: () => Effect.fail(missed(true)), onSome: Effect.succeed }))
        )
        return timeout === undefined
          ? found
          : Effect.timeoutFail(found, {
              duration: Arguments.durationMs("timeout", timeout),
              onTimeout: () => missed(false)
            })
      }),
    emitted: Stream.mapConcat(handle.events, ({ eventType, payload }) =>
      eventType === "machine.transitioned"
        ? (payload as ChartTransition).effects.flatMap((effect) =>
            effect.do === "emit" ? [effect.event as EmittedEvent<Machine>] : []
          )
        : []
    )
  }
}

interface Seen<Machine extends AnyStateMachine> {
  readonly row: ProcessRow
  readonly snapshot: MachineSnapshot<Machine>
}

/** Where a reader of snapshots is, and what it was shown last. */
interface Position {
  readonly sequence: number
  readonly shown: string
}

type Step<Machine extends AnyStateMachine> = Option.Option<readonly [MachineSnapshot<Machine>, Position | undefined]>

const isOver = ({ snapshot }: ProcessRow): boolean => lifecycleOf(snapshot) !== "running"

/** The sequence of the last event that the chart of a row has taken. */
const takenBy = ({ snapshot }: ProcessRow): number => snapshot.context.chart?.taken ?? -1

const tookOf = (payload: unknown): number | undefined => (payload as ChartTransition).took // written by `Facts.transitioned`

const predicateOf = <Machine extends AnyStateMachine>(
  until: Until<Machine>
): ((snapshot: MachineSnapshot<Machine>) => boolean) => {
  if (typeof until === "function") return until
  const field = "what to wait for"
  const meant = Arguments.options(field, { state: true, tag: true }, until)
  const { state, tag } = meant as { readonly state?: StateValueFrom<Machine>; readonly tag?: TagsFrom<Machine> } // one of them
  if (state !== undefined && tag === undefined) return ({ matches }) => matches(state)
  if (tag !== undefined && state === undefined) return ({ hasTag }) => hasTag(tag)
  throw new InputInvalid({ field, problem: "must name a state or a tag, and not both" })
}
