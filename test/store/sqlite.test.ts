import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FC from "effect/FastCheck"
import * as Scope from "effect/Scope"
import { vi } from "vitest"
import * as Facts from "../../src/model/facts.ts"
import { processId, sessionScopeId } from "../../src/model/ids.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import * as Changes from "../../src/operations/decisions/change.ts"
import { accept } from "../../src/store/Decision.ts"
import { isFold, keptOf } from "../../src/testing/evidence.ts"
import { begin, outputs, registrationOf } from "../../src/testing/fixtures.ts"
import { damagedFile, fieldsOf, open, raw, temporaryFile, temporaryFolder } from "./sqliteFixtures.ts"

const p = processId("p")

const failure = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flip(effect)

describe("opening a file", () => {
  for (const synchronous of ["FULL", "NORMAL"] as const) {
    it.scopedLive(`commits are as careful as was asked for, ${synchronous}, also after the first write`, () =>
      Effect.gen(function* () {
        const pragma = vi.spyOn(Database.prototype, "pragma")
        const { register } = yield* open(yield* temporaryFile, { synchronous })
        const writer = pragma.mock.contexts[0] as Database.Database
        pragma.mockRestore()
        yield* register("p")
        const read = (name: string) => writer.pragma(name, { simple: true })
        assert.strictEqual(read("synchronous"), { FULL: 2, NORMAL: 1 }[synchronous])
        assert.strictEqual(read("journal_mode"), "wal")
        assert.strictEqual(read("foreign_keys"), 1)
      })
    )
  }

  for (const filename of [":memory:", "", "  ", " :memory: "]) {
    it.scopedLive(`${JSON.stringify(filename)} is refused, and the message names the memory layer`, () =>
      Effect.gen(function* () {
        const error = yield* failure(open(filename))
        assert.strictEqual(error._tag, "InputInvalid")
        assert.strictEqual(
          error.message,
          `filename names no file: ${JSON.stringify(filename)}. For a store in memory use the memory layer`
        )
      })
    )
  }

  it.scopedLive("missing folders are made", () =>
    Effect.gen(function* () {
      const { register } = yield* open(join(yield* temporaryFolder, "a", "b", "store.db"))
      assert.strictEqual((yield* register("p")).id, "p")
    })
  )

  const unusable: ReadonlyArray<readonly [string, string, (path: string) => void]> = [
    ["a file of something else", "corrupt", (path) => writeFileSync(path, "no database ".repeat(1_000))],
    ["a folder", "unusable", (path) => mkdirSync(path)]
  ]
  for (const [what, reason, make] of unusable) {
    it.scopedLive(`${what} is refused as ${reason}`, () =>
      Effect.gen(function* () {
        const path = yield* temporaryFile
        make(path)
        const error = yield* failure(open(path))
        assert.deepInclude(fieldsOf(error), { _tag: "StoreError", reason, written: "no" })
      })
    )
  }

  it.scopedLive("a file whose folder is a file is refused as unusable", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      writeFileSync(path, "a file")
      const error = yield* failure(open(join(path, "store.db")))
      assert.deepInclude(fieldsOf(error), { _tag: "StoreError", reason: "unusable", written: "no" })
    })
  )

  it.scopedLive("a file of a newer library is refused, with both versions", () =>
    Effect.gen(function* () {
      const path = yield* damagedFile
      yield* Effect.scoped(open(path))
      const db = yield* raw(path)
      db.exec("INSERT INTO holdfast_migrations (migration_id, name) VALUES (999, 'later')")
      const error = yield* failure(open(path))
      assert.deepInclude(fieldsOf(error), { _tag: "StoreError", reason: "newer_schema", written: "no" })
      assert.include(error.message, "it has schema version 999, and this library knows versions up to ")
    })
  )

  it.scopedLive("two that open a new file at once both come up", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      const [one, two] = yield* Effect.all([open(path), open(path)], { concurrency: "unbounded" })
      yield* one.register("p")
      assert.deepStrictEqual(yield* two.registry.getProcess(p), yield* one.registry.getProcess(p))
    })
  )

  it.scopedLive("a closed file opens again with everything that was committed", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      const owner = opaqueOwner("worker", "life")
      const before = yield* Effect.scoped(
        Effect.gen(function* () {
          const { register, note, leases, on } = yield* open(path)
          yield* register("p")
          yield* note("p", { text: "ü🦀" }, "k")
          const outcome = yield* leases.claimProcessLease(p, owner, 60_000)
          if (outcome._tag === "Acquired") yield* on(begin(outcome.lease, owner))
          return yield* on(keptOf(p))
        })
      )
      const { on } = yield* open(path)
      assert.deepStrictEqual(yield* on(keptOf(p)), before)
      assert.strictEqual(before.lease?.owner.ownerId, "worker")
    })
  )

  it.scopedLive("what was submitted before the store is closed is committed first", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      const scope = yield* Scope.make()
      const { register, note } = yield* Scope.extend(open(path), scope)
      yield* register("p")
      const writes = yield* Effect.fork(
        Effect.all(
          [1, 2, 3].map((value) => note("p", value)),
          { concurrency: 3 }
        )
      )
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      yield* writes
      const { sequences } = yield* open(path)
      assert.deepStrictEqual(yield* sequences(p), [1, 2, 3])
    })
  )
})

