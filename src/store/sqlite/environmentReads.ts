/**
 * Execution environments in SQLite.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import type { EnvironmentReads } from "../ProcessStore.ts"
import { asStoreError } from "./failure.ts"

/** Makes the reads on a connection. */
export const make: Effect.Effect<EnvironmentReads, never, SqlClient.SqlClient> = Effect.map(
  SqlClient.SqlClient,
  (sql) => ({
    get: (ref) =>
      asStoreError(
        "read an execution environment",
        Effect.map(
          sql<{ readonly body: string }>`SELECT body FROM environment WHERE env_ref = ${ref}`,
          ([found]) => found?.body
        )
      )
  })
)
