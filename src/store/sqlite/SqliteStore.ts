/**
 * The store in one SQLite file (WAL): durable, shared by several OS processes, one writer each.
 *
 * Writes go through a connection of their own with group commit (`Writer`); migrations and reads go through
 * @effect/sql-sqlite-node. Nothing else writes. A store that is opened for reading has no writer, and refuses every write.
 */
import Database from "better-sqlite3"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { InputInvalid, StoreError } from "../../model/errors.ts"
import type { Change, Decision } from "../Decision.ts"
import * as Listeners from "../listeners.ts"
import { WakeTimings } from "../Outbox.ts"
import type { CommitWork, RenewedPage } from "../ProcessStore.ts"
import { ProcessStore } from "../ProcessStore.ts"
import * as Children from "../sql/children.ts"
import * as Outboxes from "../sql/outbox.ts"
import * as Readers from "../sql/Reader.ts"
import * as Reads from "../sql/reads.ts"
import { dialect } from "./dialect.ts"
import { storeError } from "./failure.ts"
import * as Opening from "./opening.ts"
import * as Rows from "./rows.ts"
import type { Job } from "./Writer.ts"
import * as Writer from "./Writer.ts"
import type { WriterOptions } from "./WriterOptions.ts"
import * as WalMarker from "./walMarker.ts"

/** Where the database is, and how careful a commit is. */
export interface SqliteStoreOptions {
  /**
   * The database file. A file that is created has mode 0600, a folder that is created has 0700; what exists keeps its mode.
   * `:memory:` is refused: use the memory store.
   */
  readonly filename: string
  /**
   * When a commit counts as done. `FULL`: it survives a power cut. `NORMAL`: it survives the end of the process, while a
   * power cut may take the last commits (never the file's consistency).
   *
   * @default "FULL"
   */
  readonly synchronous?: "FULL" | "NORMAL"
  /**
   * Whether the file is created, and brought to the present schema, where that is needed. `false` is for a program beside the
   * host: a file that is missing, older or of another program is refused, since its host must be able to open it again.
   *
   * @default true
   */
  readonly migrates?: boolean
  /** Bounds of a group commit. */
  readonly writer?: Partial<WriterOptions>
}

/** The longest wait for a lock that the driver takes. Units: milliseconds. */
const longestMs = 2 ** 31 - 1

/** Which file is read. */
export interface ReadOnlyOptions {
  readonly filename: string
  /** Called once, with one sentence, when a private copy is read in place of the file. @default logs a warning */
  readonly onCopy?: (sentence: string) => Effect.Effect<void>
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
    const { synchronous = "FULL", migrates = true } = options
    const filename = yield* checked(options.filename)
    const writing = yield* writingOf(options.writer)
    if (typeof migrates !== "boolean") {
      return yield* new InputInvalid({ field: "migrates", problem: "must be true or false" })
    }
    if (synchronous !== "FULL" && synchronous !== "NORMAL") {
      return yield* new InputInvalid({ field: "synchronous", problem: 'must be "FULL" or "NORMAL"' })
    }
    const { busyTimeoutMs: timeoutMs } = writing
    const db = yield* Opening.toWrite(filename, { synchronous, migrates, timeoutMs })
    return yield* storeOn(filename, db, (hooks) => Writer.make(db, hooks, writing))
  })

/**
 * Opens a store for reading only. The file, and what lies beside it, stays as it is: nothing is migrated, nothing is written.
 *
 * A file of an older schema, and one that SQLite cannot open without writing beside it, is read as a private copy, which is
 * removed when the scope closes. Later changes of the file are not seen then. Every write fails with `StoreError`.
 *
 * Fails with `InputInvalid` for a filename that cannot work, with `StoreError` when the file is missing, damaged, newer than
 * this library, unreadable or not holdfast's.
 */
export const makeReadOnly = ({
  filename,
  onCopy = Effect.logWarning
}: ReadOnlyOptions): Effect.Effect<typeof ProcessStore.Service, InputInvalid | StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const source = yield* Effect.flatMap(checked(filename), Opening.toRead)
    if (source.copied !== undefined) yield* onCopy(source.copied)
    return yield* storeOn(source.filename, source.db, () => Effect.succeed(noWriter))
  })

/** A store in one SQLite file, for as long as the layer lives. */
export const layer = (options: SqliteStoreOptions): Layer.Layer<ProcessStore, InputInvalid | StoreError> =>
  Layer.scoped(ProcessStore, make(options))

/** The same, with its options read from configuration. */
export const layerConfig = (
  options: Config.Config.Wrap<Pick<SqliteStoreOptions, "filename" | "synchronous">>
): Layer.Layer<ProcessStore, InputInvalid | StoreError | ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))

/** A store that reads one SQLite file and never writes to it. */
export const layerReadOnly = (options: ReadOnlyOptions): Layer.Layer<ProcessStore, InputInvalid | StoreError> =>
  Layer.scoped(ProcessStore, makeReadOnly(options))

