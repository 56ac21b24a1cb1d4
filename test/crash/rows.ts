/**
 * Asks the database of a trial, a file or a schema of a server, on a connection of its own.
 */
import Database from "better-sqlite3"
import { Client } from "pg"
import * as Sessions from "../../src/store/postgres/Session.ts"
import { whereOf } from "./postgresHooks.ts"

/** Whether a database is a schema of a server: a URL names it. */
export const isServer = (database: string): boolean => URL.canParse(database)

/** Asks a database. */
export const rowsOf = async <Row>(database: string, text: string): Promise<ReadonlyArray<Row>> => {
  if (!isServer(database)) {
    const db = new Database(database, { readonly: true })
    try {
      return db.prepare<[], Row>(text).all()
    } finally {
      db.close()
    }
  }
  const { url, schema } = whereOf(new URL(database))
  // The children ask, too: they are packed, and the server that tests start is not for them.
  const client = new Client({ connectionString: Sessions.urlOf(url, schema), types: Sessions.valueTypes })
  client.on("error", () => {})
  await client.connect()
  try {
    return (await client.query(text)).rows as ReadonlyArray<Row> // as the text selects them
  } finally {
    await client.end()
  }
}
