import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { isFold } from "../../src/testing/evidence.ts"
import { bounded, memory, sqlite, temporaryFolder, until } from "../support/hosts.ts"

const Approve = Signal.make("approve", { payload: Schema.Struct({ by: Schema.NonEmptyString }) })
const Progress = Signal.event("progress", { payload: Schema.Struct({ text: Schema.String }) })

const typesOf = (id: string) =>
  Effect.flatMap(ProcessStore, (store) =>
    Effect.map(store.eventsAfter(processId(id), 0), (events) => events.map(({ eventType }) => eventType))
  )

const waits = (id: string) =>
  until(
    Effect.flatMap(ProcessRegistry, (registry) =>
      Effect.map(registry.getProcess(processId(id)), (record) => record?.wait !== undefined)
    )
  )

/** An engine that counts how often each of its effects ran. */
const deploy = (ran: Array<string>, options: { readonly passivateAfter?: string } = {}) =>
  Engine.make("deploy", {
    version: "1",
    payload: Schema.String,
    success: Schema.String,
    signals: [Approve],
    events: [Progress],
    disposition: "rerunnable",
    ...(options.passivateAfter === undefined ? {} : { passivateAfter: "20 millis" }),
    run: (service, ctx) =>
      Effect.gen(function* () {
        const plan = yield* ctx.step(
          "plan",
          Effect.sync(() => {
            ran.push("plan")
            return `plan of ${service}`
          })
        )
        const at = yield* ctx.now
        const { by } = yield* ctx.awaitSignal(Approve)
        yield* ctx.appendEvent(Progress, { text: `approved by ${by}` })
        yield* ctx.sleep("10 millis")
        const applied = yield* ctx.step(
          "apply",
          Effect.sync(() => {
            ran.push("apply")
            return `${plan}, approved by ${by}`
          })
        )
        return `${applied} ${at > 0}`
      })
  })

