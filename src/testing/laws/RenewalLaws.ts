/**
 * Laws of lease renewal, back-off and drain, and of reclaiming the leases of dead holders.
 */
import * as Effect from "effect/Effect"
import type { ProcessId } from "../../model/ids.ts"
import type { Lease, LeaseOwner } from "../../model/Lease.ts"
import { Activations } from "../../operations/Activations.ts"
import { host } from "../../operations/decisions/authority.ts"
import { Leases } from "../../operations/Leases.ts"
import { isFold, keptOf, note, refused, rowOf, typesOf, writesNothing } from "../evidence.ts"
import {
  claimed,
  exactlyOneAcquired,
  freshId,
  freshOwner,
  freshProcess,
  leasedProcess,
  longMs,
  outputs,
  recoverer,
  shortMs
} from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, lawsOf } from "../Law.ts"

const renewalLaws: ReadonlyArray<Law> = lawsOf("ADR 0015", {
  *"a renewer renews its own unexpired leases, answers which, and touches no others"({
    activations,
    clock,
    leases,
    store
  }) {
    const { renewerId, run } = yield* worker
    const kept = [yield* run(longMs), yield* run(longMs)]
    const lapsed = yield* run(shortMs)
    const foreign = yield* leasedProcess()
    const released = yield* run(longMs)
    yield* activations.suspend(yield* leaseOf(released), "handed_back")
    yield* clock.advance(shortMs)
    const before = { lapsed: yield* keptOf(lapsed), foreign: yield* keptOf(foreign.id) }
    const page = yield* store.leases.renew({ renewerId, ttlMs: 2 * longMs })
    yield* expectEquals(
      "what was renewed",
      page.renewed.map(({ processId }) => processId),
      kept
    )
    for (const id of kept) {
      const lease = yield* leases.getProcessLease(id)
      yield* expectEquals("its expiry", lease?.expiresAtMs, page.expiresAtMs)
      yield* expectEquals(
        "its token",
        lease?.leaseToken,
        page.renewed.find((each) => each.processId === id)?.leaseToken
      )
      yield* expectEquals("its fence", lease?.fencingToken, 1)
      yield* isFold(id)
    }
    yield* expectEquals("the others", { lapsed: yield* keptOf(lapsed), foreign: yield* keptOf(foreign.id) }, before)
    if (clock.isExact) yield* expectEquals("the new expiry", page.expiresAtMs, (yield* clock.nowMs) + 2 * longMs)
  },

  *"pages of renewals end, and a renewed lease is still the one that completes"({ registry, store }) {
    const { renewerId, run } = yield* worker
    const id = yield* run(longMs)
    const lease = yield* leaseOf(id)
    let page = yield* store.leases.renew({ renewerId, ttlMs: longMs })
    for (let pages = 0; page.next !== undefined && pages < 1_000; pages++) {
      page = yield* store.leases.renew({ renewerId, ttlMs: longMs, after: page.next })
    }
    yield* expectEquals("a page after the last", page.next, undefined)
    yield* registry.completeProcessWithLease(lease, outputs.Success)
    yield* expectEquals("what is left to renew", (yield* store.leases.renew({ renewerId, ttlMs: longMs })).renewed, [])
    yield* isFold(id)
  },

  *"the leases of one renewer are one holder's, and a lease without a renewer is its own holder's"({
    clock,
    registry,
    store
  }) {
    const { renewerId, run } = yield* worker
    const ids = [yield* run(longMs), yield* run(shortMs), yield* run(longMs)]
    const ended = yield* run(longMs)
    yield* registry.completeProcessWithLease(yield* leaseOf(ended), outputs.Success)
    const { id, owner } = yield* leasedProcess()
    const second = yield* freshProcess()
    yield* claimed(second, owner)
    yield* clock.advance(shortMs)
    const holders = yield* store.leases.holders
    const own = holders.filter((holder) => holder.renewerId === renewerId)
    yield* expectEquals(
      "how many leases",
      own.map(({ leases }) => leases),
      [3]
    )
    const alone = holders.filter((holder) => holder.owner.incarnationId === owner.incarnationId)
    yield* expectEquals("the one without a renewer", alone, [{ owner, leases: 2 }])
    const held = yield* Effect.forEach([...own, ...alone], (holder) =>
      Effect.map(store.leases.heldBy(holder), (all) => all.map(({ processId }) => processId))
    )
    yield* expectEquals("which", held, [ids, [id, second]])
    const agree = yield* Effect.forEach([...own, ...alone], (holder) =>
      Effect.flatMap(
        store.leases.heldBy(holder),
        Effect.forEach(({ processId, expiresAtMs }) =>
          Effect.map(store.leases.of(processId), (lease) => lease?.expiresAtMs === expiresAtMs)
        )
      )
    )
    yield* expectEquals(
      "whether each lasts as it says",
      agree.flat(),
      [...ids, id, second].map(() => true)
    )
  },

  *"a row that cannot be started backs off longer each time, whatever is noted meanwhile"({
    activations,
    clock,
    registry,
    store
  }) {
    const id = yield* freshProcess()
    const isDue = Effect.map(
      Effect.flatMap(clock.nowMs, (nowMs) => store.due({ nowMs, limit: 1_000_000 })),
      (due) => due.includes(id)
    )
    for (const [failures, restMs] of [
      [1, 1_000],
      [2, 2_000],
      [3, 4_000]
    ] as const) {
      const rest = yield* activations.backOff(id, "no such thing")
      yield* expectEquals("how often", [rest?.failures, rest?.problem], [failures, "no such thing"])
      yield* expectEquals("the row", (yield* rowOf(id)).backOff, rest)
      yield* registry.appendEvent(id, note(failures), host)
      yield* expectEquals("due while it backs off", yield* isDue, false)
      yield* clock.advance(restMs)
      yield* expectEquals("due after it", yield* isDue, true)
    }
    const outcome = yield* activations.recover(id, yield* recoverer())
    yield* expectEquals("it runs", outcome._tag, "Run")
    yield* expectEquals("and backs off no more", (yield* rowOf(id)).backOff, undefined)
    yield* isFold(id)
  },

  *"a back-off ends when the row is asked for something else, and neither held nor ended rows back off"({
    activations,
    clock,
    registry,
    store
  }) {
    const id = yield* freshProcess()
    yield* activations.backOff(id, "no such thing")
    yield* registry.requestProcessCancel(id, "enough", host)
    const due = yield* store.due({ nowMs: yield* clock.nowMs, limit: 1_000_000 })
    yield* expectEquals("due at once", [due.includes(id), (yield* rowOf(id)).backOff], [true, undefined])
    const held = (yield* leasedProcess()).id
    yield* expectEquals("held", yield* writesNothing([held], activations.backOff(held, "no")), undefined)
    const { id: ended, lease } = yield* leasedProcess()
    yield* registry.completeProcessWithLease(lease, outputs.Success)
    yield* expectEquals("ended", yield* writesNothing([ended], activations.backOff(ended, "no")), undefined)
    const unknown = yield* freshId
    yield* expectEquals("unknown", yield* activations.backOff(unknown, "no"), undefined)
  },

  *"a drain gives up work that its owner began and that has no holder, with the owner as evidence"({
    activations,
    clock
  }) {
    const { owner, run, begin } = yield* worker
    const id = yield* begin("owner_bound", shortMs)
    yield* clock.advance(shortMs)
    const atMs = yield* clock.nowMs
    yield* expectEquals("given up", yield* activations.drain(id, yield* drainer(owner)), true)
    yield* expectEquals("the log", yield* typesOf(id), ["process.started", "process.abandoned"])
    const { output } = (yield* rowOf(id)).snapshot.context
    yield* expectEquals("the evidence", output, {
      _tag: "Abandoned",
      evidence: { writer: "owner_drain", owner, epochMs: clock.isExact ? atMs : (output as Dated).evidence.epochMs }
    })
    yield* expectEquals("the lease", (yield* rowOf(id)).lease.held, undefined)
    yield* isFold(id)
    const again = yield* writesNothing([id], activations.drain(id, yield* drainer(owner)))
    yield* expectEquals("a second one", again, false)
    yield* expectEquals("rerunnable work", yield* drained(yield* run(shortMs), owner), false)
  },

  *"a drain leaves alone what is held, rerunnable, never begun, or another owner's"({ clock }) {
    const { owner, begin } = yield* worker
    const held = yield* begin("owner_bound", longMs)
    const rerunnable = yield* begin("rerunnable", shortMs)
    const foreign = yield* begin("owner_bound", shortMs)
    const unbegun = yield* freshProcess("owner_bound")
    yield* clock.advance(shortMs)
    const stranger = yield* freshOwner()
    const otherLife = { ...owner, incarnationId: `${owner.incarnationId}-2` }
    for (const [id, by] of [
      [held, owner],
      [rerunnable, owner],
      [unbegun, owner],
      [foreign, stranger],
      [foreign, otherLife]
    ] as const) {
      yield* expectEquals(`${id} by ${by.incarnationId}`, yield* drained(id, by), false)
    }
  },

  *"a holder that slept reacquires its lease if and only if no other owner held the process in between"({
    activations
  }) {
    const { id, lease, owner } = yield* overslept
    const again = yield* reacquired(lease, owner)
    yield* expectEquals("fence and holder", [again.fencingToken, again.owner], [lease.fencingToken + 1, lease.owner])
    yield* refused("the old lease", "LeaseLost", [id], reacquired(lease, owner))
    yield* activations.suspend(again, "handed_back")
    yield* refused("a released one", "LeaseLost", [id], reacquired(again, owner))
  },

  *"a holder that slept is a zombie once another has held the process"({ activations, clock }) {
    const { id, lease, owner } = yield* overslept
    const by = yield* recoverer()
    yield* activations.recover(id, { ...by, claimant: { ...by.claimant, ttlMs: shortMs } })
    yield* clock.advance(shortMs)
    yield* refused("the zombie", "LeaseLost", [id], reacquired(lease, owner))
    yield* expectEquals("the fence", (yield* rowOf(id)).lease.fencingToken, lease.fencingToken + 1)
  }
})

