import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type { Caller } from "../../src/host/SessionProcesses.ts"
import { SessionProcesses } from "../../src/host/SessionProcesses.ts"
import * as Output from "../../src/model/AwaitOutput.ts"
import * as EventType from "../../src/model/EventType.ts"
import { InputInvalid } from "../../src/model/errors.ts"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Registration from "../../src/model/Registration.ts"
import type { StartRequest } from "../../src/model/StartRequest.ts"
import { external, registrationOf } from "../../src/model/StartRequest.ts"
import { Environments } from "../../src/operations/Environments.ts"
import { HandleGrants } from "../../src/operations/HandleGrants.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { makeRunLocal } from "../../src/runtime/body/Origin.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import * as Tool from "../../src/runtime/engine/Tool.ts"
import { bounded, memory } from "../support/hosts.ts"

const Add = Engine.make("add", {
  version: "1",
  payload: Schema.Number,
  success: Schema.Number,
  disposition: "rerunnable",
  validateStart: (n) =>
    n < 0 ? Effect.fail(new InputInvalid({ field: "payload", problem: "is negative" })) : Effect.void,
  identity: (n) => ({ label: `add ${n}` }),
  run: (n) => Effect.succeed(n + 1)
})

const Endless = Engine.make("endless", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: () => Effect.never
})

const twice = (version: string) =>
  Engine.make("twice", {
    version,
    payload: Schema.Number,
    success: Schema.Null,
    disposition: "rerunnable",
    run: () => Effect.never
  })

const Shout = Tool.make("shout", {
  description: "Shouts",
  args: Schema.String,
  success: Schema.String,
  disposition: "rerunnable",
  run: (text) => Effect.succeed(text.toUpperCase())
})

const Noted = Signal.event("noted", { payload: Schema.Struct({ text: Schema.String }) })

const Notes = Tool.make("notes", {
  description: "Notes what it is given",
  args: Schema.String,
  success: Schema.String,
  events: [Noted],
  disposition: "rerunnable",
  run: (text, ctx) => Effect.as(ctx.appendEvent(Noted, { text }), "done")
})

const host = memory([Add, Endless], { tools: [Shout] })

const [p, x] = [processId("p"), processId("x")]
const scope = { sessionId: "s", agentFrameId: "f" } as const
const caller = (changes: Partial<Caller> = {}): Caller => ({ ...scope, runLocal: makeRunLocal(), ...changes })
const handle = { __handle__: "process", id: "p" }

const engineOf = (kind: string, payload: unknown, id = p): Registration.Registration => ({
  ...Registration.make(id, { _tag: "Engine", kind, payload }, "rerunnable", Provenance.host),
  identity: { kind, definition: { kind, version: "1" } },
  eventTypes: [EventType.plain("signal.ready")]
})

const outside: StartRequest = external(x, { _tag: "Host" }, { label: "outside" })