describe("several stores on one file", () => {
  const two = Effect.flatMap(temporaryFile, (path) => Effect.all([open(path), open(path)]))

  it.scopedLive("each reads what the other has committed, also of a row that it keeps in its cache", () =>
    Effect.gen(function* () {
      const [one, other] = yield* two
      yield* one.register("p")
      yield* other.note("p", 1)
      yield* one.note("p", 2)
      yield* other.note("p", 3)
      assert.deepStrictEqual(yield* one.sequences(p), [1, 2, 3])
      assert.deepStrictEqual(yield* one.on(keptOf(p)), yield* other.on(keptOf(p)))
      yield* one.on(isFold(p))
    })
  )

  it.scopedLive("appends of both at once are numbered without a gap", () =>
    Effect.gen(function* () {
      const [one, other] = yield* two
      yield* one.register("p")
      const values = Array.from({ length: 20 }, (_, index) => index)
      yield* Effect.forEach(values, (value) => (value % 2 === 0 ? one : other).note("p", value), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        yield* one.sequences(p),
        values.map((value) => value + 1)
      )
    })
  )

  it.scopedLive("a registration of both at once comes true once", () =>
    Effect.gen(function* () {
      const [one, other] = yield* two
      const [first, second] = yield* Effect.all([one.register("p"), other.register("p")], { concurrency: 2 })
      assert.deepStrictEqual(first, second)
    })
  )

  it.scopedLive("a replay key of one is a replay for the other", () =>
    Effect.gen(function* () {
      const [one, other] = yield* two
      yield* one.register("p")
      const stored = yield* one.note("p", 1, "k")
      assert.deepStrictEqual(yield* other.note("p", 1, "k"), stored)
      assert.strictEqual((yield* failure(other.note("p", 2, "k")))._tag, "EventRejected")
    })
  )

  it.scopedLive("whoever lost the lease to the other store can write nothing under it", () =>
    Effect.gen(function* () {
      const [one, other] = yield* two
      yield* one.register("p")
      const lost = yield* one.leases.claimProcessLease(p, opaqueOwner("worker", "first"), 0)
      yield* other.leases.claimProcessLease(p, opaqueOwner("worker", "second"), 60_000)
      assert.strictEqual(lost._tag, "Acquired")
      if (lost._tag !== "Acquired") return
      const before = yield* other.on(keptOf(p))
      const error = yield* failure(one.registry.completeProcessWithLease(lost.lease, outputs.Success))
      assert.deepInclude(fieldsOf(error), { _tag: "LeaseLost", fencingToken: 1, currentFence: 2 })
      assert.deepStrictEqual(yield* one.on(keptOf(p)), before)
    })
  )

  it.scopedLive("each learns which processes the other has changed, once, and none of its own", () =>
    Effect.gen(function* () {
      const [one, other] = yield* two
      const changed = Effect.map(one.store.externalChanges, (ids) => [...ids])
      assert.deepStrictEqual(yield* changed, [])
      yield* one.register("own")
      assert.deepStrictEqual(yield* changed, [])
      yield* other.register("p")
      yield* other.register("q")
      assert.deepStrictEqual(yield* changed, ["p", "q"])
      assert.deepStrictEqual(yield* changed, [])
      yield* one.note("own", 1)
      yield* other.note("p", 1)
      assert.deepStrictEqual(yield* changed, ["p"])
      assert.deepStrictEqual([...(yield* other.store.externalChanges)].map(String), ["own"])
    })
  )

  const step = FC.constantFrom(
    "one writes p",
    "one writes q",
    "other writes p",
    "other writes q",
    "one looks",
    "one reads p"
  )

  it.scopedLive("no history of writes and looks hides a change of the other, or shows an own one", () =>
    Effect.gen(function* () {
      const [one, other] = yield* two
      yield* one.register("p")
      yield* one.register("q")
      let notes = 0
      const history = FC.asyncProperty(FC.array(step, { maxLength: 12 }), (steps) =>
        Effect.runPromise(
          Effect.gen(function* () {
            yield* one.store.externalChanges
            const expected = new Set<string>()
            for (const taken of [...steps, "one looks"]) {
              const id = taken.at(-1) as string
              if (taken.startsWith("one writes")) yield* one.note(id, notes++)
              else if (taken.startsWith("one reads")) yield* one.store.find(processId(id))
              else if (taken.startsWith("other writes")) {
                yield* other.note(id, notes++)
                expected.add(id)
              } else {
                const seen = [...(yield* one.store.externalChanges)].map(String)
                assert.deepStrictEqual(seen.sort(), [...expected].sort())
                expected.clear()
              }
            }
          })
        )
      )
      yield* Effect.promise(() => FC.assert(history, { numRuns: 100 }))
    })
  )
})

