/**
 * What the tests of faults share: a store's writing connection in the tester's hands, hosts with what they said, a clock
 * that jumps, and what a log must say afterwards.
 */
import Database from "better-sqlite3"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import * as SingleHost from "../../src/host/SingleHost.ts"
import { processId } from "../../src/model/ids.ts"
import type * as Engine from "../../src/runtime/engine/Engine.ts"
import type { RuntimeOptions } from "../../src/runtime/RuntimeConfig.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import type { SqliteStoreOptions } from "../../src/store/sqlite/SqliteStore.ts"
import { isFold } from "../../src/testing/evidence.ts"
import { wholeGroups } from "../store/sqliteFixtures.ts"
import { fast } from "../support/hosts.ts"

export { gated } from "../support/engines.ts"

/** What may be made to fail: the statements around a batch, and everything that is read on other connections. */
export type Word = "BEGIN IMMEDIATE" | "COMMIT" | "ROLLBACK" | "READ"

/** What happens instead of a statement; `run` is the statement itself. */
export type Fault = (run: () => unknown) => unknown

/** A store's connections, in the tester's hands. */
export interface Rig {
  readonly db: () => Database.Database
  /** Every run of the statement goes this way, until told otherwise. */
  readonly set: (word: Word, fault: Fault | undefined) => void
  /** The next run goes this way, and only that one. */
  readonly once: (word: Word, fault: Fault) => void
}

/** Takes the first writing connection that opens, and every reading one, for as long as the scope lives. */
export const rig: Effect.Effect<Rig, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const faults = new Map<string, Fault>()
      const taken: { db?: Database.Database } = {}
      const through = (word: string, run: () => unknown) => {
        const fault = faults.get(word)
        return fault === undefined ? run() : fault(run)
      }
      const original = Database.prototype.prepare
      const prepare = function (this: Database.Database, source: string): Database.Statement {
        const statement = original.call(this, source)
        if (source === "BEGIN IMMEDIATE") taken.db ??= this
        if (this.readonly && statement.reader) {
          const all = statement.all.bind(statement) as (...parameters: ReadonlyArray<unknown>) => unknown // as it is called
          const faulty = (...parameters: ReadonlyArray<unknown>) => through("READ", () => all(...parameters))
          statement.all = faulty as typeof statement.all // rows, unless it throws
        }
        if (taken.db === this && words.has(source)) {
          const run = statement.run.bind(statement) as () => unknown // none of these has a parameter
          const faulty = () => through(source, run)
          statement.run = faulty as typeof statement.run // the writer looks at no answer of these
        }
        return statement
      }
      Database.prototype.prepare = prepare as typeof original // its overloads differ in types only
      return { faults, taken, original }
    }),
    ({ original }) =>
      Effect.sync(() => {
        Database.prototype.prepare = original
      })
  ),
  ({ faults, taken }) => {
    const set = (word: Word, fault: Fault | undefined) => {
      if (fault === undefined) faults.delete(word)
      else faults.set(word, fault)
    }
    return {
      db: () => taken.db as Database.Database, // a store was opened before anybody asks
      set,
      once: (word, fault) =>
        set(word, (run) => {
          set(word, undefined)
          return fault(run)
        })
    }
  }
)

const words: ReadonlySet<string> = new Set<Word>(["BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"])

/** What SQLite throws when the disk fails it. */
export const diskError = (): Error => new Database.SqliteError("disk I/O error", "SQLITE_IOERR_FSYNC")

/** Instead of the statement, the disk fails. */
export const fails: Fault = () => {
  throw diskError()
}

/** The statement does its work, and then the disk fails: nobody is told that it was done. */
export const failsAfterwards: Fault = (run) => {
  run()
  throw diskError()
}

/** A host on a file, and what it said. */
export const host = <const E extends ReadonlyArray<Engine.Runnable<never>>>(
  filename: string,
  engines: E,
  options: RuntimeOptions & Omit<SqliteStoreOptions, "filename"> = {},
  said: Array<string> = []
) => {
  const logger = Logger.make(({ message }) => {
    said.push(String(message))
  })
  return Layer.provide(
    SingleHost.layerSqlite({
      ...fast,
      synchronous: "NORMAL",
      ...options,
      writer: { ...wholeGroups, ...options.writer },
      filename,
      engines
    }),
    Logger.replace(Logger.defaultLogger, logger)
  )
}

/** The wall clock of a machine whose time somebody sets: timers go on as before. */
export const jumpingClock = () => {
  const real = Clock.make()
  let offsetMs = 0
  const nowMs = () => real.unsafeCurrentTimeMillis() + offsetMs
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: nowMs,
    unsafeCurrentTimeNanos: () => real.unsafeCurrentTimeNanos(),
    currentTimeMillis: Effect.sync(nowMs),
    currentTimeNanos: real.currentTimeNanos,
    sleep: (duration) => real.sleep(duration)
  }
  return {
    clock,
    jump: (ms: number) =>
      Effect.sync(() => {
        offsetMs += ms
      })
  }
}

const terminals = ["process.completed", "process.failed", "process.cancelled", "process.abandoned"]

/** The types of the events of a process's log, in order. Its row must be what they fold to. */
export const logOf = (id: string) =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    yield* isFold(processId(id))
    return (yield* store.eventsAfter(processId(id), 0)).map(({ eventType }) => eventType)
  })

/** The ends in a process's log: there must be one. */
export const endsOf = (id: string) => Effect.map(logOf(id), (types) => types.filter((type) => terminals.includes(type)))
