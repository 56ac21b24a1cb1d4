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
import type { InputInvalid, StoreError } from "../model/errors.ts"
import type { ChangeFeed } from "../store/ChangeFeed.ts"
import * as Changes from "../store/changes.ts"
import * as Liveness from "../store/liveness.ts"
import type { OwnerLiveness } from "../store/OwnerLiveness.ts"
import * as Outbox from "../store/outbox.ts"
import type { ProcessRegistry } from "../store/ProcessRegistry.ts"
import type { ProcessStore } from "../store/ProcessStore.ts"
import * as Registry from "../store/registry.ts"
import * as SqliteStore from "../store/sqlite/SqliteStore.ts"
import type { WakeOutbox } from "../store/WakeOutbox.ts"
import type { CliFailure } from "./CliFailure.ts"
import { misused, notFound, refused } from "./CliFailure.ts"

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
