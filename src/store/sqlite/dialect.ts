/**
 * What reads say in SQLite.
 */
import type { Dialect } from "../sql/Dialect.ts"
import { storeError } from "./failure.ts"

/** SQLite. */
export const dialect: Dialect = {
  begin: "BEGIN",
  json: (column, ...path) => `${column} ->> '$.${path.join(".")}'`,
  jsonLength: (column, ...path) => `json_array_length(${column}, '$.${path.join(".")}')`,
  isKey: (column, value) => `${column} = ${value}`,
  storeError
}
