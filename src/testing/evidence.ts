/**
 * What laws look at: everything a store keeps of a process, before and after an operation.
 */
import * as Effect from "effect/Effect"
import * as Step from "../../machines/xstate/step.ts"
import type { EventRejected, ProcessUnknown, StoreError } from "../model/errors.ts"
import type { AppendRequest } from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import type { Lease } from "../model/Lease.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import * as ProcessRecord from "../model/ProcessRecord.ts"
import { external } from "../operations/decisions/authority.ts"
import { ProcessRegistry } from "../operations/ProcessRegistry.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import { expectEquals, expectFailure, Mismatch } from "./Law.ts"

/** Everything a store keeps of one process, as plain data. */
export interface Kept {
  readonly record?: ProcessRecord.ProcessRecord
  readonly sequence?: number
  readonly dueAtMs?: number | null
  readonly fencingToken?: number
  readonly lease?: Lease
  readonly log: ReadonlyArray<ProcessEvent>
}

/** The row of a process that must be there. */
export const rowOf = (id: ProcessId): Effect.Effect<ProcessRow, Mismatch | StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const found = yield* store.find(id)
    return found._tag === "Present"
      ? found.row
      : yield* new Mismatch({ about: `process ${id}`, expected: "Present", actual: found })
  })

/** The record of a process that must be there. */
export const recordOf = (
  id: ProcessId
): Effect.Effect<ProcessRecord.ProcessRecord, Mismatch | StoreError, ProcessStore> =>
  Effect.map(rowOf(id), ({ base, snapshot }) => ProcessRecord.make(base, snapshot))

/** The whole log of a process. */
export const logOf = (
  id: ProcessId
): Effect.Effect<ReadonlyArray<ProcessEvent>, ProcessUnknown | StoreError, ProcessStore> =>
  Effect.flatMap(ProcessStore, (store) => store.eventsAfter(id, 0))

/** The types of a process's events, in order. */
export const typesOf = (
  id: ProcessId
): Effect.Effect<ReadonlyArray<string>, ProcessUnknown | StoreError, ProcessStore> =>
  Effect.map(logOf(id), (log) => log.map((event) => event.eventType))

/** Looks at everything that is kept of a process, whether or not there is one. */
export const keptOf = (id: ProcessId): Effect.Effect<Kept, StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const found = yield* store.find(id)
    const lease = yield* store.leases.of(id)
    const log = yield* Effect.catchTag(store.eventsAfter(id, 0), "ProcessUnknown", () => Effect.succeed([]))
    return {
      log,
      ...(lease === undefined ? {} : { lease }),
      ...(found._tag !== "Present"
        ? {}
        : {
            record: ProcessRecord.make(found.row.base, found.row.snapshot),
            sequence: found.row.sequence,
            dueAtMs: found.row.dueAtMs,
            fencingToken: found.row.lease.fencingToken
          })
    }
  })

/** Expects that an operation writes nothing to these processes, and notifies no listener of them. */
export const writesNothing = <A, E, R>(
  ids: ReadonlyArray<ProcessId>,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | Mismatch | StoreError, R | ProcessStore> =>
  Effect.scoped(
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const heard: Array<ProcessId> = []
      const before = yield* Effect.forEach(ids, keptOf)
      yield* store.onCommit((changes) => {
        for (const { row } of changes) {
          if (ids.includes(row.base.registration.id)) heard.push(row.base.registration.id)
        }
      })
      const answer = yield* effect
      const after = yield* Effect.forEach(ids, keptOf)
      yield* expectEquals("what is stored after an operation that writes nothing", after, before)
      yield* expectEquals("the commits heard of an operation that writes nothing", heard, [])
      return answer
    })
  )

/** Expects a refusal with this tag that writes nothing to these processes. */
export const refused = <A, E extends { readonly _tag: string }, R, Tag extends E["_tag"]>(
  about: string,
  tag: Tag,
  ids: ReadonlyArray<ProcessId>,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Extract<E, { readonly _tag: Tag }>, Mismatch | StoreError, R | ProcessStore> =>
  writesNothing(ids, expectFailure(about, tag, effect))

/**
 * Expects that the stored row is the fold of its log: snapshot, record and sequence, the log numbered 1, 2, … without gaps.
 */
export const isFold = (id: ProcessId): Effect.Effect<void, Mismatch | ProcessUnknown | StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const row = yield* rowOf(id)
    const log = yield* logOf(id)
    const folded = ProcessRecord.fold(row.base, log)
    yield* expectEquals(
      "the sequences of the log",
      log.map((event) => event.sequence),
      log.map((_, index) => index + 1)
    )
    yield* expectEquals("the sequence of the row", row.sequence, log.length)
    yield* expectEquals("the snapshot, folded from the log", Step.persist(row.snapshot), Step.persist(folded))
    yield* expectEquals(
      "the record, folded from the log",
      ProcessRecord.make(row.base, row.snapshot),
      ProcessRecord.make(row.base, folded)
    )
  })

/** A request to append a note. */
export const note = (payload: unknown): AppendRequest => ({ eventType: "note", payload })

/** Expects that an append is rejected for this reason and writes nothing; answers the rejection. */
export const rejectedAs = (
  reason: EventRejected["reason"],
  request: AppendRequest,
  id: ProcessId
): Effect.Effect<EventRejected, Mismatch | StoreError, ProcessRegistry | ProcessStore> =>
  Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    const append = registry.appendEvent(id, request, external)
    const error = yield* refused(`an append to be rejected: ${reason}`, "EventRejected", [id], append)
    yield* expectEquals("the reason", error.reason, reason)
    return error
  })
