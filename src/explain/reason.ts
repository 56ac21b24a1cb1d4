/**
 * From what is known of a row to the one reason why it stands where it stands.
 *
 * Invariant: pure and total. The order of the questions follows the sweep's verdict, so that a reason never promises what a
 * sweep would not do.
 */
import { isActive, isStarted, lifecycleOf, nextAttempt } from "../../machines/process/lifecycle.ts"
import { sameIncarnation } from "../../machines/recovery.ts"
import type { WaitState } from "../model/facts.ts"
import type { LeaseOwner, LeaseSlot } from "../model/Lease.ts"
import type { Registration } from "../model/Registration.ts"
import type { ProcessRow } from "../store/Decision.ts"
import type { HolderLiveness, Reason } from "./Explanation.ts"
import type { WakeSights } from "./wakes.ts"

/** Everything an explanation rests on. Units: epoch milliseconds, UTC. */
export interface Sighting {
  readonly row: ProcessRow
  readonly nowMs: number
  /** Who looks: a holder on the same boot of the same machine can be seen from here. */
  readonly self: LeaseOwner
  /** Holders that are proven dead. */
  readonly dead: ReadonlyArray<LeaseOwner>
  /** Whether the host that was asked has the engine; whoever looks at a bare file does not know. */
  readonly engine: "present" | "missing" | "unknown"
  /** The places for bodies of the host that was asked. */
  readonly slots: "unknown" | { readonly free: number; readonly total: number }
  /** Wakes that nobody took notice of. */
  readonly wakes: WakeSights
  readonly runningChildren: ReadonlyArray<ProcessRow["base"]["registration"]["id"]>
  /** How many children it still owes a request. */
  readonly debts: number
}

/** The reason, by what is known. */
export const reasonOf = (sighting: Sighting): Reason => {
  const { row } = sighting
  const { registration } = row.base
  const state = lifecycleOf(row.snapshot)
  if (state !== "running") return { _tag: "Ended", state }
  if (registration.disposition === "externally_owned") return external(sighting)
  if (registration.disposition === "owner_bound" && isStarted(row.snapshot)) return startedOnce(sighting)
  return toRun(sighting)
}

/** What is known of the holder's life. */
export const livenessOf = (holder: LeaseOwner, { self, dead }: Pick<Sighting, "self" | "dead">): HolderLiveness => {
  if (dead.some((owner) => sameIncarnation(owner, holder))) return "dead"
  const [theirs, ours] = [holder.liveness, self.liveness]
  return theirs._tag === "LocalProcess" &&
    ours._tag === "LocalProcess" &&
    theirs.hostId === ours.hostId &&
    theirs.bootId === ours.bootId
    ? "alive"
    : "unprovable"
}

/** The engine that a process asks for; `undefined` when its input is none. */
export const engineOf = ({
  input,
  identity: { definition }
}: Registration): { readonly kind: string; readonly version: string } | undefined =>
  input._tag === "Engine"
    ? {
        kind: input.kind,
        version:
          typeof definition === "object" && definition !== null && "version" in definition
            ? String(definition.version)
            : ""
      }
    : undefined

const external = (sighting: Sighting): Reason => {
  if (sighting.row.snapshot.context.abandonRequest === undefined) return { _tag: "ExternallyOwned" }
  const held = heldNow(sighting)
  return held === undefined ? { _tag: "AbandonDue" } : { _tag: "AbandonWaitsForLease", ...holding(held) }
}

const startedOnce = (sighting: Sighting): Reason => {
  const { context } = sighting.row.snapshot
  const stored = sighting.row.lease.held
  if (stored !== undefined && livenessOf(stored.owner, sighting) === "dead") {
    return { _tag: "HolderDead", holder: stored.owner }
  }
  const held = heldNow(sighting)
  if (held !== undefined) {
    return context.abandonRequest === undefined
      ? whenHeld(sighting, held)
      : { _tag: "AbandonWaitsForLease", ...holding(held) }
  }
  if (context.abandonRequest !== undefined) return { _tag: "AbandonDue" }
  const startedBy = context.firstStarted?.owner
  return { _tag: "OutcomeUnknown", ...(startedBy === undefined ? {} : { startedBy }) }
}

