import { assert, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { vi } from "vitest"
import * as Facts from "../../src/model/facts.ts"
import { processId } from "../../src/model/ids.ts"
import * as Changes from "../../src/operations/decisions/change.ts"
import { accept } from "../../src/store/Decision.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { isFold } from "../../src/testing/evidence.ts"
import { fieldsOf, open, raw, temporaryFile } from "./sqliteFixtures.ts"

const p = processId("p")

const tagsOf = (outcomes: ReadonlyArray<Either.Either<unknown, { readonly _tag: string }>>) =>
  outcomes.map((outcome) => (Either.isLeft(outcome) ? outcome.left._tag : "written"))

const together = <A, E, R>(effects: ReadonlyArray<Effect.Effect<A, E, R>>) =>
  Effect.all(effects.map(Effect.either), { concurrency: "unbounded" })

/** Appends a fact whatever the log says about its key: a decision that is wrong, so that the database must refuse. */
const crafted = (opened: Effect.Effect.Success<ReturnType<typeof open>>, replayKey: string, id = p) =>
  opened.store.transact({ lock: [id] }, (view) => {
    const row = view.row(id)
    if (row === undefined) return accept(undefined)
    const fact = { ...Facts.cancelRequested(id, "crafted"), replayKey }
    return accept(undefined, Changes.appendFact(Changes.of(row), fact, view.nowMs))
  })

/** The sizes of the commits of a store, in changes. */
const commitsOf = (opened: Effect.Effect.Success<ReturnType<typeof open>>) =>
  Effect.gen(function* () {
    const sizes: Array<number> = []
    yield* opened.store.onCommit((changes) => sizes.push(changes.length))
    return sizes
  })

describe("group commit", () => {
  it.scopedLive("what arrives in one turn shares a commit, and a lonely request has one of its own", () =>
    Effect.gen(function* () {
      const opened = yield* open(yield* temporaryFile)
      yield* opened.register("p")
      const commits = yield* commitsOf(opened)
      yield* together([1, 2, 3].map((value) => opened.note("p", value)))
      yield* opened.note("p", 4)
      assert.deepStrictEqual(commits, [3, 1])
    })
  )

  it.scopedLive("a batch is bounded in requests", () =>
    Effect.gen(function* () {
      const opened = yield* open(yield* temporaryFile, { writer: { maxBatch: 2 } })
      yield* opened.register("p")
      const commits = yield* commitsOf(opened)
      yield* together([1, 2, 3, 4, 5].map((value) => opened.note("p", value)))
      assert.deepStrictEqual(commits, [2, 2, 1])
    })
  )

  it.scopedLive("a batch is bounded in time, so that the event loop turns between two of them", () =>
    Effect.gen(function* () {
      const opened = yield* open(yield* temporaryFile, { writer: { maxBatchMs: 0 } })
      yield* opened.register("p")
      const commits = yield* commitsOf(opened)
      yield* together([1, 2, 3].map((value) => opened.note("p", value)))
      assert.deepStrictEqual(commits, [1, 1, 1])
    })
  )

  it.scopedLive(
    "its callers resume a few in a turn of the event loop where they hold it, and what they ask for next shares a commit again",
    () =>
      Effect.gen(function* () {
        const opened = yield* open(yield* temporaryFile)
        yield* opened.register("p")
        const commits = yield* commitsOf(opened)
        let turn = 0
        let ticking = true
        const tick = (): void => {
          turn++
          if (ticking) setImmediate(tick)
        }
        tick()
        const resumed: Array<number> = []
        const caller = (value: number) =>
          Effect.zipRight(
            Effect.tap(opened.note("p", value), () =>
              Effect.sync(() => {
                resumed.push(turn)
                for (const until = performance.now() + 1; performance.now() < until; );
              })
            ),
            opened.note("p", value + 100)
          )
        yield* together(Array.from({ length: 100 }, (_, value) => caller(value)))
        ticking = false
        const ofATurn = resumed.map((at) => resumed.filter((other) => other === at).length)
        assert.strictEqual(resumed.length, 100)
        assert.isAtMost(Math.max(...ofATurn), 16)
        assert.deepStrictEqual(commits, [100, 100])
      })
  )

  it.scopedLive("a refused request leaves the others of its batch committed", () =>
    Effect.gen(function* () {
      const opened = yield* open(yield* temporaryFile)
      yield* opened.register("p")
      const commits = yield* commitsOf(opened)
      const outcomes = yield* together<unknown, { readonly _tag: string }, never>([
        opened.note("p", 1),
        opened.note("unknown", 2),
        opened.note("p", 3)
      ])
      assert.deepStrictEqual(tagsOf(outcomes), ["written", "ProcessUnknown", "written"])
      assert.deepStrictEqual(commits, [2])
      assert.deepStrictEqual(yield* opened.sequences(p), [1, 2])
    })
  )

  it.scopedLive("a request whose writes the database refuses fails alone", () =>
    Effect.gen(function* () {
      const opened = yield* open(yield* temporaryFile)
      yield* opened.register("p")
      yield* opened.note("p", 0, "taken")
      const outcomes = yield* together<unknown, { readonly _tag: string }, never>([
        opened.note("p", 1),
        crafted(opened, "taken"),
        opened.note("p", 2),
        opened.register("q")
      ])
      assert.deepStrictEqual(tagsOf(outcomes), ["written", "StoreError", "written", "written"])
      const [, refused] = outcomes
      assert.deepInclude(fieldsOf(refused !== undefined && Either.isLeft(refused) ? refused.left : {}), {
        reason: "failed",
        written: "no",
        operation: "write"
      })
      assert.deepStrictEqual(yield* opened.sequences(p), [1, 2, 3])
      yield* opened.on(isFold(p))
      yield* opened.on(isFold(processId("q")))
    })
  )

  it.scopedLive("a decision that throws is a defect of its own caller, and the others are written", () =>
    Effect.gen(function* () {
      const opened = yield* open(yield* temporaryFile)
      yield* opened.register("p")
      const throwing = opened.store.transact({ lock: [p] }, () => {
        throw new Error("a wrong decision")
      })
      const [defect, written] = yield* Effect.all([Effect.sandbox(throwing).pipe(Effect.flip), opened.note("p", 1)], {
        concurrency: "unbounded"
      })
      assert.strictEqual(defect._tag, "Die")
      assert.strictEqual(written.sequence, 1)
    })
  )
})

describe("a commit that fails", () => {
  it.scopedLive("it fails every request of the batch, writes nothing, and the store goes on working", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      const opened = yield* open(path)
      yield* opened.register("p")
      const db = yield* raw(path)
      db.exec(`
        CREATE TABLE missing (id INTEGER PRIMARY KEY);
        CREATE TABLE poison (id INTEGER REFERENCES missing (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER poisoned AFTER INSERT ON event WHEN new.payload = '"poison"'
        BEGIN INSERT INTO poison VALUES (1); END
      `)
      const commits = yield* commitsOf(opened)
      const outcomes = yield* together<unknown, { readonly _tag: string }, never>([
        opened.note("p", 1),
        opened.note("p", "poison"),
        opened.register("q")
      ])
      assert.deepStrictEqual(tagsOf(outcomes), ["StoreError", "StoreError", "StoreError"])
      for (const outcome of outcomes) {
        const error = Either.isLeft(outcome) ? outcome.left : {}
        assert.deepInclude(fieldsOf(error), { operation: "commit", reason: "failed", written: "no" })
      }
      assert.deepStrictEqual(commits, [])
      assert.deepStrictEqual(yield* opened.sequences(p), [])
      assert.strictEqual(yield* opened.registry.getProcess(processId("q")), undefined)
      assert.strictEqual((yield* opened.note("p", 2)).sequence, 1)
      yield* opened.register("q")
      yield* opened.on(isFold(p))
      assert.deepStrictEqual(commits, [1, 1])
    })
  )

  it.scopedLive("a full disk fails what does not fit, and the store goes on working once there is room", () =>
    Effect.gen(function* () {
      const pragma = vi.spyOn(Database.prototype, "pragma")
      const opened = yield* open(yield* temporaryFile)
      const writer = pragma.mock.contexts[0] as Database.Database
      pragma.mockRestore()
      yield* opened.register("p")
      const pages = writer.pragma("page_count", { simple: true }) as number
      writer.pragma(`max_page_count = ${pages}`)
      const error = yield* Effect.flip(opened.note("p", "x".repeat(100_000)))
      assert.deepInclude(fieldsOf(error), { _tag: "StoreError", reason: "full" })
      assert.deepStrictEqual(yield* opened.sequences(p), [])
      writer.pragma("max_page_count = 1000000")
      assert.strictEqual((yield* opened.note("p", "x".repeat(100_000))).sequence, 1)
      yield* opened.on(isFold(p))
    })
  )
})

