import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import type { RuntimeOptions } from "../../src/runtime/RuntimeConfig.ts"
import { bounded, memory, sqlite, temporaryFolder, until, withoutThrown } from "../support/hosts.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}

const Double = Engine.make("double", {
  version: "1",
  payload: Schema.Struct({ n: Schema.NumberFromString }),
  success: Schema.BigInt,
  error: Refused,
  disposition: "rerunnable",
  run: ({ n }) => (n < 0 ? Effect.fail(new Refused({ why: "negative" })) : Effect.succeed(BigInt(n) * 2n))
})

const Broken = Engine.make("broken", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: () => Effect.die(new RangeError("out of range"))
})

const host = memory([Double, Broken])

describe("a single host", () => {
  it.live("a value goes through payload and success schemas and comes back typed", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const handle = yield* processes.start(Double, { id: "d", payload: { n: 21 } })
      const value: bigint = yield* bounded(handle.await)
      assert.strictEqual(value, 42n)
      const record = yield* handle.status
      assert.deepStrictEqual(record.status, { _tag: "Completed", output: { _tag: "Success", value: "42" } })
      assert.deepStrictEqual(record.input, { _tag: "Engine", kind: "double", payload: { n: "21" } })
      assert.deepStrictEqual(record.identity, { kind: "double", definition: { kind: "double", version: "1" } })
    }).pipe(Effect.provide(host))
  )

  it.live("a typed error arrives as itself, and is stored as a failure under its tag", () =>
    Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Double, { id: "d", payload: { n: -1 } })
      const failure = yield* bounded(Effect.flip(handle.await))
      assert.deepStrictEqual(failure, new Refused({ why: "negative" }))
      assert.deepStrictEqual(withoutThrown((yield* handle.status).status), {
        _tag: "Failed",
        output: {
          _tag: "Failure",
          class: "execution",
          code: "Refused",
          message: '{ "why": "negative" }',
          raw: { _tag: "Refused", why: "negative" }
        }
      })
    }).pipe(Effect.provide(host))
  )

  it.live("a defect is the outcome of its process, and the host goes on", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const broken = yield* processes.start(Broken, { id: "b", payload: null })
      const failure = yield* bounded(Effect.flip(broken.await))
      assert.strictEqual(failure._tag, "ProcessFailed")
      assert.include(failure.message, "RangeError: out of range")
      const next = yield* processes.start(Double, { id: "d", payload: { n: 1 } })
      assert.strictEqual(yield* bounded(next.await), 2n)
    }).pipe(Effect.provide(host))
  )

  it.live("a start with the same id and payload attaches; the body runs once", () => {
    let runs = 0
    const Count = Engine.make("count", {
      version: "1",
      payload: Schema.Number,
      success: Schema.Number,
      disposition: "rerunnable",
      run: () => Effect.sync(() => ++runs)
    })
    return Effect.gen(function* () {
      const processes = yield* Processes
      const first = yield* processes.start(Count, { id: "c", payload: 1 })
      yield* bounded(first.await)
      const again = yield* processes.start(Count, { id: "c", payload: 1, label: "another label" })
      assert.strictEqual(yield* bounded(again.await), 1)
      assert.strictEqual(runs, 1)
    }).pipe(Effect.provide(memory([Count])))
  })

  it.live("a start with the same id and another payload or engine is refused, naming what differs", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      yield* processes.start(Double, { id: "d", payload: { n: 1 } })
      const other = yield* Effect.flip(processes.start(Double, { id: "d", payload: { n: 2 } }))
      assert.strictEqual(other.message, "process `d` exists and was started with another payload: choose another id")
      const engine = yield* Effect.flip(processes.start(Broken, { id: "d", payload: null }))
      assert.include(engine.message, "another engine and payload")
    }).pipe(Effect.provide(host))
  )

  it.live("a blank id and a payload that does not fit are refused before anything is written", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const blank = yield* Effect.flip(processes.start(Double, { id: "  ", payload: { n: 1 } }))
      assert.include(blank.message, "process id must be a non-empty string")
      const unfit = yield* Effect.flip(processes.start(Double, { id: "x", payload: { n: "one" } as never }))
      assert.strictEqual(unfit._tag, "InputInvalid")
      assert.include(unfit.message, "payload/n of engine `double`")
      assert.deepStrictEqual(yield* processes.listNonTerminal, [])
    }).pipe(Effect.provide(host))
  )

  it.live("one slot is enough for a parent and its children, since a body that waits lends its slot", () => {
    const Sum = Engine.make("sum", {
      version: "1",
      payload: Schema.Number,
      success: Schema.Number,
      disposition: "rerunnable",
      run: (count, ctx) =>
        Effect.gen(function* () {
          let sum = 0
          for (let index = 0; index < count; index++) {
            const child = yield* ctx.start(Double, { name: `part-${index}`, payload: { n: index } })
            sum += Number(yield* Effect.orDie(child.await))
          }
          return sum
        })
    })
    return Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Sum, { id: "s", payload: 5 })
      assert.strictEqual(yield* bounded(handle.await), 20)
      const child = yield* (yield* Processes).handle(Double, "s/part-3").status
      assert.deepStrictEqual(child.parent, { processId: processId("s"), closePolicy: "cancel" })
      assert.deepStrictEqual(child.provenance, {
        originator: { _tag: "Host" },
        causedBy: { _tag: "Process", processId: processId("s") }
      })
    }).pipe(Effect.provide(memory([Double, Sum], { maxConcurrent: 1 })))
  })

  it.live("more work than slots is taken on in order as slots become free", () => {
    let most = 0
    let now = 0
    const Busy = Engine.make("busy", {
      version: "1",
      payload: Schema.Number,
      success: Schema.Number,
      disposition: "rerunnable",
      run: (n) =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            most = Math.max(most, ++now)
          }),
          () => Effect.as(Effect.yieldNow(), n),
          () => Effect.sync(() => now--)
        )
    })
    return Effect.gen(function* () {
      const processes = yield* Processes
      const ids = Array.from({ length: 40 }, (_, index) => index)
      const handles = yield* Effect.forEach(ids, (n) => processes.start(Busy, { id: `b${n}`, payload: n }))
      const values = yield* bounded(Effect.forEach(handles, (handle) => handle.await, { concurrency: "unbounded" }))
      assert.deepStrictEqual(values, ids)
      assert.isAtMost(most, 3)
    }).pipe(Effect.provide(memory([Busy], { maxConcurrent: 3, sweepInterval: false })))
  })

  it.live("what an engine requires of its environment becomes the layer's requirement", () => {
    class Greeting extends Context.Tag("test/Greeting")<Greeting, string>() {}
    const Greet = Engine.make("greet", {
      version: "1",
      payload: Schema.String,
      success: Schema.String,
      disposition: "rerunnable",
      run: (name) => Effect.map(Greeting, (greeting) => `${greeting} ${name}`)
    })
    const layer = Layer.provide(memory([Greet]), Layer.succeed(Greeting, "good day"))
    return Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Greet, { id: "g", payload: "Ana" })
      assert.strictEqual(yield* bounded(handle.await), "good day Ana")
    }).pipe(Effect.provide(layer))
  })

  it.scopedLive(
    "what a host starts for a scope of it, and the children of that, have its name, and any host runs it",
    () => {
      const Asking = Engine.make("asking", {
        version: "1",
        payload: Schema.Null,
        success: Schema.Number,
        disposition: "rerunnable",
        run: (_, ctx) =>
          Effect.gen(function* () {
            const child = yield* ctx.start(Double, { name: "part", payload: { n: 2 } })
            return Number(yield* Effect.orDie(child.await))
          })
      })
      return Effect.gen(function* () {
        const filename = `${yield* temporaryFolder}/scopes.db`
        const open = (scope?: string) =>
          Layer.build(sqlite(filename, [Double, Asking], scope === undefined ? {} : { scope }))
        const start = (id: string) => Effect.flatMap(Processes, (all) => all.start(Asking, { id, payload: null }))
        const plain = yield* open()
        const mail = yield* open("mail:in")
        for (const [id, host] of [["a", plain] as const, ["b", mail] as const]) {
          const handle = yield* Effect.provide(start(id), host)
          assert.strictEqual(yield* bounded(handle.await), 4)
        }
        // The same start by a host of another scope finds what is there.
        assert.strictEqual((yield* Effect.provide(start("b"), plain)).id, processId("b"))
        const listed = (originatorScopeId: string) =>
          Effect.provide(ProcessRegistry, plain).pipe(
            Effect.flatMap((registry) => registry.listProcesses({ originatorScopeId, status: "any" })),
            Effect.map(({ records }) => records.map(({ id, provenance }) => [String(id), provenance.originator]))
          )
        const scoped = { _tag: "Host", scope: "mail:in" } as const
        assert.deepStrictEqual<unknown>(yield* listed("host:mail:in"), [
          ["b", scoped],
          ["b/part", scoped]
        ])
        assert.deepStrictEqual<unknown>(yield* listed("host"), [
          ["a", { _tag: "Host" }],
          ["a/part", { _tag: "Host" }]
        ])
      })
    }
  )

  it.live("an option that cannot work is refused when the host is built, by name", () =>
    Effect.gen(function* () {
      const build = (options: RuntimeOptions & { readonly scope?: string }) =>
        Effect.either(Effect.scoped(Layer.build(memory([Double], options))))
      const ttl = yield* build({ leaseTtl: "29 seconds", leaseRenewal: "10 seconds" })
      assert.isTrue(Either.isLeft(ttl))
      assert.include(String(ttl), "leaseTtl")
      assert.include(String(yield* build({ maxConcurrent: 0 })), "maxConcurrent")
      for (const scope of ["", "\ud800", 5 as never, null as never]) {
        assert.match(String(yield* build({ scope })), /"field": ?"scope"|invalid `scope`/)
      }
      const twice = yield* Effect.either(Effect.scoped(Layer.build(memory([Double, Double]))))
      assert.include(String(twice), "double@1")
    })
  )
})

