import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import { SessionProcesses } from "../../src/host/SessionProcesses.ts"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Registration from "../../src/model/Registration.ts"
import { Environments } from "../../src/operations/Environments.ts"
import { HandleGrants } from "../../src/operations/HandleGrants.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { makeRunLocal } from "../../src/runtime/body/Origin.ts"
import * as Surroundings from "../../src/runtime/body/Surroundings.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Tool from "../../src/runtime/engine/Tool.ts"
import { Tools } from "../../src/runtime/engine/ToolCatalog.ts"
import { HostEnvironment } from "../../src/runtime/HostEnvironment.ts"
import { hostServices } from "../../src/runtime/HostServices.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { bounded, memory, sqlite, temporaryFolder } from "../support/hosts.ts"

const Work = Engine.make("work", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: () => Effect.succeed(null)
})

const Shout = Tool.make("shout", {
  description: "Shouts",
  args: Schema.String,
  success: Schema.String,
  disposition: "rerunnable",
  run: (text) => Effect.succeed(text.toUpperCase())
})

const environment = { pluginOptions: { a: 1 }, policy: {} }
const [p, child] = [processId("p"), processId("p/child")]
const scope = { sessionId: "s", agentFrameId: "f" }

const scopeOf = (id: typeof p) =>
  Effect.gen(function* () {
    const found = yield* (yield* ProcessStore).find(id)
    if (found._tag !== "Present") return yield* Effect.dieMessage("the process is there")
    const services = {
      environments: yield* Environments,
      host: yield* HostEnvironment,
      tools: yield* Tools,
      hostServices: yield* hostServices
    }
    return Surroundings.make({ row: found.row, lease: undefined as never, services }) // nothing writes here
  })

const registration = {
  ...Registration.make(p, { _tag: "Engine", kind: "work", payload: null }, "rerunnable", Provenance.host),
  identity: { kind: "work", definition: { kind: "work", version: "1" } }
}

describe("what surrounds a body", () => {
  it.live("is the session that originated its process, its environment, and the host's tools", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      yield* sessions.start("s", registration, { ...scope, runLocal: makeRunLocal() }, {})
      const around = yield* scopeOf(p)
      assert.deepStrictEqual(around.sessionScope, scope)
      assert.deepStrictEqual(around.spawnProvenance, {
        originator: { _tag: "Session", scope },
        wakeTarget: scope
      })
      assert.deepStrictEqual(around.causedBy, { _tag: "Process", processId: p })
      assert.deepStrictEqual(around.triggerWakeTarget, scope)
      assert.deepStrictEqual(yield* around.environment, environment)
      const record = yield* (yield* ProcessRegistry).getProcess(p)
      assert.strictEqual(yield* around.capturedEnvRef, record?.envRef)
      assert.deepStrictEqual(
        around.tools.manifests.map(({ name }) => name),
        ["shout"]
      )
    }).pipe(Effect.provide(memory([Work], { tools: [Shout], environment })))
  )

  it.live("is a session of its own for a process of the host, which wakes nobody", () =>
    Effect.gen(function* () {
      yield* (yield* Processes).start(Work, { id: "p", payload: null })
      const around = yield* scopeOf(p)
      assert.deepStrictEqual(around.sessionScope, { sessionId: "process:p" })
      assert.deepStrictEqual(around.spawnProvenance, { originator: { _tag: "Host" } })
      assert.strictEqual(around.triggerWakeTarget, undefined)
    }).pipe(Effect.provide(memory([Work])))
  )
})

/** Starts a child once the gate is open. */
const gated = () =>
  Effect.map(Deferred.make<void>(), (gate) => ({
    gate,
    engine: Engine.make("work", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Null,
      disposition: "rerunnable",
      run: (_, ctx) =>
        Effect.gen(function* () {
          yield* Deferred.await(gate)
          if (ctx.processId === p) yield* ctx.start(Work, { name: "child", payload: null })
          return null
        })
    })
  }))

describe("a child", () => {
  it.live("is originated by whoever originated its parent, and wakes whom that wakes", () =>
    Effect.gen(function* () {
      const { gate, engine } = yield* gated()
      yield* Effect.gen(function* () {
        const sessions = yield* SessionProcesses
        yield* sessions.start("s", registration, { ...scope, runLocal: makeRunLocal() }, {})
        yield* Deferred.succeed(gate, undefined)
        yield* bounded((yield* Processes).handle(engine, "p").await)
        const record = yield* (yield* ProcessRegistry).getProcess(child)
        assert.deepStrictEqual(record?.provenance, {
          originator: { _tag: "Session", scope },
          causedBy: { _tag: "Process", processId: p }
        })
        assert.deepStrictEqual(record?.wakeTarget, scope)
        assert.deepStrictEqual(yield* (yield* HandleGrants).handleGrantsForProcess(child), [])
      }).pipe(Effect.provide(memory([engine])))
    })
  )
})

describe("what a body does in the name of a session", () => {
  it.live("rests on its own lease, and is refused once that is another's", () =>
    Effect.gen(function* () {
      const { gate, engine } = yield* gated()
      const asked = yield* Deferred.make<Surroundings.FencedOrigin>()
      const asking = Engine.make("asking", {
        version: "1",
        payload: Schema.Null,
        success: Schema.Null,
        disposition: "rerunnable",
        run: (_, ctx) =>
          Effect.gen(function* () {
            const { caller } = yield* ctx.surroundings
            yield* Deferred.succeed(asked, yield* caller)
            yield* Deferred.await(gate)
            return null
          })
      })
      yield* Effect.gen(function* () {
        const processes = yield* Processes
        const sessions = yield* SessionProcesses
        const handle = yield* processes.start(asking, { id: "asking", payload: null })
        const caller = yield* bounded(Deferred.await(asked))
        const mine = { ...registration, id: processId("mine") }
        assert.strictEqual((yield* sessions.start(caller.sessionId, mine, caller)).id, "mine")
        yield* Deferred.succeed(gate, undefined)
        yield* bounded(handle.await)
        const late = { ...registration, id: processId("late") }
        const error = yield* Effect.flip(sessions.start(caller.sessionId, late, caller))
        assert.strictEqual(error._tag, "LeaseLost")
        assert.strictEqual(yield* (yield* ProcessRegistry).getProcess(processId("late")), undefined)
        const refused = yield* sessions.cancelHandle({ __handle__: "process", id: "mine" }, caller)
        assert.match(refused._tag === "Failure" ? refused.message : "", /^cancel failed: process lease/)
      }).pipe(Effect.provide(memory([engine, asking])))
    })
  )
})

describe("a host whose effects are to be durable", () => {
  it.live("comes up on a file", () =>
    Effect.gen(function* () {
      const filename = `${yield* temporaryFolder}/host.db`
      yield* Effect.gen(function* () {
        yield* bounded((yield* (yield* Processes).start(Work, { id: "p", payload: null })).await)
      }).pipe(Effect.provide(sqlite(filename, [Work], { effects: "durable" })))
    }).pipe(Effect.scoped)
  )
})