describe("a file that another process has locked", () => {
  it.scopedLive("whole fails as busy within its time when it is opened, and never blocks the event loop", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      const db = yield* raw(path)
      db.exec("CREATE TABLE held (x); BEGIN EXCLUSIVE")
      const ticks = yield* ticking
      const error = yield* Effect.flip(open(path, { writer: { busyTimeoutMs: 300 } }))
      assert.deepInclude(fieldsOf(error), { _tag: "StoreError", reason: "busy", written: "no" })
      // A blocking wait would be one turn of the loop, with one tick after it.
      assert.isAbove(ticks(), 2)
    })
  )

  it.scopedLive("whole is read once the lock is given back", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      yield* Effect.scoped(Effect.flatMap(open(path), ({ register }) => register("p")))
      const db = yield* raw(path)
      db.exec("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE")
      const ticks = yield* ticking
      const reading = yield* Effect.fork(SqliteStore.makeReadOnly({ filename: path }))
      // A blocking wait would be one turn of the loop, with one tick after it.
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => ticks() > 2 })
      assert.isTrue(Option.isNone(yield* Fiber.poll(reading)))
      db.exec("ROLLBACK")
      assert.strictEqual((yield* (yield* reading).find(processId("p")))._tag, "Present")
    })
  )

  it.scopedLive("a write waits, fails as busy within its time, and never blocks the event loop", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      const opened = yield* open(path, { writer: { busyTimeoutMs: 500 } })
      yield* opened.register("p")
      const db = yield* raw(path)
      db.exec("BEGIN IMMEDIATE")
      const ticks = yield* ticking
      const startedAt = performance.now()
      const error = yield* Effect.flip(opened.note("p", 1))
      const elapsedMs = performance.now() - startedAt
      assert.deepInclude(fieldsOf(error), { _tag: "StoreError", reason: "busy", written: "no" })
      assert.isAtLeast(elapsedMs, 400)
      // A blocking wait would be one turn of the loop, with one tick after it.
      assert.isAbove(ticks(), 2)
      db.exec("ROLLBACK")
      assert.strictEqual((yield* opened.note("p", 2)).sequence, 1)
    })
  )

  it.scopedLive("a write succeeds when the lock is given back meanwhile", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      const opened = yield* open(path, { writer: { busyTimeoutMs: 5_000 } })
      yield* opened.register("p")
      const db = yield* raw(path)
      db.exec("BEGIN EXCLUSIVE")
      const write = yield* Effect.fork(opened.note("p", 1))
      yield* turns(20)
      assert.strictEqual(yield* Fiber.poll(write).pipe(Effect.map((exit) => exit._tag)), "None")
      db.exec("ROLLBACK")
      assert.strictEqual((yield* write).sequence, 1)
    })
  )

  it.scopedLive("reads go on while somebody else writes", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      const opened = yield* open(path)
      yield* opened.register("p")
      yield* opened.note("p", 1)
      const db = yield* raw(path)
      db.exec("BEGIN IMMEDIATE")
      assert.deepStrictEqual(yield* opened.sequences(p), [1])
      assert.strictEqual((yield* opened.registry.listNonTerminal).length, 1)
      db.exec("ROLLBACK")
    })
  )

  it.scopedLive("the time of a write is when it got the lock, not when it began to wait", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      const opened = yield* open(path)
      yield* opened.register("p")
      const db = yield* raw(path)
      db.exec("BEGIN IMMEDIATE")
      const write = yield* Effect.fork(opened.note("p", 1))
      yield* turns(20)
      yield* passing(30)
      const releasedAtMs = Date.now()
      db.exec("ROLLBACK")
      assert.isAtLeast((yield* write).occurredAtMs, releasedAtMs)
    })
  )
})

/** Lets the event loop turn; every turn is bounded. */
const turns = (count: number) =>
  Effect.forEach(Array.from({ length: count }), () =>
    Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))
  )

/** Lets the event loop turn until the wall clock has moved on by so much. */
const passing = (ms: number) =>
  Effect.suspend(() => {
    const startedAt = Date.now()
    return Effect.repeat(turns(1), { until: () => Date.now() - startedAt >= ms })
  })

/** Watches the event loop: how often a short interval has come round. */
const ticking = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const seen = { ticks: 0 }
      const timer = setInterval(() => {
        seen.ticks += 1
      }, 5)
      return { seen, timer }
    }),
    ({ timer }) => Effect.sync(() => clearInterval(timer))
  ),
  ({ seen }) =>
    () =>
      seen.ticks
)
