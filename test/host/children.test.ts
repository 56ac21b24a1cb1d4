import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import type { RuntimeError } from "../../src/model/failures.ts"
import type { ProcessId } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import type { ClosePolicy } from "../../src/model/Registration.ts"
import * as Registration from "../../src/model/Registration.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { ParentClose } from "../../src/supervision/ParentClose.ts"
import { bounded, memory, sqlite, temporaryFolder, until } from "../support/hosts.ts"

/** What bodies say, in the order in which they say it. */
const diary = () => {
  const entries: Array<string> = []
  return { entries, say: (entry: string) => Effect.sync(() => void entries.push(entry)) }
}

type Diary = ReturnType<typeof diary>

/** Runs until it is stopped, and says when it begins and when it lets go. */
const leafOf = ({ say }: Diary) =>
  Engine.make("leaf", {
    version: "1",
    payload: Schema.Null,
    success: Schema.Null,
    disposition: "rerunnable",
    run: (_, { processId: id }) =>
      Effect.zipRight(
        say(`${id} began`),
        Effect.onInterrupt(Effect.never, () => say(`${id} let go`))
      )
  })

/** Starts a line of descendants, each the child of the one before, and waits for them. */
const lineOf = (book: Diary, leaf: ReturnType<typeof leafOf>) => {
  const line: Engine.Engine<number, null, RuntimeError, never> = Engine.make("line", {
    version: "1",
    payload: Schema.Number,
    success: Schema.Null,
    disposition: "rerunnable",
    run: (below, ctx) =>
      Effect.gen(function* () {
        const child =
          below === 0
            ? yield* ctx.start(leaf, { name: "leaf", payload: null })
            : yield* ctx.start(line, { name: "line", payload: below - 1 })
        return yield* Effect.orDie(child.await)
      }).pipe(Effect.onInterrupt(() => book.say(`${ctx.processId} let go`)))
  })
  return line
}

/** Commits of requests and ends go into the diary, too, in their order among what bodies say. */
const listen = ({ entries }: Diary) =>
  Effect.flatMap(ProcessStore, (store) =>
    store.onCommit((changes) => {
      for (const { row, events } of changes) {
        const { id } = row.base.registration
        for (const { eventType } of events) entries.push(`${id} ${eventType}`)
      }
    })
  )

/** A store with its registry, and none of a host's loops. */
const storeOnly = (filename: string) => Registry.layer.pipe(Layer.provideMerge(SqliteStore.layer({ filename })))

const statusOf = (id: string) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    Effect.map(registry.getProcess(processId(id)), (record) => record?.status._tag)
  )

const nothingOwed = Effect.flatMap(ProcessStore, ({ children }) =>
  Effect.map(children.closeRequests(1), (debts) => debts.length === 0)
)

/** A parent that starts a leaf of each policy, and ends or waits as it is told. */
const familyOf = (book: Diary, leaf: ReturnType<typeof leafOf>) =>
  Engine.make("family", {
    version: "1",
    payload: Schema.Literal("ends", "waits", "dies"),
    success: Schema.Null,
    disposition: "rerunnable",
    run: (how, ctx) =>
      Effect.gen(function* () {
        for (const closePolicy of ["cancel", "abandon", "keep"] as const) {
          yield* ctx.start(leaf, { name: closePolicy, payload: null, closePolicy })
        }
        yield* ctx.start(leaf, { name: "default", payload: null })
        const began = Effect.sync(() => book.entries.filter((entry) => entry.endsWith(" began")).length === 4)
        yield* until(began)
        if (how === "dies") return yield* Effect.die(new Error("out of luck"))
        return how === "ends" ? null : yield* Effect.never
      })
  })

const requestsOf = (parent: string) =>
  Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    const names: ReadonlyArray<ClosePolicy | "default"> = ["cancel", "abandon", "keep", "default"]
    const requests = yield* Effect.forEach(names, (name) =>
      Effect.map(registry.getProcess(processId(`${parent}/${name}`)), (record) => [
        name,
        record?.cancelRequest?.reason ?? null,
        record?.abandonRequest?.reason ?? null
      ])
    )
    return requests
  })

