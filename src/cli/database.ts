/**
 * Opens the database that a command names: one that exists and is holdfast's.
 *
 * Invariant: a mistyped name never makes a file, and a database of something else is never touched.
 */

import { statSync } from "node:fs"
import Database from "better-sqlite3"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { InputInvalid, ProcessPruned, StoreError } from "../model/errors.ts"
import { ProcessUnknown } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ListFilter } from "../model/ListFilter.ts"
import type { ChangeFeed } from "../operations/ChangeFeed.ts"
import * as Changes from "../operations/ChangeFeed.ts"
import { prunedError } from "../operations/decisions/register.ts"
import type { OwnerLiveness } from "../operations/OwnerLiveness.ts"
import * as Liveness from "../operations/OwnerLiveness.ts"
import type { ProcessRegistry } from "../operations/ProcessRegistry.ts"
import * as Registry from "../operations/ProcessRegistry.ts"
import type { WakeOutbox } from "../operations/WakeOutbox.ts"
import * as Outbox from "../operations/WakeOutbox.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as SqliteStore from "../store/sqlite/SqliteStore.ts"
import type { CliFailure } from "./Screen.ts"
import { misused, notFound, refused } from "./Screen.ts"

/** What a command may use of a database. */
export type Services = ProcessStore | ProcessRegistry | ChangeFeed | OwnerLiveness | WakeOutbox

/** Runs a command on a database, which is open for as long as the command runs. */
export const on = <A, E, R>(
  db: Option.Option<string>,
  command: Effect.Effect<A, E, R>
): Effect.Effect<A, E | CliFailure | InputInvalid | StoreError, Exclude<R, Services>> =>
  Effect.flatMap(fileOf(db), (filename) => Effect.provide(command, services(filename)))

/** The file a command is about: the option's, or HOLDFAST_DB's. Fails when there is none, or it is no such database. */
export const fileOf = (db: Option.Option<string>): Effect.Effect<string, CliFailure> =>
  Effect.gen(function* () {
    const fromEnvironment = Effect.orElseSucceed(Config.option(Config.string("HOLDFAST_DB")), () => Option.none())
    const named = Option.isSome(db) ? db : yield* fromEnvironment
    if (Option.isNone(named) || named.value.trim() === "") {
      return yield* misused("name the database: --db FILE, or HOLDFAST_DB in the environment")
    }
    const problem = yield* Effect.sync(() => problemOf(named.value))
    return problem === undefined ? named.value : yield* problem
  })

const services = (filename: string): Layer.Layer<Services, InputInvalid | StoreError> =>
  Layer.mergeAll(Registry.layer, Changes.layer, Liveness.layer, Outbox.layer).pipe(
    Layer.provideMerge(SqliteStore.layer({ filename }))
  )

const problemOf = (filename: string): CliFailure | undefined => {
  const found = statSync(filename, { throwIfNoEntry: false })
  if (found === undefined) return notFound(`there is no database file ${filename}`)
  if (!found.isFile()) return refused(`${filename} is no file`)
  try {
    const db = new Database(filename, { readonly: true, fileMustExist: true })
    try {
      const known = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'holdfast_migrations'").get()
      return known === undefined ? refused(`${filename} is no holdfast database`) : undefined
    } finally {
      db.close()
    }
  } catch (cause) {
    return refused(
      `${filename} cannot be read as a database: ${cause instanceof Error ? cause.message : String(cause)}`
    )
  }
}

/** The row of a process. Fails with `ProcessUnknown`, or `ProcessPruned` when it was there once. */
export const presentRow = (
  id: ProcessId
): Effect.Effect<ProcessRow, ProcessUnknown | ProcessPruned | StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const found = yield* store.find(id)
    if (found._tag === "Pruned") return yield* prunedError(found.tombstone)
    return found._tag === "Present" ? found.row : yield* new ProcessUnknown({ processId: id })
  })

/** Every row that matches, ascending by id, read a page at a time. */
export const allRows = (filter: ListFilter): Effect.Effect<ReadonlyArray<ProcessRow>, StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const all: Array<ProcessRow> = []
    let after: ProcessId | undefined
    while (true) {
      const rows = yield* store.list({ filter, limit: pageSize, ...(after === undefined ? {} : { after }) })
      all.push(...rows)
      after = rows.at(-1)?.base.registration.id
      if (rows.length < pageSize) return all
    }
  })

const pageSize = 500
