import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Explanations from "../../src/inspector/Explanation.ts"
import type { HostView } from "../../src/inspector/explain.ts"
import { explain, noHost, reasonsOf } from "../../src/inspector/explain.ts"
import { brief, render } from "../../src/inspector/explainText.ts"
import { processId } from "../../src/model/ids.ts"
import type { LeaseOwner } from "../../src/model/Lease.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import type { Registration } from "../../src/model/Registration.ts"
import { ActivationStore } from "../../src/store/ActivationStore.ts"
import * as Activations from "../../src/store/activations.ts"
import * as Authority from "../../src/store/decisions/authority.ts"
import * as Leases from "../../src/store/leases.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { OwnerLiveness } from "../../src/store/OwnerLiveness.ts"
import { ProcessRegistry } from "../../src/store/ProcessRegistry.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as Pruning from "../../src/store/pruning.ts"
import { Retention } from "../../src/store/Retention.ts"
import * as Registry from "../../src/store/registry.ts"
import { WaitStore } from "../../src/store/WaitStore.ts"
import * as Waits from "../../src/store/waits.ts"
import { claimed, outputs, registrationOf } from "../../src/testing/fixtures.ts"

const evidence = { _tag: "LocalProcess", hostId: "here", bootId: "boot", pid: 7, processStart: "1" } as const

/** Whoever is called dead is dead; the others live on this machine, unless they are opaque. */
const liveness = Layer.succeed(OwnerLiveness, {
  identify: (ownerId) => Effect.succeed({ ownerId, incarnationId: "me", liveness: evidence }),
  isDefinitelyDead: (holder) => Effect.succeed(holder.ownerId === "dead")
})

const layer = Layer.mergeAll(Registry.layer, Leases.layer, Activations.layer, Waits.layer, Pruning.layer).pipe(
  Layer.provideMerge(Layer.merge(MemoryStore.layer, liveness))
)

const p = processId("p")
const alive: LeaseOwner = { ownerId: "worker", incarnationId: "i", liveness: evidence }
const dead: LeaseOwner = { ...alive, ownerId: "dead" }
const far: LeaseOwner = opaqueOwner("far", "i")

const register = (disposition: Registration["disposition"], changes: Partial<Registration> = {}) =>
  Effect.flatMap(ProcessRegistry, (registry) => registry.registerProcess(registrationOf(p, disposition, changes)))

/** Begins an activation under a lease of so many milliseconds. */
const begin = (owner: LeaseOwner, activation = 1, ttlMs = 60_000) =>
  Effect.gen(function* () {
    const activations = yield* ActivationStore
    const lease = yield* claimed(p, owner, ttlMs)
    yield* activations.begin(lease, activation, owner)
    return lease
  })

const waitForReady = Effect.gen(function* () {
  const waits = yield* WaitStore
  const kind = { _tag: "Signal", name: "ready", eventType: "signal.ready", key: "k", ordinal: 1 } as const
  yield* waits.setProcessWait(p, { kind, sinceMs: 0 }, Authority.host)
})

/** Puts a process away to wait: it has a wait open, and nothing else to do. */
const passivate = Effect.gen(function* () {
  const activations = yield* ActivationStore
  const lease = yield* begin(alive)
  yield* waitForReady
  yield* activations.suspend(lease, "passivated")
})

const cancel = Effect.flatMap(ProcessRegistry, (registry) => registry.requestProcessCancel(p, "enough", Authority.host))

const abandon = Effect.flatMap(ProcessRegistry, (registry) =>
  registry.requestProcessAbandon(p, { requestedBy: "ana", requestedAtMs: 0 }, Authority.host)
)

type Tag = Explanations.Reason["_tag"]

/** No operation brings a row there yet; they are told all the same, in the other table. */
const notProduced = ["WaitingForTimer", "WaitingForChild", "WaitingForPromise", "BackingOff"] as const

interface Case {
  readonly make: Effect.Effect<unknown, unknown, Layer.Layer.Success<typeof layer>>
  readonly view?: HostView
  readonly brief: string
  readonly moves: ReadonlyArray<Explanations.Sender>
  readonly commands: ReadonlyArray<string>
  readonly verdict?: Explanations.Verdict
  readonly looksNow: boolean
}

