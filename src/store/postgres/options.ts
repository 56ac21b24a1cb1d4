/**
 * The options of a store on a PostgreSQL server: defaults, and what cannot work.
 */
import * as Effect from "effect/Effect"
import { InputInvalid } from "../../model/errors.ts"

/** Where the database is, and how it is used. */
export interface PostgresStoreOptions {
  /** `postgres://user:password@host:5432/database`, with the parameters that the driver `pg` knows. */
  readonly url: string
  /**
   * The server's own URL, where `url` is that of a pool that changes connections between transactions (PgBouncer): messages of other
   * hosts need a connection that stays.
   *
   * @default url
   */
  readonly sessionUrl?: string
  /**
   * The schema that holds the tables: lower-case letters, digits and `_`, none of PostgreSQL's own. The URL may name it, too: `?schema=agents`.
   *
   * @default "holdfast"
   */
  readonly schema?: string
  /** How many connections write at once. As many more read, and one listens. @default 2 */
  readonly connections?: number
  /** Whether the schema is made, and brought to the present version, where that is needed. @default true */
  readonly migrates?: boolean
  /** Whether it is only looked at: no transaction can write, nothing is migrated, and a standby will do. @default false */
  readonly readOnly?: boolean
  /** Whether a server with `synchronous_commit = off` is accepted. @default false */
  readonly mayLoseCommits?: boolean
  /** Whether a schema is opened into which a copy is not finished: for the copy itself. @default false */
  readonly isCopying?: boolean
  /** How long opening, each read and each write wait for a server that is away, and for a lock. Units: milliseconds. @default 10000 */
  readonly patienceMs?: number
  /**
   * Whose time decides what has expired and what is due. `host` is for tests that move time: the clocks of two hosts differ.
   *
   * @default "database"
   */
  readonly time?: "database" | "host"
}

/** The options, all of them there. */
export type Checked = PostgresStoreOptions &
  Required<
    Pick<PostgresStoreOptions, "schema" | "connections" | "migrates" | "readOnly" | "mayLoseCommits" | "patienceMs">
  >

/** The options with their defaults. Fails with `InputInvalid` for one that cannot work. */
export const checked = (given: PostgresStoreOptions): Effect.Effect<Checked, InputInvalid> => {
  const { url, sessionUrl, connections = 2, patienceMs = 10_000, time = "database" } = given
  const refuse = (field: string, problem: string) => Effect.fail(new InputInvalid({ field, problem }))
  for (const [field, value] of Object.entries({ url, sessionUrl: sessionUrl === undefined ? url : sessionUrl })) {
    // The URL has a password: it is not shown.
    if (!isPostgres(value)) return refuse(field, "is no URL of PostgreSQL: postgres://user:password@host:5432/database")
  }
  const named = new URL(url).searchParams.get("schema") ?? undefined
  const { schema = named ?? "holdfast" } = given
  if (named !== undefined && named !== schema) {
    return refuse("schema", `is ${shown(schema)}, and the URL says ${shown(named)}: name one of them`)
  }
  for (const field of ["readOnly", "migrates", "mayLoseCommits", "isCopying"] as const) {
    if (!["boolean", "undefined"].includes(typeof given[field])) return refuse(field, "must be true or false")
  }
  if (typeof schema !== "string" || !/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    return refuse("schema", `is ${shown(schema)}; it must have lower-case letters, digits and _ only, 63 at most`)
  }
  if (/^pg_/.test(schema) || schema === "information_schema") {
    return refuse("schema", `is ${shown(schema)}, which is a schema of PostgreSQL's own; choose another name`)
  }
  if (!Number.isInteger(connections) || connections < 1 || connections > 16) {
    return refuse("connections", `is ${shown(connections)}; it must be a whole number from 1 to 16`)
  }
  if (!Number.isInteger(patienceMs) || patienceMs < 100) {
    return refuse("patienceMs", `is ${shown(patienceMs)}; it must be a whole number of at least 100`)
  }
  if (time !== "database" && time !== "host") return refuse("time", 'must be "database" or "host"')
  const { readOnly = false, migrates = !readOnly, mayLoseCommits = readOnly } = given
  return Effect.succeed({ ...given, schema, connections, patienceMs, readOnly, migrates, mayLoseCommits })
}

const shown = (value: unknown): string =>
  typeof value === "string"
    ? JSON.stringify(value)
    : typeof value === "number"
      ? String(value)
      : `of type ${typeof value}`

const isPostgres = (url: unknown): boolean =>
  typeof url === "string" && URL.canParse(url) && /^postgres(ql)?:$/.test(new URL(url).protocol)
