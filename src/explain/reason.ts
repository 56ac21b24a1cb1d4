/**
 * Maps the sweep's verdict on a process to the one reason why it does not move.
 *
 * Invariant: pure and total. The verdict decides, so a reason never promises what a sweep would not do; beyond it, only the
 * fine structure of "held" and "would be run" is looked at.
 */
import { isActive, isStarted, lifecycleOf } from "../../machines/process/lifecycle.ts"
import type { EndState } from "../../machines/process/types.ts"
import { sameIncarnation } from "../../machines/recovery.ts"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import { problemOf } from "../model/AwaitOutput.ts"
import { headOf, lineThatThrew } from "../model/Failure.ts"
import type { WaitState } from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import { signalNameOf } from "../model/ids.ts"
import type { Progress, UnderWay } from "../model/JournalEntry.ts"
import type { LeaseOwner, LeaseSlot } from "../model/Lease.ts"
import { engineOf } from "../model/Registration.ts"
import { verdictOf } from "../operations/decisions/recover.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { eventTypesOf, runsAs } from "../store/Decision.ts"
import type { HolderLiveness, Leaf, NoHost, Reason } from "./Explanation.ts"
import type { OpenWakes } from "./wakes.ts"

/** Everything an explanation depends on. Units: epoch milliseconds, UTC. */
export interface Facts {
  readonly row: ProcessRow
  readonly nowMs: number
  /** The looker's own identity: a holder on the same boot of the same machine can be observed. */
  readonly self: LeaseOwner
  /** Holders that are proven dead. */
  readonly dead: ReadonlyArray<LeaseOwner>
  /** Whether the host that was asked has the engine; unknown for a bare file. */
  readonly engine: "present" | "missing" | "unknown"
  /** The slots of the host that was asked. */
  readonly slots: "unknown" | { readonly free: number; readonly total: number }
  /** Wakes that were not acknowledged. */
  readonly wakes: OpenWakes
  readonly runningChildren: ReadonlyArray<ProcessRow["base"]["registration"]["id"]>
  /** How far the steps are that are under way. */
  readonly progress: ReadonlyArray<Progress>
  /** What its body has under way, or had when it was last known. */
  readonly underWay: ReadonlyArray<UnderWay>
  /** Whether the host that was asked runs its body, which needs no further evidence. */
  readonly runsHere?: boolean
  /** The process that it waits for, and where the chain from there ends. */
  readonly awaits?: { readonly child: ProcessId; readonly sinceMs?: number; readonly leaf?: Leaf }
  /** Where the chain ends that begins with the first running child of its machine. */
  readonly invoked?: Leaf
  /** How many close requests to children are pending. */
  readonly closeRequests: number
}

/** The reason, by what decided the sweep's verdict. */
export const reasonOf = (facts: Facts): Reason => {
  const { row, nowMs, dead, engine } = facts
  const { registration } = row.base
  const { context } = row.snapshot
  const held = row.lease.held as Held // only read where the verdict depends on the lease, and then there is one
  const { why } = verdictOf(row, { dead, engine: engine === "missing" ? "missing" : "present" }, nowMs)
  switch (why) {
    case "settled":
      return ended(row)
    case "externally_owned":
      return { _tag: "ExternallyOwned" }
    case "abandon_requested":
      return { _tag: "AbandonDue" }
    case "busy":
      return whenHeld(facts, held)
    case "holder_dead":
      return (
        (registration.disposition === "rerunnable" ? openWait(facts, { holder: held.owner }) : undefined) ?? {
          _tag: "HolderDead",
          holder: held.owner,
          ...doingIn(facts)
        }
      )
    case "lease_lapsed":
      return (
        openWait(facts, { holder: held.owner, sinceMs: held.expiresAtMs }) ?? {
          _tag: "LeaseLapsed",
          holder: held.owner,
          expiredAtMs: held.expiresAtMs,
          ...doingIn(facts)
        }
      )
    case "outcome_unknown":
      return {
        _tag: "OutcomeUnknown",
        ...(context.firstStarted === undefined ? {} : { startedBy: context.firstStarted.owner }),
        ...doingIn(facts)
      }
    case "cancel_requested":
      return { _tag: "CancelDue", runs: false }
    case "attempts_exhausted":
      return { _tag: "AttemptsExhausted", attempts: context.attempts, most: registration.maxAttempts ?? 0 }
    case "no_engine":
      return openWait(facts, untaken(facts)) ?? { _tag: "NoEngine", ...engineOf(runsAs(row)) }
    case "at_rest":
      return chartWaits(facts)
    case "not_yet":
    case "runnable":
      return whenFree(facts)
  }
}

const ended = ({ snapshot }: ProcessRow): Reason => {
  const state = lifecycleOf(snapshot) as EndState // a settled row has ended
  const output = snapshot.context.output as AwaitOutput | undefined // events carry no other
  if (output?._tag !== "Failure") return { _tag: "Ended", state }
  const { thrown } = output
  const thrownAt = thrown && lineThatThrew(thrown)
  const cause = thrown?.cause
  return {
    _tag: "Ended",
    state,
    problem: problemOf(output),
    ...(thrownAt === undefined ? {} : { thrownAt }),
    ...(cause === undefined ? {} : { cause: headOf(cause.name, cause.message) })
  }
}

