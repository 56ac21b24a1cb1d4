/**
 * Laws of claim, renewal and release, and of authority: a write under a lease counts only while that lease is present.
 */
import * as Effect from "effect/Effect"
import type { LeaseLost } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Lease } from "../../model/Lease.ts"
import { Activations } from "../../operations/Activations.ts"
import { external, host } from "../../operations/decisions/authority.ts"
import { Leases } from "../../operations/Leases.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { isFold, keptOf, logOf, refused, writesNothing } from "../evidence.ts"
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
  registeredOf,
  registrationOf,
  shortMs
} from "../fixtures.ts"
import type { Law, LawEnv } from "../Law.ts"
import { expectEquals, LawClock, law, lawsOf } from "../Law.ts"
import { end } from "./OrderingLaws.ts"

const leaseLaws: ReadonlyArray<Law> = lawsOf("ADR 0015", {
  *"the first claim acquires with fence 1, for as long as was asked for"({ leases }) {
    const { id, owner, lease } = yield* leasedProcess()
    yield* expectEquals("the lease", [lease.processId, lease.owner, lease.fencingToken], [id, owner, 1])
    yield* expectEquals("its length", lease.expiresAtMs - lease.claimedAtMs, longMs)
    yield* expectEquals("what is stored", yield* leases.getProcessLease(id), lease)
    yield* isFold(id)
  },

  *"a claim, a reclaim and a renewal of an unknown process are refused, a release is silent"({ leases }) {
    const { lease, owner } = yield* leasedProcess()
    const id = yield* freshId
    const stranger = { ...lease, processId: id }
    yield* refused("a claim", "ProcessUnknown", [id], leases.claimProcessLease(id, owner, longMs))
    yield* refused("a reclaim", "ProcessUnknown", [id], leases.reclaimProcessLease(id, owner, stranger, longMs))
    yield* refused("a renewal", "LeaseLost", [id], leases.renewProcessLease(stranger, longMs))
    yield* writesNothing([id], leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken }))
    yield* expectEquals("its lease", yield* leases.getProcessLease(id), undefined)
  },

  *"a live lease of another owner answers Busy with its holder, dead or alive"({ detector, leases }) {
    const { id, owner, lease } = yield* leasedProcess()
    yield* detector.kill(owner)
    const another = { ...owner, incarnationId: "another life" }
    for (const claimant of [yield* freshOwner(), another]) {
      const outcome = yield* writesNothing([id], leases.claimProcessLease(id, claimant, longMs))
      yield* expectEquals("the answer", outcome, { _tag: "Busy", holder: lease })
    }
  },

  *"the same life re-enters its lease: token, fence, owner and claim time stay, the expiry moves"({ clock, leases }) {
    const { id, owner, lease } = yield* leasedProcess()
    yield* clock.advance(shortMs)
    const withoutEvidence = { ...owner, liveness: { _tag: "Opaque" } } as const
    const again = yield* claimed(id, withoutEvidence, shortMs)
    yield* expectEquals("the lease", again, { ...lease, expiresAtMs: again.expiresAtMs })
    yield* expectEquals("whether it may shorten", again.expiresAtMs < lease.expiresAtMs, true)
    yield* expectEquals("what is stored", yield* leases.getProcessLease(id), again)
  },

  *"a lease is live until one millisecond before its expiry, and expired at it"({ clock, leases }) {
    const { id, lease } = yield* leasedProcess("rerunnable", shortMs)
    const rival = yield* freshOwner()
    if (clock.isExact) {
      yield* clock.advance(shortMs - 1)
      const early = yield* writesNothing([id], leases.claimProcessLease(id, rival, longMs))
      yield* expectEquals("a claim before it", early._tag, "Busy")
      yield* clock.advance(1)
    } else {
      yield* clock.advance(shortMs)
    }
    yield* refused("a renewal at it", "LeaseLost", [id], leases.renewProcessLease(lease, longMs))
    const taken = yield* claimed(id, rival)
    yield* expectEquals("the fence", taken.fencingToken, 2)
    yield* expectEquals("whether the token is new", taken.leaseToken !== lease.leaseToken, true)
  },

  *"a lease of no length is claimable at once"() {
    const { id } = yield* leasedProcess("rerunnable", 0)
    yield* expectEquals("the fence", (yield* claimed(id, yield* freshOwner())).fencingToken, 2)
  },

  *"an own lease that expired is claimed anew, with the next fence when no other owner held it in between"({ clock }) {
    const { id, owner, lease } = yield* leasedProcess("rerunnable", shortMs)
    yield* clock.advance(shortMs)
    const again = yield* claimed(id, owner)
    yield* expectEquals("the fence", again.fencingToken, lease.fencingToken + 1)
    yield* expectEquals("whether the token is new", again.leaseToken !== lease.leaseToken, true)
  },

  *"the length of a lease saturates instead of overflowing"({ leases }) {
    const { id, lease } = yield* leasedProcess("rerunnable", Number.MAX_SAFE_INTEGER)
    yield* expectEquals("its expiry", lease.expiresAtMs, Number.MAX_SAFE_INTEGER)
    yield* expectEquals("what is stored", yield* leases.getProcessLease(id), lease)
    yield* leases.renewProcessLease(lease, Number.MAX_SAFE_INTEGER)
  },

  *"an expired lease is still shown, a released one is not"({ clock, leases }) {
    const { id, lease } = yield* leasedProcess("rerunnable", shortMs)
    yield* clock.advance(shortMs)
    yield* expectEquals("the expired one", yield* leases.getProcessLease(id), lease)
    yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    yield* expectEquals("the released one", yield* leases.getProcessLease(id), undefined)
  },

  *"the fence survives a release and rises with every later claim"({ leases }) {
    const id = yield* freshProcess()
    for (const fence of [1, 2, 3]) {
      const lease = yield* claimed(id, yield* freshOwner())
      yield* expectEquals("the fence", lease.fencingToken, fence)
      yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
      yield* expectEquals("the fence after the release", (yield* keptOf(id)).fencingToken, fence)
    }
  },

  *"a release is by token only: repeated, stale and foreign ones are silent and write nothing"({ leases }) {
    const { id, lease } = yield* leasedProcess()
    const release = (leaseToken: string) => leases.completeProcessLease({ processId: id, leaseToken })
    yield* writesNothing([id], release("another token"))
    yield* release(lease.leaseToken)
    yield* writesNothing([id], release(lease.leaseToken))
    yield* claimed(id, yield* freshOwner())
    yield* writesNothing([id], release(lease.leaseToken))
  },

  *"a renewal extends the presented lease from its present moment"({ clock, leases }) {
    const { id, lease } = yield* leasedProcess("rerunnable", longMs)
    yield* clock.advance(shortMs)
    const before = yield* clock.nowMs
    const renewed = yield* leases.renewProcessLease(lease, longMs)
    yield* expectEquals("the lease", renewed, { ...lease, expiresAtMs: renewed.expiresAtMs })
    yield* expectEquals("whether it was extended", renewed.expiresAtMs >= lease.expiresAtMs + shortMs, true)
    if (clock.isExact) yield* expectEquals("its expiry", renewed.expiresAtMs, before + longMs)
    yield* expectEquals("what is stored", yield* leases.getProcessLease(id), renewed)
  },

  *"an ended process may still be claimed, renewed and released"({ leases, registry }) {
    const { id, lease: first } = yield* leasedProcess()
    yield* registry.completeProcessWithLease(first, outputs.Success)
    const lease = yield* claimed(id, yield* freshOwner())
    yield* leases.renewProcessLease(lease, longMs)
    yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    yield* expectEquals("the fence", (yield* keptOf(id)).fencingToken, 2)
    yield* isFold(id)
  },

  *"of racing claims of a free lease exactly one acquires"({ leases }) {
    const id = yield* freshProcess()
    const owners = yield* Effect.forEach(Array.from({ length: 8 }), () => freshOwner())
    const outcomes = yield* Effect.forEach(owners, (owner) => leases.claimProcessLease(id, owner, longMs), {
      concurrency: "unbounded"
    })
    yield* exactlyOneAcquired(id, owners, outcomes)
  },

  *"leases move no event, no record and no time of it"({ clock, leases }) {
    const id = yield* freshProcess()
    const { record } = yield* keptOf(id)
    yield* clock.advance(shortMs)
    const lease = yield* claimed(id, yield* freshOwner())
    yield* leases.renewProcessLease(lease, longMs)
    yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    const kept = yield* keptOf(id)
    yield* expectEquals("the record and the log", [kept.record, kept.log], [record, []])
  },

  *"leases that are renewed together, and one that is reclaimed, change no row"({
    activations,
    clock,
    feed,
    leases,
    store
  }) {
    const [id, left] = [yield* freshProcess(), yield* freshProcess()]
    const { claimant, ...by } = yield* recoverer()
    const renewerId = claimant.owner.incarnationId
    yield* activations.recover(id, { ...by, claimant: { ...claimant, renewerId } })
    const lapsed = yield* claimed(left, yield* freshOwner(), shortMs)
    const cursor = yield* end
    const { renewed } = yield* store.leases.renew({ renewerId, ttlMs: 2 * longMs })
    yield* expectEquals(
      "what was renewed",
      renewed.map(({ processId }) => processId),
      [id]
    )
    yield* clock.advance(shortMs)
    const { _tag: outcome } = yield* leases.reclaimProcessLease(left, yield* freshOwner(), lapsed, longMs)
    yield* expectEquals("the reclaim", outcome, "Acquired")
    yield* expectEquals("the feed", yield* feed.changesSince(cursor, 10), { changes: [], next: cursor })
  }
})