describe("a start in a session's name", () => {
  it.live("belongs to the caller's frame, which is woken by it and may address it", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      const forged = { ...engineOf("add", 1), wakeTarget: { sessionId: "other" } }
      const parent = {
        scope: { sessionId: "s", turnId: "t" },
        subject: { _tag: "Effect", effectId: "e", kind: "tool" }
      } as const
      yield* sessions.start("s", forged, caller({ parent }), { kind: "add", label: "mine" })
      const record = yield* (yield* ProcessRegistry).getProcess(p)
      assert.deepStrictEqual(record?.provenance, {
        originator: { _tag: "Session", scope },
        causedBy: { _tag: "Effect", sessionId: "s", turnId: "t", effectId: "e" }
      })
      assert.deepStrictEqual(record?.wakeTarget, scope)
      assert.deepStrictEqual(record?.identity, {
        kind: "add",
        label: "add 1",
        definition: { kind: "add", version: "1" }
      })
      const [entry] = (yield* (yield* HandleGrants).listHandleGrants(scope)).entries
      assert.deepStrictEqual(entry?.grant.descriptor, { kind: "add", label: "mine" })
      assert.deepStrictEqual(yield* bounded(sessions.awaitHandle(handle, caller())), { _tag: "Success", value: 2 })
    }).pipe(Effect.provide(host))
  )

  it.live("within a process goes on in the name of whoever originated that, and wakes whom that wakes, or nobody", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      const spawn = { originator: { _tag: "Host" } } as const
      const within = caller({ spawn })
      const forged: Registration.Registration = {
        ...engineOf("add", 1),
        provenance: { originator: { _tag: "Host" }, causedBy: { _tag: "Process", processId: x } },
        wakeTarget: { sessionId: "other" }
      }
      yield* sessions.start("s", forged, within, { kind: "add" })
      const record = yield* (yield* ProcessRegistry).getProcess(p)
      assert.deepStrictEqual(record?.provenance, { originator: { _tag: "Host" } })
      assert.strictEqual(record?.wakeTarget, undefined)
      assert.deepStrictEqual(yield* (yield* HandleGrants).handleGrantsForProcess(p), [])
      assert.isTrue(within.runLocal.has(p))
    }).pipe(Effect.provide(host))
  )

  it.live("in the name of a session that is neither the caller's nor managed by it is refused", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      const one = caller()
      const error = yield* Effect.flip(sessions.start("other", engineOf("add", 1), one))
      assert.include(error.message, "unknown session `other`")
      assert.isFalse(one.runLocal.has(p))
      yield* sessions.start("other", engineOf("add", 1), caller({ managed: ["other"] }))
      const record = yield* (yield* ProcessRegistry).getProcess(p)
      assert.deepStrictEqual(record?.wakeTarget, { sessionId: "other", agentFrameId: "f" })
    }).pipe(Effect.provide(host))
  )

  const refusals: ReadonlyArray<readonly [string, Registration.Registration, string]> = [
    ["an engine that is not configured", engineOf("nobody", 1), "process engine `nobody` version 1 is not configured"],
    ["a payload that does not fit", engineOf("add", "one"), "payload of engine `add`"],
    ["a payload that its engine refuses", engineOf("add", -1), "payload is negative"]
  ]
  for (const [name, registration, message] of refusals) {
    it.live(`of ${name} is refused, and nothing is registered`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip((yield* SessionProcesses).start("s", registration, caller()))
        assert.include(error.message, message)
        assert.strictEqual(yield* (yield* ProcessRegistry).getProcess(p), undefined)
      }).pipe(Effect.provide(host))
    )
  }

  it.live("from a request takes its environment and descriptor, and nothing else that is the session's to say", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      const request: StartRequest = {
        ...outside,
        id: p,
        input: { _tag: "ToolCall", call: { callId: "p", toolId: "shout", toolName: "shout", args: "hey" } },
        disposition: "rerunnable",
        envSpec: { pluginOptions: { a: 1 }, policy: {} },
        wakeTarget: { sessionId: "other" },
        grant: { sessionScope: { sessionId: "other" }, descriptor: { label: "shouting" } }
      }
      const record = yield* sessions.startFromRequest("s", request, caller())
      assert.deepStrictEqual(record.provenance.originator, { _tag: "Session", scope })
      const grants = yield* HandleGrants
      assert.deepStrictEqual((yield* grants.listHandleGrants({ sessionId: "other" })).entries, [])
      assert.deepStrictEqual((yield* grants.listHandleGrants(scope)).entries[0]?.grant.descriptor, {
        label: "shouting"
      })
      const ref = record.envRef
      assert.isDefined(ref)
      const spec = ref === undefined ? undefined : yield* (yield* Environments).load(ref)
      assert.deepStrictEqual(spec, { pluginOptions: { a: 1 }, policy: {} })
      assert.deepStrictEqual(yield* bounded(sessions.awaitHandle(handle, caller())), { _tag: "Success", value: "HEY" })
    }).pipe(Effect.provide(host))
  )

  it.live(
    "from a request runs the engine of its kind, under the version that is here; of several, one must be named",
    () =>
      Effect.gen(function* () {
        const sessions = yield* SessionProcesses
        const asked = (kind: string): StartRequest => ({
          id: p,
          input: { _tag: "Engine", kind, payload: 1 },
          disposition: "rerunnable",
          originator: { _tag: "Host" },
          eventTypes: []
        })
        const several = yield* Effect.flip(sessions.startFromRequest("s", asked("twice"), caller()))
        assert.match(several.message, /engine `twice` is here in versions 1, 2: name one/)
        const none = yield* Effect.flip(sessions.startFromRequest("s", asked("never"), caller()))
        assert.strictEqual(none.message, "process engine `never` is not configured on this host")
        const { identity } = yield* sessions.startFromRequest("s", asked("add"), caller())
        assert.deepStrictEqual(identity, { kind: "add", label: "add 1", definition: { kind: "add", version: "1" } })
        assert.deepStrictEqual(yield* bounded(sessions.awaitHandle(handle, caller())), { _tag: "Success", value: 2 })
      }).pipe(Effect.provide(memory([Add, twice("1"), twice("2")])))
  )

  it.live("of a tool call has the call's id, and its descriptor names the tool", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      const call = { callId: "p", toolId: "shout", toolName: "shout", args: "hey" }
      const record = yield* sessions.startToolCall("s", call, caller())
      assert.deepInclude(record, { id: p, disposition: "rerunnable" })
      const [entry] = (yield* (yield* HandleGrants).listHandleGrants(scope)).entries
      assert.deepStrictEqual(entry?.grant.descriptor, { kind: "tool", label: "shout" })
    }).pipe(Effect.provide(host))
  )

  it.live("of a tool call may append what the tool declares", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      const call = { callId: "p", toolId: "notes", toolName: "notes", args: "half" }
      yield* sessions.startToolCall("s", call, caller())
      assert.deepStrictEqual(yield* bounded(sessions.awaitHandle(handle, caller())), { _tag: "Success", value: "done" })
      const events = yield* (yield* ProcessRegistry).eventsAfter(p, 0)
      assert.deepStrictEqual(
        events.filter(({ eventType }) => eventType === Noted.name).map(({ payload }) => payload),
        [{ text: "half" }]
      )
    }).pipe(Effect.provide(memory([], { tools: [Notes] })))
  )

  it.live("by the host itself takes originator, wake target and grant as they are", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      const grant = { sessionScope: { sessionId: "granted" }, descriptor: { kind: "k" } }
      const record = yield* sessions.startVerbatim({ ...outside, wakeTarget: { sessionId: "woken" }, grant })
      assert.deepStrictEqual(record.provenance, { originator: { _tag: "Host" } })
      assert.deepStrictEqual(record.wakeTarget, { sessionId: "woken" })
      assert.isTrue(yield* (yield* HandleGrants).hasHandleGrant({ sessionId: "granted" }, x))
    }).pipe(Effect.provide(host))
  )
})

