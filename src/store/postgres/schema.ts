/**
 * Brings a schema of a database to the present version, or refuses one that a newer library made, and a server that will not do.
 *
 * Several hosts may start at once: one of them migrates, under an advisory lock, in one transaction.
 */
import * as Effect from "effect/Effect"
import type { StoreError } from "../../model/errors.ts"
import { newerSchema, unusable } from "../sql/schema.ts"
import { ofTimeline } from "./dialect.ts"
import { storeError } from "./failure.ts"
import * as Store from "./migrations/0001_store.ts"
import * as LongKeys from "./migrations/0002_long_keys.ts"
import type { Answer, Session } from "./Session.ts"
import { beginText, firstRow } from "./Session.ts"
import { numbersOfOne } from "./Writes.ts"

const migrations: ReadonlyArray<ReadonlyArray<string>> = [Store.statements, LongKeys.statements]

/** The newest schema this library knows. */
export const schemaVersion: number = migrations.length

/** What is asked of a server and of its schema. */
export interface Requirements {
  readonly schema: string
  /** Whether the schema is made, and brought to the present version, where that is needed. */
  readonly migrates: boolean
  /** Whether nothing is to be written: then a standby will do. */
  readonly readOnly: boolean
  /** Whether a server is accepted that says that a commit is done before it is on a disk. */
  readonly mayLoseCommits: boolean
  /** How many connections write at once. */
  readonly connections?: number
  /** Whether a schema is accepted into which a copy is under way: by the copy itself only. */
  readonly isCopying?: boolean
}

/** Checks the server, and migrates. Fails with one sentence that says what is missing. */
export const prepare = (session: Session, requirements: Requirements): Effect.Effect<void, StoreError> =>
  Effect.gen(function* () {
    const { schema, migrates, isCopying = false } = requirements
    yield* checkServer(session, requirements)
    const version = yield* versionOf(session, schema, isCopying)
    if (version < schemaVersion) {
      if (!migrates) return yield* unusable(olderText(version))
      yield* migrate(session, schema)
    }
  })

/** Fails with one sentence about a server that will not do. */
export const checkServer = (session: Session, needs: Needs): Effect.Effect<void, StoreError> =>
  Effect.flatMap(ask<Server>(session, serverText), (server) => {
    const problem = problemOf(server, needs)
    return problem === undefined ? Effect.void : unusable(problem)
  })

/** What a server says of itself; `version` is its `server_version_num`. */
export interface Server {
  readonly version: number
  readonly standby: boolean
  readonly commit: string
  readonly encoding: string
  /** `default_transaction_read_only`, as the server has it for this user. */
  readonly onlyReads: string
  /** How many connections the user may have; negative where there is no bound. */
  readonly limit: number
}

type Needs = Pick<Requirements, "readOnly" | "mayLoseCommits" | "connections">

const oldest = 140_000

/** Why a server will not do, if it will not. */
export const problemOf = (
  { version, standby, commit, encoding, onlyReads, limit }: Server,
  { readOnly, mayLoseCommits, connections = 1 }: Needs
): string | undefined => {
  if (version < oldest) {
    return `the server is PostgreSQL ${Math.floor(version / 10_000)}, and 14 is the oldest that will do`
  }
  if (standby && !readOnly) return "the server is a standby, which takes no writes; name the primary in the URL"
  if (!readOnly && onlyReads === "on") {
    return "the database has default_transaction_read_only = on for this user, who can write nothing; turn it off"
  }
  if (!readOnly && encoding !== "UTF8") {
    return `the database has the encoding ${encoding}, which cannot keep every text; make one with ENCODING 'UTF8'`
  }
  const needed = 2 * connections + 1
  if (!readOnly && limit >= 0 && limit < needed) {
    return `the user of the URL may have ${limit} connections, and a host needs ${needed}; raise the role's CONNECTION LIMIT, or lower \`connections\``
  }
  return commit === "off" && !mayLoseCommits
    ? "the server has synchronous_commit = off, with which it may lose what it has confirmed; turn it on, or set mayLoseCommits"
    : undefined
}

const serverText = `SELECT current_setting('server_version_num')::integer AS version, pg_is_in_recovery() AS standby,
  current_setting('synchronous_commit') AS commit, current_setting('server_encoding') AS encoding,
  current_setting('default_transaction_read_only') AS "onlyReads",
  coalesce((SELECT CASE WHEN rolsuper THEN -1 ELSE rolconnlimit END FROM pg_roles WHERE rolname = session_user), -1) AS "limit"`

/** The table that says which version a schema has. */
export const migrationsTable = "holdfast_migrations"

/** The name of a schema in a statement: some are words of the language. */
export const quoted = (schema: string): string => `"${schema}"`

