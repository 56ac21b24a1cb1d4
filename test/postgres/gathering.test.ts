import { setImmediate as turn } from "node:timers/promises"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { vi } from "vitest"
import { StoreError } from "../../src/model/errors.ts"
import { type ProcessId, processId } from "../../src/model/ids.ts"
import * as GroupCommit from "../../src/store/GroupCommit.ts"
import * as Gathering from "../../src/store/postgres/gathering.ts"
import { bounded } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"
import { open } from "./opened.ts"

const [a, b, c] = ["a", "b", "c"].map(processId) as [ProcessId, ProcessId, ProcessId] // as many as are named

/** Time passes for timers only when the test says so: the real clock is of no use to it. */
const stoppedTimers = Effect.acquireRelease(
  Effect.sync(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })),
  () => Effect.sync(() => vi.useRealTimers())
)

const aFewTurns = Effect.promise(async () => {
  for (let count = 0; count < 5; count++) await turn()
})

/** A statement that the test answers: `asked` are the keys of each, in their order, and `answers` what ends it. */
const gated = () => {
  const asked: Array<ReadonlyArray<string>> = []
  const answers: Array<Deferred.Deferred<void, StoreError>> = []
  let isOver = false
  const ask = (keys: ReadonlyArray<string>) =>
    Effect.suspend(() => {
      if (isOver) return Effect.void
      const answer = Deferred.unsafeMake<void, StoreError>(undefined as never)
      asked.push(keys)
      answers.push(answer)
      return Deferred.await(answer)
    })
  const answer = (index: number, exit: Exit.Exit<void, StoreError> = Exit.void) =>
    Effect.zipRight(Deferred.done(answers[index] as Deferred.Deferred<void, StoreError>, exit), aFewTurns) // it was asked
  /** A test that fails leaves none unanswered. */
  const atLast = Effect.addFinalizer(() => {
    isOver = true
    return Effect.forEach(answers, (left) => Deferred.succeed(left, undefined))
  })
  return { asked, ask, answer, atLast }
}

describe("several connections that write", () => {
  /** A writer of two connections, each of which takes all that is queued. */
  const twoConnections = Effect.gen(function* () {
    yield* stoppedTimers
    const { asked, ask, answer, atLast } = gated()
    interface Named extends GroupCommit.Request {
      readonly name: string
    }
    const writer = yield* GroupCommit.make<Named>((queue) =>
      [0, 1].map(() => ({
        hasWork: () => queue.length > 0,
        commitNext: Effect.suspend(() => Effect.orDie(ask(queue.splice(0).map(({ name }) => name)))),
        abort: () => Effect.void
      }))
    )
    const submit = (name: string) =>
      Effect.zipRight(
        Effect.sync(() => writer.submit({ name, deliver: () => {} })),
        aFewTurns
      )
    yield* atLast
    return { asked, answer, submit }
  })

  it.scopedLive("gather what is asked for while one of them is at work", () =>
    Effect.gen(function* () {
      const { asked, answer, submit } = yield* twoConnections
      for (const name of ["a", "b", "c"]) yield* submit(name)
      assert.deepStrictEqual(asked, [["a"]])
      yield* answer(0)
      assert.deepStrictEqual(asked, [["a"], ["b", "c"]])
      yield* answer(1)
    })
  )

  it.scopedLive("share the work once that takes long", () =>
    Effect.gen(function* () {
      const { asked, answer, submit } = yield* twoConnections
      for (const name of ["a", "b", "c"]) yield* submit(name)
      vi.advanceTimersByTime(10)
      yield* aFewTurns
      assert.deepStrictEqual(asked, [["a"], ["b", "c"]])
      for (const index of [1, 0]) yield* answer(index)
    })
  )
})

