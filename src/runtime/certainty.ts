/**
 * What a commit did whose answer was lost.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { Lease } from "../model/Lease.ts"
import { leaseIn } from "../model/Lease.ts"
import type { Claimant } from "../store/decisions/lease.ts"
import type { ProcessRow } from "../store/ProcessStore.ts"

/** Begins a process, and finds out whether that stands when the store could not say. */
export type Certainly = <A, E extends { readonly _tag: string }>(
  begin: Effect.Effect<A, E>,
  id: ProcessId,
  by: Claimant,
  begun: (row: ProcessRow, lease: Lease) => A
) => Effect.Effect<A, E | StoreError>

/** A begin whose commit failed may stand all the same: then its row holds the lease that was asked for, and it runs. */
export const certainly =
  (readRow: (id: ProcessId) => Effect.Effect<ProcessRow | undefined, StoreError>): Certainly =>
  (begin, id, by, begun) =>
    Effect.catchIf(
      begin,
      (error) => error._tag === "StoreError" && "written" in error && error.written === "unknown",
      (error) =>
        Effect.flatMap(Effect.retry(readRow(id), unclear), (row) => {
          const lease = row && leaseIn(id, row.lease)
          return row !== undefined && lease?.leaseToken === by.token
            ? Effect.succeed(begun(row, lease))
            : Effect.fail(error)
        })
    )

/** How long a worker asks what became of its begin, before it leaves that to its keeper. */
const unclear = Schedule.intersect(Schedule.spaced("50 millis"), Schedule.recurs(100))
