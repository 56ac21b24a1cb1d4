/**
 * What became of the messages that a process has for sessions, as the outbox says.
 */
import * as Effect from "effect/Effect"
import type { StoreError } from "../model/errors.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import { deliveryOf } from "../model/wakes.ts"
import type { ProcessRow } from "../store/ProcessStore.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import type { BlockedGroup, WakeRow } from "../store/WakeOutbox.ts"
import type { WakeSight } from "./Explanation.ts"

/** The wakes of a process that nobody took notice of, each with its place in the outbox. */
export const wakesOf = (row: ProcessRow): Effect.Effect<ReadonlyArray<WakeSight>, StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const { id } = row.base.registration
    // Pruned since it was read: there is nothing left that could be blocked.
    const events = yield* Effect.catchTag(store.wakeEventsAfter(id, 0), "ProcessUnknown", () => Effect.succeed([]))
    if (events.length === 0) return []
    const { blocked } = yield* store.outbox.report
    const own = blocked.filter(({ processId }) => processId === id)
    return yield* Effect.forEach(events, (event) => sightOf(store, row, event, own))
  })

const sightOf = (
  store: typeof ProcessStore.Service,
  row: ProcessRow,
  event: ProcessEvent,
  blocked: ReadonlyArray<BlockedGroup>
): Effect.Effect<WakeSight, StoreError> => {
  const { sequence, eventType } = event
  const { wakeTarget } = row.snapshot.context
  // An event with a wake but nobody to wake stays where it is: no delivery comes of it.
  const delivery = deliveryOf(event, wakeTarget ?? undefined, row.base.registration.provenance.causedBy)
  if (delivery === undefined) return Effect.succeed({ sequence, eventType, state: "no_target" })
  const group = blocked.find(({ targetScopeId }) => targetScopeId === delivery.targetScopeId)
  return Effect.map(store.outbox.rowsOf(delivery.wakeId), (rows) => {
    const state = stateOf(rows)
    const isBehind = state === "pending" && group !== undefined && group.unblockedBy !== delivery.wakeId
    return { sequence, eventType, state, ...(isBehind ? { blockedBy: group.unblockedBy } : {}) }
  })
}

/** A wake id that was armed again has several rows: the last one says where it stands. What was delivered waits for notice. */
const stateOf = (rows: ReadonlyArray<WakeRow>): WakeSight["state"] => {
  const state = rows.at(-1)?.state
  return state === undefined || state === "enqueued" ? "unacknowledged" : state
}
