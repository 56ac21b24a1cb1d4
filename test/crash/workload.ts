/**
 * The workload of the laboratory: a tree of processes of all kinds, driven by one host after the other.
 *
 * Invariant: it may be begun again from its first line after any crash; whoever drives it last ends it.
 */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Ids, Processes, type SingleHost } from "../../src/index.ts"
import { emptyRef } from "../../src/model/Environment.ts"
import { EventType, Provenance, Registration } from "../../src/model.ts"
import * as Activations from "../../src/operations/Activations.ts"
import * as Liveness from "../../src/operations/OwnerLiveness.ts"
import { Authority, Leases, ProcessRegistry, WakeOutbox } from "../../src/operations.ts"
import type { ProcessStore } from "../../src/store.ts"
import * as RecoverySweep from "../../src/supervision/RecoverySweep.ts"
import { begin } from "../../src/testing/fixtures.ts"
import type * as Engines from "./engines.ts"
import { riseName, services, signalName } from "./engines.ts"
import type { Run } from "./points.ts"
import type { Fact } from "./sideLog.ts"

/** How many roots of each kind a workload has. */
export const size = 3

/** What a root of the kind `sum` completes with: 0 + 1 + 4, and 1. */
export const sumOutput = 6

/** What a root of the kind `sleeper` completes with. */
export const sleeperOutput = "slept, then never timed out"

const names = (kind: string): ReadonlyArray<string> => Array.from({ length: size }, (_, index) => `${kind}-${index}`)

/** What a driver knows. `run` absent: it drives everything to its end. */
export interface Driver {
  readonly engines: ReturnType<typeof Engines.make>
  readonly tell: (fact: Fact) => Effect.Effect<void>
  readonly run?: Run
}

/** A registration for an engine of the workload, with event types of its own. */
export const declared = (id: string, kind: string, payload: unknown): Registration.Registration => ({
  ...Registration.make(Ids.processId(id), { _tag: "Engine", kind, payload }, "rerunnable", Provenance.host),
  identity: { kind, definition: { kind, version: "1" } },
  envRef: emptyRef,
  wakeTarget: { sessionId: "watcher" },
  eventTypes: [waking, EventType.plain(Ids.signalEventType(signalName))]
})

/** Every note wakes the watcher. */
const waking: EventType.EventType = {
  name: "note",
  payloadSchema: { schema: {} },
  semantics: { wake: { input: "payload", dedupeKey: "event_identity" } }
}

/** Drives the workload, as far as its run goes. */
export const drive = ({ engines, tell, run }: Driver) =>
  Effect.gen(function* () {
    yield* Deferred.succeed(services, yield* Effect.context<SingleHost.HostServices>())
    const processes = yield* Processes
    const registry = yield* ProcessRegistry.ProcessRegistry
    const registered = (id: string) => tell({ fact: "registered", id })
    const together = { concurrency: "unbounded" } as const

    const sums = yield* Effect.forEach(
      names("sum"),
      (id) => Effect.tap(processes.start(engines.Sum, { id, payload: 3 }), () => registered(id)),
      together
    )
    yield* Effect.forEach(
      names("endless"),
      (id) => Effect.tap(processes.start(engines.Endless, { id, payload: null }), () => registered(id)),
      together
    )
    yield* Effect.forEach(
      names("listener"),
      (id) => Effect.tap(registry.registerProcess(declared(id, "listener", null)), () => registered(id)),
      together
    )
    yield* Effect.forEach(
      names("sleeper"),
      (id) => Effect.tap(processes.start(engines.Sleeper, { id, payload: null }), () => registered(id)),
      together
    )
    if (run !== undefined && run !== "recovery") yield* byHand
    const logHas = (id: string, eventType: string) =>
      Effect.map(registry.eventsAfter(Ids.processId(id), 0), (events) =>
        events.some((event) => event.eventType === eventType)
      )
    yield* sweepUntil(Effect.every(names("listener"), (id) => logHas(id, "process.waiting")))
    if (run === "stop") return
    if (run === "hold") return yield* Effect.never

    yield* Effect.forEach(
      names("listener"),
      (id) => {
        const replayKey = Ids.signalReplayKey(Ids.processId(id), signalName, "the one")
        const request = { eventType: Ids.signalEventType(signalName), payload: { n: 1 }, replayKey }
        return Effect.tap(registry.appendEvent(Ids.processId(id), request, Authority.host), ({ event }) =>
          tell({ fact: "appended", id, sequence: event.sequence, eventType: event.eventType })
        )
      },
      together
    )
    yield* Effect.forEach(
      names("endless"),
      (id) =>
        Effect.tap(registry.requestProcessCancel(Ids.processId(id), "no longer needed", Authority.host), () =>
          tell({ fact: "cancel requested", id })
        ),
      together
    )
    yield* family(registered)
    yield* rise
    const told = Effect.forEach(
      sums,
      ({ id, await: end }) => Effect.tap(end, () => tell({ fact: "ended", id, state: "completed" })),
      together
    )
    yield* Effect.zip(told, ended, { concurrent: true })
    yield* nothingOwed
  })

