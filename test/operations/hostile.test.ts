import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { processId } from "../../src/model/ids.ts"
import type { Lease } from "../../src/model/Lease.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import { Limits } from "../../src/operations/checks.ts"
import { external, host } from "../../src/operations/decisions/authority.ts"
import * as Grants from "../../src/operations/HandleGrants.ts"
import * as Leases from "../../src/operations/Leases.ts"
import * as Observing from "../../src/operations/Observation.ts"
import * as OwnerEvidence from "../../src/operations/OwnerLiveness.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import * as Waits from "../../src/operations/Waits.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { keptOf } from "../../src/testing/evidence.ts"
import { longMs, outputs, registrationOf } from "../../src/testing/fixtures.ts"
import { open, temporaryFile } from "../store/sqliteFixtures.ts"

/** How much these stores let in. Units: UTF-16 code units. */
const maxLength = 20_000

const p = processId("p")
const q = processId("q")
const owner = opaqueOwner("w", "i")
const scope = { sessionId: "s" }
const good = registrationOf(processId("new"), "rerunnable")
const wait = {
  kind: { _tag: "Signal", name: "ready", eventType: "signal.ready", key: "process:p:signal.ready:1", ordinal: 1 },
  sinceMs: 5
}

/** A world with a leased process `p`, an external process `q`, both granted to one scope. */
const worldOn = (store: typeof ProcessStore.Service) =>
  Effect.gen(function* () {
    const registry = yield* Registry.make
    const grants = yield* Grants.make
    const waits = yield* Waits.make
    const leases = yield* Leases.make
    const observation = yield* Observing.make
    yield* registry.registerProcess(registrationOf(p, "rerunnable"))
    yield* registry.registerProcess(registrationOf(q, "externally_owned"))
    yield* grants.grantHandle(scope, p, {})
    const claim = yield* leases.claimProcessLease(p, owner, longMs)
    return { registry, grants, waits, leases, observation, store, lease: (claim as { readonly lease: Lease }).lease }
  }).pipe(
    Effect.provideService(ProcessStore, store),
    Effect.provideService(Limits, { maxLength }),
    Effect.provideService(OwnerLiveness, OwnerEvidence.make(OwnerEvidence.unknowing))
  )

type World = Effect.Effect.Success<ReturnType<typeof worldOn>>

/** Casts a wrong value in: what TypeScript refuses, a caller without types sends. */
const wrong = (value: unknown): never => value as never

/** One operation with one parameter left open, and what a refusal must name. */
interface Operation {
  readonly name: string
  readonly names: RegExp
  readonly call: (world: World, value: never) => Effect.Effect<unknown, unknown>
  readonly values: Readonly<Record<string, unknown>>
  /** Whether saying that nothing is there is an answer too. */
  readonly mayBeNothing?: true
}

const cyclic: { self?: unknown } = {}
cyclic.self = cyclic

const notJson = {
  "a cycle": { a: cyclic },
  "a key named __proto__": JSON.parse('{"a":{"__proto__":1}}'),
  "a lone surrogate": { a: "\ud800" },
  "a key with a lone surrogate": { "\udfff": 1 },
  "not a number": { a: Number.NaN },
  "a date": { a: new Date(0) },
  "a big integer": { a: 1n },
  undefined: { a: [undefined] },
  "too much": { a: "x".repeat(maxLength) }
}
const notRecords = { null: null, undefined, "a text": "x", "a number": 5, "nothing in it": {}, "a list": [] }
const notFilters = {
  null: null,
  "a text": "x",
  "a list": [],
  "an unknown status": { status: "nonsense" },
  "a status that closes its quotes": { status: "x' OR '1'='1" },
  "a flag that is a text": { waiting: "yes" },
  "a time that is a text": { createdAtStartMs: "x" },
  "a kind that is an object": { identityKind: {} },
  "an unknown key": { colour: "red" },
  ...notJson
}
const notIds = { null: null, undefined, "a number": 5, "an object": {}, "a list": ["p"], "a lone surrogate": "\ud800" }
const unknownIds = { "an empty one": "", "a blank one": "  ", "10 kB": "x".repeat(10_240), unknown: "nobody" }
const notCounts = {
  negative: -1,
  "a fraction": 0.5,
  "not a number": Number.NaN,
  endless: Infinity,
  "a text": "1",
  null: null
}
const notDurations = { negative: -1, "a fraction": 0.5, "not a number": Number.NaN, "a text": "5", null: null }
const notAuthorities = {
  ...notRecords,
  "an unknown one": { _tag: "Nobody" },
  "a body without lease": { _tag: "Body" },
  "a body with half a lease": { _tag: "Body", lease: {} }
}
const notScopes = { ...notRecords, "a numbered session": { sessionId: 5 }, "a broken session": { sessionId: "\ud800" } }
const notOwners = { ...notRecords, "a numbered owner": { ...owner, ownerId: 5 }, ...notJson }

