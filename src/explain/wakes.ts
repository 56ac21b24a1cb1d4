/**
 * What became of the messages that a process has for sessions, as the outbox says.
 */
import * as Effect from "effect/Effect"
import type { StoreError } from "../model/errors.ts"
import type { SessionScopeId } from "../model/ids.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import { deliveryOf } from "../model/WakeDelivery.ts"
import type { ProcessRow } from "../store/Decision.ts"
import type { BlockedGroup, WakeRow } from "../store/Outbox.ts"
import { maxListed } from "../store/Outbox.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import type { WakeFacts } from "./Explanation.ts"

/** The unacknowledged wakes of a process. */
export interface OpenWakes {
  /** Each with its place in the outbox, in the order of events. */
  readonly wakes: ReadonlyArray<WakeFacts>
  /** How many more there are, all of them earlier. */
  readonly earlier: number
}

/** How many wakes of one process are explained: a session may never acknowledge any. */
export const maxExplained = 100

/** The unacknowledged wakes of a process. */
export const wakesOf = (row: ProcessRow): Effect.Effect<OpenWakes, StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const { id } = row.base.registration
    // Pruned since it was read: there is nothing left that could be blocked.
    const events = yield* Effect.catchTag(store.wakeEventsAfter(id, 0), "ProcessUnknown", () => Effect.succeed([]))
    if (events.length === 0) return { wakes: [], earlier: 0 }
    const shown = events.slice(-maxExplained)
    const rows = yield* store.outbox.list({ processId: id, limit: maxListed })
    const { blocked } = yield* store.outbox.report
    const wakes = yield* Effect.forEach(shown, (event) =>
      Effect.map(rowFor(store, row, event, rows), (found) => sightOf(event, found, blocked))
    )
    return { wakes, earlier: events.length - shown.length }
  })

/** `absent`: the outbox has no row for the event, or has none any more. */
type Found = WakeRow | "no_target" | "absent"

/**
 * The row in which an event's wake is: its own, or the one into which it merged.
 *
 * By the outbox, not by the target that the process has at present: an append may name another one, and a session that was
 * deleted is no target any more.
 */
const rowFor = (
  store: typeof ProcessStore.Service,
  row: ProcessRow,
  event: ProcessEvent,
  rows: ReadonlyArray<WakeRow>
): Effect.Effect<Found, StoreError> => {
  const { sequence, semantics } = event
  const own = rows.find(({ wake }) => wake.sequence === sequence)
  const merged = rows.find(({ wake }) => wake.sequence < sequence && wake.dedupeKey === semantics.wake?.dedupeKey)
  if (own !== undefined || merged !== undefined) return Effect.succeed(own ?? merged ?? "absent")
  const { wakeTarget } = row.snapshot.context
  const delivery = deliveryOf(event, wakeTarget ?? undefined, row.base.registration.provenance.causedBy)
  // Another process may have the row: what has the same target and dedupe key is one message.
  return delivery === undefined
    ? Effect.succeed("no_target")
    : Effect.map(store.outbox.rowsOf(delivery.wakeId), (others) => others.at(-1) ?? "absent")
}

const sightOf = (
  { sequence, eventType }: ProcessEvent,
  found: Found,
  blocked: ReadonlyArray<BlockedGroup>
): WakeFacts => {
  if (found === "no_target") return { sequence, eventType, state: found }
  if (found === "absent") return { sequence, eventType, state: "unacknowledged" }
  const { wake, state, attempts, nextAttemptAtMs, discardReason } = found
  const blockedBy = blockerOf(found, blocked)
  return {
    sequence,
    eventType,
    // What was delivered waits for notice.
    state: state === "enqueued" ? "unacknowledged" : state,
    wakeId: wake.wakeId,
    targetScopeId: wake.targetScopeId,
    attempts,
    ...(state === "pending" ? { nextAttemptAtMs } : {}),
    ...(blockedBy === undefined ? {} : { blockedBy }),
    ...(discardReason === undefined ? {} : { discardReason })
  }
}

/** The delivery for which a pending wake waits; none when it is the first of its group. */
export const blockerOf = ({ state, wake }: WakeRow, blocked: ReadonlyArray<BlockedGroup>): string | undefined => {
  if (state !== "pending") return undefined
  const isOfGroup = (group: { readonly targetScopeId: SessionScopeId; readonly processId: string }) =>
    group.targetScopeId === wake.targetScopeId && group.processId === wake.processId
  const group = blocked.find(isOfGroup)
  // A wake that was armed again has the id of the one before it; the events distinguish them.
  return group !== undefined && group.sequence < wake.sequence ? group.unblockedBy : undefined
}