/** One write under a lease: of its failures only that of the lease matters here. */
interface LeasedWrite {
  readonly name: string
  /** Writes on behalf of the holder of `lease`, perhaps to `other` or into being `child`. */
  readonly write: (
    lease: Lease,
    other: ProcessId,
    child: ProcessId
  ) => Effect.Effect<unknown, LeaseLost | { readonly _tag: string; readonly message: string }, LawEnv>
}

const append = (authority: "Body" | "Sweep", to: "itself" | "another"): LeasedWrite => ({
  name: `an append of a ${authority.toLowerCase()} to ${to === "itself" ? "its own log" : "another process"}`,
  write: (lease, other) =>
    Effect.flatMap(ProcessRegistry, (registry) =>
      registry.appendEvent(
        to === "itself" ? lease.processId : other,
        { eventType: to === "itself" ? "note" : "signal.ready", payload: 1, replayKey: "k" },
        { _tag: authority, lease }
      )
    )
})

const cancel = (authority: "Body" | "Sweep", to: "itself" | "another"): LeasedWrite => ({
  name: `a request of a ${authority.toLowerCase()} to cancel ${to}`,
  write: (lease, other) =>
    Effect.flatMap(ProcessRegistry, (registry) =>
      registry.requestProcessCancel(to === "itself" ? lease.processId : other, "stop", { _tag: authority, lease })
    )
})

