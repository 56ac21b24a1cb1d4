/**
 * Laws of recovery beyond the verdict table: ended rows, races, attempts, and whose death counts.
 */
import * as Effect from "effect/Effect"
import { Activations } from "../../operations/Activations.ts"
import { external } from "../../operations/decisions/authority.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { isFold, recordOf, refused, typesOf, writesNothing } from "../evidence.ts"
import { claimed, freshId, freshOwner, freshProcess, leasedProcess, outputs, recoverer, shortMs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, lawsOf } from "../Law.ts"

/** The laws of recovery. */
export const laws: ReadonlyArray<Law> = lawsOf("What happens when: The host and its machine", {
  "an ended process is left as it is, also where somebody holds it": function* () {
    const activations = yield* Activations
    const registry = yield* ProcessRegistry
    const { id, lease } = yield* leasedProcess()
    yield* registry.completeProcessWithLease(lease, outputs.Success)
    const left = { _tag: "Deferred", reason: { why: "settled" } }
    yield* expectEquals("free", yield* writesNothing([id], activations.recover(id, yield* recoverer())), left)
    const holder = yield* freshOwner()
    yield* claimed(id, holder)
    const sweep = activations.recover(id, yield* recoverer({ dead: [holder] }))
    yield* expectEquals("held by a dead one", yield* writesNothing([id], sweep), left)
  },

  "an unknown process is not recovered": function* () {
    const activations = yield* Activations
    const id = yield* freshId
    yield* refused("it", "ProcessUnknown", [id], activations.recover(id, yield* recoverer()))
  },

  "of racing sweeps one runs the row and the others find it busy": function* () {
    const activations = yield* Activations
    const id = yield* freshProcess()
    const sweeps = yield* Effect.all(Array.from({ length: 6 }, () => recoverer()))
    const outcomes = yield* Effect.forEach(sweeps, (by) => activations.recover(id, by), { concurrency: "unbounded" })
    yield* expectEquals("the outcomes", outcomes.map((outcome) => outcome._tag).sort(), [
      "Deferred",
      "Deferred",
      "Deferred",
      "Deferred",
      "Deferred",
      "Run"
    ])
    yield* expectEquals("the log", yield* typesOf(id), ["process.started"])
  },

  "when the attempts are used up, the next one fails the process without running it": function* () {
    const activations = yield* Activations
    const clock = yield* LawClock
    const id = yield* freshProcess("rerunnable", { maxAttempts: 2 })
    for (const activation of [1, 2]) {
      const by = yield* recoverer()
      const outcome = yield* activations.recover(id, { ...by, claimant: { ...by.claimant, ttlMs: shortMs } })
      yield* expectEquals(`activation ${activation}`, outcome._tag, "Run")
      yield* clock.advance(shortMs)
    }
    const outcome = yield* activations.recover(id, yield* recoverer())
    yield* expectEquals("the outcome", [outcome._tag, outcome._tag === "Ended" && outcome.as], ["Ended", "failed"])
    const { status, attempts } = yield* recordOf(id)
    const output = status._tag === "Failed" && status.output._tag === "Failure" ? status.output : undefined
    yield* expectEquals("the failure", [output?.class, output?.code], ["resource_limit", "process_attempts_exhausted"])
    yield* expectEquals("the attempts", attempts, 2)
    yield* expectEquals("the log", yield* typesOf(id), ["process.started", "process.started", "process.failed"])
    yield* isFold(id)
  },

  "an attempt that was handed back is not used up": function* () {
    const activations = yield* Activations
    const id = yield* freshProcess("rerunnable", { maxAttempts: 1 })
    for (const activation of [1, 2, 3]) {
      const outcome = yield* activations.recover(id, yield* recoverer())
      yield* expectEquals(`activation ${activation}`, outcome._tag, "Run")
      if (outcome._tag === "Run") yield* activations.suspend(outcome.lease, "handed_back")
    }
  },

  "a cancellation that a sweep carries out forwards its reason": function* () {
    const activations = yield* Activations
    const registry = yield* ProcessRegistry
    const id = yield* freshProcess()
    yield* registry.requestProcessCancel(id, "not needed any more", external)
    yield* activations.recover(id, yield* recoverer())
    const output = { _tag: "Cancelled", message: "not needed any more" }
    yield* expectEquals("the status", (yield* recordOf(id)).status, { _tag: "Cancelled", output })
  },

  "a death that is proven of another life of the holder proves nothing": function* () {
    const activations = yield* Activations
    const { id, owner } = yield* leasedProcess()
    const by = yield* recoverer({ dead: [{ ...owner, incarnationId: "another" }] })
    const outcome = yield* writesNothing([id], activations.recover(id, by))
    yield* expectEquals("the outcome", outcome, { _tag: "Deferred", reason: { why: "busy", holder: owner.ownerId } })
  }
})