describe("cancelling", () => {
  const gates = { begun: Deferred.unsafeMake<void>(FiberId.none), cleaned: { count: 0 } }
  const Stubborn = Engine.make("stubborn", {
    version: "1",
    payload: Schema.Null,
    success: Schema.String,
    disposition: "rerunnable",
    run: () =>
      Deferred.succeed(gates.begun, undefined).pipe(
        Effect.zipRight(Effect.never),
        Effect.onInterrupt(() => Effect.sync(() => gates.cleaned.count++))
      )
  })

  it.live("a running body is interrupted at once, its finalisers run, and the caller's reason is kept", () =>
    Effect.gen(function* () {
      gates.begun = yield* Deferred.make<void>()
      const handle = yield* (yield* Processes).start(Stubborn, { id: "s", payload: null })
      yield* bounded(Deferred.await(gates.begun))
      yield* handle.cancel("no longer needed")
      const failure = yield* bounded(Effect.flip(handle.await))
      assert.strictEqual(failure.message, "process `s` was cancelled: no longer needed")
      assert.strictEqual(gates.cleaned.count, 1)
    }).pipe(Effect.provide(memory([Stubborn], { sweepInterval: false })))
  )

  it.live("a process that no host can run is cancelled without running", () =>
    Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Double, { id: "nobody", payload: { n: 1 } })
      yield* handle.cancel("nobody has this engine")
      const failure = yield* bounded(Effect.flip(handle.await))
      assert.strictEqual(failure._tag, "ProcessCancelled")
      assert.strictEqual((yield* handle.status).activations, 0)
    }).pipe(Effect.provide(memory([Stubborn])))
  )

  it.live("a parent that was asked to stop starts no child", () => {
    let refusal: string | undefined
    const Parent = Engine.make("parent", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Void,
      disposition: "rerunnable",
      run: (_, ctx) =>
        Deferred.succeed(gates.begun, undefined).pipe(
          Effect.zipRight(Effect.never),
          Effect.onInterrupt(() =>
            Effect.map(Effect.either(ctx.start(Double, { name: "late", payload: { n: 1 } })), (late) => {
              refusal = Either.isLeft(late) ? late.left._tag : "started"
            })
          )
        )
    })
    return Effect.gen(function* () {
      gates.begun = yield* Deferred.make<void>()
      const handle = yield* (yield* Processes).start(Parent, { id: "p", payload: null })
      yield* bounded(Deferred.await(gates.begun))
      yield* handle.cancel("stop")
      assert.strictEqual((yield* bounded(Effect.flip(handle.await)))._tag, "ProcessCancelled")
      assert.strictEqual(refusal, "ParentClosing")
      assert.deepStrictEqual(yield* (yield* Processes).listNonTerminal, [])
    }).pipe(Effect.provide(memory([Parent, Double])))
  })
})

