/**
 * Laws of activations: how one begins, is handed back, and is counted.
 */
import * as Effect from "effect/Effect"
import type { LeaseOwner } from "../../model/Lease.ts"
import { Activations } from "../../operations/Activations.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { isFold, keptOf, logOf, recordOf, refused, rowOf, typesOf, writesNothing } from "../evidence.ts"
import { begin, claimed, freshId, freshOwner, freshProcess, leasedProcess, outputs, shortMs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, law } from "../Law.ts"

/** The laws of activations. */
export const laws: ReadonlyArray<Law> = [
  law(
    "an activation begins with one fact: who began it, when, as which attempt, under which fence",
    "R1",
    Effect.gen(function* () {
      const { id, lease } = yield* leasedProcess()
      const row = yield* begin(lease, stable)
      const [event] = yield* logOf(id)
      yield* expectEquals(
        "the type and key",
        [event?.eventType, event?.replayKey],
        ["process.started", `process:${id}:started:1`]
      )
      yield* expectEquals("the payload", event?.payload, {
        started: {
          owner: { owner_id: "stable", incarnation_id: "life", liveness: { kind: "opaque" } },
          started_at_ms: event?.occurredAtMs,
          attempt: 1,
          fencing_token: lease.fencingToken
        }
      })
      const record = yield* recordOf(id)
      yield* expectEquals("the counters", [record.activations, record.attempts], [1, 1])
      yield* expectEquals("the first owner", record.firstStarted, { owner: stable, startedAtMs: event?.occurredAtMs })
      yield* expectEquals("the lease", (yield* keptOf(id)).lease, lease)
      yield* expectEquals("the answer", row.sequence, 1)
      yield* isFold(id)
    })
  ),

  law(
    "an attempt is counted when the activation before it left no fact",
    "R17",
    Effect.gen(function* () {
      const { id, lease } = yield* lostActivation
      yield* begin(lease, stable)
      const record = yield* recordOf(id)
      yield* expectEquals("the counters", [record.activations, record.attempts], [2, 2])
      yield* isFold(id)
    })
  ),

  law(
    "an activation after a hand-back goes on with the same attempt",
    "R17",
    Effect.gen(function* () {
      const activations = yield* Activations
      const { id, lease } = yield* leasedProcess()
      yield* begin(lease, stable)
      yield* activations.suspend(lease, "passivated")
      yield* begin(yield* claimed(id, yield* freshOwner()), stable)
      const record = yield* recordOf(id)
      yield* expectEquals("the counters", [record.activations, record.attempts], [2, 1])
      yield* isFold(id)
    })
  ),

  law(
    "the first owner stays the first for ever",
    "R17",
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      const { id, lease } = yield* lostActivation
      const { firstStarted } = yield* recordOf(id)
      const late = yield* freshOwner("late")
      yield* begin(lease, late)
      yield* registry.recordFirstStarted(id, { owner: late, startedAtMs: 1 })
      yield* expectEquals("the first owner", (yield* recordOf(id)).firstStarted, firstStarted)
    })
  ),

  law(
    "whoever records the first start first stands, and later calls write nothing",
    "8",
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      const id = yield* freshProcess()
      const first = yield* registry.recordFirstStarted(id, { owner: stable, startedAtMs: 5 })
      yield* expectEquals("the first owner", first.firstStarted, { owner: stable, startedAtMs: 5 })
      yield* isFold(id)
      const later = { owner: yield* freshOwner(), startedAtMs: 6 }
      const second = yield* writesNothing([id], registry.recordFirstStarted(id, later))
      yield* expectEquals("the answer", second, first)
      const unknown = yield* freshId
      yield* refused("an unknown one", "ProcessUnknown", [unknown], registry.recordFirstStarted(unknown, later))
    })
  ),

  law(
    "the first start may be recorded after the end, and moves nothing else",
    "8",
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      const id = yield* freshProcess("externally_owned")
      const ended = yield* registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
      const started = yield* registry.recordFirstStarted(id, { owner: stable, startedAtMs: 5 })
      yield* expectEquals("the record", started, {
        ...ended,
        updatedAtMs: started.updatedAtMs,
        firstStarted: { owner: stable, startedAtMs: 5 }
      })
      yield* isFold(id)
    })
  ),

  law(
    "a hand-back writes its reason and releases the lease in one commit",
    "R1",
    Effect.gen(function* () {
      const activations = yield* Activations
      for (const reason of ["handed_back", "passivated", "lease_lost"] as const) {
        const { id, lease } = yield* leasedProcess()
        yield* begin(lease, stable)
        yield* activations.suspend(lease, reason)
        const kept = yield* keptOf(id)
        yield* expectEquals("the lease and its fence", [kept.lease, kept.fencingToken], [undefined, 1])
        const event = kept.log[1]
        yield* expectEquals(
          "the fact",
          [event?.eventType, event?.payload, event?.replayKey],
          ["process.suspended", { reason }, `process:${id}:suspended:1`]
        )
        yield* refused("a second hand-back", "LeaseLost", [id], activations.suspend(lease, reason))
        yield* isFold(id)
      }
    })
  ),

  law(
    "handing back what never began only releases",
    "R8",
    Effect.gen(function* () {
      const activations = yield* Activations
      const { id, lease } = yield* leasedProcess()
      const before = yield* rowOf(id)
      yield* activations.suspend(lease, "handed_back")
      const kept = yield* keptOf(id)
      yield* expectEquals("the log and the lease", [kept.log, kept.lease], [[], undefined])
      yield* expectEquals("the time of the record", kept.record?.updatedAtMs, before.snapshot.context.updatedAtMs)
    })
  ),

  law(
    "a process goes through any number of activations, each with its own fence and fact",
    "R17",
    Effect.gen(function* () {
      const activations = yield* Activations
      const id = yield* freshProcess()
      for (const activation of [1, 2, 3]) {
        const lease = yield* claimed(id, yield* freshOwner())
        yield* expectEquals("the fence", lease.fencingToken, activation)
        yield* begin(lease, stable)
        yield* activations.suspend(lease, "handed_back")
      }
      yield* expectEquals("the log", yield* typesOf(id), [
        "process.started",
        "process.suspended",
        "process.started",
        "process.suspended",
        "process.started",
        "process.suspended"
      ])
      yield* isFold(id)
    })
  )
]

const stable: LeaseOwner = { ownerId: "stable", incarnationId: "life", liveness: { _tag: "Opaque" } }

/** An activation whose lease ran out without a fact, and the lease of the next holder. */
const lostActivation = Effect.gen(function* () {
  const clock = yield* LawClock
  const { id, lease: first } = yield* leasedProcess("rerunnable", shortMs)
  yield* begin(first, stable)
  yield* clock.advance(shortMs)
  return { id, lease: yield* claimed(id, yield* freshOwner()) }
})
