import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Change } from "../../src/store/Decision.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import * as Postgres from "../support/postgres.ts"
import { isWhole, samples } from "../support/samples.ts"
import type { Pair } from "./differential.ts"
import { search, seen, sideOf, worldOf } from "./differential.ts"
import { temporaryFile } from "./sqliteFixtures.ts"

/** How many random lists are run. */
const runs = samples(isWhole ? 12 : 6, 10_000)

/** Each operation is a transaction over a network, so there are fewer. */
const runsOnPostgres = samples(isWhole ? 2 : 1, 1_000)

const memoryAndSqlite: Effect.Effect<Pair, unknown, Scope.Scope> = Effect.gen(function* () {
  const file = SqliteStore.layer({ filename: yield* temporaryFile, synchronous: "NORMAL" })
  return {
    left: yield* sideOf(MemoryStore.layer),
    right: yield* sideOf(file),
    reader: yield* worldOf(Layer.fresh(file))
  }
})

const memoryAndPostgres: Effect.Effect<Pair, unknown, Scope.Scope> = Effect.gen(function* () {
  return { left: yield* sideOf(MemoryStore.layer), right: yield* sideOf(Postgres.layer({ time: "host" })) }
})

/** Memory beside memory with one thing wrong. */
const memoryAndBroken = (tamper: (store: typeof ProcessStore.Service) => Partial<typeof ProcessStore.Service>) =>
  Effect.gen(function* () {
    const broken = Effect.map(MemoryStore.make, (store) => ProcessStore.of({ ...store, ...tamper(store) }))
    return {
      left: yield* sideOf(MemoryStore.layer),
      right: yield* sideOf(Layer.effect(ProcessStore, broken))
    }
  })

/** Rewrites what is about to be written. */
const rewriting =
  (rewrite: (change: Change) => Change, keeps: (write: { readonly _tag: string }) => boolean = () => true) =>
  (store: typeof ProcessStore.Service): Partial<typeof ProcessStore.Service> => ({
    transact: (plan, decide) =>
      store.transact(plan, (view) => {
        const decision = decide(view)
        return decision._tag === "Refused"
          ? decision
          : { ...decision, changes: decision.changes.map(rewrite), writes: decision.writes.filter(keeps) }
      })
  })

const broken: Readonly<Record<string, Parameters<typeof memoryAndBroken>[0]>> = {
  "ignores a release": rewriting((change) =>
    change.before?.lease.held !== undefined && change.row.lease.held === undefined && change.events.length === 0
      ? { ...change, row: { ...change.row, lease: change.before.lease } }
      : change
  ),
  "ignores an acknowledgement": rewriting(
    (change) => change,
    (write) => write._tag !== "AckWake"
  ),
  "shows the feed in another order": (store) => ({
    feed: { after: (change, limit) => Effect.map(store.feed.after(change, limit), (all) => [...all].reverse()) }
  }),
  "counts one event more": (store) => ({
    countEvents: (id, eventType, upto) => Effect.map(store.countEvents(id, eventType, upto), (count) => count + 1)
  })
}

/** These are found after many lists. */
const costly: ReadonlyArray<string> = ["ignores a release", "ignores an acknowledgement"]

describe("random operations", () => {
  it(`memory and SQLite agree on ${runs} random lists of operations, after every one of them`, async () => {
    assert.strictEqual(await search(memoryAndSqlite, runs), undefined)
  })

  it.skipIf(!Postgres.hasPostgres)(
    `memory and PostgreSQL agree on ${runsOnPostgres} random lists of operations, after every one of them`,
    async () => {
      assert.strictEqual(await search(memoryAndPostgres, runsOnPostgres), undefined)
    }
  )

  for (const [fault, tamper] of Object.entries(broken)) {
    it.skipIf(!isWhole && costly.includes(fault))(
      `a store that ${fault} is found, and a short list that shows it is printed`,
      async () => {
        const found = await search(memoryAndBroken(tamper), 2_000)
        assert.match(found ?? "", /seed -?\d+, path [\d:]+/)
        assert.isAtMost((found ?? "").split("\n").filter((line) => line.startsWith("  {")).length, 6, found)
      }
    )
  }

  it.skipIf(!isWhole)("every operation is answered in one of the lists, or in one of more lists", async () => {
    const never = () => [...seen].filter(([, { answered }]) => answered === 0).map(([tag]) => tag)
    // A few lists may leave one out by chance: twice as many begin with the same ones.
    for (let lists = 2 * runs; never().length > 0 && lists < 100 * runs; lists *= 2) {
      assert.strictEqual(
        await search(
          memoryAndBroken(() => ({})),
          lists
        ),
        undefined
      )
    }
    assert.deepStrictEqual(never(), [])
  })
})
