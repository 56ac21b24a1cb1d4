/**
 * Opens the database that a command names: one that exists and is holdfast's. A command that looks never writes to it.
 *
 * Invariant: a mistyped name never makes a file, a database of something else is never touched, and no file is migrated.
 */

import { statSync } from "node:fs"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { InputInvalid, ProcessPruned, ProcessUnknown, StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ListFilter } from "../model/ListFilter.ts"
import type { ChangeFeed } from "../operations/ChangeFeed.ts"
import * as Changes from "../operations/ChangeFeed.ts"
import { existingRow } from "../operations/existing.ts"
import type { OwnerLiveness } from "../operations/OwnerLiveness.ts"
import * as Liveness from "../operations/OwnerLiveness.ts"
import type { ProcessRegistry } from "../operations/ProcessRegistry.ts"
import * as Registry from "../operations/ProcessRegistry.ts"
import type { WakeOutbox } from "../operations/WakeOutbox.ts"
import * as Outbox from "../operations/WakeOutbox.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as SqliteStore from "../store/sqlite/SqliteStore.ts"
import type { CliFailure, Screen } from "./Screen.ts"
import { misused, notFound, refused, TheScreen } from "./Screen.ts"
import { harmless } from "./table.ts"

/** What a command may use of a database. */
export type Services = ProcessStore | ProcessRegistry | ChangeFeed | OwnerLiveness | WakeOutbox

/** Runs a command that looks, on a database that is open for reading: the file stays as it is. */
export const look = <A, E, R>(
  db: Option.Option<string>,
  command: Effect.Effect<A, E, R>
): Effect.Effect<A, E | CliFailure | InputInvalid, Exclude<R, Services> | TheScreen> =>
  Effect.flatMap(Effect.all([fileOf(db), TheScreen]), ([filename, screen]) =>
    on(filename, command, SqliteStore.layerReadOnly({ filename, onCopy: remarkOn(screen) }))
  )

/**
 * Runs a command that changes something, on a database that is open for writing. The file is never migrated: the host that
 * works with it may be of the version before.
 */
export const change = <A, E, R>(
  db: Option.Option<string>,
  command: Effect.Effect<A, E, R>
): Effect.Effect<A, E | CliFailure | InputInvalid, Exclude<R, Services>> =>
  Effect.flatMap(fileOf(db), (filename) => on(filename, command, SqliteStore.layer({ filename, migrates: false })))

/** Says on stderr that a copy is read. */
export const remarkOn =
  (screen: Screen) =>
  (sentence: string): Effect.Effect<void> =>
    screen.remark(`holdfast: ${harmless(sentence)}`)

/** Names the file that cannot be opened. */
export const unopened =
  (filename: string) =>
  (error: InputInvalid | StoreError): InputInvalid | CliFailure =>
    error._tag === "StoreError" ? refused(`${filename} cannot be opened: ${error.detail}`) : error

/** The file a command is about: the option's, or HOLDFAST_DB's. Fails when there is none. */
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

const on = <A, E, R>(
  filename: string,
  command: Effect.Effect<A, E, R>,
  store: Layer.Layer<ProcessStore, InputInvalid | StoreError>
): Effect.Effect<A, E | CliFailure | InputInvalid, Exclude<R, Services>> =>
  Effect.provide(
    command,
    Layer.mergeAll(Registry.layer, Changes.layer, Liveness.layer, Outbox.layer).pipe(
      Layer.provideMerge(Layer.mapError(store, unopened(filename)))
    )
  )

const problemOf = (filename: string): CliFailure | undefined => {
  const found = statSync(filename, { throwIfNoEntry: false })
  if (found === undefined) return notFound(`there is no database file ${filename}`)
  return found.isFile() ? undefined : refused(`${filename} is no file`)
}

/** The row of a process. Fails with `ProcessUnknown`, or `ProcessPruned` when it was there once. */
export const presentRow = (
  id: ProcessId
): Effect.Effect<ProcessRow, ProcessUnknown | ProcessPruned | StoreError, ProcessStore> =>
  Effect.flatMap(ProcessStore, (store) => existingRow(store, id))

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

/** The store in context, with progress for each page of rows that is read, so that long work shows how far it is. */
export const watched = (
  screen: Screen,
  doing: string
): Effect.Effect<typeof ProcessStore.Service, never, ProcessStore> =>
  Effect.map(ProcessStore, (store) => {
    let seen = 0
    return {
      ...store,
      list: (query) =>
        Effect.tap(store.list(query), (rows) => {
          seen += rows.length
          return screen.progress(`${doing}: ${seen} processes so far`)
        })
    }
  })