const start = (authority: "Body" | "Sweep"): LeasedWrite => ({
  name: `a start of a child by a ${authority.toLowerCase()}`,
  write: (lease, _other, child) =>
    Effect.gen(function* () {
      const activations = yield* Activations
      const parent = { processId: lease.processId, closePolicy: "cancel" } as const
      const registered = yield* registeredOf(registrationOf(child, "rerunnable", { parent }))
      return yield* activations.start(registered, { _tag: authority, lease })
    })
})

const leasedWrites: ReadonlyArray<LeasedWrite> = [
  append("Body", "itself"),
  append("Body", "another"),
  append("Sweep", "itself"),
  append("Sweep", "another"),
  cancel("Body", "itself"),
  cancel("Body", "another"),
  cancel("Sweep", "another"),
  start("Body"),
  start("Sweep"),
  {
    name: "a completion",
    write: (lease) =>
      Effect.flatMap(ProcessRegistry, (registry) => registry.completeProcessWithLease(lease, outputs.Success))
  },
  {
    name: "a hand-back",
    write: (lease) => Effect.flatMap(Activations, (store) => store.suspend(lease, "handed_back"))
  },
  {
    name: "a renewal",
    write: (lease) => Effect.flatMap(Leases, (leases) => leases.renewProcessLease(lease, longMs))
  }
]

