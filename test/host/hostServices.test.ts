import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { createHost, engine } from "../../src/host/embed/createHost.ts"
import { ProcessEffects } from "../../src/host/ProcessEffects.ts"
import { Processes } from "../../src/host/Processes.ts"
import { SessionProcesses } from "../../src/host/SessionProcesses.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import { emptyRef } from "../../src/model/Environment.ts"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Registration from "../../src/model/Registration.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import { makeRunLocal } from "../../src/runtime/body/Origin.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import type { SessionRunner } from "../../src/runtime/engine/SessionTurn.ts"
import * as SessionTurn from "../../src/runtime/engine/SessionTurn.ts"
import * as Tool from "../../src/runtime/engine/Tool.ts"
import type { ArgumentProjection } from "../../src/runtime/engine/ToolCatalog.ts"
import * as HostServices from "../../src/runtime/HostServices.ts"
import { bounded, memory, quiet, temporaryFolder } from "../support/hosts.ts"

/** Host services that note what they are asked for; a reference to text is kept as `{ ref }`. */
const noting = () => {
  const noted: Array<unknown> = []
  const note = (what: unknown) => Effect.sync(() => void noted.push(what))
  const materialize = (value: unknown): Effect.Effect<unknown> =>
    typeof value === "object" && value !== null && "ref" in value
      ? value.ref === "lost"
        ? Effect.die(new Error("nothing is kept there"))
        : Effect.succeed(`text of ${String(value.ref)}`)
      : Effect.succeed(value)
  const layer = Layer.mergeAll(
    Layer.succeed(HostServices.TriggerStore, {
      durability: "inline",
      register: (trigger) => Effect.as(note(trigger), "kept"),
      record: (occurrence, outcome) => note([occurrence, outcome])
    }),
    Layer.succeed(HostServices.TurnActivitySink, { emit: note }),
    Layer.succeed(HostServices.Attachments, {
      durability: "inline",
      put: () => Effect.succeed("a"),
      get: (ref) => Effect.succeed(ref === "a" ? new Uint8Array([1, 2]) : undefined)
    }),
    Layer.succeed(HostServices.Projections, { materialize }),
    Layer.succeed(HostServices.ProtocolExtension, { dialect: "d" })
  )
  return { noted, layer }
}

const engineOf = (run: (ctx: ExecutionContext) => Effect.Effect<unknown>) =>
  Engine.make("work", {
    version: "1",
    payload: Schema.Null,
    success: Schema.Unknown,
    disposition: "rerunnable",
    run: (_, ctx) => run(ctx)
  })

const scope = { sessionId: "s", agentFrameId: "f" }
const p = processId("p")

const registration = (version = "1") => ({
  ...Registration.make(p, { _tag: "Engine", kind: "work", payload: null }, "rerunnable", Provenance.host),
  identity: { kind: "work", definition: { kind: "work", version } }
})

describe("the services of a host", () => {
  it.live("are reached by a body, in the name of its process", () => {
    const { noted, layer } = noting()
    const asking = engineOf((ctx) =>
      Effect.gen(function* () {
        const around = yield* ctx.surroundings
        const { attachments, projections, protocol } = around.hostServices
        yield* around.report("thinking", { about: "it" })
        return [
          yield* Effect.orDie(around.registerTrigger({ id: "t", definition: { every: "day" } })),
          [...((yield* Effect.orDie(attachments.get("a"))) ?? [])],
          yield* projections.materialize({ ref: "r" }),
          protocol,
          around.turn
        ]
      })
    )
    return Effect.gen(function* () {
      yield* (yield* SessionProcesses).start("s", registration(), { ...scope, runLocal: makeRunLocal() })
      assert.deepStrictEqual(yield* bounded((yield* Processes).handle(asking, "p").await), [
        "kept",
        [1, 2],
        "text of r",
        { dialect: "d" },
        {}
      ])
      assert.deepStrictEqual(noted, [
        { sessionId: "s", kind: "thinking", detail: { about: "it" } },
        { id: "t", definition: { every: "day" }, originator: { _tag: "Session", scope }, wakeTarget: scope }
      ])
    }).pipe(Effect.provide(memory([asking], { hostServices: layer })))
  })

  it.live("keep nothing and change nothing where the host supplies none", () => {
    const asking = engineOf((ctx) =>
      Effect.gen(function* () {
        const { registerTrigger, hostServices, report } = yield* ctx.surroundings
        yield* report("thinking", null)
        return [
          yield* Effect.orDie(registerTrigger({ id: "t", definition: null })),
          (yield* Effect.orDie(hostServices.attachments.get("a"))) === undefined,
          yield* hostServices.projections.materialize({ ref: "r" })
        ]
      })
    )
    return Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(asking, { id: "p", payload: null })
      assert.deepStrictEqual(yield* bounded(handle.await), ["refused", true, { ref: "r" }])
    }).pipe(Effect.provide(memory([asking])))
  })

  it.live("are not asked to register what is no trigger", () => {
    const { noted, layer } = noting()
    const asking = engineOf((ctx) =>
      Effect.gen(function* () {
        const { registerTrigger } = yield* ctx.surroundings
        const wrong = [undefined, "t", { definition: null }, { id: 1, definition: null }]
        return yield* Effect.forEach(wrong, (trigger) =>
          Effect.merge(Effect.mapError(registerTrigger(trigger as never), ({ message }) => message))
        )
      })
    )
    return Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(asking, { id: "p", payload: null })
      const id = "id of the trigger of `registerTrigger`"
      assert.deepStrictEqual(yield* bounded(handle.await), [
        "trigger of `registerTrigger` is undefined; it must be a record",
        'trigger of `registerTrigger` is "t"; it must be a record',
        `${id} is undefined; it must be text`,
        `${id} is 1; it must be text`
      ])
      assert.deepStrictEqual(noted, [])
    }).pipe(Effect.provide(memory([asking], { hostServices: layer })))
  })

  it.live("that keep something must be durable where effects are", () =>
    Effect.gen(function* () {
      const filename = `${yield* temporaryFolder}/host.db`
      const host = SingleHost.layerSqlite({
        filename,
        engines: [],
        effects: "durable",
        hostServices: Layer.succeed(HostServices.TriggerStore, {
          durability: "inline",
          register: () => Effect.succeed("kept"),
          record: () => Effect.void
        })
      })
      const error = yield* Effect.flip(Layer.build(Layer.provide(host, quiet)))
      assert.match(error.message, /the trigger store is not/)
    }).pipe(Effect.scoped)
  )
})