describe("a host on a file", () => {
  const marks: Array<string> = []
  const gate = { open: false, begun: 0 }
  const Slow = Engine.make("slow", {
    version: "1",
    payload: Schema.String,
    success: Schema.String,
    disposition: "rerunnable",
    run: (name, ctx) =>
      Effect.gen(function* () {
        marks.push(`${name} attempt ${ctx.attempt} fence ${ctx.fencingToken}`)
        gate.begun++
        yield* until(Effect.sync(() => gate.open))
        return `${name} done`
      })
  })
  const Once = Engine.make("once", {
    version: "1",
    payload: Schema.String,
    success: Schema.String,
    disposition: "owner_bound",
    run: () =>
      Effect.zipRight(
        Effect.sync(() => gate.begun++),
        Effect.never
      )
  })

  it.scopedLive(
    "rerunnable work is handed back when its host stops, and the next host finishes it as the same attempt",
    () =>
      Effect.gen(function* () {
        const file = `${yield* temporaryFolder}/a.db`
        Object.assign(gate, { open: false, begun: 0 })
        yield* Effect.gen(function* () {
          yield* (yield* Processes).start(Slow, { id: "s", payload: "s" })
          yield* until(Effect.sync(() => gate.begun === 1))
        }).pipe(Effect.provide(sqlite(file, [Slow])))
        gate.open = true
        yield* Effect.gen(function* () {
          const handle = (yield* Processes).handle(Slow, "s")
          assert.strictEqual(yield* bounded(handle.await), "s done")
          const log = yield* (yield* ProcessRegistry).eventsAfter(processId("s"), 0)
          assert.deepStrictEqual(
            log.map((event) => event.eventType),
            ["process.started", "process.suspended", "process.started", "process.completed"]
          )
        }).pipe(Effect.provide(sqlite(file, [Slow])))
        assert.deepStrictEqual(marks, ["s attempt 1 fence 1", "s attempt 1 fence 2"])
      })
  )

  it.scopedLive("owner-bound work is given up by its owner when the host stops, and never runs again", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/b.db`
      Object.assign(gate, { open: false, begun: 0 })
      yield* Effect.gen(function* () {
        yield* (yield* Processes).start(Once, { id: "o", payload: "o" })
        yield* until(Effect.sync(() => gate.begun === 1))
      }).pipe(Effect.provide(sqlite(file, [Once])))
      const failure = yield* Effect.gen(function* () {
        return yield* bounded(Effect.flip((yield* Processes).handle(Once, "o").await))
      }).pipe(Effect.provide(sqlite(file, [Once])))
      assert.strictEqual(failure.message, "process `o` was abandoned by owner_drain: its outcome is unknown")
      assert.strictEqual(gate.begun, 1)
    })
  )

  it.scopedLive("two hosts share a file: a process runs on one, and both see its end and its cancellation", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/c.db`
      Object.assign(gate, { open: false, begun: 0 })
      const one = yield* Layer.build(sqlite(file, [Slow]))
      const two = yield* Layer.build(sqlite(file, [Slow]))
      const started = yield* Effect.provide(
        Effect.flatMap(Processes, (p) => p.start(Slow, { id: "s", payload: "s" })),
        one
      )
      const second = yield* Effect.provide(
        Effect.flatMap(Processes, (p) => p.start(Slow, { id: "s", payload: "s" })),
        two
      )
      const waiting = yield* Effect.fork(Effect.either(second.await))
      yield* until(Effect.sync(() => gate.begun === 1))
      yield* second.cancel("from the other host")
      const seen = yield* bounded(Fiber.join(waiting))
      assert.include(String(seen), "from the other host")
      assert.strictEqual((yield* started.status).status._tag, "Cancelled")
      assert.strictEqual(gate.begun, 1)
    })
  )

  it.scopedLive("work whose engine or version is missing waits, unstarted, for a host that has it", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/d.db`
      Object.assign(gate, { open: true, begun: 0 })
      yield* Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(Slow, { id: "s", payload: "s" })
        yield* Effect.sleep("100 millis")
        assert.strictEqual((yield* handle.status).activations, 0)
      }).pipe(Effect.provide(sqlite(file, [Once])))
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* bounded((yield* Processes).handle(Slow, "s").await), "s done")
      }).pipe(Effect.provide(sqlite(file, [Once, Slow])))
    })
  )

  it.scopedLive("a request to stop from the registry reaches the running code", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/e.db`
      Object.assign(gate, { open: false, begun: 0 })
      yield* Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(Slow, { id: "s", payload: "s" })
        yield* until(Effect.sync(() => gate.begun === 1))
        yield* (yield* ProcessRegistry).requestProcessCancel(processId("s"), "operator", Authority.external)
        const failure = yield* bounded(Effect.flip(handle.await))
        assert.strictEqual(failure.message, "process `s` was cancelled: operator")
      }).pipe(Effect.provide(sqlite(file, [Slow])))
    })
  )
})
