/**
 * The store in one SQLite file (WAL): durable, shared by several OS processes, one writer each.
 *
 * Writes go through a connection of their own with group commit (`Writer`); migrations and reads go through
 * @effect/sql-sqlite-node. Nothing else writes.
 */
import { existsSync, mkdirSync } from "node:fs"
import { dirname } from "node:path"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import Database from "better-sqlite3"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { InputInvalid, StoreError } from "../../model/errors.ts"
import type { Decision } from "../Decision.ts"
import * as Listeners from "../listeners.ts"
import { WakeTimings } from "../Outbox.ts"
import type { CommitWork, RenewedPage } from "../ProcessStore.ts"
import { ProcessStore } from "../ProcessStore.ts"
import * as ChildReads from "./childReads.ts"
import * as EnvironmentReads from "./environmentReads.ts"
import { storeError } from "./failure.ts"
import * as Outboxes from "./outbox.ts"
import * as PromiseReads from "./promiseReads.ts"
import * as Reads from "./reads.ts"
import * as Rows from "./rows.ts"
import { migrate, refuseNewer } from "./schema.ts"
import type { Job } from "./Writer.ts"
import * as Writer from "./Writer.ts"

/** Where the database is, and how careful a commit is. */
export interface SqliteStoreOptions {
  /** The database file; its folder is created. `:memory:` is refused: use the memory store. */
  readonly filename: string
  /**
   * When a commit counts as done. `FULL`: it survives a power cut. `NORMAL`: it survives the end of the process, while a
   * power cut may take the last commits (never the file's consistency).
   *
   * @default "FULL"
   */
  readonly synchronous?: "FULL" | "NORMAL"
  /** Bounds of a group commit. */
  readonly writer?: Partial<Writer.WriterOptions>
}

/**
 * Opens a store, migrating the file when it is older.
 *
 * Fails with `InputInvalid` for a filename that cannot work, with `StoreError` when the file is locked, damaged, newer than
 * this library or not writable. Nothing is written then.
 */
export const make = (
  options: SqliteStoreOptions
): Effect.Effect<typeof ProcessStore.Service, InputInvalid | StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const { filename, synchronous = "FULL" } = options
    if (filename.trim() === "" || filename.trim().startsWith(":memory:")) {
      return yield* new InputInvalid({
        field: "filename",
        problem: `names no file: ${JSON.stringify(filename)}. For a store in memory use the memory layer`
      })
    }
    const writing = { ...Writer.defaultOptions, ...options.writer }
    const db = yield* prepared(filename, synchronous, writing.busyTimeoutMs)
    const times = yield* WakeTimings
    const rows = yield* Effect.try({
      try: () => Rows.make(db, times),
      catch: (cause) => storeError("prepare the store", cause)
    })
    const listeners = Listeners.make()
    const work = { commits: 0, changes: 0, busyMs: 0 }
    const timers = new Set<(commit: CommitWork) => void>()
    let begunAt = 0
    const onBegin = () => {
      begunAt = performance.now()
      rows.begin()
    }
    const onCommitted = () => {
      const changes = rows.committed()
      const busyMs = performance.now() - begunAt
      work.commits += 1
      work.changes += changes.length
      work.busyMs += busyMs
      for (const listener of timers) listener({ changes: changes.length, busyMs })
      listeners.publish(changes)
    }
    const writer = yield* Writer.make(db, { onBegin, onCommitted, onRolledBack: rows.rolledBack }, writing)
    const sql = yield* client(filename, true)
    const children = yield* Effect.provideService(ChildReads.make(rows.debtsWritten), SqlClient.SqlClient, sql)
    const reads = yield* Effect.provideService(Reads.make(rows.cached), SqlClient.SqlClient, sql)
    const environments = yield* Effect.provideService(EnvironmentReads.make, SqlClient.SqlClient, sql)
    const promises = yield* Effect.provideService(PromiseReads.make, SqlClient.SqlClient, sql)

    return ProcessStore.of({
      durability: "durable",
      storeId: rows.storeId,
      transact: (plan, decide) =>
        Effect.async((resume) => {
          const job: Job = {
            run: (nowMs) => perform(rows, () => decide(rows.view(plan, nowMs))),
            deliver: (exit) => resume(exit as Exit.Exit<never, never>) // the job's own decision made this exit
          }
          writer.submit(job)
        }),
      renewKept: (page) =>
        Effect.async((resume) => {
          writer.submit({
            run: (nowMs) => Exit.succeed(rows.renewKept(page, nowMs)),
            deliver: (exit) => resume(exit as Exit.Exit<RenewedPage, StoreError>) // the job above made this exit
          })
        }),
      parts: () => [{ name: "store writer", kind: "worker", children: [], work: { ...work }, ...writer.status() }],
      onCommit: listeners.subscribe,
      onCommitWork: (listener) =>
        Effect.acquireRelease(
          Effect.sync(() => void timers.add(listener)),
          () => Effect.sync(() => timers.delete(listener))
        ),
      outbox: Outboxes.readsOf(sql),
      changedElsewhere: Effect.try({
        try: rows.changedElsewhere,
        catch: (cause) => storeError("look for changes of other processes", cause)
      }),
      children,
      environments,
      promises,
      ...reads
    })
  })