/** A process whose holder slept until its lease had expired. */
const overslept = Effect.gen(function* () {
  const clock = yield* LawClock
  const { begin, owner } = yield* worker
  const id = yield* begin("rerunnable", shortMs)
  const lease = yield* leaseOf(id)
  yield* clock.advance(shortMs)
  return { id, lease, owner }
})

interface Dated {
  readonly evidence: { readonly epochMs: number }
}

/** A worker with a renewer of its own, and ways to begin processes under it. */
const worker = Effect.gen(function* () {
  const activations = yield* Activations
  const owner = yield* freshOwner("stable")
  const renewerId = owner.incarnationId
  const begin = (disposition: "rerunnable" | "owner_bound", ttlMs: number) =>
    Effect.gen(function* () {
      const id = yield* freshProcess(disposition)
      const { claimant, ...by } = yield* recoverer({ owner })
      const attempt = { ...claimant.owner, liveness: owner.liveness }
      yield* activations.recover(id, { ...by, claimant: { ...claimant, owner: attempt, ttlMs, renewerId } })
      return id
    })
  return { owner, renewerId, begin, run: (ttlMs: number) => begin("rerunnable", ttlMs) }
})

const drainer = (owner: LeaseOwner) => Effect.map(recoverer({ owner }), ({ claimant }) => ({ owner, claimant }))