/** Leases that are not the present one, and the fence of the row they are presented to. */
const lostLeases = Effect.gen(function* () {
  const leases = yield* Leases
  const clock = yield* LawClock
  const expired = yield* leasedProcess("rerunnable", shortMs)
  const superseded = yield* leasedProcess("rerunnable", shortMs)
  yield* clock.advance(shortMs)
  yield* claimed(superseded.id, yield* freshOwner())
  const released = yield* leasedProcess()
  yield* leases.completeProcessLease({ processId: released.id, leaseToken: released.lease.leaseToken })
  const { lease } = yield* leasedProcess()
  const stranger = yield* leasedProcess()
  return [
    ["an expired one", expired.lease, 1],
    ["a superseded one", superseded.lease, 2],
    ["a released one", released.lease, 1],
    ["one with another token", { ...lease, leaseToken: "another" }, 1],
    ["one with an older fence", { ...lease, fencingToken: 0 }, 1],
    ["one with a later fence", { ...lease, fencingToken: 2 }, 1],
    ["one of another life", { ...lease, owner: { ...lease.owner, incarnationId: "another" } }, 1],
    ["one of another owner", { ...lease, owner: { ...lease.owner, ownerId: "another" } }, 1],
    ["one of another process", { ...stranger.lease, processId: lease.processId }, 1]
  ] as ReadonlyArray<readonly [string, Lease, number]>
})

const authorityLaws: ReadonlyArray<Law> = [
  ...leasedWrites.map(({ name, write }) =>
    law(
      `${name} is accepted under the present lease`,
      "ADR 0003",
      Effect.gen(function* () {
        const { lease } = yield* leasedProcess()
        const [other, child] = [yield* freshProcess(), yield* freshId]
        yield* write(lease, other, child)
        for (const id of [lease.processId, other]) yield* isFold(id)
      })
    )
  ),

  ...leasedWrites.map(({ name, write }) =>
    law(
      `${name} is refused and writes nothing under any other lease`,
      "ADR 0003",
      Effect.gen(function* () {
        for (const [which, lease, currentFence] of yield* lostLeases) {
          const [other, child] = [yield* freshProcess(), yield* freshId]
          const error = yield* refused(which, "LeaseLost", [lease.processId, other, child], write(lease, other, child))
          yield* expectEquals(
            `the failure of ${which}`,
            [error.processId, error.fencingToken, error.currentFence],
            [lease.processId, lease.fencingToken, currentFence]
          )
        }
      })
    )
  ),

  ...lawsOf("ADR 0003", {
    *"a body whose process does not exist writes nothing anywhere"({ registry }) {
      const { lease } = yield* leasedProcess()
      const [other, nowhere] = [yield* freshProcess(), yield* freshId]
      const authority = { _tag: "Body", lease: { ...lease, processId: nowhere } } as const
      const request = { eventType: "signal.ready", payload: 1 }
      yield* refused("it", "LeaseLost", [other, nowhere], registry.appendEvent(other, request, authority))
    },

    *"only the replay look-up comes before the lease"({ clock, registry }) {
      const { id, lease } = yield* leasedProcess("rerunnable", shortMs)
      const authority = { _tag: "Body", lease } as const
      const undeclared = { eventType: "unheard.of", payload: 1 }
      const recorded = { eventType: "note", payload: 1, replayKey: "k" }
      const stored = yield* registry.appendEvent(id, recorded, authority)
      yield* clock.advance(shortMs)
      yield* expectEquals("the replay", yield* registry.appendEvent(id, recorded, authority), stored)
      yield* refused("an undeclared type", "LeaseLost", [id], registry.appendEvent(id, undeclared, authority))
    },

    *"an outside system and the host write without a lease, whichever owner holds it"({ registry }) {
      const { id } = yield* leasedProcess()
      for (const authority of [external, host]) {
        yield* registry.appendEvent(id, { eventType: "note", payload: authority._tag }, authority)
      }
      yield* expectEquals(
        "the log",
        (yield* logOf(id)).map((event) => event.payload),
        ["External", "Host"]
      )
    }
  })
]

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...leaseLaws, ...authorityLaws]
