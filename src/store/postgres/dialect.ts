/**
 * What reads say in PostgreSQL.
 */
import type { Dialect } from "../sql/Dialect.ts"
import { storeError } from "./failure.ts"

/** How many numbers of the change feed one transaction has. */
export const numbersOfOne = 4_096

/**
 * What is added to the change numbers of a server that failed over. A standby that takes over may have lost commits, and gives the
 * numbers of their transactions away again: each new history of the server begins beyond what the one before can have reached.
 */
export const ofTimeline: string = `((CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
  ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer END - 1) * ${2 ** 36}::bigint)`

/** PostgreSQL. */
export const dialect: Dialect & Required<Pick<Dialect, "horizon">> = {
  begin: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
  json: (column, ...path) => `(${readable(column)}::json #>> '{${path.join(",")}}')`,
  jsonLength: (column, ...path) => `json_array_length(${readable(column)}::json #> '{${path.join(",")}}')`,
  // In the words of the index over long keys.
  isKey: (column, value) => {
    const hash = (text: string, seed: number) => `hashtextextended(${text}, ${seed})`
    const same = [0, 1].map((seed) => `${hash(column, seed)} = ${hash(value, seed)}`)
    return `${column} = ${value} AND ${same.join(" AND ")}`
  },
  // A transaction that is not over may still commit numbers from its own on; all with lower ones are over.
  horizon: (sql) =>
    sql.literal(
      `(SELECT change_base + ${ofTimeline} + pg_snapshot_xmin(pg_current_snapshot())::text::bigint * ${numbersOfOne} FROM store)`
    ),
  storeError
}

/** JSON text of which PostgreSQL can read every value: with the characters of `text.ts` as parameters have them. */
const readable = (column: string): string =>
  String.raw`(CASE WHEN strpos(${column}, '\u000') = 0 THEN ${column} ELSE ${escaped(escaped(column, 1, 2), 0, 1)} END)`

/** Replaces an escaped control character by U+0001 and another one; what follows an even number of backslashes is none. */
const escaped = (text: string, from: number, to: number): string =>
  String.raw`regexp_replace(${text}, '(?<!\\)((?:\\\\)*)\\u000${from}', '\1\\u0001\\u000${to}', 'g')`
