/**
 * What an appended event owes to sessions: the wake it means, and the delivery that the outbox keeps for it.
 *
 * Invariant: every event with a wake and a target leaves its delivery in the same change, whichever operation appended it.
 */
import * as Either from "effect/Either"
import type { Fact } from "../../model/facts.ts"
import { canonicalText } from "../../model/json.ts"
import type { MaterializedSemantics, ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Base } from "../../model/ProcessRecord.ts"
import { eventTypeOf } from "../../model/Registration.ts"
import { materialize } from "../../model/semantics.ts"
import type { WakeDelivery } from "../../model/WakeDelivery.ts"
import { deliveryOf } from "../../model/WakeDelivery.ts"
import type { ProcessRow } from "../../store/Decision.ts"

/**
 * The meaning of a fact, with the wake that its declared type adds: a producer may declare that `process.completed` wakes.
 *
 * An end must not depend on a selector that misses: then the whole payload is what the session is told.
 */
export const meaningOf = (base: Base, fact: Fact, sequence: number): MaterializedSemantics => {
  if (fact.semantics.terminal === undefined && fact.eventType !== "process.cancel_requested") return fact.semantics
  const wake = eventTypeOf(base.registration, fact.eventType)?.semantics.wake
  if (wake === undefined || fact.semantics.wake !== undefined) return fact.semantics
  const processId = base.registration.id
  const own = Either.getOrElse(materialize({ wake }, { processId, sequence, payload: fact.payload }), () => ({
    wake: { input: canonicalText(fact.payload), dedupeKey: `${processId}:${sequence}` }
  }))
  return own.wake === undefined ? fact.semantics : { ...fact.semantics, wake: own.wake }
}

/** The delivery an event owes: to the target that the append named, else to the one of the process as it was before. */
export const deliveryOwedBy = (
  row: ProcessRow,
  event: ProcessEvent,
  named: Fact["wakeTarget"]
): WakeDelivery | undefined =>
  event.semantics.wake === undefined
    ? undefined
    : deliveryOf(
        event,
        named ?? row.snapshot.context.wakeTarget ?? undefined,
        row.base.registration.provenance.causedBy
      )
