/**
 * A wake that does not move for each reason there is, each brought about for real, on any store.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import type { WakeFacts } from "../../src/explain/Explanation.ts"
import { scopeId } from "../../src/model/Provenance.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import * as Grants from "../../src/operations/HandleGrants.ts"
import { HandleGrants } from "../../src/operations/HandleGrants.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Outbox from "../../src/operations/WakeOutbox.ts"
import { WakeOutbox } from "../../src/operations/WakeOutbox.ts"
import type { DiscardReason, WakeRow } from "../../src/store/Outbox.ts"
import type { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as WakeDriver from "../../src/supervision/WakeDriver.ts"
import * as WakeSink from "../../src/supervision/WakeSink.ts"
import { quiet } from "../support/hosts.ts"
import { layerOn, p, register } from "./cases.ts"

/** What brings the wakes of a store there. */
export const wakesOn = <E>(store: Layer.Layer<ProcessStore, E>) =>
  Layer.merge(Outbox.layer, Grants.layer).pipe(Layer.provideMerge(layerOn(store)))

/** What a case works with. */
export type Services = Layer.Layer.Success<ReturnType<typeof wakesOn>>

/** Every way in which a wake may stand; what was discarded by its reason. */
export type Standing = Exclude<WakeFacts["state"], "discarded"> | "blocked" | "resting" | DiscardReason

/** How a wake comes to stand so, what is said of the last one then, and the command that moves it. */
export interface WakeCase {
  readonly make: Effect.Effect<unknown, unknown, Services>
  readonly sight: Partial<WakeFacts>
  readonly text: RegExp
  readonly isRedriven?: boolean
}

const session = scopeId({ sessionId: "s" })

const wake = Effect.flatMap(ProcessRegistry, (registry) =>
  registry.appendEvent(p, { eventType: "progress", payload: { urgent: true, text: "look" } }, Authority.host)
)

/** A process that wakes a session, and has done so once. */
const woken = Effect.zipRight(register("rerunnable", { wakeTarget: { sessionId: "s" } }), wake)

const claimOne = Effect.flatMap(WakeOutbox, (outbox) => Effect.map(outbox.claim(1), ({ claims }) => claims))

/** Lets a driver with this sink work until the wake stands as it is waited for; bounded in steps. */
const drivenTo = (answer: WakeSink.SinkAnswer["_tag"], isSo: (row: WakeRow) => boolean) => {
  const reached = (steps: number): Effect.Effect<void, unknown, WakeOutbox> =>
    Effect.gen(function* () {
      const { rows } = yield* (yield* WakeOutbox).list({ processId: p, limit: 1 })
      if (rows.some(isSo)) return
      if (steps === 0) return yield* Effect.dieMessage(`the sink answered ${answer}, and it did not come to that`)
      yield* Effect.promise(() => new Promise(setImmediate))
      yield* TestClock.adjust("1 millis")
      yield* reached(steps - 1)
    })
  const driving = Effect.flatMap(WakeDriver.WakeDriver, ({ run }) => Effect.forkScoped(run))
  const driver = WakeDriver.layer.pipe(Layer.provide(WakeSink.layer(() => Effect.succeed({ _tag: answer }))))
  return Effect.scoped(Effect.zipRight(driving, reached(20_000))).pipe(Effect.provide([driver, quiet]))
}

const ofFirst = { sequence: 1, eventType: "progress", targetScopeId: session }

/** Every way for a wake not to move. */
export const wakeCases: Readonly<Record<Standing, WakeCase>> = {
  no_target: {
    make: Effect.zipRight(register("rerunnable"), wake),
    sight: { sequence: 1, eventType: "progress", state: "no_target" },
    text: /progress #1: no session to wake/
  },
  pending: {
    make: woken,
    sight: { ...ofFirst, state: "pending", attempts: 0, nextAttemptAtMs: 0 },
    text: /progress #1 for session:s: due since 1970-01-01 00:00:00\S*, not delivered; is a host with a sink running\?/
  },
  resting: {
    make: Effect.zipRight(
      woken,
      drivenTo("RetryLater", ({ state, attempts }) => state === "pending" && attempts === 1)
    ),
    sight: { ...ofFirst, state: "pending", attempts: 1 },
    text: /progress #1 for session:s: not delivered by attempt 1, the next one is in \d+ ms/
  },
  blocked: {
    make: Effect.zipRight(woken, wake),
    sight: { ...ofFirst, sequence: 2, state: "pending", attempts: 0, nextAttemptAtMs: 0 },
    text: /progress #2 for session:s: waits for wake:\S+, which must be delivered or discarded first/
  },
  enqueuing: {
    make: Effect.zipRight(woken, claimOne),
    sight: { ...ofFirst, state: "enqueuing", attempts: 1 },
    text: /progress #1 for session:s: being delivered, attempt 1/
  },
  unacknowledged: {
    make: Effect.zipRight(
      woken,
      drivenTo("Delivered", ({ state }) => state === "enqueued")
    ),
    sight: { ...ofFirst, state: "unacknowledged", attempts: 1 },
    text: /progress #1 for session:s: delivered, not acknowledged/
  },
  expired: {
    make: Effect.zipRight(
      woken,
      Effect.zipRight(
        TestClock.adjust("7 days"),
        drivenTo("Delivered", ({ state }) => state === "discarded")
      )
    ),
    sight: { ...ofFirst, state: "discarded", attempts: 0, discardReason: "expired" },
    text: /progress #1 for session:s: discarded, it could not be delivered in time/,
    isRedriven: true
  },
  // The session is deleted while its wake is owed: the sink cannot find it, and the process has no target any more.
  target_gone: {
    make: Effect.gen(function* () {
      yield* woken
      yield* (yield* HandleGrants).deleteSessionProcessState("s")
      yield* drivenTo("TargetGone", ({ state }) => state === "discarded")
    }),
    sight: { ...ofFirst, state: "discarded", attempts: 1, discardReason: "target_gone" },
    text: /progress #1 for session:s: discarded, its session is gone/,
    isRedriven: true
  },
  // A host that delivers by hand has put the message before another session.
  retargeted: {
    make: Effect.gen(function* () {
      yield* woken
      const outbox = yield* WakeOutbox
      for (const claim of yield* claimOne) yield* outbox.settle(claim, { _tag: "Discard", reason: "retargeted" })
    }),
    sight: { ...ofFirst, state: "discarded", attempts: 1, discardReason: "retargeted" },
    text: /progress #1 for session:s: discarded, its message goes to another session/,
    isRedriven: true
  }
}
