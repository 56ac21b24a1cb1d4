/**
 * Extends a page of the leases of one renewer: the one write that goes by a condition and not by a decision.
 *
 * Invariant: a lease that another host took is not renewed. The claimer locks the lease before it reads it, so that of a renewal
 * and a claim one sees the other.
 */
import * as Effect from "effect/Effect"
import type { RenewedPage, RenewPage } from "../ProcessStore.ts"
import type { Failure, Session } from "./Session.ts"

/** How many leases one transaction renews. */
export const renewalPage = 1_000

const text = `
  WITH clock AS MATERIALIZED (
    SELECT coalesce($5::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS now
  ), page AS MATERIALIZED (
    SELECT max(pk) AS last FROM (SELECT pk FROM lease WHERE pk > $1 ORDER BY pk LIMIT $2) AS few
  ), held AS MATERIALIZED (
    SELECT pk FROM lease
    WHERE pk > $1 AND pk <= (SELECT last FROM page) AND keeper = $3 ORDER BY pk FOR UPDATE
  ), renewed AS (
    UPDATE lease SET expires_at = (SELECT now FROM clock) + $4
    FROM held
    WHERE lease.pk = held.pk AND keeper = $3
      AND expires_at > coalesce($5::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
    RETURNING lease.pk, lease_token
  )
  SELECT (SELECT now FROM clock) AS now, (SELECT last FROM page) AS last, process_id AS "processId",
    lease_token AS "leaseToken"
  FROM (SELECT 1) AS one LEFT JOIN (renewed JOIN state USING (pk)) ON true ORDER BY pk`

interface Row {
  readonly now: number
  readonly last: number | null
  readonly processId: RenewedPage["renewed"][number]["processId"] | null
  readonly leaseToken: string
}

/** Renews a page, at the time of the database unless another one is given. */
export const renew = (
  session: Session,
  { renewerId, ttlMs, after = 0 }: RenewPage,
  nowMs?: () => number
): Effect.Effect<RenewedPage, Failure> =>
  Effect.map(
    session.send([{ name: "renew", text, values: [after, renewalPage, renewerId, ttlMs, nowMs?.() ?? null] }]),
    ([answer]) => {
      const rows = (answer?.rows ?? []) as ReadonlyArray<Row> // as `text` selects them
      const { now = 0, last = null } = rows[0] ?? {}
      return {
        renewed: rows.flatMap(({ processId, leaseToken }) => (processId === null ? [] : [{ processId, leaseToken }])),
        expiresAtMs: now + ttlMs,
        ...(last === null ? {} : { next: last })
      }
    }
  )