/** A store in one SQLite file, for as long as the layer lives. */
export const layer = (options: SqliteStoreOptions): Layer.Layer<ProcessStore, InputInvalid | StoreError> =>
  Layer.scoped(ProcessStore, make(options))

/** The same, with its options read from configuration. */
export const layerConfig = (
  options: Config.Config.Wrap<Pick<SqliteStoreOptions, "filename" | "synchronous">>
): Layer.Layer<ProcessStore, InputInvalid | StoreError | ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))

/** Decides and writes; a decision that throws is a defect of its own caller, and never of the batch. */
const perform = <A, E>(rows: Rows.Rows, decide: () => Decision<A, E>): Exit.Exit<A, E> => {
  let decision: Decision<A, E>
  try {
    decision = decide()
  } catch (defect) {
    if (defect instanceof Database.SqliteError) throw defect
    return Exit.die(defect)
  }
  if (decision._tag === "Refused") return Exit.fail(decision.error)
  rows.write(decision.changes, decision.writes)
  return Exit.succeed(decision.answer)
}

const open = (
  filename: string,
  synchronous: "FULL" | "NORMAL"
): Effect.Effect<Database.Database, StoreError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        makeFolder(dirname(filename))
        const db = new Database(filename, { timeout: 0 })
        try {
          refuseNewer(db)
          db.pragma("journal_mode = WAL")
          db.pragma(`synchronous = ${synchronous}`)
          db.pragma("foreign_keys = ON")
        } catch (cause) {
          db.close()
          throw cause
        }
        return db
      },
      catch: (cause) => (cause instanceof StoreError ? cause : storeError("open the database", cause))
    }),
    (db) => Effect.sync(() => db.close())
  )

/** One level after the other: Node's recursive variant never returns below folders that refuse, such as /proc. */
const makeFolder = (folder: string): void => {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  try {
    mkdirSync(folder)
  } catch (cause) {
    // Two hosts may make it at once.
    if (!existsSync(folder)) throw cause
  }
}

/** Opens and migrates; a file that another process is opening at the same moment is waited for. */
const prepared = (
  filename: string,
  synchronous: "FULL" | "NORMAL",
  timeoutMs: number
): Effect.Effect<Database.Database, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const db = yield* open(filename, synchronous)
    yield* Effect.scoped(
      Effect.flatMap(client(filename, false), (sql) => Effect.provideService(migrate, SqlClient.SqlClient, sql))
    ).pipe(Effect.tapError(() => Effect.sync(() => db.close())))
    return db
  }).pipe(
    Effect.retry({ while: (error) => error.reason === "busy", schedule: Writer.patience(timeoutMs) }),
    Writer.realTime
  )

/** The client throws when it cannot open the file: that is an answer here, not a defect. */
const client = (filename: string, readonly: boolean): Effect.Effect<SqlClient.SqlClient, StoreError, Scope.Scope> =>
  SqliteClient.make({ filename, readonly }).pipe(
    Effect.provide(Reactivity.layer),
    Effect.catchAllDefect((cause) => Effect.fail(storeError("open the database", cause)))
  )
