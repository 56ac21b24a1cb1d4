/**
 * What a handle does from within a body: each operation is journaled as those of the context are, and made under the fence of the
 * activation.
 *
 * Invariant: what a body learns by a handle is read once. A body that runs again is answered from its journal, or, where a child
 * ended, from what its own log says; the other process may have changed, ended, or been pruned in between.
 */
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import * as Output from "../../model/AwaitOutput.ts"
import type { InputInvalid, LeaseLost, ProcessPruned, ProcessUnknown } from "../../model/errors.ts"
import type { AwaitError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import * as Ids from "../../model/ids.ts"
import { prunedKey } from "../../model/JournalEntry.ts"
import { copyOf } from "../../model/json.ts"
import type { ProcessRecord } from "../../model/ProcessRecord.ts"
import type { Lookup } from "../../operations/existing.ts"
import { readProcess } from "../../operations/ProcessRegistry.ts"
import * as Arguments from "../arguments.ts"
import type { HandleActions } from "../client/ProcessHandle.ts"
import { nextRecord } from "../client/ProcessHandle.ts"
import type { Activation } from "./Activation.ts"
import { answered, fenced } from "./Activation.ts"
import type { End } from "./End.ts"
import type { Journal } from "./Journal.ts"
import type { Operate, Performed } from "./operate.ts"

/** Makes what the handles of an activation do. */
export const make = (activation: Activation, journal: Journal, operate: Operate): HandleActions => {
  const { id: processId, services } = activation
  const { awaiter, registry, writes: store } = services

  /** The output of a process; that of a child which was pruned is kept beside this journal. */
  const outputOf = (id: ProcessId): Effect.Effect<AwaitOutput, ProcessUnknown | ProcessPruned> =>
    Effect.catchAll(answered(activation, awaiter.awaitProcess(id)), (gone) =>
      Effect.flatMap(answered(activation, store.progressOf(processId)), (kept) => {
        const end = kept.find(({ key }) => key === prunedKey(id))
        return end === undefined ? Effect.fail(gone) : Effect.orDie(Output.fromWire(end.detail))
      })
    )

  /**
   * What is to be recorded of the end of a process. Nothing of a child's: that is in this process's log by itself, or is noted
   * there, and its place is there.
   */
  const toRecord = (id: ProcessId): Effect.Effect<AwaitOutput | undefined, AwaitError | LeaseLost> =>
    Effect.flatMap(answered(activation, services.readRow(id)), (row) => {
      if (row?.base.registration.parent?.processId !== processId) return outputOf(id)
      if (row.snapshot.status !== "done") return Effect.succeed(undefined)
      return Effect.as(
        answered(
          activation,
          fenced(activation, (lease) => store.noteEnd(lease, id))
        ),
        undefined
      )
    })

  /** Reads something of another process once: the body decides by it. */
  const read = <A>(what: string, id: ProcessId, ask: Effect.Effect<A, Lookup>) =>
    operate<A, Lookup | LeaseLost, never>("read", `${what} ${id}`, {
      perform: (_key, { restore, record, refused }) =>
        Effect.matchEffect(restore(answered(activation, ask)), {
          onFailure: refused,
          onSuccess: (answer) => record({ read: answer })
        }),
      takeUp: (end) => recorded(end, ({ read: answer }) => Effect.succeed(copyOf(answer as A))) // recorded above
    }) as Effect.Effect<A, Lookup> // what else it fails with, the worker knows

  const request = (id: ProcessId, _tag: "Cancel" | "Abandon", reason: string | undefined) =>
    Arguments.refusing(() => {
      if (reason !== undefined) Arguments.text("reason", reason)
      return operate.once("request", `${_tag.toLowerCase()} ${id}`, {
        attempt: () => Effect.succeed((lease, opened) => store.requestFrom(lease, id, { _tag, reason }, opened)),
        takeUp: (outcome) => {
          const { record } = outcome as { readonly record?: ProcessRecord } // written by the store
          // An entry of an earlier release has none.
          return record === undefined ? answered(activation, readProcess(registry, id)) : Effect.succeed(copyOf(record))
        }
      })
    })

  return {
    awaitOutput: (id) => {
      const source = `child ${id}` as const
      return operate<AwaitOutput, AwaitError | LeaseLost, never>("await_child", `await ${id}`, {
        source,
        perform: (_key, { restore, record, refused }) =>
          Effect.matchEffect(restore(toRecord(id)), {
            onFailure: refused,
            onSuccess: (output): Effect.Effect<Performed, LeaseLost> =>
              output === undefined ? Effect.succeed({ source }) : record({ output: Output.toWire(output) })
          }),
        takeUp: (end) =>
          end._tag === "Recorded" ? recorded(end, ({ output }) => Effect.orDie(Output.fromWire(output))) : outputOf(id)
      }) as Effect.Effect<AwaitOutput, AwaitError> // as above
    },
    cancel: (id, reason) => request(id, "Cancel", reason ?? undefined) as never, // as above
    abandon: (id, reason) => request(id, "Abandon", reason ?? undefined) as never, // as above
    signal: (id, { name, payload, signalId }) =>
      operate.once("signal", `${id} signal.${name}`, {
        attempt: (key) => {
          const replayKey = Ids.signalReplayKey(id, name, signalId ?? `${processId}:${journal.branched(key)}`)
          return Effect.succeed((lease, opened) =>
            store.signalFrom(lease, id, { eventType: Ids.signalEventType(name), payload, replayKey }, opened)
          )
        },
        takeUp: () => Effect.void
      }) as never, // as above
    status: (id) => read("status", id, readProcess(registry, id)),
    nextEvents: (id, after) => read("events", id, awaiter.nextEvents(id, after)),
    nextRecord: (id, sequence) => read("changes", id, nextRecord(awaiter)(id, sequence)),
    limited: identity
  }
}

/** What a handle does that was made of what is no process: all of it is refused. */
export const refused = (refusal: InputInvalid): HandleActions => {
  const refusing = () => Effect.fail(refusal) as Effect.Effect<never> // as what the handles of an activation fail with besides
  return {
    awaitOutput: refusing,
    cancel: refusing,
    abandon: refusing,
    signal: refusing,
    status: refusing,
    nextEvents: refusing,
    nextRecord: refusing,
    limited: identity
  }
}

const recorded = <A>(
  end: End,
  use: (outcome: Readonly<Record<string, unknown>>) => Effect.Effect<A>
): Effect.Effect<A> =>
  end._tag === "Recorded"
    ? use(end.outcome as Readonly<Record<string, unknown>>) // an operation records an object
    : Effect.dieMessage("what is recorded has another end")
