/**
 * Writes the SQLite schema as a fresh database has it, so that a change of it is read in a review.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as SqliteStore from "../../../src/store/sqlite/SqliteStore.ts"

/** Opens a store on a new file and reads back every statement of its schema: tables first, each kind by name. */
export const schema = async (): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "schema-"))
  const filename = join(folder, "fresh.db")
  try {
    await Effect.runPromise(Effect.scoped(SqliteStore.make({ filename })))
    return ["-- The schema of a fresh SQLite store. Written by `npm run codegen`.", ...statementsIn(filename), ""].join(
      "\n"
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const statementsIn = (filename: string): ReadonlyArray<string> => {
  const db = new Database(filename, { readonly: true })
  try {
    const rows = db
      .prepare(
        `SELECT sql FROM sqlite_schema
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY type DESC, tbl_name, name`
      )
      .pluck()
      .all() as ReadonlyArray<string> // pluck answers with the one column, which is text
    return rows.flatMap((sql) => ["", `${dedented(sql)};`])
  } finally {
    db.close()
  }
}

/** Takes away the indentation that a statement has from where it stood in its migration. */
const dedented = (sql: string): string => {
  const [first = "", ...rest] = sql.split("\n").map((line) => line.trimEnd())
  const depth = Math.min(...rest.filter((line) => line !== "").map((line) => line.length - line.trimStart().length))
  return [first.trim(), ...rest.map((line) => line.slice(depth))].join("\n")
}
