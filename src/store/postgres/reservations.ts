/**
 * Reservations: due rows that one host looks at are kept from the sweeps of the others, by advisory locks of its connection. They cost
 * no write, and are gone with the connection.
 *
 * Invariant: only the number of hosts that look at a row depends on them. What becomes of it is decided in a transaction of its own.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ProcessId } from "../../model/ids.ts"
import type { Session } from "./Session.ts"

/** Keeps due rows from other hosts until the scope closes: those that it answers. */
export type Reserve = (
  ids: ReadonlyArray<ProcessId>,
  nowMs: number
) => Effect.Effect<ReadonlyArray<ProcessId>, never, Scope.Scope>

/** Makes reservations within one store. Without a connection every row is answered, and nothing is kept. */
export const make = (sessionOf: () => Session | undefined, storeId: string): Reserve => {
  const store = keyOf(storeId)
  const reserve = (session: Session, ids: ReadonlyArray<ProcessId>, nowMs: number) =>
    Effect.map(
      session.send([{ name: "reserve", text: reserveText, values: [store, ids, ids.map(keyOf), nowMs] }]),
      ([answer]) => (answer?.rows ?? []).map((row) => (row as { readonly id: ProcessId }).id) // as it selects them
    )
  const release = (session: Session, ids: ReadonlyArray<ProcessId>) =>
    ids.length === 0
      ? Effect.void
      : Effect.ignore(session.send([{ name: "release", text: releaseText, values: [store, ids.map(keyOf)] }]))
  return (ids, nowMs) =>
    Effect.suspend(() => {
      const session = sessionOf()
      return session === undefined || ids.length === 0
        ? Effect.succeed(ids)
        : Effect.acquireRelease(reserve(session, ids, nowMs), (kept) => release(session, kept)).pipe(
            Effect.orElseSucceed(() => ids)
          )
    })
}

/** Locks are numbers: two ids of one number are kept together. */
const keyOf = (text: string): number => createHash("sha256").update(text).digest().readInt32BE()

/** What another host has taken meanwhile is not due any more. Locked is what is, and nothing that the planner only looks at. */
const reserveText = `
  WITH asked AS (SELECT * FROM unnest($2::text[], $3::int[]) AS asked (id, key)),
    due AS MATERIALIZED (
      SELECT asked.id, asked.key FROM asked JOIN state ON state.process_id = asked.id LEFT JOIN lease USING (pk)
      WHERE CASE WHEN lease.pk IS NULL THEN state.due_at <= $4 ELSE lease.expires_at <= $4 AND lease.due_at <= $4 END
    )
  SELECT id FROM due WHERE pg_try_advisory_lock($1, key)
`

const releaseText = "SELECT pg_advisory_unlock($1, key) FROM unnest($2::int[]) AS released (key)"