/** The filename as the driver takes it, which trims it. */
const checked = (given: string): Effect.Effect<string, InputInvalid> => {
  const filename = typeof given === "string" ? given.trim() : ""
  return filename === "" || filename.startsWith(":memory:")
    ? Effect.fail(
        new InputInvalid({
          field: "filename",
          problem: `names no file: ${typeof given === "string" ? JSON.stringify(given) : typeof given}. For a store in memory use the memory layer`
        })
      )
    : Effect.succeed(filename)
}

/** The bounds of the writer with their defaults. */
const writingOf = (given: Partial<WriterOptions> = {}): Effect.Effect<WriterOptions, InputInvalid> => {
  const refuse = (field: string, problem: string) => Effect.fail(new InputInvalid({ field, problem }))
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return refuse("writer", "must be a record of bounds")
  }
  const read = Either.try(() => ({ ...Writer.defaultOptions, ...given }))
  if (Either.isLeft(read)) return refuse("writer", "cannot be read; it must be a record of bounds")
  const writing = read.right
  for (const [bound, value] of Object.entries<unknown>(writing)) {
    const check = Object.hasOwn(bounds, bound) ? bounds[bound as keyof WriterOptions] : undefined // it is one of them
    if (check === undefined)
      return refuse(`writer/${bound}`, `is no bound; there are ${Object.keys(bounds).join(", ")}`)
    if (check.holds(value)) continue
    const found = typeof value === "number" ? value : `of type ${typeof value}`
    return refuse(`writer/${bound}`, `is ${found}; it must be ${check.what}`)
  }
  return Effect.succeed(writing)
}

const isFrom = (least: number, value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value) && value >= least

const bounds: Readonly<Record<keyof WriterOptions, { readonly what: string; holds: (value: unknown) => boolean }>> = {
  maxBatch: {
    what: "a whole number of at least 1",
    holds: (value) => isFrom(1, value) && Number.isSafeInteger(value)
  },
  maxBatchMs: { what: "a number of at least 0", holds: (value) => isFrom(0, value) },
  busyTimeoutMs: {
    what: `a whole number from 0 to ${longestMs}`,
    holds: (value) => isFrom(0, value) && Number.isInteger(value) && value <= longestMs
  }
}

/** Refuses what it is given. */
const noWriter: Writer.Writer = {
  submit: ({ deliver }) => {
    const detail = "the file was opened for reading only"
    deliver(Exit.fail(new StoreError({ operation: "write", reason: "unusable", written: "no", detail })))
  },
  status: () => ({ state: "stopped", restarts: 0 })
}

/** The store on an open connection, whose schema is the present one. */
const storeOn = (
  filename: string,
  db: Database.Database,
  makeWriter: (hooks: Writer.Hooks) => Effect.Effect<Writer.Writer, never, Scope.Scope>
): Effect.Effect<typeof ProcessStore.Service, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const times = yield* WakeTimings
    const [rows, checkpoints] = yield* Effect.try({
      try: () => [Rows.make(db, times), db.readonly ? undefined : WalMarker.checkpoints(db)] as const,
      catch: (cause) => storeError("prepare the store", cause)
    })
    const listeners = Listeners.make<ReadonlyArray<Change>>()
    const timers = Listeners.make<CommitWork>()
    const work = { commits: 0, changes: 0, busyMs: 0 }
    let begunAt = 0
    const onBegin = () => {
      begunAt = performance.now()
      checkpoints?.begun()
      rows.begin()
    }
    const onCommitted = () => {
      checkpoints?.committed()
      const changes = rows.committed()
      const busyMs = performance.now() - begunAt
      work.commits += 1
      work.changes += changes.length
      work.busyMs += busyMs
      timers.publish({ changes: changes.length, busyMs })
      if (changes.length > 0) listeners.publish(changes)
    }
    const writer = yield* makeWriter({ onBegin, onCommitted, onRolledBack: rows.rolledBack })
    const sql = yield* Opening.client(filename, { readonly: true })
    const reader = Readers.make(sql, dialect)
    const reads = Reads.make(reader, rows.cached)

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
      parts: () => [{ name: "store writer", kind: "worker", children: [], work: { ...work }, ...writer.status() }],
      onCommit: listeners.subscribe,
      onCommitWork: timers.subscribe,
      outbox: Outboxes.readsOf(reader),
      externalChanges: Effect.try({
        try: rows.externalChanges,
        catch: (cause) => storeError("look for changes of other processes", cause)
      }),
      children: Children.readsOf(reader, rows.closeRequestsWritten),
      ...reads,
      leases: {
        ...reads.leases,
        renew: (page) =>
          Effect.async((resume) => {
            writer.submit({
              run: (nowMs) => Exit.succeed(rows.renewLeases(page, nowMs)),
              deliver: (exit) => resume(exit as Exit.Exit<RenewedPage, StoreError>) // the job above made this exit
            })
          })
      }
    })
  })

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
