/**
 * What a process costs, in counts that no clock and no other program changes: commits, SQL statements, fibers, operations of Effect,
 * and bytes of garbage. Time does not pass meanwhile, so that no loop of the host does anything on its own.
 */
import type { HeapProfiler } from "node:inspector"
import { Session } from "node:inspector"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as RuntimeFlagsPatch from "effect/RuntimeFlagsPatch"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Supervisor from "effect/Supervisor"
import { Processes } from "../../src/host/Processes.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { sqlite, temporaryFolder } from "../support/hosts.ts"
import { Go, Waiter } from "./execution.ts"
import { Trivial } from "./host.ts"

/** How often the work is repeated: first to warm up, then to be counted. */
const times = 25

const Steps = Engine.make("counted.steps", {
  version: "1",
  payload: Schema.Int,
  success: Schema.Int,
  disposition: "rerunnable",
  run: (steps, ctx) =>
    Effect.as(
      Effect.forEach(
        Array.from({ length: steps }, (_, n) => n),
        (n) => ctx.step(`step-${n}`, Effect.succeed(n)),
        { discard: true }
      ),
      steps
    )
})

/** Asks for the time and for a random number so often, before a step and after it. */
const Asks = Engine.make("counted.asks", {
  version: "1",
  payload: Schema.Int,
  success: Schema.Null,
  disposition: "rerunnable",
  run: (asks, ctx) =>
    Effect.gen(function* () {
      for (let n = 0; n < asks; n++) yield* Effect.zip(ctx.now, ctx.random)
      yield* ctx.step("step", Effect.void)
      for (let n = 0; n < asks; n++) yield* Effect.zip(ctx.now, ctx.random)
      return null
    })
})

const counts = { commits: 0, statements: 0, fibers: 0, operations: 0 }
type Counts = typeof counts

interface Cost {
  readonly writes: Pick<Counts, "commits" | "statements" | "fibers">
  readonly operations: number
  readonly bytes: number
}

class Counter extends Supervisor.AbstractSupervisor<void> {
  override readonly value = Effect.void
  override onStart(): void {
    counts.fibers++
  }
  override onEffect(): void {
    counts.operations++
  }
}

/** Counts what fibers do, of the host and of its bodies. */
const supervised = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  effect.pipe(
    Effect.supervised(new Counter()),
    Effect.withRuntimeFlagsPatch(RuntimeFlagsPatch.enable(RuntimeFlags.OpSupervision))
  )

const prepare = Database.prototype.prepare
beforeAll(() => {
  const unwatched = prepare as (this: Database.Database, source: string) => Database.Statement // one overload is enough
  Database.prototype.prepare = function (this: Database.Database, source: string) {
    const statement = unwatched.call(this, source)
    for (const method of ["run", "get", "all", "iterate"] as const) {
      const original = statement[method].bind(statement) as (...values: ReadonlyArray<unknown>) => never
      statement[method] = (...values: ReadonlyArray<unknown>) => {
        // After each commit the length of the -wal is asked, which takes two microseconds.
        if (!source.includes("NOOP")) counts.statements++
        if (source === "COMMIT") counts.commits++
        return original(...values)
      }
    }
    return statement
  } as typeof prepare
})
afterAll(() => {
  Database.prototype.prepare = prepare
})

/** What each repetition of some work costs, once it is warm; `bytes` are those that V8 allocates, as it samples them. */
const costOf = <E, R>(work: (n: number) => Effect.Effect<unknown, E, R>): Effect.Effect<Cost, E, R> =>
  Effect.gen(function* () {
    for (let n = 0; n < times; n++) yield* work(n)
    const session = new Session()
    session.connect()
    session.post("HeapProfiler.startSampling", {
      samplingInterval: 16_384,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true
    } as never) // newer than its types
    const before = { ...counts }
    for (let n = times; n < 2 * times; n++) yield* work(n)
    const after = { ...counts }
    let bytes = 0
    session.post("HeapProfiler.stopSampling", (error, { profile }) => {
      assert.isNull(error)
      bytes = allocatedBy(profile.head)
    })
    session.disconnect()
    const each = (name: keyof Counts) => (after[name] - before[name]) / times
    return {
      writes: { commits: each("commits"), statements: each("statements"), fibers: each("fibers") },
      operations: each("operations"),
      bytes: bytes / times
    }
  })

