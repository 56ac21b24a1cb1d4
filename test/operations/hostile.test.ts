import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { processId } from "../../src/model/ids.ts"
import { external, host } from "../../src/operations/decisions/authority.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { longMs, outputs, registrationOf } from "../../src/testing/fixtures.ts"
import type { Operation } from "./hostile.ts"
import {
  backends,
  notAuthorities,
  notCounts,
  notDurations,
  notFilters,
  notJson,
  notOwners,
  notRecords,
  notScopes,
  on,
  onIds,
  onPages,
  owner,
  p,
  q,
  refusesAll,
  scope,
  worldOn,
  wrong
} from "./hostile.ts"

const good = registrationOf(processId("new"), "rerunnable")
const wait = {
  kind: { _tag: "Signal", name: "ready", eventType: "signal.ready", key: "process:p:signal.ready:1", ordinal: 1 },
  sinceMs: 5
}

const operations: ReadonlyArray<Operation> = [
  onIds("appendEvent", ({ registry }, id) => registry.appendEvent(id, { eventType: "note", payload: 1 }, external)),
  onIds("recordFirstStarted", ({ registry }, id) => registry.recordFirstStarted(id, { owner, startedAtMs: 1 })),
  onIds("completeProcess", ({ registry }, id) =>
    registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
  ),
  onIds("requestProcessCancel", ({ registry }, id) => registry.requestProcessCancel(id, "r", host)),
  onIds("requestProcessAbandon", ({ registry }, id) =>
    registry.requestProcessAbandon(id, { requestedBy: "o", requestedAtMs: 1 }, host)
  ),
  onIds("setExternalRef", ({ registry }, id) => registry.setExternalRef(id, { backend: "b", id: "1" }, external)),
  onIds("ackWake", ({ registry }, id) => registry.ackWake(id, 1)),
  onIds("eventsAfter", ({ registry }, id) => registry.eventsAfter(id, 0)),
  onIds("countEventsThrough", ({ registry }, id) => registry.countEventsThrough(id, "note", 1)),
  onIds("recentEvents", ({ registry }, id) => registry.recentEvents(id, 1)),
  onIds("wakeEventsAfter", ({ registry }, id) => registry.wakeEventsAfter(id, 0)),
  onIds("getProcess", ({ registry }, id) => registry.getProcess(id), true),
  onIds("grantHandle", ({ grants }, id) => grants.grantHandle(scope, id, {})),
  onIds("revokeHandle", ({ grants }, id) => grants.revokeHandle(scope, id), true),
  onIds("transferHandleGrants", ({ grants }, id) => grants.transferHandleGrants(scope, { sessionId: "t" }, [id])),
  onIds("hasHandleGrant", ({ grants }, id) => grants.hasHandleGrant(scope, id), true),
  onIds("handleGrantsForProcess", ({ grants }, id) => grants.handleGrantsForProcess(id)),
  onIds("setProcessWait", ({ waits }, id) => waits.setProcessWait(id, wrong(wait), host)),
  onIds("clearProcessWait", ({ waits }, id) => waits.clearProcessWait(id, host)),
  onIds("claimProcessLease", ({ leases }, id) => leases.claimProcessLease(id, owner, longMs)),
  onIds("reclaimProcessLease", ({ leases, lease }, id) => leases.reclaimProcessLease(id, owner, lease, longMs)),
  onIds("getProcessLease", ({ leases }, id) => leases.getProcessLease(id), true),
  onIds(
    "completeProcessLease",
    ({ leases }, id) => leases.completeProcessLease({ processId: id, leaseToken: "t" }),
    true
  ),

  onIds("signal", ({ registry }, id) => registry.signal(id, { name: "n", payload: 1, signalId: "1" }, external)),
  on(
    "signal: a request that is",
    /request|name/,
    { ...notRecords, "a misspelt id": { name: "n", payload: 1, signalId: "1", signalid: "2" } },
    ({ registry }, value) => registry.signal(p, value, external)
  ),
  onIds("cancelRunning", ({ registry }, id) => registry.cancelRunning(id, "r", host)),

  on("registerProcess: a registration that is", /registration|id/, notRecords, ({ registry }, value) =>
    registry.registerProcess(value)
  ),
  on(
    "registerProcess: a field that is",
    /at \S+/,
    {
      "an id that is blank": { id: " " },
      "an id that is a number": { id: 5 },
      "an unknown input": { input: { _tag: "Nothing" } },
      "an unknown disposition": { disposition: "sometimes" },
      "an identity of nothing": { identity: {} },
      "a provenance of nothing": { provenance: {} },
      "no list of event types": { eventTypes: null },
      "an event type of nothing": { eventTypes: [{}] },
      "an event type named by a number": { eventTypes: [{ name: 5, payloadSchema: { schema: {} }, semantics: {} }] },
      "an event type without semantics": { eventTypes: [{ name: "t", payloadSchema: { schema: {} } }] },
      "a wake target that is a number": { wakeTarget: 5 },
      "half an attempt": { maxAttempts: 0.5 },
      "a close policy that is none": { parent: { processId: "p", closePolicy: "sell" } },
      "a field that is misspelt": { wakeTargt: { sessionId: "s" } },
      "an input's field that is misspelt": { input: { _tag: "External", metadat: 1 } },
      "a payload that is too much": { input: { _tag: "Engine", kind: "k", payload: notJson["too much"] } },
      "a payload with a cycle": { input: { _tag: "Engine", kind: "k", payload: notJson["a cycle"] } },
      "a payload with a lone surrogate": { input: { _tag: "Engine", kind: "k", payload: "\ud800" } }
    },
    ({ registry }, value) => registry.registerProcess({ ...good, ...(value as object) })
  ),
  on(
    "appendEvent: a request that is",
    /request|event|payload/,
    {
      ...notRecords,
      "a numbered type": { eventType: 5, payload: 1 },
      "a numbered replay key": { eventType: "note", payload: 1, replayKey: 5 },
      "a misspelt replay key": { eventType: "note", payload: 1, replaykey: "k" },
      "a target that is a text": { eventType: "progress", payload: { urgent: 1, text: "t" }, wakeTargetScope: "s" },
      "a target of nothing": { eventType: "progress", payload: { urgent: 1, text: "t" }, wakeTargetScope: {} }
    },
    ({ registry }, value) => registry.appendEvent(p, value, external)
  ),
  on("appendEvent: a payload that is", /payload/, notJson, ({ registry }, payload) =>
    registry.appendEvent(p, { eventType: "note", payload }, external)
  ),
  on("appendEvent: an authority that is", /authority|lease/, notAuthorities, ({ registry }, value) =>
    registry.appendEvent(p, { eventType: "note", payload: 1 }, value)
  ),
  on(
    "recordFirstStarted: a start that is",
    /started/,
    {
      ...notRecords,
      ...notJson,
      "an owner that is a text": { owner: "w", startedAtMs: 1 },
      "an unknown field": { owner, startedAtMs: 1, atMs: 1 },
      "a time that is a text": { owner, startedAtMs: "x" }
    },
    ({ registry }, value) => registry.recordFirstStarted(p, value)
  ),
  on(
    "completeProcess: an output that is",
    /output/,
    {
      ...notRecords,
      ...notJson,
      "of an unknown kind": { _tag: "Maybe" },
      "a success without value": { _tag: "Success" }
    },
    ({ registry }, value) => registry.completeProcess(q, value, { _tag: "ExternalOwner" })
  ),
  on(
    "completeProcess: an authority that is",
    /authority|complete/,
    { ...notRecords, unknown: { _tag: "Nobody" } },
    ({ registry }, value) => registry.completeProcess(q, outputs.Success, value)
  ),
  on("completeProcess: a workflow key that is", /key/i, { missing: undefined, "a number": 5 }, ({ registry }, value) =>
    registry.completeProcess(p, outputs.Success, { _tag: "WorkflowKey", workflowKey: value })
  ),
  on("completeProcessWithLease: a lease that is", /lease/, notRecords, ({ registry }, value) =>
    registry.completeProcessWithLease(value, outputs.Success)
  ),
  on(
    "requestProcessCancel: a reason that is",
    /reason/,
    { undefined, "a number": 5, "an object": {}, broken: "\ud800" },
    ({ registry }, value) => registry.requestProcessCancel(p, value, host)
  ),
  on("requestProcessCancel: an authority that is", /authority|lease/, notAuthorities, ({ registry }, value) =>
    registry.requestProcessCancel(p, "r", value)
  ),
  on("requestProcessAbandon: an authority that is", /authority|lease/, notAuthorities, ({ registry }, value) =>
    registry.requestProcessAbandon(p, { requestedBy: "o", requestedAtMs: 1 }, value)
  ),
  on(
    "requestProcessAbandon: a request that is",
    /request/,
    {
      ...notRecords,
      ...notJson,
      "one of wrong types": { requestedBy: 1, requestedAtMs: "x" },
      "a misspelt reason": { requestedBy: "o", requestedAtMs: 1, raeson: "r" }
    },
    ({ registry }, value) => registry.requestProcessAbandon(p, value, host)
  ),
  on(
    "setExternalRef: a reference that is",
    /external_ref/,
    {
      ...notRecords,
      ...notJson,
      "of numbers": { backend: 1, id: 2 },
      "a misspelt field": { backend: "b", id: "1", meta: {} }
    },
    ({ registry }, value) => registry.setExternalRef(p, value, external)
  ),
  on("setExternalRef: an authority that is", /authority|lease/, notAuthorities, ({ registry }, value) =>
    registry.setExternalRef(p, { backend: "b", id: "1" }, value)
  ),
  on("eventsAfter: a sequence that is", /sequence/, notCounts, ({ registry }, value) => registry.eventsAfter(p, value)),
  on("eventsAfter: a limit that is", /limit/, notCounts, ({ registry }, value) => registry.eventsAfter(p, 0, value)),
  on("countEventsThrough: a bound that is", /upto/, notCounts, ({ registry }, value) =>
    registry.countEventsThrough(p, "note", value)
  ),
  on(
    "countEventsThrough: a type that is",
    /type/i,
    { "a number": 5, "an object": {}, null: null },
    ({ registry }, value) => registry.countEventsThrough(p, value, 1)
  ),
  on("recentEvents: a limit that is", /limit/, notCounts, ({ registry }, value) => registry.recentEvents(p, value)),
  on("wakeEventsAfter: a sequence that is", /sequence/, notCounts, ({ registry }, value) =>
    registry.wakeEventsAfter(p, value)
  ),
  on("ackWake: a sequence that is", /sequence/, notCounts, ({ registry }, value) => registry.ackWake(p, value)),
  on("listProcesses: a filter that is", /filter/, notFilters, ({ registry }, value) => registry.listProcesses(value)),
  ...onPages("listProcesses", ({ registry }, page) => registry.listProcesses({}, page)),
  ...onPages("listGrantedTo", ({ observation }, page) => observation.listGrantedTo(scope, {}, page)),
  ...onPages("listOriginatedBy", ({ observation }, page) => observation.listOriginatedBy(scope, {}, page)),
  ...onPages("listHandleGrants", ({ grants }, page) => grants.listHandleGrants(scope, page)),
  ...onPages("listLiveHandleGrants", ({ grants }, page) => grants.listLiveHandleGrants(scope, page)),

  onIds("observe", ({ observation }, id) => observation.observe(id), true),
  on("listGrantedTo: a scope that is", /scope/, notScopes, ({ observation }, value) =>
    observation.listGrantedTo(value, {})
  ),
  on("listGrantedTo: a filter that is", /filter/, notFilters, ({ observation }, value) =>
    observation.listGrantedTo(scope, value)
  ),
  on("listOriginatedBy: a scope that is", /scope/, notScopes, ({ observation }, value) =>
    observation.listOriginatedBy(value, {})
  ),
  on("listOriginatedBy: a filter that is", /filter/, notFilters, ({ observation }, value) =>
    observation.listOriginatedBy(scope, value)
  ),
  on(
    "snapshotForSession: a session that is",
    /session/,
    { null: null, undefined, "a number": 5, "an object": {}, broken: "\ud800" },
    ({ observation }, value) => observation.snapshotForSession(value)
  ),

  on("grantHandle: a scope that is", /grant|scope/, notScopes, ({ grants }, value) => grants.grantHandle(value, q, {})),
  on(
    "grantHandle: a descriptor that is",
    /^descriptor/,
    { null: null, "a text": "x", "a numbered kind": { kind: 5 }, "a misspelt label": { lable: "x" }, ...notJson },
    ({ grants }, value) => grants.grantHandle({ sessionId: "t" }, q, value)
  ),
  on("revokeHandle: a scope that is", /scope/, notScopes, ({ grants }, value) => grants.revokeHandle(value, p)),
  on("transferHandleGrants: a source that is", /^from/, notScopes, ({ grants }, value) =>
    grants.transferHandleGrants(value, scope, [p])
  ),
  on("transferHandleGrants: a target that is", /^to/, notScopes, ({ grants }, value) =>
    grants.transferHandleGrants(scope, value, [p])
  ),
  on(
    "transferHandleGrants: ids that are",
    /transfer|ids/,
    { null: null, "a text": "p", "a number": 5 },
    ({ grants }, value) => grants.transferHandleGrants(scope, { sessionId: "t" }, value)
  ),
  on("listHandleGrants: a scope that is", /scope/, notScopes, ({ grants }, value) => grants.listHandleGrants(value)),
  on("listLiveHandleGrants: a scope that is", /scope/, notScopes, ({ grants }, value) =>
    grants.listLiveHandleGrants(value)
  ),
  on("hasHandleGrant: a scope that is", /scope/, notScopes, ({ grants }, value) => grants.hasHandleGrant(value, p)),
  on(
    "deleteSessionProcessState: a session that is",
    /session/,
    { null: null, undefined, "a number": 5, "an object": {}, broken: "\ud800" },
    ({ grants }, value) => grants.deleteSessionProcessState(value)
  ),

  on(
    "setProcessWait: a wait that is",
    /wait/,
    {
      ...notRecords,
      ...notJson,
      "of an unknown kind": { kind: { _tag: "Weather" }, sinceMs: 1 },
      "without a time": { kind: wait.kind },
      "since a text": { ...wait, sinceMs: "x" },
      "numbered by a fraction": { ...wait, kind: { ...wait.kind, ordinal: 0.5 } },
      "without a name": { ...wait, kind: { ...wait.kind, name: 5 } },
      "with a misspelt deadline": { ...wait, kind: { ...wait.kind, deadlineMS: 5 } }
    },
    ({ waits }, value) => waits.setProcessWait(p, value, host)
  ),
  on("setProcessWait: an authority that is", /authority|lease/, notAuthorities, ({ waits }, value) =>
    waits.setProcessWait(p, wrong(wait), value)
  ),
  on(
    "clearProcessWait: an outcome that is",
    /outcome/,
    { null: null, "a text": "x", unknown: { _tag: "Weather" }, "a signal of none": { _tag: "Signal" }, ...notJson },
    ({ waits }, value) => waits.clearProcessWait(p, host, value)
  ),
  on("clearProcessWait: an authority that is", /authority|lease/, notAuthorities, ({ waits }, value) =>
    waits.clearProcessWait(p, value)
  ),

  on("claimProcessLease: an owner that is", /owner/, notOwners, ({ leases }, value) =>
    leases.claimProcessLease(q, value, longMs)
  ),
  on("claimProcessLease: a time to live that is", /ttl/, notDurations, ({ leases }, value) =>
    leases.claimProcessLease(q, owner, value)
  ),
  on("reclaimProcessLease: an owner that is", /owner/, notOwners, ({ leases, lease }, value) =>
    leases.reclaimProcessLease(q, value, lease, longMs)
  ),
  on("reclaimProcessLease: an observed lease that is", /observed|lease/, notRecords, ({ leases }, value) =>
    leases.reclaimProcessLease(q, owner, value, longMs)
  ),
  on("reclaimProcessLease: a time to live that is", /ttl/, notDurations, ({ leases, lease }, value) =>
    leases.reclaimProcessLease(q, owner, lease, value)
  ),
  on("renewProcessLease: a lease that is", /lease/, notRecords, ({ leases }, value) =>
    leases.renewProcessLease(value, longMs)
  ),
  on("renewProcessLease: a time to live that is", /ttl/, notDurations, ({ leases, lease }, value) =>
    leases.renewProcessLease(lease, value)
  ),
  on(
    "completeProcessLease: a completion that is",
    /completion|lease|process/,
    { null: null, undefined, "a text": "x", "a numbered token": { processId: p, leaseToken: 5 } },
    ({ leases }, value) => leases.completeProcessLease(value)
  )
]

