/**
 * A process that stands still for each reason there is, each brought about for real, on any store.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import type { ChartTransition } from "../../machines/chart/state.ts"
import type * as Explanations from "../../src/explain/Explanation.ts"
import { noHost } from "../../src/explain/explain.ts"
import type { ExplainOptions } from "../../src/explain/facts.ts"
import { coreEventTypes } from "../../src/model/EventType.ts"
import { processId } from "../../src/model/ids.ts"
import type { LeaseOwner } from "../../src/model/Lease.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import type { Registration } from "../../src/model/Registration.ts"
import * as Activations from "../../src/operations/Activations.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import * as Changes from "../../src/operations/decisions/change.ts"
import * as ChartFacts from "../../src/operations/decisions/chartFacts.ts"
import * as Leases from "../../src/operations/Leases.ts"
import * as Liveness from "../../src/operations/OwnerLiveness.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Pruning from "../../src/operations/Retention.ts"
import { Retention } from "../../src/operations/Retention.ts"
import * as Waits from "../../src/operations/Waits.ts"
import type { ProcessRow } from "../../src/store/Decision.ts"
import { accept } from "../../src/store/Decision.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as Fixtures from "../../src/testing/fixtures.ts"
import { claimed, outputs, registrationOf } from "../../src/testing/fixtures.ts"

/** This machine's own evidence, so that whoever looks from it sees these holders for what they are. */
const evidence = Effect.runSync(
  Effect.provide(
    Effect.flatMap(OwnerLiveness, (liveness) => liveness.identify("tests")),
    Liveness.layer
  )
).liveness

/** What brings the processes of a store there. */
export const layerOn = <E>(store: Layer.Layer<ProcessStore, E>) =>
  Layer.mergeAll(Registry.layer, Leases.layer, Activations.layer, Waits.layer, Pruning.layer).pipe(
    Layer.provideMerge(Layer.merge(store, Liveness.layer))
  )

/** What a case works with. */
export type Services = Layer.Layer.Success<ReturnType<typeof layerOn>>

/** The process of every case. */
export const p = processId("p")
/** Runs here. */
export const alive: LeaseOwner = { ownerId: "worker", incarnationId: "i", liveness: evidence }
/** No kernel gives a process such a number. */
const nobody = 2 ** 30
/** Ran here, and is proven dead. */
export const dead: LeaseOwner = {
  ...alive,
  ownerId: "dead",
  liveness: evidence._tag === "LocalProcess" ? { ...evidence, pid: nobody, processStart: "1" } : evidence
}
/** Runs somewhere else. */
export const far: LeaseOwner = opaqueOwner("far", "i")

/** Registers the process. */
export const register = (disposition: Registration["disposition"], changes: Partial<Registration> = {}) =>
  Effect.flatMap(ProcessRegistry, (registry) => registry.registerProcess(registrationOf(p, disposition, changes)))

/** Begins an activation under a lease of so many milliseconds. */
export const begin = (owner: LeaseOwner, ttlMs = 60_000) =>
  Effect.tap(claimed(p, owner, ttlMs), (lease) => Fixtures.begin(lease, owner))

/** Begins an activation, lets it wait, and puts its body away meanwhile. */
const parked = (wait: Effect.Effect<unknown, unknown, Waits.Waits>, key: string) =>
  Effect.gen(function* () {
    const activations = yield* Activations.Activations
    const lease = yield* begin(alive)
    yield* wait
    yield* activations.suspend(lease, "passivated", { waits: [key] })
  })

/** Lets it wait for a signal. */
export const waitForReady = Effect.gen(function* () {
  const waits = yield* Waits.Waits
  const kind = { _tag: "Signal", name: "ready", eventType: "signal.ready", key: "k", ordinal: 1 } as const
  yield* waits.setProcessWait(p, { kind, sinceMs: 0 }, Authority.host)
})

const cancel = Effect.flatMap(ProcessRegistry, (registry) => registry.requestProcessCancel(p, "enough", Authority.host))

/** Asks that it be given up. */
export const abandon = Effect.flatMap(ProcessRegistry, (registry) =>
  registry.requestProcessAbandon(p, { requestedBy: "ana", requestedAtMs: 0 }, Authority.host)
)

type Tag = Explanations.Reason["_tag"]

/** How a process comes to stand still for a reason, and what is said of it then. */
export interface Case {
  readonly make: Effect.Effect<unknown, unknown, Services>
  readonly view?: ExplainOptions
  readonly brief: string
  readonly moves: ReadonlyArray<Explanations.Sender>
  readonly commands: ReadonlyArray<string>
  readonly verdict?: Explanations.Verdict
  readonly looksNow: boolean
}

