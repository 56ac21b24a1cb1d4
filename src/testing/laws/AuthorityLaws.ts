/**
 * Laws of authority: every write on behalf of a body or a sweep presents a lease, and counts only while that is the present one.
 */
import * as Effect from "effect/Effect"
import type { LeaseLost } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Lease } from "../../model/Lease.ts"
import { Activations } from "../../operations/Activations.ts"
import { external, host } from "../../operations/decisions/authority.ts"
import { Leases } from "../../operations/Leases.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { isFold, logOf, refused } from "../evidence.ts"
import {
  claimed,
  freshId,
  freshOwner,
  freshProcess,
  leasedProcess,
  longMs,
  outputs,
  registeredOf,
  registrationOf,
  shortMs
} from "../fixtures.ts"
import type { Law, LawEnv } from "../Law.ts"
import { expectEquals, LawClock, law } from "../Law.ts"

/** One write that rests on a lease: what it may fail with does not matter here, but for the lease. */
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

/** Leases that are not the present one, and the fence that stands where they are presented. */
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

/** The laws of authority. */
export const laws: ReadonlyArray<Law> = [
  ...leasedWrites.map(({ name, write }) =>
    law(
      `${name} is accepted under the present lease`,
      "R18",
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
      "R18",
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

  law(
    "a body whose process does not exist writes nothing anywhere",
    "R18",
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      const { lease } = yield* leasedProcess()
      const [other, nowhere] = [yield* freshProcess(), yield* freshId]
      const authority = { _tag: "Body", lease: { ...lease, processId: nowhere } } as const
      const request = { eventType: "signal.ready", payload: 1 }
      yield* refused("it", "LeaseLost", [other, nowhere], registry.appendEvent(other, request, authority))
    })
  ),

  law(
    "only the replay look-up comes before the lease",
    "R18",
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      const clock = yield* LawClock
      const { id, lease } = yield* leasedProcess("rerunnable", shortMs)
      const authority = { _tag: "Body", lease } as const
      const undeclared = { eventType: "unheard.of", payload: 1 }
      const recorded = { eventType: "note", payload: 1, replayKey: "k" }
      const stored = yield* registry.appendEvent(id, recorded, authority)
      yield* clock.advance(shortMs)
      yield* expectEquals("the replay", yield* registry.appendEvent(id, recorded, authority), stored)
      yield* refused("an undeclared type", "LeaseLost", [id], registry.appendEvent(id, undeclared, authority))
    })
  ),

  law(
    "an outside system and the host write without a lease, whoever holds it",
    "R18",
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      const { id } = yield* leasedProcess()
      for (const authority of [external, host]) {
        yield* registry.appendEvent(id, { eventType: "note", payload: authority._tag }, authority)
      }
      yield* expectEquals(
        "the log",
        (yield* logOf(id)).map((event) => event.payload),
        ["External", "Host"]
      )
    })
  )
]