const onIds = (
  name: string,
  call: (world: World, id: never) => Effect.Effect<unknown, unknown>,
  mayBeNothing?: true
): Operation => ({
  name: `${name}: an id that is`,
  names: /process|id/i,
  call,
  values: { ...notIds, ...unknownIds },
  ...(mayBeNothing ? { mayBeNothing } : {})
})

const on = (name: string, names: RegExp, values: Operation["values"], call: Operation["call"]): Operation => ({
  name,
  names,
  call,
  values
})

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
      "a payload that is too much": { input: { _tag: "Engine", kind: "k", payload: notJson["too much"] } },
      "a payload with a cycle": { input: { _tag: "Engine", kind: "k", payload: cyclic } },
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
      "one of wrong types": { requestedBy: 1, requestedAtMs: "x" }
    },
    ({ registry }, value) => registry.requestProcessAbandon(p, value, host)
  ),
  on(
    "setExternalRef: a reference that is",
    /external_ref/,
    { ...notRecords, ...notJson, "of numbers": { backend: 1, id: 2 } },
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
  on("listProcesses: a limit that is", /limit/, notCounts, ({ registry }, value) =>
    registry.listProcesses({}, { limit: value })
  ),
  on("listProcesses: a place to go on that is", /after/, { "a number": 5, "an object": {} }, ({ registry }, value) =>
    registry.listProcesses({}, { after: value })
  ),
  on("listProcesses: a page that is", /page|limit/, { null: null, "a number": 5 }, ({ registry }, value) =>
    registry.listProcesses({}, value)
  ),

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
    { null: null, "a text": "x", "a numbered kind": { kind: 5 }, ...notJson },
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
      "without a name": { ...wait, kind: { ...wait.kind, name: 5 } }
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

const messageOf = (error: unknown): string => {
  assert.instanceOf(error, Error)
  assert.property(error, "_tag")
  return error.message
}

const kept = (store: typeof ProcessStore.Service) =>
  Effect.gen(function* () {
    const rows = yield* store.list({ filter: { status: "any" } })
    const grants = [...(yield* store.grants.of({ processId: p })), ...(yield* store.grants.of({ processId: q }))]
    return { ids: rows.map(({ base }) => base.registration.id), grants, p: yield* keptOf(p), q: yield* keptOf(q) }
  }).pipe(Effect.provideService(ProcessStore, store))

const sqlite = Effect.flatMap(temporaryFile, (file) => Effect.map(open(file), ({ store }) => store))

for (const [backend, make] of [
  ["memory", MemoryStore.make],
  ["sqlite", sqlite]
] as const) {
  describe(`${backend}: what makes no sense is refused by name, and nothing is written`, () => {
    // One world for all: what is refused leaves it as it was.
    const scoped = Effect.runSync(Scope.make())
    let world: World
    beforeAll(async () => {
      world = await Effect.runPromise(Scope.extend(Effect.flatMap(make, worldOn), scoped))
    })
    afterAll(() => Effect.runPromise(Scope.close(scoped, Exit.void)))

    for (const { name, names, call, values, mayBeNothing } of operations) {
      for (const [what, value] of Object.entries(values)) {
        it.live(`${name} ${what}`, () =>
          Effect.gen(function* () {
            const before = yield* kept(world.store)
            const exit = yield* Effect.exit(Effect.suspend(() => call(world, wrong(value))))
            const after = yield* kept(world.store)
            if (Exit.isFailure(exit)) {
              const failed = Cause.failureOption(exit.cause)
              assert.isTrue(Option.isSome(failed), `a defect: ${Cause.pretty(exit.cause).slice(0, 200)}`)
              assert.match(messageOf(Option.getOrThrow(failed)), names)
            } else {
              assert.isTrue(mayBeNothing, "it was accepted")
              assert.include([undefined, false], exit.value)
            }
            assert.deepStrictEqual(after, before)
          })
        )
      }
    }

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
