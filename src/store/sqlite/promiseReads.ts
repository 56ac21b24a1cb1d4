/**
 * Durable promises in SQLite.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import type { StoredPromise } from "../Decision.ts"
import type { PromiseReads } from "../ProcessStore.ts"
import { asStoreError } from "./failure.ts"

/** Makes the reads on a connection. */
export const make: Effect.Effect<PromiseReads, never, SqlClient.SqlClient> = Effect.map(SqlClient.SqlClient, (sql) => ({
  get: (keyId) =>
    asStoreError(
      "read a promise",
      Effect.map(sql<StoredPromise>`SELECT body, token FROM promise WHERE key_id = ${keyId}`, ([found]) => found)
    )
}))
