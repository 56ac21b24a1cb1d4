/**
 * Opens the database that a command names: one that exists and is holdfast's. A command that looks never writes to it.
 *
 * Invariant: a mistyped name never makes a file or a schema, a database of something else is never touched, and none is migrated.
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
import { unusable } from "../store/sql/schema.ts"
import * as SqliteStore from "../store/sqlite/SqliteStore.ts"
import type { CliFailure, Screen } from "./Screen.ts"
import { misused, notFound, refused, TheScreen } from "./Screen.ts"
import { harmless } from "./table.ts"

/** What a command may use of a database. */
export type Services = ProcessStore | ProcessRegistry | ChangeFeed | OwnerLiveness | WakeOutbox

/** A database that a command names: a file, or a schema of a PostgreSQL server. */
export type Source =
  | { readonly _tag: "File"; readonly filename: string; readonly shown: string }
  /** The URL has a password: what is shown has none. */
  | { readonly _tag: "Server"; readonly url: string; readonly schema?: string; readonly shown: string }

/** Runs a command that looks, on a database that is open for reading: it stays as it is. */
export const look = <A, E, R>(
  db: Option.Option<string>,
  command: Effect.Effect<A, E, R>
): Effect.Effect<A, E | CliFailure | InputInvalid, Exclude<R, Services> | TheScreen> =>
  Effect.flatMap(Effect.all([sourceOf(db), TheScreen]), ([source, screen]) =>
    on(source, command, reading(source, screen))
  )

/**
 * Runs a command that changes something, on a database that is open for writing. It is never migrated: the host that works with
 * it may be of the version before.
 */
export const change = <A, E, R>(
  db: Option.Option<string>,
  command: Effect.Effect<A, E, R>
): Effect.Effect<A, E | CliFailure | InputInvalid, Exclude<R, Services>> =>
  Effect.flatMap(sourceOf(db), (source) => on(source, command, writing(source)))

/** The store of a database, for writing; it is not migrated. */
export const writing = (source: Source): Layer.Layer<ProcessStore, InputInvalid | StoreError> =>
  source._tag === "File"
    ? SqliteStore.layer({ filename: source.filename, migrates: false })
    : server({ ...source, migrates: false })

/** The store of a database, for reading; says on stderr when a copy is read. */
export const reading = (source: Source, screen: Screen): Layer.Layer<ProcessStore, InputInvalid | StoreError> =>
  source._tag === "File"
    ? SqliteStore.layerReadOnly({
        filename: source.filename,
        onCopy: (sentence) => screen.remark(`holdfast: ${harmless(sentence)}`)
      })
    : server({ ...source, readOnly: true })

/** The store of a server. Most commands need none of what it loads. */
export const server = ({
  url,
  schema,
  ...options
}: Extract<Source, { readonly _tag: "Server" }> & {
  readonly migrates?: boolean
  readonly readOnly?: boolean
  readonly isCopying?: boolean
}): Layer.Layer<ProcessStore, InputInvalid | StoreError> =>
  Layer.unwrapEffect(
    Effect.map(
      loaded(() => import("../store/postgres/PostgresStore.ts")),
      // Whether a server may lose commits is for its hosts to say.
      (store) =>
        store.layer({
          url,
          ...options,
          patienceMs: 5_000,
          mayLoseCommits: true,
          ...(schema === undefined ? {} : { schema })
        })
    )
  )

/** What only a server needs, with the packages that it is made of: they are optional. */
export const loaded = <Module>(load: () => Promise<Module>): Effect.Effect<Module, StoreError> =>
  Effect.tryPromise(load).pipe(
    Effect.catchAll(({ error }) =>
      isMissing(error)
        ? Effect.fail(unusable("it needs packages that are not installed: npm install pg @effect/sql-pg"))
        : Effect.die(error)
    )
  )

const isMissing = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && /^(ERR_)?MODULE_NOT_FOUND$/.test(String(cause.code))

/** Names the database that cannot be opened. */
export const unopened =
  ({ shown }: Source) =>
  (error: InputInvalid | StoreError): InputInvalid | CliFailure =>
    error._tag === "StoreError" ? refused(`${shown} cannot be opened: ${error.detail}`) : error

/** The database a command is about: the option's, or HOLDFAST_DB's. Fails when there is none. */
export const sourceOf = (db: Option.Option<string>): Effect.Effect<Source, CliFailure> =>
  Effect.gen(function* () {
    const fromEnvironment = Effect.orElseSucceed(Config.option(Config.string("HOLDFAST_DB")), () => Option.none())
    const named = Option.isSome(db) ? db : yield* fromEnvironment
    if (Option.isNone(named) || named.value.trim() === "") {
      return yield* misused("name the database: --db FILE or URL, or HOLDFAST_DB in the environment")
    }
    if (isServer(named.value)) return yield* serverOf(named.value)
    const problem = yield* Effect.sync(() => problemOf(named.value))
    return problem === undefined ? { _tag: "File", filename: named.value, shown: named.value } : yield* problem
  })

/** Whether a text is the URL of a server, which may have a password. */
export const isServer = (text: string): boolean => /^\s*postgres(ql)?:/i.test(text)

/** A database that must be a file; `instead` says what to do about one that is not. */
export const fileOf = (db: Option.Option<string>, instead: string): Effect.Effect<string, CliFailure> =>
  Effect.flatMap(sourceOf(db), (source) =>
    source._tag === "File" ? Effect.succeed(source.filename) : refused(`${source.shown} is no file: ${instead}`)
  )

/** The parameter `schema` is the library's own: the driver does not know it. */
const serverOf = (text: string): Effect.Effect<Source, CliFailure> => {
  if (!URL.canParse(text)) return misused("the URL cannot be read; it is postgres://user:password@host:5432/database")
  const url = new URL(text)
  const schema = url.searchParams.get("schema") ?? undefined
  url.searchParams.delete("schema")
  const user = url.username === "" ? "" : `${url.username}@`
  const shown = `postgres://${user}${url.host}${url.pathname}${schema === undefined ? "" : `?schema=${schema}`}`
  return Effect.succeed({ _tag: "Server", url: url.href, shown, ...(schema === undefined ? {} : { schema }) })
}

const on = <A, E, R>(
  source: Source,
  command: Effect.Effect<A, E, R>,
  store: Layer.Layer<ProcessStore, InputInvalid | StoreError>
): Effect.Effect<A, E | CliFailure | InputInvalid, Exclude<R, Services>> =>
  Effect.provide(
    command,
    Layer.mergeAll(Registry.layer, Changes.layer, Liveness.layer, Outbox.layer).pipe(
      Layer.provideMerge(Layer.mapError(store, unopened(source)))
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
