import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { processId } from "../../src/model/ids.ts"
import type { JournalEntry, JournalOperation } from "../../src/model/JournalEntry.ts"
import type { Journal, Opened } from "../../src/runtime/body/Journal.ts"
import * as Journals from "../../src/runtime/body/Journal.ts"

const id = processId("p")

const entry = (key: string, position: number, operation: JournalOperation = "step"): JournalEntry => ({
  key,
  position,
  operation,
  sequence: 1,
  atMs: 5,
  outcome: `kept ${key}`
})

/** A journal of an activation that is not the first, with these entries. */
const journalOf = (...entries: ReadonlyArray<JournalEntry>) => later(Effect.succeed(entries))

type State = Journals.JournalOptions["state"]

const open: State = () => "open"

const later = (read: Journals.JournalOptions["read"], state = open) =>
  Journals.make({ processId: id, isFirst: false, read, state })

/** Does an operation: answers what was kept, or where it would be written. */
const operate = (journal: Journal, name: string, operation: JournalOperation = "step") =>
  journal.operate<unknown, never, never, never, never>(operation, name, Effect.succeed, Effect.succeed)

const opened = (key: string, position: number, operation: JournalOperation = "step"): Opened => ({
  key,
  position,
  operation
})

/** What an error says, as plain data. */
const fieldsOf = (error: object): unknown => ({ ...error })

describe("a journal", () => {
  it.effect("of a first activation is not read, and counts names and positions from one", () =>
    Effect.gen(function* () {
      const journal = Journals.make({
        processId: id,
        isFirst: true,
        read: Effect.die("it was read"),
        state: open
      })
      assert.deepStrictEqual(
        [yield* operate(journal, "a"), yield* operate(journal, "b"), yield* operate(journal, "a")],
        [opened("a#1", 1), opened("b#1", 2), opened("a#2", 3)]
      )
      yield* journal.settle
    })
  )

  it.effect("answers what it has, in any order, and performs what it does not have", () =>
    Effect.gen(function* () {
      const journal = journalOf(entry("a#1", 1), entry("a#2", 2))
      assert.deepStrictEqual(
        [yield* operate(journal, "a"), yield* operate(journal, "b"), yield* operate(journal, "a")],
        ["kept a#1", opened("b#1", 3), "kept a#2"]
      )
      yield* journal.settle
    })
  )

  it.effect("never hands a position out twice, also where an operation that failed left one empty", () =>
    Effect.gen(function* () {
      const journal = journalOf(entry("b#1", 2))
      assert.deepStrictEqual(
        [yield* operate(journal, "a"), yield* operate(journal, "b")],
        [opened("a#1", 3), "kept b#1"]
      )
    })
  )

  it.effect("is read once for branches that begin at once, and they get positions of their own", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const journal = later(Effect.as(Deferred.await(gate), [entry("a#1", 1)]))
      const branches = yield* Effect.fork(
        Effect.forEach(["a", "b", "c"], (name) => operate(journal, name), { concurrency: 3 })
      )
      yield* Effect.yieldNow()
      yield* Deferred.succeed(gate, undefined)
      assert.sameDeepMembers([...(yield* Fiber.join(branches))], ["kept a#1", opened("b#1", 2), opened("c#1", 3)])
    })
  )

  it.effect("of a body that is being handed back answers what it has, and performs nothing more", () =>
    Effect.gen(function* () {
      let state: ReturnType<State> = "open"
      const journal = later(Effect.succeed([entry("a#1", 1)]), () => state)
      assert.deepStrictEqual(yield* operate(journal, "b"), opened("b#1", 2))
      state = "leaving"
      assert.strictEqual(yield* operate(journal, "a"), "kept a#1")
      assert.isTrue(Exit.isInterrupted(yield* Effect.exit(operate(journal, "c"))))
    })
  )

  it.effect("of a body that has ended refuses what it has, what it has not, and scopes, before any of it is done", () =>
    Effect.gen(function* () {
      const journal = later(Effect.succeed([entry("a#1", 1)]), () => "over")
      const refused = { _tag: "OutsideProcess", processId: id }
      assert.deepStrictEqual(fieldsOf(yield* Effect.flip(operate(journal, "a"))), refused)
      assert.deepStrictEqual(fieldsOf(yield* Effect.flip(operate(journal, "b"))), refused)
      const scoped = journal.scope("s", Effect.die("it was run"))
      assert.deepStrictEqual(fieldsOf(yield* Effect.flip(scoped)), refused)
    })
  )

  it.effect("refuses an entry of another operation, naming both", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(operate(journalOf(entry("a#1", 1, "sleep")), "a", "await_signal"))
      assert.deepStrictEqual(fieldsOf(error), {
        _tag: "ReplayDiverged",
        processId: id,
        key: "a#1",
        expected: "sleep",
        actual: "await_signal"
      })
    })
  )

  it.effect("does not settle while it has entries that nobody asked for, also when nobody asked for any", () =>
    Effect.gen(function* () {
      const journal = journalOf(entry("a#1", 1), entry("b#1", 2, "start_child"))
      const missed = { _tag: "ReplayDiverged", processId: id, actual: "nothing" }
      assert.deepStrictEqual(fieldsOf(yield* Effect.flip(journal.settle)), { ...missed, key: "a#1", expected: "step" })
      yield* operate(journal, "a")
      const error = yield* Effect.flip(journal.settle)
      assert.deepStrictEqual(fieldsOf(error), { ...missed, key: "b#1", expected: "start_child" })
      yield* operate(journal, "b", "start_child")
      yield* journal.settle
    })
  )

  it.effect("refuses one name twice at once in a scope, and takes it again afterwards", () =>
    Effect.gen(function* () {
      const journal = journalOf()
      const gate = yield* Deferred.make<void>()
      const slow = yield* Effect.fork(
        journal.operate("step", "a", Effect.succeed, (at) => Effect.as(Deferred.await(gate), at))
      )
      yield* Effect.yieldNow()
      const error = yield* Effect.flip(operate(journal, "a"))
      assert.deepStrictEqual(fieldsOf(error), { _tag: "StepNameAmbiguous", processId: id, name: "a" })
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Fiber.join(slow), opened("a#1", 1))
      assert.deepStrictEqual(yield* operate(journal, "a"), opened("a#2", 2))
    })
  )

  it.effect("has keys of its own for each scope, and for each time a scope is entered", () =>
    Effect.gen(function* () {
      const journal = journalOf()
      const keyIn = (...path: ReadonlyArray<string>) =>
        path.reduceRight(
          (inner, name) => journal.scope(name, inner),
          Effect.map(operate(journal, "a"), (at) => (at as Opened).key)
        ) // nothing is kept
      assert.deepStrictEqual(yield* Effect.all([keyIn("x"), keyIn("y"), keyIn("x"), keyIn("x", "y"), keyIn()]), [
        "x#1/a#1",
        "y#1/a#1",
        "x#2/a#1",
        "x#3/y#1/a#1",
        "a#1"
      ])
      const twice = Effect.all([journal.scope("x", Effect.never), keyIn("x")], { concurrency: 2 })
      assert.deepInclude({ ...(yield* Effect.flip(twice)) }, { _tag: "StepNameAmbiguous", name: "x" })
    })
  )
})