/** What is known of the holder's life. */
export const livenessOf = (
  holder: LeaseOwner,
  { self, dead, runsHere = false }: Pick<Facts, "self" | "dead" | "runsHere">
): HolderLiveness => {
  if (runsHere) return "alive"
  if (dead.some((owner) => sameIncarnation(owner, holder))) return "dead"
  const [theirs, ours] = [holder.liveness, self.liveness]
  return theirs._tag === "LocalProcess" &&
    ours._tag === "LocalProcess" &&
    theirs.hostId === ours.hostId &&
    theirs.bootId === ours.bootId
    ? "alive"
    : "unprovable"
}

/** What holds back a row that a sweep would run, if anything does. */
const whenFree = (facts: Facts): Reason => {
  const { row, nowMs, slots } = facts
  const { context } = row.snapshot
  if (context.cancelRequest !== undefined) return { _tag: "CancelDue", runs: true }
  if (row.dueAtMs !== null && row.dueAtMs > nowMs) return later(row, row.dueAtMs)
  const wait = openWait(facts, untaken(facts))
  if (wait !== undefined) return wait
  if (slots !== "unknown" && slots.free === 0) return { _tag: "NoSlot", slots: slots.total }
  const deadlines = context.waits.flatMap(({ deadlineMs = nowMs }) => (deadlineMs < nowMs ? [deadlineMs] : []))
  return { _tag: "DueNow", sinceMs: dueSince(row, Math.min(row.dueAtMs ?? nowMs, ...deadlines)), ...doingIn(facts) }
}

/**
 * What a process waits for that no host runs: its first wait, unless the time of one has come. That it is due besides, so that a
 * host takes it up and waits on, moves nothing, and is a second fact.
 */
const openWait = (facts: Facts, noHost: NoHost | undefined): Reason | undefined => {
  const { row, nowMs, awaits } = facts
  const { waits } = row.snapshot.context
  const unattended = noHost === undefined ? {} : { noHost }
  const isOver = ({ deadlineMs }: WaitState): boolean => deadlineMs !== undefined && deadlineMs <= nowMs
  if (waits.some(isOver)) return undefined
  const [first] = waits
  if (first !== undefined) return { ...waitingFor(first), ...unattended }
  // A step in another branch may end by itself.
  return awaits === undefined || doingIn(facts).doing !== undefined
    ? undefined
    : { _tag: "WaitingForChild", ...awaits, ...unattended }
}

/** The step that is under way: one that fails before one that is only long. */
const doingIn = ({ underWay }: Facts): { readonly doing?: UnderWay } => {
  const steps = underWay.filter(({ operation }) => operation === "step")
  const doing = steps.find(({ error }) => error !== undefined) ?? steps[0]
  return doing === undefined ? {} : { doing }
}

/** A row that is due, and that the host which was asked, if any, does not run. */
const untaken = ({ row, nowMs, slots, engine }: Facts): NoHost | undefined =>
  row.dueAtMs !== null && row.dueAtMs <= nowMs && (slots === "unknown" || engine === "missing")
    ? { sinceMs: dueSince(row, row.dueAtMs) }
    : undefined

/** A row that was run before is due from when it was last let go of, not from its registered start. */
const dueSince = ({ snapshot }: ProcessRow, dueAtMs: number): number =>
  isStarted(snapshot) ? Math.max(dueAtMs, snapshot.context.updatedAtMs) : dueAtMs

/** Two things make a row due later: that beginning it failed, and that it was registered so. */
const later = ({ backOff }: ProcessRow, dueAtMs: number): Reason =>
  backOff === undefined ? { _tag: "BeginsLater", atMs: dueAtMs } : { _tag: "BackingOff", ...backOff }

const chartWaits = ({ row, invoked }: Facts): Reason => {
  const { context } = row.snapshot
  const { value, timers, children } = context.chart as NonNullable<typeof context.chart> // it rests, so there is one
  const [timer] = [...timers].sort((one, other) => one.at - other.at)
  return {
    _tag: "ChartWaits",
    state: value,
    lastEventAtMs: context.updatedAtMs,
    signals: eventTypesOf(row).flatMap(({ name }) => signalNameOf(name) ?? []),
    ...(timer === undefined ? {} : { timer: { id: timer.id, atMs: timer.at } }),
    children: Object.values(children).map(({ process }) => process as ProcessId), // written from a child's id
    ...(invoked === undefined ? {} : { leaf: invoked })
  }
}

type Waiting = Extract<Reason, { readonly _tag: "WaitingForSignal" | "WaitingForTimer" }>
type Held = NonNullable<LeaseSlot["held"]>

/** A body that waits under a live lease waits for that event, whether or not its host can be observed. */
const whenHeld = (facts: Facts, held: Held): Reason => {
  const { snapshot, base } = facts.row
  const { context } = snapshot
  const holding = { holder: held.owner, expiresAtMs: held.expiresAtMs }
  const { disposition } = base.registration
  const isAbandonable = disposition === "externally_owned" || (disposition === "owner_bound" && isStarted(snapshot))
  if (isAbandonable && context.abandonRequest !== undefined) return { _tag: "AbandonWaitsForLease", ...holding }
  if (context.cancelRequest !== undefined && isActive(snapshot)) return { _tag: "CancelRequested", ...holding }
  const [wait] = context.waits
  if (wait !== undefined) return waitingFor(wait)
  const child = openWait(facts, undefined)
  if (child !== undefined) return child
  return livenessOf(held.owner, facts) === "unprovable"
    ? { _tag: "HeldByUnprovable", ...holding, ...doingIn(facts) }
    : { _tag: "Running", ...holding, ...doingIn(facts) }
}

const waitingFor = ({ kind, sinceMs, deadlineMs }: WaitState): Waiting => {
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