const allocatedBy = (node: HeapProfiler.SamplingHeapProfileNode): number =>
  node.children.reduce((total, child) => total + allocatedBy(child), node.selfSize)

/** A host of this time, with what it runs. */
const onHost = <A, E>(
  program: (processes: typeof Processes.Service) => Effect.Effect<A, E, ProcessStore | Scope.Scope>
) =>
  Effect.flatMap(temporaryFolder, (folder) =>
    Effect.flatMap(Processes, program).pipe(
      Effect.provide(sqlite(join(folder, "counted.db"), [Trivial, Waiter, Steps, Asks], { sweepInterval: false })),
      supervised
    )
  )

/** How much more than was measured it may be: code that is not compiled yet allocates more, and a body that yields does more. */
const margin = 1.5

const within = (name: string, actual: number, measured: number) => {
  assert.isAtMost(actual, measured * margin, `${name}, where ${measured} were measured`)
  // What is far below was not counted, or the figure is to be taken again.
  assert.isAtLeast(actual, measured / margin, `${name}, where ${measured} were measured`)
}

describe("what is paid for", () => {
  it.scoped("a process from start to end is two commits, eighteen statements and two fibers", () =>
    onHost((processes) =>
      Effect.gen(function* () {
        const { writes, operations, bytes } = yield* costOf((item) =>
          Effect.flatMap(processes.start(Trivial, { id: `p-${item}`, payload: { item } }), (handle) => handle.await)
        )
        assert.deepStrictEqual(writes, { commits: 2, statements: 18, fibers: 2 })
        within("operations", operations, 248)
        within("bytes", bytes, 245_000)
      })
    )
  )

  it.scoped("a process that waits for a signal is two commits and fourteen statements more", () =>
    onHost((processes) =>
      Effect.gen(function* () {
        const waits = new Map<string, Deferred.Deferred<void>>()
        yield* (yield* ProcessStore).onCommit((changes) => {
          for (const { row } of changes) {
            const waiting = waits.get(row.base.registration.id)
            if (row.snapshot.context.waits.length > 0 && waiting !== undefined) {
              Deferred.unsafeDone(waiting, Effect.void)
            }
          }
        })
        const { writes, operations, bytes } = yield* costOf((n) =>
          Effect.gen(function* () {
            const waiting = yield* Deferred.make<void>()
            waits.set(`p-${n}`, waiting)
            const handle = yield* processes.start(Waiter, { id: `p-${n}`, payload: null })
            yield* Deferred.await(waiting)
            yield* handle.signal(Go, n)
            yield* handle.await
          })
        )
        assert.deepStrictEqual(writes, { commits: 4, statements: 32, fibers: 2 })
        within("operations", operations, 363)
        within("bytes", bytes, 340_000)
      })
    )
  )

  it.scoped("a step is one commit, four statements and one fiber", () =>
    onHost((processes) =>
      Effect.gen(function* () {
        const stepping = (steps: number) =>
          costOf((n) =>
            Effect.flatMap(processes.start(Steps, { id: `p-${steps}-${n}`, payload: steps }), (handle) => handle.await)
          )
        const [one, six] = [yield* stepping(1), yield* stepping(6)]
        assert.deepStrictEqual(one.writes, { commits: 3, statements: 22, fibers: 3 })
        assert.deepStrictEqual(six.writes, { commits: 8, statements: 42, fibers: 8 })
        within("operations", (six.operations - one.operations) / 5, 77)
        within("bytes", (six.bytes - one.bytes) / 5, 51_000)
      })
    )
  )

  it.scoped("the time and a random number are no commit, however often a body asks for them", () =>
    onHost((processes) =>
      Effect.gen(function* () {
        const commitsOf = (asks: number) =>
          Effect.gen(function* () {
            const before = counts.commits
            yield* (yield* processes.start(Asks, { id: `p-${asks}`, payload: asks })).await
            return counts.commits - before
          })
        assert.deepStrictEqual([yield* commitsOf(0), yield* commitsOf(10)], [3, 3])
      })
    )
  )
})