/** Sleepers wait three times, the last time for this: nothing else could end that wait before they leave memory. */
const rise = Effect.gen(function* () {
  const registry = yield* ProcessRegistry.ProcessRegistry
  const isAway = (id: string) =>
    Effect.map(registry.eventsAfter(Ids.processId(id), 0), (events) => {
      const types = events.map(({ eventType }) => eventType)
      const isLast = types.filter((type) => type === "process.waiting").length === 3
      return types.at(-1) === "process.completed" || (isLast && types.at(-1) === "process.suspended")
    })
  yield* sweepUntil(Effect.every(names("sleeper"), isAway))
  yield* Effect.forEach(names("sleeper"), (id) => {
    const request = { eventType: Ids.signalEventType(riseName), payload: null }
    return Effect.catchTag(
      registry.appendEvent(
        Ids.processId(id),
        { ...request, replayKey: Ids.signalReplayKey(Ids.processId(id), riseName, "the one") },
        Authority.host
      ),
      "ProcessAlreadyTerminal",
      () => Effect.void
    )
  })
})

/** Sweeps until something is so. A sweep that finds the store out is tried again. */
export const sweepUntil = <E, R>(isSo: Effect.Effect<boolean, E, R>) =>
  Effect.gen(function* () {
    const { sweep } = yield* RecoverySweep.RecoverySweep
    const swept = Effect.catchTag(sweep, "StoreError", () => Effect.void)
    yield* Effect.repeat(Effect.delay(Effect.zipRight(swept, isSo), "20 millis"), { until: (is) => is })
  })

/** Sweeps until nothing is left that a host could run. */
export const ended = Effect.gen(function* () {
  const { listNonTerminal } = yield* Processes
  yield* sweepUntil(
    Effect.map(listNonTerminal, (records) => records.every(({ disposition }) => disposition === "externally_owned"))
  )
})

/** Waits until the watcher was told everything. */
const nothingOwed = Effect.gen(function* () {
  const { report } = yield* WakeOutbox.WakeOutbox
  const delivered = Effect.match(report, {
    onFailure: () => false,
    onSuccess: ({ counts }) => counts.pending + counts.enqueuing === 0
  })
  yield* Effect.repeat(Effect.delay(delivered, "10 millis"), { until: (is) => is })
})

/** Takes a process without a worker: its lease, then an activation. */
export const takeByHand = (id: string, ttlMs: number) =>
  Effect.gen(function* () {
    const leases = yield* Leases.Leases
    const owner = yield* Liveness.make(Liveness.linux).identify("by hand")
    const claim = yield* leases.claimProcessLease(Ids.processId(id), owner, ttlMs)
    if (claim._tag === "Busy") return yield* Effect.dieMessage(`somebody runs ${id}`)
    yield* begin(claim.lease, owner)
    return claim.lease
  })

/** The writes of a worker, on the store in context. */
export const activationsHere: Effect.Effect<
  Context.Tag.Service<typeof Activations.Activations>,
  never,
  ProcessStore.ProcessStore
> = Activations.make

/** The id of the parent that an outside system owns. */
export const parentId = "parent"

/** Children whose parent ends outside: nobody but their parent's end asks them to stop. */
const family = <E, R>(registered: (id: string) => Effect.Effect<void, E, R>) =>
  Effect.gen(function* () {
    const registry = yield* ProcessRegistry.ProcessRegistry
    const id = Ids.processId(parentId)
    const input = { _tag: "External", metadata: {} } as const
    yield* registry.registerProcess(Registration.make(id, input, "externally_owned", Provenance.host))
    const parent = { processId: id, closePolicy: "cancel" } as const
    yield* Effect.forEach(
      names("nest"),
      (name) =>
        Effect.tap(registry.registerProcess({ ...declared(name, "nest", null), parent }), () => registered(name)),
      { concurrency: "unbounded" }
    )
    yield* sweepUntil(Effect.succeed(true))
    yield* registry.completeProcess(id, { _tag: "Success", value: null }, { _tag: "ExternalOwner" })
  })

/** What a worker does in one commit, one commit each: register, claim, begin, release. A sweep then runs it as another try. */
const byHand = Effect.gen(function* () {
  const leases = yield* Leases.Leases
  const registry = yield* ProcessRegistry.ProcessRegistry
  yield* registry.registerProcess(declared("by-hand", "step", 3))
  const lease = yield* takeByHand("by-hand", 30_000)
  yield* leases.completeProcessLease(lease)
})

/** A prepared registration; the laboratory's own are valid. */
export const prepared = (registration: Registration.Registration): Registration.Registered =>
  Either.getOrThrow(Registration.prepare(registration))
