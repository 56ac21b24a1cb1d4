import { assert, describe, it } from "@effect/vitest"
import type { EnvironmentRef } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import * as Registration from "../../src/model/Registration.ts"
import type { Origin } from "../../src/runtime/body/Origin.ts"
import * as Scopes from "../../src/runtime/body/Origin.ts"
import { notDurable } from "../../src/runtime/HostServices.ts"

const runLocal = Scopes.makeRunLocal()
const session: Origin = { sessionId: "s", agentFrameId: "f", runLocal }
const p = processId("p")
const envRef = "process-env:sha256:00" as EnvironmentRef // any text will do: it is not loaded

const registration = (originator: Registration.Registration["provenance"]["originator"]) => ({
  ...Registration.make(p, { _tag: "Engine", kind: "k", payload: null }, "rerunnable", { originator }),
  envRef
})

describe("a session's scope", () => {
  it("is its frame, unless that is empty or absent", () => {
    assert.deepStrictEqual(Scopes.sessionScopeOf(session), { sessionId: "s", agentFrameId: "f" })
    assert.deepStrictEqual(Scopes.sessionScopeOf({ ...session, agentFrameId: "" }), { sessionId: "s" })
    assert.deepStrictEqual(Scopes.sessionScopeOf({ sessionId: "s", runLocal }), { sessionId: "s" })
  })

  it("originates what is started and registered in it, and is woken by that", () => {
    const scope = { sessionId: "s", agentFrameId: "f" }
    assert.deepStrictEqual(Scopes.spawnProvenanceOf(session), {
      originator: { _tag: "Session", scope },
      wakeTarget: scope
    })
    assert.deepStrictEqual(Scopes.triggerOriginator(session), { _tag: "Session", scope })
    assert.deepStrictEqual(Scopes.triggerWakeTarget(session), scope)
    assert.strictEqual(Scopes.causedBy(session), undefined)
  })
})

describe("a process's scope", () => {
  const woken = { sessionId: "woken" }

  it("passes on who originated the process, whom it wakes, and its environment", () => {
    const originator = { _tag: "Session", scope: { sessionId: "origin" } } as const
    const scope = Scopes.ofProcess(registration(originator), woken, "run")
    assert.deepStrictEqual(Scopes.spawnProvenanceOf(scope), { originator, wakeTarget: woken })
    assert.deepStrictEqual(Scopes.triggerOriginator(scope), originator)
    assert.deepStrictEqual(Scopes.triggerWakeTarget(scope), woken)
    assert.deepStrictEqual(Scopes.causedBy(scope), { _tag: "Process", processId: p })
    assert.strictEqual(scope.envRef, envRef)
  })

  it("of a process that wakes nobody wakes nobody, and not the session of its run", () => {
    const scope = Scopes.ofProcess(registration({ _tag: "Host" }), undefined, "run")
    assert.deepStrictEqual(Scopes.spawnProvenanceOf(scope), { originator: { _tag: "Host" } })
    assert.strictEqual(Scopes.triggerWakeTarget(scope), undefined)
  })

  it("shares what it has started with its clones", () => {
    const scope = Scopes.ofProcess(registration({ _tag: "Host" }), undefined, "run")
    const clone = { ...scope, agentFrameId: "f" }
    clone.runLocal.add(p)
    assert.isTrue(scope.runLocal.has(p))
    assert.isFalse(scope.runLocal.has(processId("other")))
  })
})

describe("durable effects", () => {
  const durable = {
    attachments: "durable",
    processEnvStore: "durable",
    sessionStoreFactory: "durable",
    processRegistry: "durable",
    triggerStore: "durable"
  } as const
  const inline = {
    attachments: "inline",
    processEnvStore: "inline",
    sessionStoreFactory: "inline",
    processRegistry: "inline",
    triggerStore: "inline"
  } as const

  it("ask of every facet that it be durable, and name the first that is not", () => {
    const { attachments: _a, ...noAttachments } = inline
    const names = [
      notDurable("durable", inline),
      notDurable("durable", noAttachments),
      notDurable("durable", { ...inline, attachments: "durable", processEnvStore: "durable" }),
      notDurable("durable", { ...durable, processRegistry: "inline", triggerStore: "inline" }),
      notDurable("durable", { ...durable, triggerStore: "inline" })
    ]
    assert.deepStrictEqual(names, [
      "attachments",
      "process env store",
      "session store factory",
      "process registry",
      "trigger store"
    ])
    assert.strictEqual(notDurable("durable", durable), undefined)
  })

  it("ask nothing where effects are inline", () => {
    assert.strictEqual(notDurable("inline", inline), undefined)
  })
})