describe("the services of a host of Promises", () => {
  it("are reached by a body of Promises", async () => {
    const { noted, layer } = noting()
    const asking = engine("asking", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Unknown,
      disposition: "rerunnable",
      run: async (_, ctx) => {
        const around = await ctx.surroundings()
        await around.report("thinking", null)
        return [
          around.sessionScope,
          around.turn,
          await around.environment(),
          await around.registerTrigger({ id: "t", definition: null }),
          [...((await around.attachment("a")) ?? [])],
          await around.materialize({ ref: "r" }),
          around.protocol
        ]
      }
    })
    const host = await createHost({ memory: true, engines: [asking], hostServices: layer, log: false })
    try {
      const handle = await host.start(asking, { id: "p", payload: null })
      const environment = { pluginOptions: {}, policy: {} }
      const dialect = { dialect: "d" }
      assert.deepStrictEqual(await handle.result(), [
        { sessionId: "process:p" },
        {},
        environment,
        "kept",
        [1, 2],
        "text of r",
        dialect
      ])
      assert.deepStrictEqual(noted, [
        { sessionId: "process:p", kind: "thinking", detail: null },
        { id: "t", definition: null, originator: { _tag: "Host" } }
      ])
    } finally {
      await host.stop()
    }
  })
})

const echo = (projection: ArgumentProjection) =>
  Tool.make(projection, {
    description: "Echoes",
    args: Schema.Unknown,
    success: Schema.Unknown,
    disposition: "rerunnable",
    projection,
    run: (args) => Effect.succeed(args)
  })

describe("what stands for something kept elsewhere, among the arguments of a tool,", () => {
  const [Materialising, Keeping] = [echo("materialize_projected"), echo("keep_references")]
  const host = () => memory([], { tools: [Materialising, Keeping], hostServices: noting().layer })

  it.live("is materialised for it, unless it keeps references", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const args = { ref: "r" }
      const one = yield* processes.start(Materialising, { id: "one", payload: args })
      const two = yield* processes.start(Keeping, { id: "two", payload: args })
      assert.deepStrictEqual([yield* bounded(one.await), yield* bounded(two.await)], ["text of r", args])
      assert.deepStrictEqual((yield* one.status).input, {
        _tag: "ToolCall",
        call: { callId: "one", toolId: "materialize_projected", toolName: "materialize_projected", args }
      })
    }).pipe(Effect.provide(host()))
  )

  it.live("and cannot be had, is named: the call is not begun", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const error = yield* Effect.flip(processes.start(Materialising, { id: "one", payload: { ref: "lost" } }))
      assert.match(
        error.message,
        /args of tool `materialize_projected` could not be materialised: nothing is kept there/
      )
    }).pipe(Effect.provide(host()))
  )
})

describe("the occurrence of a trigger", () => {
  it.live("is recorded with what it started, or why it started nothing; nothing else is", () => {
    const { noted, layer } = noting()
    const idle = engineOf(() => Effect.succeed(null))
    const caller = (occurrenceId: string) => ({
      ...scope,
      runLocal: makeRunLocal(),
      parent: { scope: { sessionId: "s" }, subject: { _tag: "TriggerOccurrence", occurrenceId } as const }
    })
    return Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      yield* sessions.start("s", registration(), caller("one"))
      yield* Effect.flip(sessions.start("s", registration("2"), caller("two")))
      yield* sessions.start("s", { ...registration(), id: processId("q") }, { ...scope, runLocal: makeRunLocal() })
      yield* (yield* ProcessEffects).perform({
        _tag: "Start",
        registration: { ...registration(), id: processId("r"), envRef: emptyRef },
        executionContext: { causalInvocation: caller("three").parent }
      })
      assert.deepStrictEqual(noted, [
        ["one", { _tag: "Started", processId: p }],
        ["two", { _tag: "Ignored", reason: "process engine `work` version 2 is not configured on this host" }],
        ["three", { _tag: "Started", processId: "r" }]
      ])
    }).pipe(Effect.provide(memory([idle], { hostServices: layer })))
  })
})