describe("a body's operations", () => {
  it.scopedLive("steps, signals, events and sleeps carry a body to its end", () => {
    const ran: Array<string> = []
    const Deploy = deploy(ran)
    return Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Deploy, { id: "d", payload: "api" })
      yield* handle.signal(Approve, { by: "ana" })
      assert.strictEqual(yield* bounded(handle.await), "plan of api, approved by ana true")
      assert.deepStrictEqual(ran, ["plan", "apply"])
      const seen = Chunk.toReadonlyArray(yield* bounded(Stream.runCollect(handle.events)))
      assert.deepStrictEqual(
        seen.map(({ eventType }) => eventType).filter((type) => !["signal.approve"].includes(type)),
        [
          "process.started",
          "process.waiting",
          "process.resumed",
          "progress",
          "process.waiting",
          "process.resumed",
          "process.completed"
        ]
      )
      yield* isFold(processId("d"))
    }).pipe(Effect.provide(memory([Deploy])))
  })

  it.scopedLive("a host that stops while a body waits: the next one goes on, and no step runs twice", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/a.db`
      const ran: Array<string> = []
      const Deploy = deploy(ran)
      yield* Effect.gen(function* () {
        yield* (yield* Processes).start(Deploy, { id: "d", payload: "api" })
        yield* waits("d")
      }).pipe(Effect.provide(sqlite(file, [Deploy])))
      yield* Effect.gen(function* () {
        const handle = (yield* Processes).handle(Deploy, "d")
        yield* until(Effect.map(handle.status, (record) => record.activations === 2))
        yield* handle.signal(Approve, { by: "bo" })
        assert.strictEqual(yield* bounded(handle.await), "plan of api, approved by bo true")
        assert.deepStrictEqual(ran, ["plan", "apply"])
        assert.strictEqual((yield* typesOf("d")).filter((type) => type === "progress").length, 1)
        assert.strictEqual((yield* handle.status).attempts, 1)
        yield* isFold(processId("d"))
      }).pipe(Effect.provide(sqlite(file, [Deploy])))
    })
  )

  it.scopedLive("time and chance are the same to a body that runs again", () => {
    const seen: Array<ReadonlyArray<number>> = []
    const Chancy = Engine.make("chancy", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Null,
      signals: [Approve],
      disposition: "rerunnable",
      passivateAfter: "1 millis",
      run: (_, ctx) =>
        Effect.gen(function* () {
          seen.push([yield* ctx.now, yield* ctx.random, yield* ctx.random])
          yield* ctx.awaitSignal(Approve)
          return null
        })
    })
    return Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Chancy, { id: "c", payload: null })
      yield* until(Effect.map(typesOf("c"), (types) => types.includes("process.suspended")))
      yield* handle.signal(Approve, { by: "ana" })
      yield* bounded(handle.await)
      assert.strictEqual(seen.length, 2)
      assert.deepStrictEqual(seen[0], seen[1])
      assert.notStrictEqual(seen[0]?.[1], seen[0]?.[2])
    }).pipe(Effect.provide(memory([Chancy])))
  })

  it.scopedLive("a body that only waits leaves memory, and comes back for its signal", () =>
    Effect.gen(function* () {
      const ran: Array<string> = []
      const Deploy = deploy(ran, { passivateAfter: "20 millis" })
      yield* Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(Deploy, { id: "d", payload: "api" })
        yield* until(Effect.map(typesOf("d"), (types) => types.includes("process.suspended")))
        const found = yield* (yield* ProcessStore).find(processId("d"))
        assert.isTrue(found._tag === "Present" && found.row.dueAtMs === null && found.row.lease.held === undefined)
        yield* handle.signal(Approve, { by: "cy" })
        assert.strictEqual(yield* bounded(handle.await), "plan of api, approved by cy true")
        assert.deepStrictEqual(ran, ["plan", "apply"])
        yield* isFold(processId("d"))
      }).pipe(Effect.provide(memory([Deploy])))
    })
  )

  it.scopedLive(
    "a wait that ends by its timeout fails the body with that, and the signal that comes later is kept",
    () => {
      const Wait = Engine.make("wait", {
        version: "1",
        payload: Schema.Null,
        success: Schema.String,
        signals: [Approve],
        disposition: "rerunnable",
        run: (_, ctx) =>
          ctx.awaitSignal(Approve, { timeout: "20 millis" }).pipe(
            Effect.catchTag("WaitTimedOut", () => Effect.succeed({ by: "nobody" })),
            Effect.flatMap(({ by }) => Effect.map(ctx.awaitSignal(Approve), (second) => `${by}, then ${second.by}`))
          )
      })
      return Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(Wait, { id: "w", payload: null })
        yield* until(
          Effect.map(typesOf("w"), (types) => types.filter((type) => type === "process.waiting").length === 2)
        )
        yield* handle.signal(Approve, { by: "dee" })
        assert.strictEqual(yield* bounded(handle.await), "nobody, then dee")
      }).pipe(Effect.provide(memory([Wait])))
    }
  )

  it.scopedLive("one name at once in one scope is refused, branches with scopes of their own are not", () => {
    const branch = (name: string) => Effect.as(Effect.sleep("5 millis"), name)
    const Both = Engine.make("both", {
      version: "1",
      payload: Schema.Boolean,
      success: Schema.Array(Schema.String),
      disposition: "rerunnable",
      run: (scoped, ctx) =>
        Effect.all(
          ["a", "b"].map((name) => {
            const step = ctx.step("same", branch(name))
            return scoped ? ctx.scope(name, step) : step
          }),
          { concurrency: 2 }
        )
    })
    return Effect.gen(function* () {
      const processes = yield* Processes
      const scoped = yield* processes.start(Both, { id: "s", payload: true })
      assert.deepStrictEqual(yield* bounded(scoped.await), ["a", "b"])
      const bare = yield* processes.start(Both, { id: "b", payload: false })
      const error = yield* bounded(Effect.flip(bare.await))
      assert.isTrue(
        error._tag === "ProcessFailed" && error.output._tag === "Failure" && error.output.code === "StepNameAmbiguous"
      )
    }).pipe(Effect.provide(memory([Both])))
  })

  it.scopedLive("a process with a later start begins then, and not before", () => {
    const begun: Array<number> = []
    const Later = Engine.make("later", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Number,
      disposition: "rerunnable",
      run: () =>
        Effect.sync(() => {
          begun.push(Date.now())
          return Date.now()
        })
    })
    return Effect.gen(function* () {
      const startAt = new Date(Date.now() + 300)
      const handle = yield* (yield* Processes).start(Later, { id: "l", payload: null, startAt })
      assert.isAtLeast(yield* bounded(handle.await), startAt.getTime())
      assert.strictEqual(begun.length, 1)
    }).pipe(Effect.provide(memory([Later])))
  })

  it.scopedLive("a journal that the code does not fit rests the row and says why", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/a.db`
      const before = Engine.make("changing", {
        version: "1",
        payload: Schema.Null,
        success: Schema.String,
        signals: [Approve],
        disposition: "rerunnable",
        run: (_, ctx) =>
          Effect.zipRight(
            ctx.step("first", Effect.succeed(1)),
            Effect.map(ctx.awaitSignal(Approve), ({ by }) => by)
          )
      })
      const after = Engine.make("changing", {
        version: "1",
        payload: Schema.Null,
        success: Schema.String,
        signals: [Approve],
        disposition: "rerunnable",
        run: (_, ctx) => Effect.as(ctx.sleep("1 millis", { name: "first" }), "never")
      })
      yield* Effect.gen(function* () {
        yield* (yield* Processes).start(before, { id: "c", payload: null })
        yield* waits("c")
      }).pipe(Effect.provide(sqlite(file, [before])))
      yield* Effect.gen(function* () {
        const store = yield* ProcessStore
        const row = Effect.map(store.find(processId("c")), (found) =>
          found._tag === "Present" ? found.row : undefined
        )
        yield* until(Effect.map(row, (now) => now?.backOff !== undefined))
        assert.match(
          (yield* row)?.backOff?.problem ?? "",
          /is step under `first#1`, and the code being replayed asks for sleep/
        )
        assert.strictEqual((yield* row)?.snapshot.status, "active")
      }).pipe(Effect.provide(sqlite(file, [after])))
      const fiber = yield* Effect.gen(function* () {
        const handle = (yield* Processes).handle(before, "c")
        yield* handle.signal(Approve, { by: "eve" })
        return yield* bounded(handle.await)
      }).pipe(Effect.provide(sqlite(file, [before])), Effect.fork)
      assert.strictEqual(yield* Fiber.join(fiber), "eve")
    })
  )

  it.scopedLive("a body knows what surrounds it, and the children that it started", () => {
    const Child = Engine.make("child", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Null,
      disposition: "rerunnable",
      run: () => Effect.succeed(null)
    })
    const Knowing = Engine.make("knowing", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Array(Schema.Unknown),
      disposition: "rerunnable",
      run: (_, ctx) =>
        Effect.gen(function* () {
          const { sessionScope, origin, causedBy, environment } = yield* ctx.surroundings
          const child = yield* ctx.start(Child, { name: "one", payload: null })
          // The process itself has this id: the start is refused, and leaves nothing behind.
          yield* Effect.flip(ctx.start(Child, { name: "two", id: ctx.processId, payload: null }))
          const known = [child.id, ctx.processId, processId("other")].map(origin.runLocal.has)
          return [sessionScope.sessionId, causedBy, known, yield* Effect.orDie(environment)]
        })
    })
    return Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Knowing, { id: "k", payload: null })
      assert.deepStrictEqual(yield* bounded(handle.await), [
        "process:k",
        { _tag: "Process", processId: "k" },
        [true, false, false],
        { pluginOptions: {}, policy: {} }
      ])
    }).pipe(Effect.provide(memory([Knowing, Child])))
  })

  it.scopedLive("a signal that is not declared, does not fit, or comes too late is refused by name", () => {
    const ran: Array<string> = []
    const Deploy = deploy(ran)
    const Other = Signal.make("other", { payload: Schema.String })
    return Effect.gen(function* () {
      const processes = yield* Processes
      const handle = yield* processes.start(Deploy, { id: "d", payload: "api" })
      const undeclared = yield* Effect.flip(handle.signal(Other as never, "x" as never))
      assert.strictEqual(undeclared._tag, "EventRejected")
      const unfit = yield* Effect.flip(handle.signal(Approve, { by: "" }))
      assert.match(unfit.message, /^payload\/by of `signal.approve`/)
      const nobody = yield* Effect.flip(processes.handle(Deploy, "nobody").signal(Approve, { by: "f" }))
      assert.strictEqual(nobody._tag, "ProcessUnknown")
      yield* handle.signal(Approve, { by: "f" }, { id: "once" })
      yield* handle.signal(Approve, { by: "f" }, { id: "once" })
      yield* bounded(handle.await)
      const late = yield* Effect.flip(handle.signal(Approve, { by: "g" }))
      assert.strictEqual(late._tag, "ProcessAlreadyTerminal")
      assert.strictEqual((yield* typesOf("d")).filter((type) => type === "signal.approve").length, 1)
    }).pipe(Effect.provide(memory([Deploy])))
  })
})