describe("rows", () => {
  it.scopedLive("a snapshot of another machine version is folded anew from the log", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      const { register, note, registry, on } = yield* open(path)
      yield* register("p")
      yield* note("p", 1)
      yield* registry.requestProcessCancel(p, "stop", { _tag: "External" })
      const before = yield* on(keptOf(p))
      const db = yield* raw(path)
      db.exec(`UPDATE state SET machine_version = '0', lifecycle = 'open', snapshot = '{"of":"another machine"}'`)
      const another = yield* open(path)
      assert.deepStrictEqual(yield* another.on(keptOf(p)), before)
      assert.deepStrictEqual(yield* on(keptOf(p)), before)
      yield* note("p", 2)
      assert.deepStrictEqual(db.prepare("SELECT machine_version, lifecycle, sequence FROM state").get(), {
        machine_version: "1",
        lifecycle: "running",
        sequence: 3
      })
      yield* another.on(isFold(p))
    })
  )

  it.scopedLive("an event that the lifecycle ignores keeps its place in the log when the file is opened again", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { registry, store } = yield* open(path)
          yield* registry.registerProcess(registrationOf(p, "externally_owned"))
          yield* store.transact({ lock: [p] }, (view) => {
            const row = view.row(p)
            if (row === undefined) return accept(undefined)
            return accept(
              undefined,
              Changes.appendFact(Changes.of(row), Facts.suspended(p, 1, "passivated"), view.nowMs)
            )
          })
        })
      )
      const { note, on } = yield* open(path)
      yield* on(isFold(p))
      assert.strictEqual((yield* note("p", 1)).sequence, 2)
    })
  )
})

describe("failing reads", () => {
  it.scopedLive("a read that the database refuses is a failure, never an absence", () =>
    Effect.gen(function* () {
      const path = yield* damagedFile
      const { registry, store } = yield* open(path)
      const db = yield* raw(path)
      db.exec("DROP TABLE tombstone")
      const error = yield* failure(registry.getProcess(p))
      assert.deepInclude(fieldsOf(error), { _tag: "StoreError", reason: "failed", operation: "read a process" })
      assert.strictEqual((yield* failure(store.eventsAfter(p, 0)))._tag, "StoreError")
    })
  )
})

