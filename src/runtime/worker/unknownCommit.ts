/**
 * Starts whose commit has no answer: whether it was written is read from the row.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { StoreError } from "../../model/errors.ts"
import type { Lease } from "../../model/Lease.ts"
import { leaseIn } from "../../model/Lease.ts"
import type { ProcessRow } from "../../store/Decision.ts"

/** How long a worker reads the row of a start whose outcome is unknown, before it leaves the lease to expire. */
const untilKnown = Schedule.intersect(Schedule.spaced("50 millis"), Schedule.recurs(100))

/**
 * Resolves a start whose commit outcome is unknown: if the stored row holds the lease with the requested token, the commit
 * succeeded, and `begun` is the answer.
 */
export const resolveUnknownCommit = <A, E extends { readonly _tag: string }>(
  start: Effect.Effect<A, E>,
  readRow: Effect.Effect<ProcessRow | undefined, StoreError>,
  token: string,
  begun: (row: ProcessRow, lease: Lease) => A
): Effect.Effect<A, E | StoreError> =>
  Effect.catchIf(
    start,
    (error) => error._tag === "StoreError" && "written" in error && error.written === "unknown",
    (error) =>
      Effect.flatMap(Effect.retry(readRow, untilKnown), (row) => {
        const lease = row && leaseIn(row.base.registration.id, row.lease)
        return row !== undefined && lease?.leaseToken === token ? Effect.succeed(begun(row, lease)) : Effect.fail(error)
      })
  )
