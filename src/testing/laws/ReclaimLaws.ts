/**
 * Laws of reclaiming: a live lease changes hands only on exact observation and proof of death, and to one racer only.
 */
import * as Effect from "effect/Effect"
import type { Lease } from "../../model/Lease.ts"
import { Leases } from "../../operations/Leases.ts"
import { writesNothing } from "../evidence.ts"
import {
  claimed,
  exactlyOneAcquired,
  freshId,
  freshOwner,
  freshProcess,
  leasedProcess,
  longMs,
  shortMs
} from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, FailureDetector, LawClock, lawsOf } from "../Law.ts"

/** The laws of reclaiming. */
export const laws: ReadonlyArray<Law> = lawsOf("ADR 0011", {
  "a reclaim takes a live lease from a proven dead holder, with the next fence": function* () {
    const leases = yield* Leases
    const mortality = yield* FailureDetector
    const { id, owner, lease } = yield* leasedProcess()
    const heir = yield* freshOwner()
    yield* mortality.kill(owner)
    const outcome = yield* leases.reclaimProcessLease(id, heir, lease, longMs)
    const taken = outcome._tag === "Acquired" ? outcome.lease : undefined
    yield* expectEquals("the heir", [taken?.owner, taken?.fencingToken], [heir, lease.fencingToken + 1])
    yield* expectEquals("whether the token is new", taken?.leaseToken !== lease.leaseToken, true)
    yield* expectEquals("what is stored", yield* leases.getProcessLease(id), taken)
  },

  "a reclaim without proof of death answers Busy": function* () {
    const leases = yield* Leases
    const { id, lease } = yield* leasedProcess()
    const reclaim = leases.reclaimProcessLease(id, yield* freshOwner(), lease, longMs)
    yield* expectEquals("the answer", yield* writesNothing([id], reclaim), { _tag: "Busy", holder: lease })
  },

  "a reclaim of anything but exactly the observed lease answers Busy": function* () {
    const leases = yield* Leases
    const mortality = yield* FailureDetector
    const { id, owner, lease } = yield* leasedProcess()
    const elsewhere = yield* freshId
    const another = yield* freshOwner()
    yield* Effect.forEach([owner, another], mortality.kill)
    const observations: ReadonlyArray<Lease> = [
      { ...lease, processId: elsewhere },
      { ...lease, leaseToken: "another token" },
      { ...lease, fencingToken: lease.fencingToken + 1 },
      { ...lease, owner: another }
    ]
    for (const observed of observations) {
      const reclaim = leases.reclaimProcessLease(id, yield* freshOwner(), observed, longMs)
      yield* expectEquals("the answer", yield* writesNothing([id], reclaim), { _tag: "Busy", holder: lease })
    }
  },

  "whether the holder is dead is judged by the stored holder, not by the evidence in the observation": function* () {
    const leases = yield* Leases
    const mortality = yield* FailureDetector
    const { id, owner, lease } = yield* leasedProcess()
    const liveness = {
      _tag: "LocalProcess",
      hostId: "law-host",
      bootId: "law-boot",
      pid: 1,
      processStart: "0"
    } as const
    const disguised = { ...owner, liveness }
    yield* mortality.kill(disguised)
    const reclaim = leases.reclaimProcessLease(id, yield* freshOwner(), { ...lease, owner: disguised }, longMs)
    yield* expectEquals("the answer", yield* writesNothing([id], reclaim), { _tag: "Busy", holder: lease })
  },

  "a lease that was released or has expired is reclaimed without any proof": function* () {
    const leases = yield* Leases
    const clock = yield* LawClock
    const released = yield* leasedProcess()
    yield* leases.completeProcessLease({ processId: released.id, leaseToken: released.lease.leaseToken })
    const expired = yield* leasedProcess("rerunnable", shortMs)
    yield* clock.advance(shortMs)
    const stale = { ...expired.lease, leaseToken: "never seen" }
    for (const [id, observed] of [
      [released.id, released.lease],
      [expired.id, stale]
    ] as const) {
      const outcome = yield* leases.reclaimProcessLease(id, yield* freshOwner(), observed, longMs)
      yield* expectEquals("the answer", outcome._tag === "Acquired" && outcome.lease.fencingToken, 2)
    }
  },

  "a process that was never leased is reclaimed like a free one": function* () {
    const leases = yield* Leases
    const { lease } = yield* leasedProcess()
    const id = yield* freshProcess()
    const outcome = yield* leases.reclaimProcessLease(id, yield* freshOwner(), { ...lease, processId: id }, longMs)
    yield* expectEquals("the answer", outcome._tag === "Acquired" && outcome.lease.fencingToken, 1)
  },

  "of racing reclaims with one observation exactly one acquires": function* () {
    const leases = yield* Leases
    const mortality = yield* FailureDetector
    const { id, owner, lease } = yield* leasedProcess()
    yield* mortality.kill(owner)
    const heirs = yield* Effect.forEach(Array.from({ length: 8 }), () => freshOwner())
    const outcomes = yield* Effect.forEach(heirs, (heir) => leases.reclaimProcessLease(id, heir, lease, longMs), {
      concurrency: "unbounded"
    })
    const stored = yield* exactlyOneAcquired(id, heirs, outcomes)
    yield* expectEquals("the fence", stored?.fencingToken, lease.fencingToken + 1)
  },

  "once a lease was reclaimed, its former holder can neither renew nor release it": function* () {
    const leases = yield* Leases
    const mortality = yield* FailureDetector
    const { id, owner, lease } = yield* leasedProcess()
    yield* mortality.kill(owner)
    yield* leases.reclaimProcessLease(id, yield* freshOwner(), lease, longMs)
    const renewal = Effect.either(leases.renewProcessLease(lease, longMs))
    yield* expectEquals("the renewal", (yield* writesNothing([id], renewal))._tag, "Left")
    const release = leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    yield* writesNothing([id], release)
    const outcome = yield* writesNothing([id], leases.claimProcessLease(id, owner, longMs))
    yield* expectEquals("its claim", outcome._tag, "Busy")
  },

  "an observation made before the holder claimed anew reclaims nothing": function* () {
    const leases = yield* Leases
    const mortality = yield* FailureDetector
    const clock = yield* LawClock
    const { id, owner, lease } = yield* leasedProcess("rerunnable", shortMs)
    yield* clock.advance(shortMs)
    const again = yield* claimed(id, owner)
    yield* mortality.kill(owner)
    const stale = leases.reclaimProcessLease(id, yield* freshOwner(), lease, longMs)
    yield* expectEquals("a stale observation", yield* writesNothing([id], stale), { _tag: "Busy", holder: again })
    const fresh = yield* leases.reclaimProcessLease(id, yield* freshOwner(), again, longMs)
    yield* expectEquals("a fresh one", fresh._tag, "Acquired")
  }
})
