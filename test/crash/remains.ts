/**
 * Reads what a trial left in its store: a file, or a schema of PostgreSQL, which have the same tables.
 */
import * as Effect from "effect/Effect"
import { verify } from "../../src/operations/verify.ts"
import * as PostgresStore from "../../src/store/postgres/PostgresStore.ts"
import { ProcessStore, SqliteStore } from "../../src/store.ts"
import type { Remains } from "./invariants.ts"
import { acknowledged, invariants } from "./invariants.ts"
import { whereOf } from "./postgresHooks.ts"
import { isServer, rowsOf } from "./rows.ts"
import type { Fact, Written } from "./sideLog.ts"

/** What acknowledged facts are missing in the store. The facts are read first: more may happen meanwhile. */
export const missing = async (database: string, facts: ReadonlyArray<Fact>): Promise<ReadonlyArray<string>> =>
  invariants[acknowledged]?.({ ...(await contentOf(database)), facts, differences: [] }) ?? []

/** What is wrong with the transaction that a child was in when it was ended. */
export const tornTransactions = async (
  database: string,
  { isCommitted, written }: { readonly isCommitted: boolean; readonly written: ReadonlyArray<Written> }
): Promise<ReadonlyArray<string>> => {
  const log = await rowsOf<Written>(database, "SELECT pk, sequence, event_type FROM event")
  const there = new Set(log.map((row) => Object.values(row).join(" ")))
  return written.flatMap((event) =>
    there.has(event.join(" ")) === isCommitted ? [] : [`${event.join(" ")} is ${isCommitted ? "missing" : "there"}`]
  )
}

/** Reads what a trial left, and verifies every fold. */
export const remainsOf = async (database: string, facts: ReadonlyArray<Fact>): Promise<Remains> => {
  const store = isServer(database)
    ? PostgresStore.make(whereOf(new URL(database)))
    : SqliteStore.make({ filename: database })
  const verified = Effect.flatMap(store, (opened) => Effect.provideService(verify(), ProcessStore.ProcessStore, opened))
  const { differences } = await Effect.runPromise(Effect.scoped(verified))
  const content = await contentOf(database)
  return { ...content, facts, differences: differences.map((difference) => JSON.stringify(difference)) }
}

const contentOf = async (
  database: string
): Promise<Pick<Remains, "rows" | "events" | "leases" | "debts" | "wakes">> => {
  const json = (column: string, ...path: ReadonlyArray<string>) =>
    isServer(database) ? `${column}::jsonb #> '{${path}}'` : `json_extract(${column}, '$.${path.join(".")}')`
  return {
    rows: await rowsOf(
      database,
      `SELECT pk, process_id AS id, lifecycle, ${json("registration", "input", "kind")} AS kind,
         ${json("registration", "disposition")} AS disposition, ${json("snapshot", "context", "output", "value")} AS output
       FROM state JOIN process USING (pk, process_id)`
    ),
    events: await rowsOf(
      database,
      `SELECT process_id AS id, sequence, event_type AS "eventType", payload, occurred_at AS "occurredAtMs"
       FROM event JOIN process USING (pk) ORDER BY pk, sequence`
    ),
    debts: (
      await rowsOf<{ readonly id: string }>(database, "SELECT process_id AS id FROM debt JOIN process USING (pk)")
    ).map(({ id }) => id),
    wakes: await rowsOf(
      database,
      `SELECT 'process:' || process_id || ':event:' || event.sequence || ':wake' AS source, wake_id AS "wakeId", state
       FROM event JOIN process USING (pk)
       LEFT JOIN wake_outbox AS owed ON owed.pk = event.pk AND owed.sequence = event.sequence
       WHERE wakes IS NOT NULL ORDER BY event.pk, event.sequence`
    ),
    leases: (await rowsOf(database, "SELECT pk FROM lease")).length
  }
}