/** The table of a copy that is under way into a schema; it has the other name when the copy is done. */
export const copyTables = { underWay: "holdfast_copying", done: "holdfast_copied" } as const

/** The version of a schema, 0 where there is none. Refuses one of a newer library, and one that is not whole yet. */
const versionOf = (session: Session, schema: string, isCopying: boolean): Effect.Effect<number, StoreError> =>
  Effect.gen(function* () {
    const found = yield* ask<{ readonly there: boolean; readonly copying: boolean }>(
      session,
      "SELECT to_regclass($1) IS NOT NULL AS there, to_regclass($2) IS NOT NULL AS copying",
      `${quoted(schema)}.${migrationsTable}`,
      `${quoted(schema)}.${copyTables.underWay}`
    )
    if (!found.there) return 0
    if (found.copying && !isCopying) return yield* unusable("a copy into it is not finished: run `holdfast copy` again")
    const { version } = yield* ask<{ readonly version: number }>(
      session,
      `SELECT coalesce(max(version), 0) AS version FROM ${quoted(schema)}.${migrationsTable}`
    )
    return version > schemaVersion ? yield* newerSchema(version, schemaVersion) : version
  })

/** Makes a schema, or brings it to the present version; `also` runs in the same transaction. */
export const migrate = (
  session: Session,
  schema: string,
  also: ReadonlyArray<string> = []
): Effect.Effect<void, StoreError> =>
  Effect.gen(function* () {
    // One lock for each schema: the hosts that come later wait, and then find the work done.
    yield* run(
      session,
      beginText,
      "SELECT pg_advisory_xact_lock(hashtextextended('holdfast ' || current_schemas(false)::text, 0))"
    )
    const exists = yield* ask<{ readonly there: boolean }>(
      session,
      "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1) AS there",
      schema
    )
    // Asked first: who may use a schema need not have the right to make one.
    if (!exists.there) yield* run(session, `CREATE SCHEMA ${quoted(schema)}`)
    const version = yield* versionOf(session, schema, false)
    yield* run(
      session,
      `CREATE TABLE IF NOT EXISTS ${migrationsTable} (version integer PRIMARY KEY, migrated_at timestamptz NOT NULL DEFAULT now())`,
      // Each transaction of a host reads it: those that have begun end first, and the next ones see the new version.
      `LOCK TABLE ${migrationsTable} IN ACCESS EXCLUSIVE MODE`,
      ...migrations.flatMap((statements, index) =>
        index < version ? [] : [...statements, `INSERT INTO ${migrationsTable} (version) VALUES (${index + 1})`]
      ),
      ...also,
      "COMMIT"
    )
  }).pipe(Effect.onError(() => Effect.ignore(run(session, "ROLLBACK"))))

/**
 * Lets change numbers go on from where they are. They follow the server's transaction numbers, which begin anew where a
 * dump is restored into another server; what is stored must stay below what is to come.
 */
export const continueNumbers = (session: Session): Effect.Effect<void, StoreError> =>
  run(
    session,
    `UPDATE store SET change_base = (found.last / ${numbersOfOne} + 1 - pg_current_xact_id()::text::bigint) * ${numbersOfOne} - ${ofTimeline}
    FROM (
      SELECT greatest((SELECT max(change) FROM state), (SELECT max(change) FROM tombstone)) AS last
    ) AS found
    WHERE found.last >= change_base + ${ofTimeline} + pg_snapshot_xmax(pg_current_snapshot())::text::bigint * ${numbersOfOne}`
  )

/** The name by which a store knows itself, and the database's time. Units: epoch milliseconds, UTC. */
export const identity = (
  session: Session
): Effect.Effect<{ readonly storeId: string; readonly now: number }, StoreError> =>
  ask(session, `SELECT store_id AS "storeId", (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now FROM store`)

const run = (session: Session, ...texts: ReadonlyArray<string>): Effect.Effect<void, StoreError> =>
  Effect.asVoid(sent(session, texts, []))

const ask = <Row>(session: Session, text: string, ...values: ReadonlyArray<string>): Effect.Effect<Row, StoreError> =>
  Effect.map(sent(session, [text], values), ([answer]) => firstRow<Row>(answer))

const sent = (session: Session, texts: ReadonlyArray<string>, values: ReadonlyArray<string>) =>
  Effect.mapError(session.send(texts.map((text) => ({ name: "", text, values }))), ({ cause }) =>
    storeError("open the database", cause)
  ) as Effect.Effect<ReadonlyArray<Answer>, StoreError>

const olderText = (version: number): string =>
  version === 0
    ? "it has no tables of holdfast: the first host that opens it makes them"
    : `it has schema version ${version}, and this version writes ${schemaVersion}: the first host of this version migrates it`
