import { assert, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { Processes } from "../../src/host/Processes.ts"
import type { StoreError } from "../../src/model/errors.ts"
import type { Hooks } from "../../src/store/sqlite/Writer.ts"
import * as Writer from "../../src/store/sqlite/Writer.ts"
import { fieldsOf, temporaryFile, wholeGroups } from "../store/sqliteFixtures.ts"
import { bounded, until } from "../support/hosts.ts"
import { fails, gated, host, jumpingClock, logOf, rig } from "./faults.ts"

const broken = (what: string) => () => {
  throw new Error(`a broken ${what}`)
}

/** A writer on a table of numbers, whose hooks may be broken meanwhile; what it logs, and its status at each line. */
const numbers = (hooks: Partial<Hooks> = {}, writerScope?: Scope.Scope) =>
  Effect.gen(function* () {
    const scope = writerScope ?? (yield* Effect.scope)
    const db = yield* Effect.acquireRelease(
      Effect.map(temporaryFile, (file) => new Database(file)),
      (opened) => Effect.sync(() => opened.close())
    )
    db.exec("CREATE TABLE number (n INTEGER PRIMARY KEY)")
    const insert = db.prepare("INSERT INTO number VALUES (?)")
    const present: Record<keyof Hooks | "onLog", () => void> = {
      onLog: () => {},
      onBegin: () => {},
      onCommitted: () => {},
      onRolledBack: () => {},
      ...hooks
    }
    const said: Array<string> = []
    const seen: Array<Writer.WriterStatus> = []
    let status: (() => Writer.WriterStatus) | undefined
    const logger = Logger.make(({ message }) => {
      present.onLog()
      said.push(String(message))
      if (status !== undefined) seen.push(status())
    })
    const writer = yield* Writer.make(
      db,
      {
        onBegin: () => present.onBegin(),
        onCommitted: () => present.onCommitted(),
        onRolledBack: () => present.onRolledBack()
      },
      { ...Writer.defaultOptions, ...wholeGroups }
    ).pipe(Scope.extend(scope), Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    status = writer.status
    let submitted = 0
    const request = (n: number, answer: (exit: Exit.Exit<number, StoreError>) => void): void => {
      submitted++
      writer.submit({
        run: () => {
          insert.run(n)
          return Exit.succeed(n)
        },
        deliver: (exit) => answer(exit as Exit.Exit<number, StoreError>) // as the job left it, or a failure of the writer
      })
    }
    const submit = (n: number, onDeliver: () => void = () => {}) =>
      Effect.async<number, StoreError>((resume) =>
        request(n, (exit) => {
          resume(exit)
          onDeliver()
        })
      ).pipe(bounded)
    /** Requests of one turn of the loop, which the writer takes as one batch. */
    const together = (...ns: ReadonlyArray<number>) =>
      Effect.async<ReadonlyArray<unknown>>((resume) => {
        const answers = new Map<number, unknown>()
        const answer = (at: number) => (exit: Exit.Exit<number, StoreError>) => {
          answers.set(
            at,
            Exit.match(exit, {
              onSuccess: (n) => n,
              onFailure: (cause) => (cause._tag === "Fail" ? cause.error.written : cause)
            })
          )
          if (answers.size === ns.length) resume(Effect.succeed(ns.map((_, each) => answers.get(each))))
        }
        for (const [at, n] of ns.entries()) request(n, answer(at))
      }).pipe(bounded)
    return {
      writer,
      present,
      said,
      seen,
      submit,
      submitted: (count: number) => until(Effect.sync(() => submitted === count)),
      together,
      stored: () => db.prepare("SELECT n FROM number ORDER BY n").pluck().all(),
      isRunning: until(Effect.sync(() => writer.status().state === "running"))
    }
  })

describe("a defect inside the writer", () => {
  it.scopedLive("a writer without one says so", () =>
    Effect.gen(function* () {
      const { writer, together } = yield* numbers()
      assert.deepStrictEqual(yield* together(1, 2), [1, 2])
      assert.deepStrictEqual(writer.status(), { state: "running", restarts: 0 })
    })
  )

  it.scopedLive("after the commit: everybody hears the truth, and the loop goes on", () =>
    Effect.gen(function* () {
      const { writer, present, seen, together, stored, isRunning } = yield* numbers({ onCommitted: broken("listener") })
      const before = Date.now()
      assert.deepStrictEqual(yield* together(1, 2, 3), [1, 2, 3])
      yield* until(Effect.sync(() => seen.length === 1))
      const { state, restarts, lastFailure } = seen[0] ?? writer.status()
      assert.deepStrictEqual([state, restarts, lastFailure?.problem], ["backing_off", 1, "Error: a broken listener"])
      assert.isAtLeast(lastFailure?.atMs ?? 0, before)
      present.onCommitted = () => {}
      yield* isRunning
      assert.deepStrictEqual(yield* together(4), [4])
      assert.deepStrictEqual(stored(), [1, 2, 3, 4])
      assert.strictEqual(writer.status().restarts, 1)
    })
  )

  it.scopedLive("one caller that throws when it is answered keeps no other from its answer", () =>
    Effect.gen(function* () {
      const { writer, submit, stored } = yield* numbers()
      const answers = yield* Effect.all([submit(1), submit(2, broken("caller")), submit(3)], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(answers, [1, 2, 3])
      assert.strictEqual(writer.status().lastFailure?.problem, "Error: a broken caller")
      assert.strictEqual(yield* submit(4), 4)
      assert.deepStrictEqual(stored(), [1, 2, 3, 4])
    })
  )

  it.scopedLive("when a batch cannot be undone: it is answered, and nothing of it is in the next one", () =>
    Effect.gen(function* () {
      const rigged = yield* rig
      const { writer, together, submit, stored } = yield* numbers()
      assert.strictEqual(yield* submit(1), 1)
      rigged.set("ROLLBACK", fails)
      // The second of them is there already: the database refuses it.
      assert.deepStrictEqual(yield* together(2, 1, 3), ["no", "no", "no"])
      assert.isTrue(rigged.db().inTransaction)
      assert.deepStrictEqual(yield* together(4, 5), ["no", "no"])
      rigged.set("ROLLBACK", undefined)
      assert.deepStrictEqual(yield* together(6, 7), [6, 7])
      assert.deepStrictEqual(stored(), [1, 6, 7])
      assert.isAtLeast(writer.status().restarts, 1)
    })
  )

  it.scopedLive("when neither the commit nor the rollback works: nobody is told that it is written", () =>
    Effect.gen(function* () {
      const rigged = yield* rig
      const { together, stored } = yield* numbers({ onRolledBack: broken("cache") })
      rigged.once("COMMIT", fails)
      rigged.once("ROLLBACK", fails)
      assert.deepStrictEqual(yield* together(1, 2), ["no", "no"])
      assert.deepStrictEqual(yield* together(3), [3])
      assert.deepStrictEqual(stored(), [3])
    })
  )

  it.scopedLive(
    "a clock that throws: every waiting caller is answered, again and again, and all goes on afterwards",
    () =>
      Effect.gen(function* () {
        const { clock } = jumpingClock()
        const faulty = { ...clock, unsafeCurrentTimeMillis: broken("clock") as () => number } // it never answers
        const { writer, together, stored } = yield* Effect.withClock(numbers(), faulty)
        assert.deepStrictEqual(yield* together(1, 2), ["no", "no"])
        assert.deepStrictEqual(yield* together(3), ["no"])
        assert.strictEqual(writer.status().restarts, 2)
        faulty.unsafeCurrentTimeMillis = () => Clock.make().unsafeCurrentTimeMillis()
        assert.deepStrictEqual(yield* together(4), [4])
        assert.deepStrictEqual(stored(), [4])
      })
  )

  it.scopedLive("the pause doubles from defect to defect, and is short again after a good batch", () =>
    Effect.gen(function* () {
      const { present, submit, said } = yield* numbers({ onCommitted: broken("listener") })
      for (const n of [1, 2, 3]) yield* submit(n)
      present.onCommitted = () => {}
      yield* submit(4)
      present.onCommitted = broken("listener")
      yield* submit(5)
      yield* until(Effect.sync(() => said.length === 4))
      assert.deepStrictEqual(
        said,
        [10, 20, 40, 10].map((ms) => `the writer met a defect, and goes on after ${ms} ms`)
      )
      assert.deepStrictEqual([1, 2, 7, 8, 100].map(Writer.backOffMs), [10, 20, 640, 1_000, 1_000])
    })
  )

  it.scopedLive("a logger that throws as well changes nothing", () =>
    Effect.gen(function* () {
      const { present, together, stored, writer } = yield* numbers({ onCommitted: broken("listener") })
      present.onLog = broken("logger")
      assert.deepStrictEqual(yield* together(1, 2), [1, 2])
      present.onCommitted = () => {}
      assert.deepStrictEqual(yield* together(3), [3])
      assert.deepStrictEqual(stored(), [1, 2, 3])
      assert.strictEqual(writer.status().restarts, 1)
    })
  )

  it.scopedLive("when its scope closes, what is queued is written first, though the defect lasts", () =>
    Effect.gen(function* () {
      const inner = yield* Scope.make()
      const { writer, submit, submitted, stored } = yield* numbers({ onCommitted: broken("listener") }, inner)
      yield* submit(1)
      const late = yield* Effect.fork(Effect.all([submit(2), submit(3)], { concurrency: "unbounded" }))
      yield* submitted(3)
      yield* bounded(Scope.close(inner, Exit.void))
      assert.deepStrictEqual(yield* late, [2, 3])
      assert.deepStrictEqual(stored(), [1, 2, 3])
      assert.strictEqual(writer.status().state, "stopped")
    })
  )
})

describe("a host whose writer meets defects", () => {
  it.scopedLive("a batch that cannot be undone costs its callers a retry, and nobody else anything", () =>
    Effect.gen(function* () {
      const rigged = yield* rig
      const { engine, begun, open } = gated("owner_bound")
      yield* Effect.gen(function* () {
        const processes = yield* Processes
        const running = yield* processes.start(engine, { id: "running", payload: "kept" })
        rigged.once("COMMIT", fails)
        rigged.once("ROLLBACK", fails)
        const error = yield* bounded(Effect.flip(processes.start(engine, { id: "p", payload: "done" })))
        assert.deepInclude(fieldsOf(error), { _tag: "StoreError", written: "no" })
        const again = yield* bounded(processes.start(engine, { id: "p", payload: "done" }))
        yield* open
        assert.deepStrictEqual(yield* bounded(Effect.all([running.await, again.await])), ["kept", "done"])
        for (const id of ["running", "p"]) {
          assert.deepStrictEqual(yield* logOf(id), ["process.started", "process.completed"])
        }
        assert.deepStrictEqual(begun, ["running", "p"])
      }).pipe(Effect.provide(host(yield* temporaryFile, [engine])))
    })
  )
})
