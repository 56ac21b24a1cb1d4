/**
 * A begin whose commit failed may stand all the same: then its row holds the lease that was asked for, and it runs.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Lease } from "../../model/Lease.ts"
import { leaseIn } from "../../model/Lease.ts"
import type { Claimant } from "../../operations/decisions/lease.ts"
import type { ProcessRow } from "../../store/Decision.ts"

/** How long a worker asks what became of its begin, before it leaves that to its keeper. */
const unclear = Schedule.intersect(Schedule.spaced("50 millis"), Schedule.recurs(100))

/** Begins, and when nobody knows whether that was written, reads the row until it says; `begun` is the answer if it was. */
export const certain = <A, E extends { readonly _tag: string }>(
  readRow: (id: ProcessId) => Effect.Effect<ProcessRow | undefined, StoreError>,
  begin: Effect.Effect<A, E>,
  asked: { readonly id: ProcessId; readonly by: Claimant },
  begun: (row: ProcessRow, lease: Lease) => A
): Effect.Effect<A, E | StoreError> =>
  Effect.catchIf(
    begin,
    (error) => error._tag === "StoreError" && "written" in error && error.written === "unknown",
    (error) =>
      Effect.flatMap(Effect.retry(readRow(asked.id), unclear), (row) => {
        const lease = row && leaseIn(asked.id, row.lease)
        return row !== undefined && lease?.leaseToken === asked.by.token
          ? Effect.succeed(begun(row, lease))
          : Effect.fail(error)
      })
  )