const toRun = (sighting: Sighting): Reason => {
  const { row, nowMs, engine, slots } = sighting
  const { registration } = row.base
  const { context } = row.snapshot
  const stored = row.lease.held
  const isDead = stored !== undefined && livenessOf(stored.owner, sighting) === "dead"
  const held = isDead ? undefined : heldNow(sighting)
  if (held !== undefined) return whenHeld(sighting, held)
  const unstartable = !isStarted(row.snapshot) || engine === "missing"
  if (context.cancelRequest !== undefined && unstartable) return { _tag: "CancelDue", runs: false }
  const { maxAttempts } = registration
  if (maxAttempts !== undefined && nextAttempt(row.snapshot) > maxAttempts) {
    return { _tag: "AttemptsExhausted", attempts: context.attempts, most: maxAttempts }
  }
  if (engine === "missing") return { _tag: "NoEngine", ...(engineOf(registration) ?? noEngine(registration)) }
  if (isDead) return { _tag: "HolderDead", holder: stored.owner }
  if (stored !== undefined) return { _tag: "LeaseLapsed", holder: stored.owner, expiredAtMs: stored.expiresAtMs }
  if (context.cancelRequest !== undefined) return { _tag: "CancelDue", runs: true }
  const [wait] = context.waits
  if (wait !== undefined && row.dueAtMs === null) return waitingFor(wait)
  if (row.dueAtMs !== null && row.dueAtMs > nowMs) return later(row, row.dueAtMs)
  if (slots !== "unknown" && slots.free === 0) return { _tag: "NoSlot", slots: slots.total }
  return { _tag: "DueNow", sinceMs: row.dueAtMs ?? context.updatedAtMs }
}

/** Two things make a row due later: that beginning it failed, and that it was registered so. */
const later = ({ backOff }: ProcessRow, dueAtMs: number): Reason =>
  backOff === undefined ? { _tag: "BeginsLater", atMs: dueAtMs } : { _tag: "BackingOff", ...backOff }

type Held = NonNullable<LeaseSlot["held"]>

const heldNow = ({ row, nowMs }: Sighting): Held | undefined =>
  row.lease.held !== undefined && row.lease.held.expiresAtMs > nowMs ? row.lease.held : undefined

const holding = ({ owner, expiresAtMs }: Held) => ({ holder: owner, expiresAtMs })

/** A body that waits under a live lease waits for that event, whatever can be proven about its host. */
const whenHeld = (sighting: Sighting, held: Held): Reason => {
  const { snapshot } = sighting.row
  if (snapshot.context.cancelRequest !== undefined && isActive(snapshot)) {
    return { _tag: "CancelRequested", ...holding(held) }
  }
  const [wait] = snapshot.context.waits
  if (wait !== undefined) return waitingFor(wait)
  return livenessOf(held.owner, sighting) === "unprovable"
    ? { _tag: "HeldByUnprovable", ...holding(held) }
    : { _tag: "Running", ...holding(held) }
}

const waitingFor = ({ kind, sinceMs, deadlineMs }: WaitState): Reason => {
  switch (kind._tag) {
    case "Signal":
      return {
        _tag: "WaitingForSignal",
        name: kind.name,
        key: kind.key,
        sinceMs,
        ...(deadlineMs === undefined ? {} : { deadlineAtMs: deadlineMs })
      }
    case "Timer":
      return { _tag: "WaitingForTimer", key: kind.key, sinceMs, dueAtMs: deadlineMs ?? sinceMs }
  }
}

/** Tool calls and session turns are run by the host's own code, which has no version. */
const noEngine = ({ identity: { kind } }: Registration) => ({ kind, version: "" })
