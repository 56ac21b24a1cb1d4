/**
 * Extends a page of the leases of one renewer: the one write that goes by a condition and not by a decision.
 *
 * A lease that a transaction has locked keeps no other one waiting: it is said to be busy, and renewed the next time.
 *
 * Invariant: nothing is renewed in a schema that a newer library has migrated: this host can write nothing more in it, and hosts of
 * that library take its processes up. A lease that another host took is not renewed, either: the claimer locks the lease before it
 * reads it, so that of a renewal and a claim one sees the other.
 */
import * as Effect from "effect/Effect"
import type { RenewedPage, RenewPage } from "../ProcessStore.ts"
import { newerSchema } from "../sql/schema.ts"
import type { Failure, Session } from "./Session.ts"
import { migrationsTable, schemaVersion } from "./schema.ts"
import type { Surroundings } from "./transaction.ts"

/** How many leases one transaction renews. */
export const renewalPage = 1_000

const text = `
  WITH clock AS MATERIALIZED (
    SELECT coalesce($5::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS now,
      (SELECT max(version) FROM ${migrationsTable}) AS version
  ), page AS MATERIALIZED (
    SELECT max(pk) AS last FROM (SELECT pk FROM lease WHERE pk > $1 ORDER BY pk LIMIT $2) AS few
  ), held AS MATERIALIZED (
    SELECT pk FROM lease
    WHERE pk > $1 AND pk <= (SELECT last FROM page) AND keeper = $3
      AND (SELECT version FROM clock) <= ${schemaVersion}
    ORDER BY pk FOR UPDATE SKIP LOCKED
  ), renewed AS (
    UPDATE lease SET expires_at = (SELECT now FROM clock) + $4
    FROM held
    WHERE lease.pk = held.pk AND keeper = $3
      AND expires_at > coalesce($5::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
    RETURNING lease.pk, lease_token
  ), answered AS (
    SELECT pk, lease_token, false AS busy FROM renewed
    UNION ALL
    SELECT pk, lease_token, true FROM lease
    WHERE pk > $1 AND pk <= (SELECT last FROM page) AND keeper = $3 AND pk NOT IN (SELECT pk FROM held)
  )
  SELECT (SELECT now FROM clock) AS now, (SELECT version FROM clock) AS version, (SELECT last FROM page) AS last, process_id AS "processId",
    lease_token AS "leaseToken", busy
  FROM (SELECT 1) AS one LEFT JOIN (answered JOIN state USING (pk)) ON true ORDER BY pk`

interface Row {
  readonly now: number
  readonly version: number
  readonly last: number | null
  readonly processId: RenewedPage["renewed"][number]["processId"] | null
  readonly leaseToken: string
  readonly busy: boolean
}

/** Renews a page, at the time of the database unless another one is given. */
export const renew = (
  session: Session,
  { renewerId, ttlMs, after = 0 }: RenewPage,
  { nowMs, onTime }: Pick<Surroundings, "nowMs" | "onTime">
): Effect.Effect<RenewedPage, Failure> => {
  const askedAtMs = performance.now()
  return Effect.flatMap(
    session.send([{ name: "renew", text, values: [after, renewalPage, renewerId, ttlMs, nowMs?.() ?? null] }]),
    ([answer]) => {
      const rows = (answer?.rows ?? []) as ReadonlyArray<Row> // as `text` selects them
      const { now = 0, last = null, version = schemaVersion } = rows[0] ?? {}
      if (version > schemaVersion) return Effect.fail({ cause: newerSchema(version, schemaVersion), isLost: false })
      if (nowMs === undefined && rows.length > 0) onTime(now, askedAtMs)
      return Effect.succeed({
        renewed: rows.flatMap(({ processId, leaseToken, busy }) =>
          processId === null || busy ? [] : [{ processId, leaseToken }]
        ),
        busy: rows.flatMap(({ leaseToken, busy }) => (busy ? [leaseToken] : [])),
        expiresAtMs: now + ttlMs,
        ...(last === null ? {} : { next: last })
      })
    }
  )
}
