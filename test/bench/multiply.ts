/**
 * Files with many processes, made in seconds: one that a host itself has written, copied inside SQLite.
 *
 * Invariant: each copy is what the first one is, under an id and a change number of its own.
 */
import { strict as assert } from "node:assert"
import Database from "better-sqlite3"

/** The ids of the processes of a file: `scale-000000` and so on. */
export const namesOf =
  (prefix: string) =>
  (index: number): string =>
    `${prefix}-${String(index).padStart(6, "0")}`

/** Copies the only process of a file until there are so many, in one transaction; answers how many rows each table has then. */
export const multiply = (filename: string, prefix: string, processes: number): Readonly<Record<string, number>> => {
  const db = new Database(filename)
  try {
    db.pragma("synchronous = OFF")
    const pk = db.prepare("SELECT pk FROM process WHERE process_id = ?").pluck().get(namesOf(prefix)(0))
    assert.ok(typeof pk === "number")
    const name = `printf('${prefix}-%06d', n)`
    const changed: Readonly<Record<string, string>> = {
      pk: "pk + n",
      process_id: name,
      registration: `json_set(registration, '$.id', ${name})`,
      change: "change + n"
    }
    const columnsOf = (table: string) =>
      db.prepare<[string], string>("SELECT name FROM pragma_table_info(?)").pluck().all(table)
    const tables = db
      .prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name <> 'process'")
      .pluck()
      .all()
      .filter((table) => columnsOf(table).includes("pk"))
    db.transaction(() => {
      for (const table of tables) {
        const columns = columnsOf(table)
        db.exec(`WITH RECURSIVE copy (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < ${processes - 1})
          INSERT INTO ${table} (${columns.join(", ")})
          SELECT ${columns.map((column) => changed[column] ?? column).join(", ")}
          FROM copy CROSS JOIN ${table} WHERE ${table}.pk = ${pk}`)
      }
    })()
    const count = (table: string) => Number(db.prepare(`SELECT count(*) FROM ${table}`).pluck().get())
    return Object.fromEntries(tables.map((table) => [table, count(table)]))
  } finally {
    db.close()
  }
}
