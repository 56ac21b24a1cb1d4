/**
 * What the SQL of the reads has to say differently in each database, and nothing else of them.
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import type { Fragment } from "@effect/sql/Statement"
import type { StoreError } from "../../model/errors.ts"

/** A database, as far as reads differ. */
export interface Dialect {
  /** Begins a transaction all of whose reads see one state. */
  readonly begin: string
  /** What a path into a column of JSON text leads to, as text; `NULL` when it leads nowhere. */
  readonly json: (column: string, ...path: ReadonlyArray<string>) => string
  /** How many elements an array in a column of JSON text has. */
  readonly jsonLength: (column: string, ...path: ReadonlyArray<string>) => string
  /** Whether a column, which may hold a text of any length, has this value: both as expressions. */
  readonly isKey: (column: string, value: string) => string
  /** The change number below which no further one can appear; absent where commits come one after the other. */
  readonly horizon?: (sql: SqlClient.SqlClient) => Fragment
  /** What a failure of the database means. */
  readonly storeError: (operation: string, cause: unknown) => StoreError
}