describe("a handle", () => {
  const refusals: ReadonlyArray<readonly [string, unknown, string]> = [
    ["that is none", { id: "p" }, "is missing `__handle__`"],
    ["of another kind", { __handle__: "session", id: "p" }, "has an invalid kind"],
    ["without an id", { __handle__: "process", id: "" }, "is missing `id`"],
    ["of what the session may not address", handle, "process `p` is not visible in this session"]
  ]
  for (const [name, json, message] of refusals) {
    it.live(`${name} is answered as a failure`, () =>
      Effect.gen(function* () {
        const sessions = yield* SessionProcesses
        yield* sessions.start("s", engineOf("add", 1), caller({ agentFrameId: "another" }), {})
        const [awaited, cancelled] = [
          yield* sessions.awaitHandle(json, caller()),
          yield* sessions.cancelHandle(json, caller())
        ]
        assert.include(awaited._tag === "Failure" ? awaited.message : "", message)
        assert.include(cancelled._tag === "Failure" ? cancelled.message : "", message)
        assert.match(cancelled._tag === "Failure" ? cancelled.message : "", /^cancel failed: /)
      }).pipe(Effect.provide(host))
    )
  }

  it.live("of what this run has started needs no grant to be awaited or stopped", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      const mine = caller()
      yield* sessions.start("s", engineOf("endless", null), mine)
      assert.deepStrictEqual(yield* sessions.cancelHandle(handle, mine), {
        _tag: "Success",
        value: { process_id: "p", status: "running" }
      })
      assert.deepStrictEqual(yield* bounded(sessions.awaitHandle(handle, mine)), {
        _tag: "Cancelled",
        message: "requested by process handle",
        source: "runtime"
      })
    }).pipe(Effect.provide(host))
  )

  it.live("that is awaited by a run which is asked to stop stops its process, and its end is still waited for", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      const stop = yield* Deferred.make<string | null>()
      const mine = caller({ stopping: Deferred.await(stop) })
      yield* sessions.start("s", engineOf("endless", null), mine, {})
      const waiting = yield* Effect.fork(sessions.awaitHandle(handle, mine))
      yield* Deferred.succeed(stop, "enough")
      const output = yield* bounded(Fiber.join(waiting))
      assert.deepInclude(output, { _tag: "Cancelled", message: "requested by process handle" })
      const record = yield* (yield* ProcessRegistry).getProcess(p)
      assert.strictEqual(record?.status._tag, "Cancelled")
    }).pipe(Effect.provide(host))
  )

  it.live("of external work does not keep a stopping run waiting for the outside system's word", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      const mine = caller({ stopping: Effect.succeed("enough") })
      yield* sessions.startFromRequest("s", outside, mine)
      const output = yield* bounded(sessions.awaitHandle({ __handle__: "process", id: "x" }, mine))
      assert.deepStrictEqual(output, { _tag: "Cancelled", message: "enough", source: "runtime" })
    }).pipe(Effect.provide(host))
  )

  it.live("signals its process once for each call, and only while that runs and the session may address it", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      const mine = caller()
      yield* sessions.start("s", engineOf("endless", null), mine)
      const ready = { name: "ready", payload: { n: 1 }, callId: "c1" }
      const ungranted = yield* sessions.signalHandle(handle, ready, mine)
      assert.strictEqual(
        ungranted._tag === "Failure" ? ungranted.message : "",
        "signal failed: process `p` is not live or visible in this session"
      )
      yield* (yield* HandleGrants).grantHandle(scope, p, {})
      const first = yield* sessions.signalHandle(handle, ready, mine)
      assert.deepStrictEqual(yield* sessions.signalHandle(handle, ready, mine), first)
      const events = yield* (yield* ProcessRegistry).eventsAfter(p, 0)
      const signals = events.filter(({ eventType }) => eventType === "signal.ready")
      assert.deepStrictEqual(
        signals.map(({ replayKey }) => replayKey),
        ["process:p:signal.ready:process-c1"]
      )
      assert.deepStrictEqual(first, { _tag: "Success", value: { process_id: "p", sequence: signals[0]?.sequence } })
      yield* sessions.cancelHandle(handle, mine)
      yield* bounded(sessions.awaitHandle(handle, mine))
      const late = yield* sessions.signalHandle(handle, { ...ready, callId: "c2" }, mine)
      assert.include(late._tag === "Failure" ? late.message : "", "is not live or visible in this session")
      assert.deepStrictEqual(yield* sessions.signalHandle(handle, ready, mine), first, "sent before the end")
    }).pipe(Effect.provide(host))
  )
})