const stop = "holdfast cancel p --reason 'no longer needed'"
const giveUp = "holdfast abandon p --reason 'checked by hand'"
const run = { _tag: "Run" } as const
const leave = (why: "settled" | "externally_owned" | "busy" | "outcome_unknown" | "no_engine") =>
  ({ _tag: "Leave", why }) as const

const produced: Readonly<Record<Exclude<Tag, (typeof notProduced)[number]>, Case>> = {
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
    brief: "held by a host not seen from here",
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
    make: Effect.zipRight(register("rerunnable"), Effect.zipRight(begin(far, 1, 1_000), TestClock.adjust("1 seconds"))),
    brief: "its lease ran out",
    moves: ["sweep", "owner"],
    commands: [],
    verdict: run,
    looksNow: true
  },
  WaitingForSignal: {
    make: Effect.zipRight(register("rerunnable"), passivate),
    brief: "waits for signal ready",
    moves: ["signal_sender", "operator"],
    commands: ["holdfast signal p ready --payload '{}'", stop],
    verdict: run,
    looksNow: false
  },
  ExternallyOwned: {
    make: register("externally_owned"),
    brief: "an outside system's work",
    moves: ["external_system", "operator"],
    commands: ["holdfast abandon p --reason 'never reported'"],
    verdict: leave("externally_owned"),
    looksNow: false
  },
  OutcomeUnknown: {
    make: Effect.zipRight(
      register("owner_bound"),
      Effect.zipRight(begin(far, 1, 1_000), TestClock.adjust("1 seconds"))
    ),
    brief: "outcome unknown, needs you",
    moves: ["operator"],
    commands: [giveUp],
    verdict: leave("outcome_unknown"),
    looksNow: false
  },
  AbandonWaitsForLease: {
    make: Effect.zipRight(register("owner_bound"), Effect.zipRight(begin(alive), abandon)),
    brief: "to be given up, still held",
    moves: ["owner", "sweep"],
    commands: [],
    verdict: leave("busy"),
    looksNow: false
  },
  AbandonDue: {
    make: Effect.zipRight(register("externally_owned"), abandon),
    brief: "to be given up",
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
  NoSlot: {
    make: register("rerunnable"),
    view: { engine: () => "present", slots: () => ({ free: 0, total: 4 }) },
    brief: "waits for a free place",
    moves: ["host", "host", "operator"],
    commands: [stop],
    verdict: run,
    looksNow: true
  },
  DueNow: {
    make: Effect.zipRight(register("rerunnable"), TestClock.adjust("90 seconds")),
    brief: "due for 1 min 30 s, nobody took it",
    moves: ["sweep", "operator"],
    commands: [stop],
    verdict: run,
    looksNow: true
  }
}

describe("a process is explained as", () => {
  for (const [tag, expected] of Object.entries(produced)) {
    it.effect(tag, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(0)
        yield* expected.make
        const explanation = yield* explain(p, expected.view)
        assert.strictEqual(explanation.because._tag, tag)
        assert.strictEqual(brief(explanation.because, explanation.lookedAtMs), expected.brief)
        assert.deepStrictEqual(
          explanation.moves.map(({ by }) => by),
          expected.moves
        )
        assert.deepStrictEqual(
          explanation.moves.flatMap(({ command }) => command ?? []),
          expected.commands
        )
        assert.deepStrictEqual(explanation.detail?.sweep.verdict, expected.verdict)
        assert.strictEqual(explanation.detail?.sweep.looksNow ?? false, expected.looksNow)
        const wire: unknown = JSON.parse(JSON.stringify(Explanations.encode(explanation)))
        assert.deepStrictEqual(Explanations.decode(wire), Either.right(explanation))
        assert.include(render(explanation), explanation.meaning)
      }).pipe(Effect.provide(layer))
    )
  }
})

