/**
 * What became of a begin whose answer is unknown: the row says it.
 *
 * Invariant: a begin that stands is launched, and one that does not stand is refused; nothing is begun twice to find out.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { StoreError } from "../model/errors.ts"
import type { Lease } from "../model/Lease.ts"
import { leaseIn } from "../model/Lease.ts"
import type { Claimant } from "../store/decisions/lease.ts"
import type { ProcessRow } from "../store/ProcessStore.ts"

/**
 * Begins. A begin whose commit failed may stand all the same: then its row holds the lease that was asked for, and it runs.
 *
 * Fails with what the begin failed with when the row does not hold that lease, or cannot be read for five seconds.
 */
export const certain = <A, E extends { readonly _tag: string }>(
  begin: Effect.Effect<A, E>,
  readRow: Effect.Effect<ProcessRow | undefined, StoreError>,
  by: Claimant,
  begun: (row: ProcessRow, lease: Lease) => A
): Effect.Effect<A, E | StoreError> =>
  Effect.catchIf(
    begin,
    (error) => error._tag === "StoreError" && "written" in error && error.written === "unknown",
    (error) =>
      Effect.flatMap(Effect.retry(readRow, unclear), (row) => {
        const lease = row && leaseIn(row.base.registration.id, row.lease)
        return row !== undefined && lease?.leaseToken === by.token
          ? Effect.succeed(begun(row, lease))
          : Effect.fail(error)
      })
  )

/** How long a worker asks what became of its begin, before it leaves that to its keeper. */
const unclear = Schedule.intersect(Schedule.spaced("50 millis"), Schedule.recurs(100))