describe("a turn of a child session", () => {
  it.live("knows which turn it is, and its activity is told", () => {
    const { noted, layer } = noting()
    const sessions: SessionRunner<never> = {
      create: () => Effect.succeed("child"),
      openTurn: () => Effect.void,
      runTurn: (_, ctx) =>
        Effect.gen(function* () {
          const { turn } = yield* ctx.surroundings
          return [turn, yield* HostServices.TurnContext].map(({ turnId, causedBy }) => ({ turnId, causedBy }))
        }),
      close: () => Effect.void
    }
    return Effect.gen(function* () {
      const payload = { createRequest: null, turnInput: null, outputContract: null }
      const handle = yield* (yield* Processes).start(SessionTurn.make({ disposition: "rerunnable" }), {
        id: "p",
        payload
      })
      const turn = { turnId: "p", causedBy: { _tag: "Process", processId: "p" } }
      assert.deepStrictEqual((yield* bounded(handle.await)).turn, [turn, turn])
      assert.deepStrictEqual(noted, [
        { sessionId: "child", turnId: "p", kind: "turn_started", detail: { process_id: "p" } },
        { sessionId: "child", turnId: "p", kind: "turn_ended", detail: { process_id: "p", ended: "Success" } }
      ])
    }).pipe(Effect.provide(memory([], { sessions, hostServices: layer })))
  })

  it.live("comes to what it comes to, also where the sink of its activity breaks", () => {
    const broken = Layer.succeed(HostServices.TurnActivitySink, { emit: () => Effect.die("the sink is broken") })
    const sessions: SessionRunner<never> = {
      create: () => Effect.succeed("child"),
      openTurn: () => Effect.void,
      runTurn: () => Effect.succeed("said"),
      close: () => Effect.void
    }
    return Effect.gen(function* () {
      const payload = { createRequest: null, turnInput: null, outputContract: null }
      const handle = yield* (yield* Processes).start(SessionTurn.make({ disposition: "rerunnable" }), {
        id: "p",
        payload
      })
      assert.strictEqual((yield* bounded(handle.await)).turn, "said")
    }).pipe(Effect.provide(memory([], { sessions, hostServices: broken })))
  })
})

describe("a host that judges cancels", () => {
  const judging = (judge: HostServices.CancelAbilityService["judge"]) =>
    memory([engineOf(() => Effect.never)], { hostServices: Layer.succeed(HostServices.CancelAbility, { judge }) })
  const handle = { __handle__: "process", id: "p" }
  const starting = (runLocal = makeRunLocal()) =>
    Effect.flatMap(SessionProcesses, (sessions) =>
      Effect.as(sessions.start("s", registration(), { ...scope, runLocal }, { kind: "work" }), sessions)
    )
  const isAsked = Effect.flatMap(ProcessRegistry, (registry) =>
    Effect.map(registry.eventsAfter(p, 0), (events) =>
      events.some(({ eventType }) => eventType === "process.cancel_requested")
    )
  )

  it.live("hears who asks for what, and its refusal is the answer; nothing is stored", () => {
    const heard: Array<HostServices.CancelRequest> = []
    return Effect.gen(function* () {
      const sessions = yield* starting()
      const answer = yield* sessions.cancelHandle(handle, { ...scope, runLocal: makeRunLocal() })
      assert.deepInclude(answer, {
        _tag: "Failure",
        message: "cancel failed: this host does not cancel `p`: it is late"
      })
      assert.deepStrictEqual(heard, [{ processId: p, scope, source: "process", reason: "requested by process handle" }])
      const all = yield* Effect.flip(sessions.cancelAllVisible(scope))
      assert.strictEqual(all._tag, "CancelRefused")
      assert.isFalse(yield* isAsked)
    }).pipe(
      Effect.provide(
        judging((request) => {
          heard.push(request)
          return Effect.succeed({ _tag: "Refused", problem: "it is late" })
        })
      )
    )
  })

  it.live("refuses where it breaks, and is not asked about what the caller itself has started", () =>
    Effect.gen(function* () {
      const own = makeRunLocal()
      const sessions = yield* starting(own)
      const broken = yield* sessions.cancelHandle(handle, { ...scope, runLocal: makeRunLocal() })
      assert.strictEqual(broken._tag, "Failure")
      assert.isFalse(yield* isAsked)
      const answer = yield* sessions.cancelHandle(handle, { ...scope, runLocal: own })
      assert.strictEqual(answer._tag, "Success")
      assert.isTrue(yield* isAsked)
    }).pipe(Effect.provide(judging(() => Effect.die("broken"))))
  )
})