/** The command that asks it to stop. */
export const stop = "holdfast cancel p --reason 'no longer needed'"
const giveUp = "holdfast abandon p --reason 'checked by hand'"
/** The verdict to run it. */
export const run = { _tag: "Run" } as const
/** The verdict to leave it. */
export const leave = (
  why: "settled" | "externally_owned" | "busy" | "outcome_unknown" | "no_engine" | "not_yet" | "at_rest"
) => ({ _tag: "Leave", why }) as const

/** A machine that waits, with a timer and a child. */
const resting: ChartTransition = {
  definition: { id: "m", version: "1", hash: "h" },
  revision: 0,
  event: { type: "xstate.init" },
  to: { open: "waiting" },
  handled: true,
  effects: [
    { do: "arm", id: "late", at: 9_000, event: { type: "late" } },
    { do: "start", id: "c", n: 1, process: "p/c:1", src: "work" }
  ]
}

/** Every reason there is, brought about by operations of the store. */
export const cases: Readonly<Record<Tag, Case>> = {
  Ended: {
    make: Effect.gen(function* () {
      yield* register("rerunnable")
      const registry = yield* ProcessRegistry
      yield* registry.completeProcessWithLease(yield* begin(alive), outputs.Success)
    }),
    brief: "completed",
    moves: [],
    commands: [],
    verdict: leave("settled"),
    looksNow: false
  },
  Pruned: {
    make: Effect.gen(function* () {
      yield* register("rerunnable")
      const registry = yield* ProcessRegistry
      yield* registry.completeProcessWithLease(yield* begin(alive), outputs.Success)
      const retention = yield* Retention
      yield* retention.pruneTerminalProcesses({ cutoffMs: 1_000, watermark: { _tag: "NoProjector" } })
    }),
    brief: "pruned (completed)",
    moves: [],
    commands: [],
    looksNow: false
  },
  Running: {
    make: Effect.zipRight(register("rerunnable"), begin(alive)),
    brief: "running",
    moves: ["owner", "operator"],
    commands: [stop],
    verdict: leave("busy"),
    looksNow: false
  },
  HeldByUnprovable: {
    make: Effect.zipRight(register("rerunnable"), begin(far)),
    brief: "held by a host whose liveness is unknown",
    moves: ["owner", "sweep", "operator"],
    commands: [stop],
    verdict: leave("busy"),
    looksNow: false
  },
  HolderDead: {
    make: Effect.zipRight(register("owner_bound"), begin(dead)),
    brief: "its holder is dead",
    moves: ["sweep", "operator"],
    commands: ["holdfast sweep"],
    verdict: { _tag: "Abandon", writer: "sweep", owner: "holder" },
    looksNow: true
  },
  LeaseLapsed: {
    make: Effect.zipRight(register("rerunnable"), Effect.zipRight(begin(far, 1_000), TestClock.adjust("1 seconds"))),
    brief: "its lease expired",
    moves: ["sweep", "owner"],
    commands: [],
    verdict: run,
    looksNow: true
  },
  WaitingForSignal: {
    make: Effect.zipRight(register("rerunnable"), parked(waitForReady, "k")),
    brief: "waits for signal ready",
    moves: ["signal_sender", "operator"],
    commands: ["holdfast signal p ready --payload '{}'", stop],
    verdict: run,
    looksNow: false
  },
  WaitingForTimer: {
    make: Effect.zipRight(
      register("rerunnable"),
      parked(
        Effect.flatMap(Waits.Waits, (waits) =>
          waits.setProcessWait(p, { kind: { _tag: "Timer", key: "t" }, sinceMs: 0, deadlineMs: 90_000 }, Authority.host)
        ),
        "t"
      )
    ),
    brief: "sleeps, wakes in 1 min 30 s",
    moves: ["timer", "operator"],
    commands: [stop],
    verdict: run,
    looksNow: false
  },
  WaitingForChild: {
    make: Effect.gen(function* () {
      const activations = yield* Activations.Activations
      yield* register("rerunnable")
      const lease = yield* begin(alive)
      const registry = yield* ProcessRegistry
      const parent = { processId: p, closePolicy: "cancel" } as const
      yield* registry.registerProcess(registrationOf(processId("p/child"), "rerunnable", { parent }))
      yield* activations.suspend(lease, "passivated", { children: [processId("p/child")] })
    }),
    brief: "waits for child: due for 0 ms, no host took it",
    moves: ["child", "operator"],
    commands: ["holdfast explain p/child", stop],
    verdict: run,
    looksNow: false
  },
  ChartWaits: {
    make: Effect.gen(function* () {
      const signal = { name: "signal.go", payloadSchema: { schema: true }, semantics: {} }
      yield* register("rerunnable", { eventTypes: [signal, ...coreEventTypes] })
      const { transact } = yield* ProcessStore
      yield* transact({ lock: [p] }, (view) => {
        const row = view.row(p) as ProcessRow // registered above
        return accept(undefined, Changes.appendFact(Changes.of(row), ChartFacts.transitioned(p, resting), view.nowMs))
      })
    }),
    brief: "waits in open.waiting",
    moves: ["signal_sender", "timer", "child", "operator"],
    commands: ["holdfast send p go '{}'", "holdfast explain p/c:1", stop],
    verdict: leave("at_rest"),
    looksNow: false
  },
  ExternallyOwned: {
    make: register("externally_owned"),
    brief: "run by an external system",
    moves: ["external_system", "operator"],
    commands: ["holdfast abandon p --reason 'never reported'"],
    verdict: leave("externally_owned"),
    looksNow: false
  },
  OutcomeUnknown: {
    make: Effect.zipRight(register("owner_bound"), Effect.zipRight(begin(far, 1_000), TestClock.adjust("1 seconds"))),
    brief: "outcome unknown, needs you",
    moves: ["operator"],
    commands: [giveUp],
    verdict: leave("outcome_unknown"),
    looksNow: false
  },
  AbandonWaitsForLease: {
    make: Effect.zipRight(register("owner_bound"), Effect.zipRight(begin(alive), abandon)),
    brief: "to be abandoned, still held",
    moves: ["owner", "sweep"],
    commands: [],
    verdict: leave("busy"),
    looksNow: false
  },
  AbandonDue: {
    make: Effect.zipRight(register("externally_owned"), abandon),
    brief: "to be abandoned",
    moves: ["sweep", "operator"],
    commands: ["holdfast sweep"],
    verdict: { _tag: "Abandon", writer: "reconciled_request", owner: "none" },
    looksNow: true
  },
  CancelRequested: {
    make: Effect.zipRight(register("rerunnable"), Effect.zipRight(begin(alive), cancel)),
    brief: "is being stopped",
    moves: ["owner"],
    commands: [],
    verdict: leave("busy"),
    looksNow: false
  },
  CancelDue: {
    make: Effect.zipRight(register("rerunnable"), cancel),
    brief: "to be stopped",
    moves: ["sweep", "operator"],
    commands: ["holdfast sweep"],
    verdict: { _tag: "Cancel" },
    looksNow: true
  },
  AttemptsExhausted: {
    make: Effect.zipRight(register("rerunnable", { maxAttempts: 1 }), begin(dead)),
    brief: "its one attempt is used up",
    moves: ["sweep", "operator"],
    commands: ["holdfast sweep"],
    verdict: { _tag: "Exhausted" },
    looksNow: true
  },
  NoEngine: {
    make: register("rerunnable"),
    view: { ...noHost, engine: () => "missing" },
    brief: "no engine law.engine",
    moves: ["host", "operator"],
    commands: [stop],
    verdict: leave("no_engine"),
    looksNow: true
  },
  BackingOff: {
    make: Effect.zipRight(
      register("rerunnable"),
      Effect.flatMap(Activations.Activations, (activations) => activations.backOff(p, "its payload does not decode"))
    ),
    brief: "backs off, tries in 1 s",
    moves: ["sweep", "operator"],
    commands: [stop],
    verdict: run,
    looksNow: false
  },
  BeginsLater: {
    make: register("rerunnable", { startAtMs: 60_000 }),
    brief: "begins in 1 min",
    moves: ["sweep", "operator"],
    commands: [stop],
    verdict: leave("not_yet"),
    looksNow: false
  },
  NoSlot: {
    make: register("rerunnable"),
    view: { engine: () => "present", slots: () => ({ free: 0, total: 4 }) },
    brief: "waits for a slot",
    moves: ["host", "host", "operator"],
    commands: [stop],
    verdict: run,
    looksNow: true
  },
  DueNow: {
    make: Effect.zipRight(register("rerunnable"), TestClock.adjust("90 seconds")),
    brief: "due for 1 min 30 s, no host took it",
    moves: ["sweep", "operator"],
    commands: [stop],
    verdict: run,
    looksNow: true
  }
}
