/**
 * A worker without engines: it does with a row what the verdict table says, as far as no body has to run.
 *
 * Invariant: it takes nothing that a host with the engine would run. Whether an engine is missing is judged as if it were
 * there, so that a process whose body could still clean up is left to a host.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RuntimeConfig from "../runtime/RuntimeConfig.ts"
import type { Admission } from "../runtime/Worker.ts"
import { Worker } from "../runtime/Worker.ts"
import { ActivationStore } from "../store/ActivationStore.ts"
import * as Activations from "../store/activations.ts"
import { leftOf, verdictOf } from "../store/decisions/recover.ts"
import { OwnerLiveness } from "../store/OwnerLiveness.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as RecoverySweep from "../supervision/RecoverySweep.ts"

const worker: Layer.Layer<Worker, never, ProcessStore | ActivationStore | OwnerLiveness> = Layer.effect(
  Worker,
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const activations = yield* ActivationStore
    const liveness = yield* OwnerLiveness
    const owner = yield* liveness.identify(`holdfast:cli:${randomUUID()}`)
    const claimant = () => ({ owner, ttlMs: RuntimeConfig.defaults.leaseTtlMs, token: randomUUID() })
    return Worker.of({
      owner,
      start: () => Effect.dieMessage("the command line starts nothing"),
      roster: emptyRoster,
      slots: () => ({ free: 0, total: 0 }),
      claimant,
      admission: Effect.never,
      lookout: Effect.never,
      recover: (id, dead) =>
        Effect.gen(function* () {
          const found = yield* store.find(id)
          if (found._tag !== "Present") return { _tag: "Absent" } satisfies Admission
          const expected = verdictOf(found.row, { dead, engine: "present" }, yield* Clock.currentTimeMillis)
          if (expected._tag === "Leave") return leftOf(found.row, expected.reason)
          if (expected._tag === "Run") return leftOf(found.row, "no_engine")
          // Decided again in the transaction, and there without an engine: this program must never be told to run it.
          return yield* Effect.catchTag(
            activations.recover(id, { owner, claimant: claimant(), dead, engine: "missing" }),
            "ProcessUnknown",
            () => Effect.succeed({ _tag: "Absent" } as const)
          )
        })
    })
  })
)

/** Nothing runs here. */
const emptyRoster: typeof Worker.Service.roster = {
  all: () => [],
  ownerBound: () => [],
  remind: () => Effect.void,
  passivate: () => undefined,
  passivateAfterMs: () => undefined,
  retake: () => Effect.void,
  interruptAll: Effect.void,
  accept: Effect.void,
  empty: Effect.void
}

/** A sweep on demand, without engines. */
export const layer: Layer.Layer<RecoverySweep.RecoverySweep, never, ProcessStore | OwnerLiveness> =
  RecoverySweep.layer.pipe(
    Layer.provide(worker),
    Layer.provide(Activations.layer),
    Layer.provide(Layer.succeed(RuntimeConfig.RuntimeConfig, { ...RuntimeConfig.defaults, sweepIntervalMs: 0 }))
  )