describe("the children of a process that closes", () => {
  it.live("a cancel goes down to any depth, and every body is interrupted before its process ends", () => {
    const book = diary()
    const leaf = leafOf(book)
    const line = lineOf(book, leaf)
    return Effect.gen(function* () {
      yield* listen(book)
      const handle = yield* (yield* Processes).start(line, { id: "l", payload: 3 })
      const ids = ["l", "l/line", "l/line/line", "l/line/line/line", "l/line/line/line/leaf"]
      yield* until(Effect.sync(() => book.entries.includes(`${ids.at(-1)} began`)))
      yield* handle.cancel("enough")
      yield* until(Effect.every(ids, (id) => Effect.map(statusOf(id), (status) => status === "Cancelled")))
      assert.deepStrictEqual(
        book.entries.filter((entry) => entry.endsWith("let go")).toSorted(),
        ids.map((id) => `${id} let go`).toSorted()
      )
      const registry = yield* ProcessRegistry
      for (const [index, id] of ids.entries()) {
        const log = yield* registry.eventsAfter(processId(id), 0)
        // A child may end before its parent has let go, and is then in the parent's log.
        const types = log.map(({ eventType }) => eventType).filter((type) => type !== "process.child_ended")
        assert.deepStrictEqual(types, ["process.started", "process.cancel_requested", "process.cancelled"])
        const reason = index === 0 ? "enough" : `parent ${ids[index - 1]} was asked to stop`
        assert.deepStrictEqual(log[1]?.payload, { reason })
      }
      const at = (entry: string) => book.entries.indexOf(entry)
      for (const [index, id] of ids.entries()) {
        // Each is asked after its parent, lets go once it was asked, and ends once it has let go.
        if (index > 0)
          assert.isAbove(at(`${id} process.cancel_requested`), at(`${ids[index - 1]} process.cancel_requested`))
        assert.isAbove(at(`${id} let go`), at(`${id} process.cancel_requested`))
        assert.isAbove(at(`${id} process.cancelled`), at(`${id} let go`))
      }
      yield* until(nothingOwed)
    }).pipe(Effect.scoped, Effect.provide(memory([leaf, line], { sweepInterval: false })))
  })

  for (const [how, reason] of [
    ["ends", "completed"],
    ["dies", "failed"]
  ] as const) {
    it.live(`each child is asked by its policy when its parent ${reason}`, () => {
      const book = diary()
      const leaf = leafOf(book)
      const family = familyOf(book, leaf)
      return Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(family, { id: "f", payload: how })
        yield* bounded(Effect.exit(handle.await))
        yield* until(nothingOwed)
        const because = `parent f ${reason}`
        assert.deepStrictEqual(yield* requestsOf("f"), [
          ["cancel", because, null],
          ["abandon", null, because],
          ["keep", null, null],
          ["default", because, null]
        ])
        yield* until(Effect.map(statusOf("f/cancel"), (status) => status === "Cancelled"))
        assert.strictEqual(yield* statusOf("f/keep"), "Running")
        assert.deepStrictEqual(yield* (yield* ParentClose).dispatch, { asked: 0, notNeeded: 0 })
      }).pipe(Effect.provide(memory([leaf, family])))
    })
  }

  it.live("a parent that was asked to stop never waits for an external child, which hears of it", () => {
    const Waits = Engine.make("waits", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Null,
      disposition: "rerunnable",
      run: () => Effect.never
    })
    return Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      const handle = yield* (yield* Processes).start(Waits, { id: "w", payload: null })
      const input = { _tag: "External", metadata: {} } as const
      const outside = processId("outside")
      yield* registry.registerProcess({
        ...Registration.make(outside, input, "externally_owned", Provenance.host),
        parent: { processId: handle.id, closePolicy: "cancel" }
      })
      yield* handle.cancel("enough")
      assert.strictEqual((yield* bounded(Effect.flip(handle.await)))._tag, "ProcessCancelled")
      yield* until(Effect.map(registry.getProcess(outside), (record) => record?.cancelRequest !== undefined))
      assert.strictEqual(yield* statusOf(outside), "Running")
    }).pipe(Effect.provide(memory([Waits])))
  })

  it.live("children that nobody runs are cancelled without running: unstarted, or without an engine", () => {
    const book = diary()
    const leaf = leafOf(book)
    const family = familyOf(book, leaf)
    return Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      const handle = yield* (yield* Processes).start(family, { id: "f", payload: "waits" })
      yield* until(Effect.sync(() => book.entries.length === 4))
      const orphan = (id: ProcessId, kind: string) => ({
        ...Registration.make(id, { _tag: "Engine", kind, payload: null }, "rerunnable", Provenance.host),
        identity: { kind, definition: { kind, version: "1" } },
        envRef: "process-env:sha256:00" as NonNullable<Registration.Registration["envRef"]>, // nothing loads it
        parent: { processId: handle.id, closePolicy: "cancel" } as const
      })
      yield* registry.registerProcess(orphan(processId("engineless"), "nobody knows it"))
      yield* registry.registerProcess(orphan(processId("unstarted"), "leaf"))
      yield* handle.cancel()
      const ids = ["engineless", "unstarted", "f/cancel", "f/default"]
      yield* until(Effect.every(ids, (id) => Effect.map(statusOf(id), (status) => status === "Cancelled")))
      for (const id of ["engineless", "unstarted"]) {
        const log = yield* registry.eventsAfter(processId(id), 0)
        const types = log.map(({ eventType }) => eventType)
        assert.deepStrictEqual(types, ["process.cancel_requested", "process.cancelled"])
      }
    }).pipe(Effect.provide(memory([leaf, family], { sweepInterval: false })))
  })

  it.live("what a stopped host owed is paid by the next one on the same file", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = `${yield* temporaryFolder}/debts.db`
        const registryOf = Effect.gen(function* () {
          const registry = yield* ProcessRegistry
          const input = { _tag: "External", metadata: {} } as const
          const parent = processId("p")
          yield* registry.registerProcess(Registration.make(parent, input, "externally_owned", Provenance.host))
          yield* Effect.forEach(
            Array.from({ length: 300 }, (_, index) => `c${index}`),
            (id) =>
              registry.registerProcess({
                ...Registration.make(processId(id), input, "externally_owned", Provenance.host),
                parent: { processId: parent, closePolicy: "cancel" }
              }),
            { concurrency: "unbounded" }
          )
          return yield* registry.completeProcess(parent, { _tag: "Success", value: 1 }, { _tag: "ExternalOwner" })
        })
        // Without a host's loops nobody pays.
        yield* Effect.provide(registryOf, Layer.fresh(storeOnly(file)))
        yield* Effect.gen(function* () {
          yield* until(nothingOwed)
          const registry = yield* ProcessRegistry
          const records = yield* Effect.forEach(
            Array.from({ length: 300 }, (_, index) => processId(`c${index}`)),
            (id) => registry.getProcess(id)
          )
          assert.isTrue(records.every((record) => record?.cancelRequest?.reason === "parent p completed"))
        }).pipe(Effect.provide(sqlite(file, [])))
      })
    )
  )

  it.live("a body gives its child up under its own fence; a host under its name", () => {
    const book = diary()
    const leaf = leafOf(book)
    const GivesUp = Engine.make("gives-up", {
      version: "1",
      payload: Schema.Null,
      success: Schema.String,
      disposition: "rerunnable",
      run: (_, ctx) =>
        Effect.gen(function* () {
          const child = yield* ctx.start(leaf, { name: "leaf", payload: null, closePolicy: "keep" })
          const record = yield* Effect.orDie(child.abandon("no hope"))
          yield* Effect.orDie(child.cancel("no use"))
          return `${record.abandonRequest?.requestedBy}: ${record.abandonRequest?.reason}`
        })
    })
    return Effect.gen(function* () {
      const processes = yield* Processes
      const parent = yield* processes.start(GivesUp, { id: "g", payload: null })
      assert.strictEqual(yield* bounded(parent.await), "process:g: no hope")
      assert.strictEqual((yield* bounded(Effect.flip(processes.handle(leaf, "g/leaf").await)))._tag, "ProcessCancelled")
      const late = yield* Effect.flip(parent.abandon())
      assert.strictEqual(late._tag, "ProcessAlreadyTerminal")
      const other = yield* processes.start(leaf, { id: "other", payload: null })
      assert.strictEqual((yield* other.abandon("why not")).abandonRequest?.requestedBy, "host")
    }).pipe(Effect.provide(memory([leaf, GivesUp])))
  })
})
