/**
 * Everything that a file keeps, table by table, as it was at one moment: for a copy into another store.
 *
 * Invariant: whatever is written meanwhile is not seen, and `isPresent` says whether something was.
 */
import { statSync } from "node:fs"
import type Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { StoreError } from "../../model/errors.ts"
import { storeError } from "./failure.ts"
import * as Opening from "./opening.ts"

/** A row of a table, by its columns. */
export type Row = Readonly<Record<string, string | number | null>>

/** A table. `key` is its primary key, by which its rows are ordered. */
export interface Table {
  readonly name: string
  readonly columns: Readonly<Record<string, "text" | "bigint">>
  readonly key: ReadonlyArray<string>
  /** How many rows it has. */
  readonly rows: number
}

/** The content of a file. */
export interface Content {
  readonly storeId: string
  /** Differs between two moments unless nothing was registered, appended or pruned in between. */
  readonly fingerprint: string
  readonly tables: ReadonlyArray<Table>
  /** The last number of a table that its rows were given, also of rows that are gone. */
  readonly lastNumberOf: (table: "process" | "wake_outbox") => number
  /** The rows behind a key, or the first ones: as many as are read at once. */
  readonly page: (table: Table, after?: ReadonlyArray<unknown>) => Effect.Effect<ReadonlyArray<Row>, StoreError>
  /** Ends the moment, and says whether the file still has this content. */
  readonly isPresent: Effect.Effect<boolean, StoreError>
}

/** A page has at most so many rows, and ends with the row with which it has so many characters. */
const page = { rows: 2_000, characters: 1_000_000 }

/** Opens a file, for as long as the scope is open. */
export const open = (filename: string): Effect.Effect<Content, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const before = yield* looking(() => traceOf(filename))
    const { db, copied } = yield* Opening.toRead(filename)
    // A private copy stays as it is: the file itself says whether it was written to.
    const isSame = copied === undefined ? () => true : () => traceOf(filename) === before
    return yield* looking(() => contentOf(db, isSame))
  })

const contentOf = (db: Database.Database, isSame: () => boolean): Content => {
  const version = () => db.pragma("data_version", { simple: true })
  const before = version()
  db.exec("BEGIN")
  const names = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
    .pluck()
    .all() as ReadonlyArray<string> // the column is text
  const tables = names.filter((name) => !ownTables.has(name)).map((name) => tableOf(db, name))
  const last = db.prepare("SELECT max((SELECT max(change) FROM state), (SELECT max(change) FROM tombstone))").pluck()
  const numbers = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = ?").pluck()
  return {
    storeId: db.prepare("SELECT store_id FROM store").pluck().get() as string, // the column is text
    fingerprint: JSON.stringify([last.get(), ...tables.map(({ rows }) => rows)]),
    tables,
    lastNumberOf: (table) => (numbers.get(table) as number | undefined) ?? 0, // the column holds integers
    page: (table, after) => looking(() => pageOf(db, table, after)),
    isPresent: looking(() => {
      if (db.inTransaction) db.exec("COMMIT")
      return version() === before && isSame()
    })
  }
}

/** What differs once a program has written to a file, or to its `-wal`: the host of a file writes to both. An empty `-wal` is none. */
const traceOf = (filename: string): string =>
  JSON.stringify(
    ["", "-wal"].map((suffix) => {
      const found = statSync(filename + suffix, { bigint: true, throwIfNoEntry: false })
      return found === undefined || (suffix !== "" && found.size === 0n)
        ? []
        : [found.ino, found.size, found.mtimeNs].map(String)
    })
  )

/** What another store has of its own. */
const ownTables: ReadonlySet<string> = new Set(["store", "holdfast_migrations"])

const tableOf = (db: Database.Database, name: string): Table => {
  const columns = db.pragma(`table_info(${name})`) as ReadonlyArray<{
    readonly name: string
    readonly type: string
    readonly pk: number
  }> // as SQLite documents it
  const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk)
  return {
    name,
    columns: Object.fromEntries(columns.map((column) => [column.name, column.type === "INTEGER" ? "bigint" : "text"])),
    key: key.map((column) => column.name),
    rows: db.prepare(`SELECT count(*) FROM ${name}`).pluck().get() as number // a count
  }
}

const pageOf = (db: Database.Database, { name, key }: Table, after?: ReadonlyArray<unknown>): ReadonlyArray<Row> => {
  const behind = after === undefined ? "" : `WHERE (${key.join(", ")}) > (${key.map(() => "?").join(", ")})`
  const select = db.prepare(`SELECT * FROM ${name} ${behind} ORDER BY ${key.join(", ")} LIMIT ${page.rows}`)
  const rows: Array<Row> = []
  let characters = 0
  for (const row of select.iterate(...(after ?? []))) {
    rows.push(row as Row) // every column is text or an integer
    for (const value of Object.values(row as Row)) characters += typeof value === "string" ? value.length : 8 // as above
    if (characters >= page.characters) break
  }
  return rows
}

const looking = <A>(look: () => A): Effect.Effect<A, StoreError> =>
  Effect.try({ try: look, catch: (cause) => storeError("read what the file holds", cause) })
