/**
 * Waiting for what the log will say: subscribe first, read, then wait for a change or a back-off, and read again.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as BackOff from "../../../machines/backOff.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import type { ProcessPruned, ProcessUnknown, StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import { existingRow, readingKnown } from "../../operations/existing.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { ChangeHub } from "./ChangeHub.ts"

/** Waits for ends and events. It has no time limit of its own: bound it with `Effect.timeout`. */
export class Awaiter extends Context.Tag("holdfast/runtime/Awaiter")<
  Awaiter,
  {
    /** The output a process ends with; at once when it has ended. Fails with `ProcessUnknown` or `ProcessPruned`. */
    readonly awaitProcess: (id: ProcessId) => Effect.Effect<AwaitOutput, ProcessUnknown | ProcessPruned | StoreError>

    /** The first event of exactly this type after a sequence; at once when it is in the log already. */
    readonly waitEventAfter: (
      id: ProcessId,
      eventType: string,
      sequence: number
    ) => Effect.Effect<ProcessEvent, ProcessUnknown | ProcessPruned | StoreError>

    /** The next events after a sequence, at least one; none once the process has ended and there are no more. */
    readonly nextEvents: (
      id: ProcessId,
      after: number
    ) => Effect.Effect<ReadonlyArray<ProcessEvent>, ProcessUnknown | ProcessPruned | StoreError>

    /** The row as soon as its log is longer than that. */
    readonly nextRow: (
      id: ProcessId,
      sequence: number
    ) => Effect.Effect<ProcessRow, ProcessUnknown | ProcessPruned | StoreError>

    /**
     * Does something, and answers what came of it with the first row that is meant by it. Each row that a commit of this host leaves
     * from the beginning on is looked at, also one that the next commit changes at once; what other hosts commit may be missed.
     */
    readonly firstRow: <A, E>(
      id: ProcessId,
      act: Effect.Effect<A, E>,
      isMeant: (row: ProcessRow, came: A) => boolean
    ) => Effect.Effect<{ readonly came: A; readonly row: ProcessRow }, E | ProcessUnknown | ProcessPruned | StoreError>
  }
>() {}

/** How many events are read at once. */
const pageSize = 500

/** The pauses between reads without a notification: 25 ms, doubled up to one second. */
export const backOffMs = (reads: number): number => BackOff.delayMs({ baseMs: 25, maxMs: 1_000 }, reads + 1)

/** Waits on the store and hub in context. */
export const layer: Layer.Layer<Awaiter, never, ProcessStore | ChangeHub> = Layer.effect(
  Awaiter,
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const hub = yield* ChangeHub

    /**
     * Reads until there is an answer. A change resets the back-off: what moves may move again soon. A row that `concerns` denies
     * has no answer in it.
     */
    const until = <A, E>(
      id: ProcessId,
      read: Effect.Effect<A | undefined, E>,
      concerns?: (row: ProcessRow) => boolean
    ): Effect.Effect<A, E> =>
      Effect.acquireUseRelease(
        Effect.sync(() => hub.subscribe(id, concerns && { concerns })),
        (subscription) => {
          const attempt = (reads: number): Effect.Effect<A, E> =>
            Effect.flatMap(read, (answer) => (answer === undefined ? pause(reads) : Effect.succeed(answer)))
          const pause = (reads: number): Effect.Effect<A, E> =>
            Effect.flatMap(subscription.next(backOffMs(reads)), (why) => attempt(why === "changed" ? 0 : reads + 1))
          return attempt(0)
        },
        (subscription) => Effect.sync(subscription.close)
      )

    /** The end that a commit of this host brings is not read again: it is final. */
    const ended = (id: ProcessId) =>
      Effect.suspend(() => {
        let output: AwaitOutput | undefined
        const outputIn = (row: ProcessRow) => row.snapshot.context.output
        const read = Effect.map(existingRow(store, id), outputIn)
        return until(
          id,
          Effect.suspend(() => (output === undefined ? read : Effect.succeed(output))),
          (row) => {
            output ??= outputIn(row)
            return output !== undefined
          }
        )
      })

    /** A row changes again at once: what is answered is the present one. */
    const longer = (id: ProcessId, sequence: number) =>
      until(
        id,
        Effect.map(existingRow(store, id), (row) => (row.sequence > sequence ? row : undefined)),
        (row) => row.sequence > sequence
      )

    const reading = readingKnown(store)

    return Awaiter.of({
      awaitProcess: ended,
      nextRow: longer,
      firstRow: <A, E>(id: ProcessId, act: Effect.Effect<A, E>, isMeant: (row: ProcessRow, came: A) => boolean) =>
        Effect.suspend(() => {
          let done: { readonly came: A } | undefined
          let found: ProcessRow | undefined
          const passed: Array<ProcessRow> = []
          const concerns = (row: ProcessRow): boolean => {
            if (done === undefined) passed.push(row)
            else if (found === undefined && isMeant(row, done.came)) found = row
            return found !== undefined
          }
          const look = (came: A) =>
            Effect.map(found === undefined ? existingRow(store, id) : Effect.succeed(found), (present) => {
              const row = found ?? present
              return isMeant(row, came) ? { came, row } : undefined
            })
          const first = Effect.flatMap(act, (came) => {
            done = { came }
            found = passed.find((row) => isMeant(row, came))
            return look(came)
          })
          return until(
            id,
            Effect.suspend(() => (done === undefined ? first : look(done.came))),
            concerns
          )
        }),
      nextEvents: (id, after) =>
        until(
          id,
          Effect.gen(function* () {
            // The row first: what it knows of is in the log that is read after it.
            const row = yield* existingRow(store, id)
            const events = yield* reading(id, store.eventsAfter(id, after, pageSize))
            return events.length > 0 || row.snapshot.status === "done" ? events : undefined
          })
        ),
      waitEventAfter: (id, eventType, sequence) => {
        let after = sequence
        return until(
          id,
          Effect.suspend(() =>
            Effect.map(reading(id, store.eventsAfter(id, after)), (events) => {
              const found = events.find((event) => event.eventType === eventType)
              after = events.at(-1)?.sequence ?? after
              return found
            })
          )
        )
      }
    })
  })
)