describe("what a session may address", () => {
  it.live("is checked for each id; none is fine, and what has ended counts", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      yield* sessions.validateVisible(scope, [])
      yield* sessions.start("s", engineOf("add", 1), caller(), {})
      yield* bounded(sessions.awaitHandle(handle, caller()))
      yield* sessions.validateVisible(scope, [p])
      const error = yield* Effect.flip(sessions.validateVisible(scope, [p, x]))
      assert.strictEqual(error.message, "process `x` is not visible in this session")
    }).pipe(Effect.provide(host))
  )

  it.live("is asked to stop in the order of the list, without what has ended", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      for (const id of ["b", "a"]) yield* sessions.start("s", engineOf("endless", null, processId(id)), caller(), {})
      yield* sessions.start("s", engineOf("add", 1), caller(), {})
      yield* bounded(sessions.awaitHandle(handle, caller()))
      assert.deepStrictEqual(yield* sessions.cancelAllVisible(scope), [
        { processId: processId("a"), status: "running" },
        { processId: processId("b"), status: "running" }
      ])
    }).pipe(Effect.provide(host))
  )

  it.live("begins nothing that could not be granted, or that has an unknown field", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      const start = (more: object, descriptor: object) =>
        Effect.flip(
          sessions.start(
            "s",
            { ...engineOf("endless", null), ...more },
            caller(),
            descriptor as { readonly label?: string }
          )
        )
      assert.include((yield* start({}, { lable: "x" })).message, "descriptor/lable")
      assert.include((yield* start({ wakeTargt: { sessionId: "s" } }, {})).message, "wakeTargt")
      assert.isUndefined(yield* (yield* ProcessRegistry).getProcess(p))
    }).pipe(Effect.provide(host))
  )

  it.live("is asked to stop, or given back, however many there are", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      const registry = yield* ProcessRegistry
      const grants = yield* HandleGrants
      const ids = Array.from({ length: 201 }, (_, index) => processId(`many-${index}`))
      for (const id of ids) {
        yield* registry.registerProcess(registrationOf(external(id, { _tag: "Host" }, null)))
        yield* grants.grantHandle(scope, id, {})
      }
      assert.lengthOf(yield* sessions.cancelAllVisible(scope), 201)
      for (const id of ids) {
        const [last] = yield* registry.recentEvents(id, 1)
        assert.strictEqual(last?.eventType, "process.cancel_requested")
      }
      assert.lengthOf(yield* sessions.cancelUnreferenced(scope, []), 201)
      assert.deepStrictEqual(yield* grants.listHandleGrants(scope), { entries: [] })
    }).pipe(Effect.provide(host))
  )

  it.live("is given back but for what is kept; only what runs and nobody else may address is stopped", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      const grants = yield* HandleGrants
      for (const id of ["kept", "lone", "shared"]) {
        yield* sessions.start("s", engineOf("endless", null, processId(id)), caller(), {})
      }
      yield* sessions.start("s", engineOf("add", 1), caller(), {})
      yield* bounded(sessions.awaitHandle(handle, caller()))
      yield* grants.grantHandle({ sessionId: "other" }, processId("shared"), {})
      const cancelled = yield* sessions.cancelUnreferenced(scope, [processId("kept")])
      assert.deepStrictEqual(
        cancelled.map(({ id }) => id),
        ["lone"]
      )
      const { entries: left } = yield* grants.listHandleGrants(scope)
      assert.deepStrictEqual(
        left.map(({ grant }) => grant.processId),
        ["kept"]
      )
    }).pipe(Effect.provide(host))
  )

  it.live("and is external can be ended in the session's name; nothing else can", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionProcesses
      yield* sessions.startFromRequest("s", outside, caller())
      const blind = yield* Effect.flip(sessions.completeExternal({ sessionId: "other" }, x, Output.success(1)))
      assert.strictEqual(blind.message, "process `x` is not visible in this session")
      yield* sessions.start("s", engineOf("endless", null), caller(), {})
      const own = yield* Effect.flip(sessions.completeExternal(scope, p, Output.success(1)))
      assert.include(own.message, "not externally-owned")
      const record = yield* sessions.completeExternal(scope, x, Output.success(1))
      assert.deepStrictEqual(record.status, { _tag: "Completed", output: Output.success(1) })
    }).pipe(Effect.provide(host))
  )
})