describe("query plans", () => {
  it.scopedLive("every read is answered from an index", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      const prepare = vi.spyOn(Database.prototype, "prepare")
      const { store, register } = yield* open(path)
      yield* register("p")
      prepare.mockClear()
      const another = yield* open(path)
      yield* another.store.find(p)
      yield* another.store.find(processId("absent"))
      yield* another.store.leases.of(p)
      yield* another.store.eventsAfter(p, 0, 10)
      yield* another.store.due({ nowMs: 0, limit: 10 })
      yield* another.store.listNonTerminal
      yield* another.store.leases.holders
      yield* another.store.outbox.isDue(0)
      yield* another.store.outbox.list({ states: ["pending", "enqueuing"], limit: 10 })
      yield* another.store.outbox.list({ processId: p, limit: 10 })
      yield* another.store.leases.heldBy({ owner: opaqueOwner("o", "i"), leases: 1 })
      yield* another.store.children.of(p)
      yield* another.store.children.closeRequests(10)
      yield* another.store.children.closeRequestsOf(p)
      yield* another.store.grants.ofScope(sessionScopeId("s"), { filter: {}, after: p, limit: 10 })
      yield* store.externalChanges
      const db = yield* raw(path)
      const asked = new Set(prepare.mock.calls.map(([sql]) => sql.trim()))
      prepare.mockRestore()
      const reads = [...asked].filter(
        (sql) => sql.startsWith("SELECT") && !sql.includes("sqlite_schema") && !sql.includes("holdfast_migrations")
      )
      const plans = reads.map((sql) => planOf(db, sql))
      assert.isAbove(plans.length, 8)
      // Meant: the row that names the store, the leases that are held (as many as bodies run), what was found due, what is owed.
      const meant = ["SCAN CONSTANT ROW", "SCAN store", "SCAN lease", "SCAN holder", "SCAN due", "SCAN debt"]
      const scans = plans.flat().filter((step) => /^SCAN (?!.*USING .*INDEX)/.test(step) && !meant.includes(step))
      assert.deepStrictEqual(scans, [])
      assert.deepStrictEqual(
        planOf(
          db,
          reads.find((sql) => sql.includes("ORDER BY state.process_id"))
        ),
        [
          "SCAN state USING INDEX state_running",
          "SEARCH process USING INTEGER PRIMARY KEY (rowid=?)",
          "SEARCH lease USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN"
        ]
      )
      assert.include(
        planOf(
          db,
          reads.find((sql) => sql.includes("due_at <="))
        ),
        "SEARCH state USING INDEX state_due (due_at<?)"
      )
      assert.deepStrictEqual(
        planOf(
          db,
          reads.find((sql) => sql.includes("wake_outbox AS outbox") && sql.endsWith("LIMIT 1"))
        ).filter((step) => !step.startsWith("CORRELATED")),
        [
          "SEARCH outbox USING INDEX wake_outbox_due (next_attempt<?)",
          "SEARCH earlier USING INDEX wake_outbox_group (target_scope=? AND pk=? AND sequence<?)"
        ]
      )
      assert.include(
        planOf(
          db,
          reads.find((sql) => sql.includes("ORDER BY +number DESC"))
        ),
        "SCAN outbox USING INDEX wake_outbox_due"
      )
      assert.include(
        planOf(
          db,
          reads.find((sql) => sql.includes("ORDER BY number DESC"))
        ),
        "SEARCH outbox USING INDEX wake_outbox_process (pk=?)"
      )
      assert.include(
        planOf(
          db,
          reads.find((sql) => sql.includes("handle_grant.scope_id ="))
        ),
        "SEARCH handle_grant USING PRIMARY KEY (scope_id=?)"
      )
      const owed = reads.find((sql) => sql.includes("debt.parent_id ="))
      assert.include(planOf(db, owed), "SEARCH debt USING INDEX debt_parent (parent_id=?)")
      const started = reads.find((sql) => sql.includes("child") && sql.includes("parent_id ="))
      assert.include(planOf(db, started).join("\n"), "USING INDEX child_parent (parent_id=?)")
      assert.include(
        planOf(
          db,
          reads.find((sql) => sql.includes("AND sequence >"))
        ),
        "SEARCH event USING PRIMARY KEY (pk=? AND sequence>?)"
      )
      assert.include(
        planOf(
          db,
          reads.find((sql) => sql.includes("WHERE process.process_id ="))
        ),
        "SEARCH process USING INDEX sqlite_autoindex_process_1 (process_id=?)"
      )
    })
  )
})

const planOf = (db: Database.Database, sql: string | undefined): ReadonlyArray<string> => {
  const explain = db.prepare(`EXPLAIN QUERY PLAN ${sql}`)
  const parameters = Array.from({ length: (sql?.match(/\?/g) ?? []).length }, () => 0)
  return (explain.all(...parameters) as ReadonlyArray<{ readonly detail: string }>).map(({ detail }) => detail)
}