describe("reads of a row each", () => {
  const reads = Effect.gen(function* () {
    yield* stoppedTimers
    const { asked, ask, answer, atLast } = gated()
    const read = yield* Gathering.make<ProcessId, ProcessId>({
      readAll: (ids) =>
        Effect.as(
          ask(ids),
          ids.filter((id) => id !== c)
        ),
      keyOf: (id) => id,
      statements: 2,
      most: 4
    })
    const begun = (id: ProcessId) => Effect.zipLeft(Effect.fork(Effect.exit(read(id))), Effect.yieldNow())
    yield* atLast
    return { asked, answer, begun }
  })

  it.scopedLive("of one turn are one statement, and each hears of its own row", () =>
    Effect.gen(function* () {
      const { asked, answer, begun } = yield* reads
      const fibers = yield* Effect.forEach([a, b, c, a], begun)
      yield* aFewTurns
      assert.deepStrictEqual(asked, [["a", "b", "c"]])
      yield* answer(0)
      assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.join), [a, b, undefined, a].map(Exit.succeed))
    })
  )

  it.scopedLive("are no more in one statement than it may take", () =>
    Effect.gen(function* () {
      const { asked, answer, begun } = yield* reads
      const fibers = yield* Effect.forEach([a, b, c, a, b], begun)
      yield* aFewTurns
      yield* answer(0)
      assert.deepStrictEqual(asked, [["a", "b", "c"], ["b"]])
      yield* answer(1)
      assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.join), [a, b, undefined, a, b].map(Exit.succeed))
    })
  )

  it.scopedLive("that are asked for later never hear the answer to an earlier statement", () =>
    Effect.gen(function* () {
      const { asked, answer, begun } = yield* reads
      yield* begun(a)
      yield* aFewTurns
      yield* Effect.forEach([a, b], (id) => Effect.zipRight(begun(id), aFewTurns))
      assert.deepStrictEqual(asked, [["a"]])
      yield* answer(0)
      assert.deepStrictEqual(asked, [["a"], ["a", "b"]])
      yield* answer(1)
    })
  )

  it.scopedLive("do not wait for an answer that does not come", () =>
    Effect.gen(function* () {
      const { asked, answer, begun } = yield* reads
      yield* begun(a)
      yield* aFewTurns
      const later = yield* begun(b)
      yield* aFewTurns
      vi.advanceTimersByTime(10)
      yield* aFewTurns
      assert.deepStrictEqual(asked, [["a"], ["b"]])
      yield* answer(1)
      assert.deepStrictEqual(yield* Fiber.join(later), Exit.succeed(b))
      yield* answer(0)
    })
  )

  it.scopedLive("fail with their statement, and the next ones do not", () =>
    Effect.gen(function* () {
      const { answer, begun } = yield* reads
      const lost = new StoreError({ operation: "read processes", reason: "busy", written: "no", detail: "away" })
      const fibers = yield* Effect.forEach([a, b], begun)
      yield* aFewTurns
      const next = yield* begun(a)
      yield* answer(0, Exit.fail(lost))
      assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.join), [Exit.fail(lost), Exit.fail(lost)])
      yield* answer(1)
      assert.deepStrictEqual(yield* Fiber.join(next), Exit.succeed(a))
    })
  )

  it.scopedLive("that are let go of disturb none of the others", () =>
    Effect.gen(function* () {
      const { asked, answer, begun } = yield* reads
      const under = yield* begun(a)
      yield* aFewTurns
      const [dropped, twin, other] = yield* Effect.forEach([b, a, a], begun)
      for (const fiber of [under, dropped, twin]) if (fiber !== undefined) yield* Fiber.interrupt(fiber)
      yield* answer(0)
      assert.deepStrictEqual(asked, [["a"], ["b", "a"]])
      yield* answer(1)
      assert.deepStrictEqual(yield* Fiber.join(other as NonNullable<typeof other>), Exit.succeed(a)) // one of three
    })
  )
})

describe.skipIf(!Postgres.hasPostgres)("pages of many processes, asked for at once", () => {
  it.live("are those that are read one by one", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const { store, register } = yield* open(where)
      const ids = ["one", "two \u0000", 'three "quoted"'].map(processId)
      for (const id of ids) yield* register(id)
      const each = `FROM ${where.schema}.process CROSS JOIN generate_series(1, 9) AS place`
      yield* Effect.promise(() =>
        Postgres.query(
          where.url,
          `INSERT INTO ${where.schema}.journal (pk, key, position, sequence, operation, at, outcome)
           SELECT pk, 'k' || place, place, place, 'step', 0, to_json(created_at || ' ' || pk || ' ' || place) ${each}`,
          `INSERT INTO ${where.schema}.event (pk, sequence, event_type, occurred_at, payload)
           SELECT pk, place, CASE WHEN place % 3 = 0 THEN 'note' ELSE 'signal.it' END, 0, to_json(pk || ' ' || place) ${each}`
        )
      )
      const asks = [...ids, processId("none")].flatMap((id) =>
        [0, 4, 9].flatMap((after) => [1, 3, 1_000].map((limit) => [id, { after, limit }] as const))
      )
      const { journal, news } = store.execution
      type Read = (...ask: (typeof asks)[number]) => Effect.Effect<ReadonlyArray<unknown>, StoreError>
      for (const read of [journal, news] satisfies ReadonlyArray<Read> as ReadonlyArray<Read>) {
        const all = Effect.forEach(asks, ([id, page]) => read(id, page), { concurrency: "unbounded" })
        const gathered = yield* all
        assert.deepStrictEqual(
          gathered,
          yield* store.readTogether(Effect.forEach(asks, ([id, page]) => read(id, page)))
        )
        assert.deepStrictEqual(
          gathered.slice(0, 9).map((found) => found.length),
          read === journal ? [1, 3, 9, 1, 3, 5, 0, 0, 0] : [1, 3, 6, 1, 3, 3, 0, 0, 0]
        )
      }
    }).pipe(Effect.scoped, bounded)
  )
})