describe("an explanation", () => {
  it.effect("shows the holder of a lease, until when, and what is known of its life", () =>
    Effect.gen(function* () {
      yield* register("rerunnable")
      yield* begin(far)
      const { detail } = yield* explain(p)
      assert.deepStrictEqual(detail?.lease, {
        holder: far,
        fencingToken: 1,
        claimedAtMs: 0,
        expiresAtMs: 60_000,
        isExpired: false,
        liveness: "unprovable"
      })
    }).pipe(Effect.provide(layer))
  )

  it.effect("says both verdicts when nobody knows whether a host has the engine", () =>
    Effect.gen(function* () {
      yield* register("rerunnable")
      const { detail } = yield* explain(p)
      assert.deepStrictEqual(detail?.sweep, { looksNow: true, verdict: run, withoutEngine: leave("no_engine") })
      assert.deepStrictEqual(detail?.engine, { kind: "law.engine", version: "", presence: "unknown" })
    }).pipe(Effect.provide(layer))
  )

  it.effect("lists the events that are accepted from here, and who may send each", () =>
    Effect.gen(function* () {
      yield* register("owner_bound")
      yield* begin(alive)
      yield* waitForReady
      const { detail } = yield* explain(p)
      const accepts = new Map(detail?.accepts.map(({ eventType, from }) => [eventType, from.join(" ")]))
      assert.strictEqual(accepts.get("process.started"), undefined)
      assert.strictEqual(accepts.get("process.suspended"), "owner")
      assert.strictEqual(accepts.get("process.resumed"), "signal_sender timer child owner")
      assert.strictEqual(accepts.get("process.completed"), "owner")
      assert.strictEqual(accepts.get("process.abandon_requested"), "operator")
      assert.strictEqual(accepts.get("signal.ready"), "signal_sender")
      assert.strictEqual(accepts.get("finished"), "owner")
      const registry = yield* ProcessRegistry
      const store = yield* ProcessStore
      const lease = yield* store.leaseOf(p)
      if (lease === undefined) return assert.fail("it is leased")
      yield* registry.completeProcessWithLease(lease, outputs.Success)
      const ended = (yield* explain(p)).detail?.accepts.map(({ eventType }) => eventType) ?? []
      assert.notInclude(ended, "process.completed")
      assert.notInclude(ended, "finished")
      assert.include(ended, "note")
    }).pipe(Effect.provide(layer))
  )

  it.effect("names the children that still run, and the wakes that nobody took notice of", () =>
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      yield* register("rerunnable", { wakeTarget: { sessionId: "s" } })
      yield* begin(alive)
      const parent = { processId: p, closePolicy: "cancel" } as const
      yield* registry.registerProcess(registrationOf(processId("p/child"), "rerunnable", { parent }))
      yield* registry.registerProcess(registrationOf(processId("stranger"), "rerunnable"))
      const progress = { eventType: "progress", payload: { urgent: true, text: "look" } }
      yield* registry.appendEvent(p, progress, Authority.host)
      const explanation = yield* explain(p)
      assert.deepStrictEqual(explanation.detail?.runningChildren, [processId("p/child")])
      assert.deepStrictEqual(explanation.detail?.wakes, [
        { sequence: 2, eventType: "progress", state: "unacknowledged" }
      ])
      assert.deepStrictEqual(
        explanation.moves.flatMap(({ command }) => command ?? []),
        ["holdfast explain p/child", stop]
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("says that a request to give up rerunnable work has no effect", () =>
    Effect.gen(function* () {
      yield* register("rerunnable")
      yield* abandon
      const { because, meaning } = yield* explain(p)
      assert.strictEqual(because._tag, "DueNow")
      assert.include(meaning, "has no effect")
    }).pipe(Effect.provide(layer))
  )

  it.effect("fails for a process that nobody knows", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(explain(processId("nobody")))
      assert.strictEqual(error._tag, "ProcessUnknown")
    }).pipe(Effect.provide(layer))
  )

  it.effect("of a row that is due later says that it backs off, and until when", () =>
    Effect.gen(function* () {
      yield* register("rerunnable")
      const store = yield* ProcessStore
      const found = yield* store.find(p)
      if (found._tag !== "Present") return assert.fail("it is registered")
      const [because] = yield* reasonsOf([{ ...found.row, dueAtMs: 5_000 }])
      assert.deepStrictEqual(because, { _tag: "BackingOff", untilMs: 5_000 })
    }).pipe(Effect.provide(layer))
  )
})