refusesAll(operations)

it.scoped("each operation on processes and their grants, waits, leases and looks is tried", () =>
  Effect.gen(function* () {
    const world = yield* Effect.flatMap(MemoryStore.make, worldOn)
    const services = [world.registry, world.grants, world.waits, world.leases, world.observation]
    const all = services.flatMap((service) => Object.entries(service))
    const names = all.flatMap(([name, operation]) => (typeof operation === "function" ? [name] : []))
    const tried = new Set(operations.map(({ name }) => name.split(":")[0]))
    assert.deepStrictEqual(
      names.filter((name) => !tried.has(name)),
      []
    )
  })
)

for (const [backend, make] of backends) {
  describe(`${backend}: text`, () => {
    it.scopedLive("an id with a lone surrogate finds nobody else's process", () =>
      Effect.gen(function* () {
        const { registry, grants } = yield* Effect.flatMap(make, worldOn)
        yield* registry.registerProcess(registrationOf(processId("a\ufffd"), "rerunnable"))
        const broken = processId("a\ud800")
        const found = yield* Effect.option(registry.getProcess(broken))
        assert.isUndefined(Option.getOrUndefined(found))
        const granted = yield* Effect.exit(grants.grantHandle(scope, broken, {}))
        assert.isTrue(Exit.isFailure(granted))
      })
    )
  })
}