const drained = (id: ProcessId, owner: LeaseOwner) =>
  Effect.gen(function* () {
    const activations = yield* Activations
    return yield* writesNothing([id], activations.drain(id, yield* drainer(owner)))
  })

const reacquired = (lease: Lease, owner: LeaseOwner) =>
  Effect.flatMap(Effect.all([Activations, drainer(owner)]), ([activations, { claimant }]) =>
    activations.reacquire(lease, { ...claimant, owner: lease.owner })
  )

/** The lease that is stored; the laws above ask only for leases that are held. */
const leaseOf = (id: ProcessId) =>
  Effect.gen(function* () {
    const lease = yield* (yield* Leases).getProcessLease(id)
    return lease ?? (yield* Effect.dieMessage(`${id} is not held`))
  })

const reclaimLaws: ReadonlyArray<Law> = lawsOf("ADR 0011", {
  *"a reclaim takes a live lease from a proven dead holder, with the next fence"({ detector, leases }) {
    const { id, owner, lease } = yield* leasedProcess()
    const heir = yield* freshOwner()
    yield* detector.kill(owner)
    const outcome = yield* leases.reclaimProcessLease(id, heir, lease, longMs)
    const taken = outcome._tag === "Acquired" ? outcome.lease : undefined
    yield* expectEquals("the heir", [taken?.owner, taken?.fencingToken], [heir, lease.fencingToken + 1])
    yield* expectEquals("whether the token is new", taken?.leaseToken !== lease.leaseToken, true)
    yield* expectEquals("what is stored", yield* leases.getProcessLease(id), taken)
  },

  *"a reclaim without proof of death answers Busy"({ leases }) {
    const { id, lease } = yield* leasedProcess()
    const reclaim = leases.reclaimProcessLease(id, yield* freshOwner(), lease, longMs)
    yield* expectEquals("the answer", yield* writesNothing([id], reclaim), { _tag: "Busy", holder: lease })
  },

  *"a reclaim of anything but exactly the observed lease answers Busy"({ detector, leases }) {
    const { id, owner, lease } = yield* leasedProcess()
    const elsewhere = yield* freshId
    const another = yield* freshOwner()
    yield* Effect.forEach([owner, another], detector.kill)
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

  *"whether the holder is dead is judged by the stored holder, not by the evidence in the observation"({
    detector,
    leases
  }) {
    const { id, owner, lease } = yield* leasedProcess()
    const liveness = {
      _tag: "LocalProcess",
      hostId: "law-host",
      bootId: "law-boot",
      pid: 1,
      processStart: "0"
    } as const
    const disguised = { ...owner, liveness }
    yield* detector.kill(disguised)
    const reclaim = leases.reclaimProcessLease(id, yield* freshOwner(), { ...lease, owner: disguised }, longMs)
    yield* expectEquals("the answer", yield* writesNothing([id], reclaim), { _tag: "Busy", holder: lease })
  },

  *"a lease that was released or has expired is reclaimed without any proof"({ clock, leases }) {
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

  *"a process that was never leased is reclaimed like a free one"({ leases }) {
    const { lease } = yield* leasedProcess()
    const id = yield* freshProcess()
    const outcome = yield* leases.reclaimProcessLease(id, yield* freshOwner(), { ...lease, processId: id }, longMs)
    yield* expectEquals("the answer", outcome._tag === "Acquired" && outcome.lease.fencingToken, 1)
  },

  *"of racing reclaims with one observation exactly one acquires"({ detector, leases }) {
    const { id, owner, lease } = yield* leasedProcess()
    yield* detector.kill(owner)
    const heirs = yield* Effect.forEach(Array.from({ length: 8 }), () => freshOwner())
    const outcomes = yield* Effect.forEach(heirs, (heir) => leases.reclaimProcessLease(id, heir, lease, longMs), {
      concurrency: "unbounded"
    })
    const stored = yield* exactlyOneAcquired(id, heirs, outcomes)
    yield* expectEquals("the fence", stored?.fencingToken, lease.fencingToken + 1)
  },

  *"once a lease was reclaimed, its former holder can neither renew nor release it"({ detector, leases }) {
    const { id, owner, lease } = yield* leasedProcess()
    yield* detector.kill(owner)
    yield* leases.reclaimProcessLease(id, yield* freshOwner(), lease, longMs)
    const renewal = Effect.either(leases.renewProcessLease(lease, longMs))
    yield* expectEquals("the renewal", (yield* writesNothing([id], renewal))._tag, "Left")
    const release = leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    yield* writesNothing([id], release)
    const outcome = yield* writesNothing([id], leases.claimProcessLease(id, owner, longMs))
    yield* expectEquals("its claim", outcome._tag, "Busy")
  },

  *"an observation made before the holder claimed anew reclaims nothing"({ detector, clock, leases }) {
    const { id, owner, lease } = yield* leasedProcess("rerunnable", shortMs)
    yield* clock.advance(shortMs)
    const again = yield* claimed(id, owner)
    yield* detector.kill(owner)
    const stale = leases.reclaimProcessLease(id, yield* freshOwner(), lease, longMs)
    yield* expectEquals("a stale observation", yield* writesNothing([id], stale), { _tag: "Busy", holder: again })
    const fresh = yield* leases.reclaimProcessLease(id, yield* freshOwner(), again, longMs)
    yield* expectEquals("a fresh one", fresh._tag, "Acquired")
  }
})

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...renewalLaws, ...reclaimLaws]
