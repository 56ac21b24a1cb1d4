/**
 * Why a process does not move, and what would move it, as a value with a wire form.
 *
 * Invariant: `Reason` is closed and total. Every process that a store knows has exactly one of these reasons, and a new cause is
 * a new member, which does not compile until it is explained.
 */
import * as Schema from "effect/Schema"
import type { LeaveReason, Verdict as MachineVerdict } from "../../machines/recovery.ts"
import { TerminalState } from "../model/EventType.ts"
import { FailureRecord } from "../model/Failure.ts"
import { AbandonRequest, WaitState } from "../model/facts.ts"
import { ProcessId, SessionScopeId } from "../model/ids.ts"
import { UnderWay } from "../model/JournalEntry.ts"
import { optional, renamed, renamedOptional, tagged } from "../model/json.ts"
import { LeaseOwner } from "../model/Lease.ts"
import { RecoveryDisposition } from "../model/Registration.ts"
import type { Codec } from "../model/wire.ts"
import { codec } from "../model/wire.ts"
import type * as Outbox from "../store/Outbox.ts"

const holder = { holder: LeaseOwner }
const expiresAtMs = renamed("expires_at_ms", Schema.Int)
const held = { ...holder, expiresAtMs }
const wait = { key: Schema.String, sinceMs: renamed("since_ms", Schema.Int) }
const deadlineAtMs = renamedOptional("deadline_at_ms", Schema.Int)
/** That no host takes the process up: since when, and who held it last if its lease was not released. */
export const NoHost = Schema.Struct({
  sinceMs: renamedOptional("since_ms", Schema.Int),
  holder: optional(LeaseOwner)
})
/** That no host takes the process up. */
export type NoHost = typeof NoHost.Type
const doing = { doing: optional(UnderWay) }
const noHost = { noHost: renamedOptional("no_host", NoHost) }
/** The process at the end of a chain of those that wait for each other, those before it, and its reason in a few words. */
export const Leaf = Schema.Struct({
  processId: renamed("process_id", ProcessId),
  through: Schema.Array(ProcessId),
  state: Schema.String
})
/** The process at the end of a chain of those that wait for each other. */
export type Leaf = typeof Leaf.Type
const kind = Schema.String
const version = Schema.String

/** The one reason why a process does not move. Units: epoch milliseconds, UTC. */
export const Reason = Schema.Union(
  Schema.Struct({
    _tag: tagged("reason", "ended", "Ended"),
    state: TerminalState,
    /** What it failed with, by name and message. */
    problem: optional(Schema.String),
    /** The line that threw: a frame of the program's own. */
    thrownAt: renamedOptional("thrown_at", Schema.String),
    /** What that was thrown because of, by name and message. */
    cause: optional(Schema.String)
  }),
  Schema.Struct({
    _tag: tagged("reason", "pruned", "Pruned"),
    state: Schema.String,
    prunedAtMs: renamed("pruned_at_ms", Schema.Int)
  }),
  Schema.Struct({ _tag: tagged("reason", "running", "Running"), ...held, ...doing }),
  Schema.Struct({ _tag: tagged("reason", "held_by_unprovable", "HeldByUnprovable"), ...held, ...doing }),
  Schema.Struct({ _tag: tagged("reason", "holder_dead", "HolderDead"), ...holder, ...doing }),
  Schema.Struct({
    _tag: tagged("reason", "lease_lapsed", "LeaseLapsed"),
    ...holder,
    expiredAtMs: renamed("expired_at_ms", Schema.Int),
    ...doing
  }),
  Schema.Struct({
    _tag: tagged("reason", "waiting_for_signal", "WaitingForSignal"),
    name: Schema.String,
    ...wait,
    deadlineAtMs,
    ...noHost
  }),
  Schema.Struct({
    _tag: tagged("reason", "waiting_for_timer", "WaitingForTimer"),
    ...wait,
    dueAtMs: renamed("due_at_ms", Schema.Int),
    ...noHost
  }),
  Schema.Struct({
    _tag: tagged("reason", "waiting_for_child", "WaitingForChild"),
    child: ProcessId,
    sinceMs: renamedOptional("since_ms", Schema.Int),
    /** The last of the chain that begins with the child: each waits for the next. */
    leaf: optional(Leaf),
    ...noHost
  }),
  Schema.Struct({
    _tag: tagged("reason", "chart_waits", "ChartWaits"),
    /** The state of its machine. */
    state: Schema.Unknown,
    lastEventAtMs: renamed("last_event_at_ms", Schema.Int),
    /** The signals that its processes take; which of them this state takes, the machine knows. */
    signals: Schema.Array(Schema.String),
    /** Its next timer. */
    timer: optional(Schema.Struct({ id: Schema.String, atMs: renamed("at_ms", Schema.Int) })),
    children: Schema.Array(ProcessId),
    /** Its first child that runs, or the last of the chain that begins with that child. */
    leaf: optional(Leaf)
  }),
  Schema.Struct({ _tag: tagged("reason", "externally_owned", "ExternallyOwned") }),
  Schema.Struct({
    _tag: tagged("reason", "outcome_unknown", "OutcomeUnknown"),
    startedBy: renamedOptional("started_by", LeaseOwner),
    ...doing
  }),
  Schema.Struct({ _tag: tagged("reason", "abandon_waits_for_lease", "AbandonWaitsForLease"), ...held }),
  Schema.Struct({ _tag: tagged("reason", "abandon_due", "AbandonDue") }),
  Schema.Struct({ _tag: tagged("reason", "cancel_requested", "CancelRequested"), ...held }),
  Schema.Struct({ _tag: tagged("reason", "cancel_due", "CancelDue"), runs: Schema.Boolean }),
  Schema.Struct({
    _tag: tagged("reason", "attempts_exhausted", "AttemptsExhausted"),
    attempts: Schema.Int,
    most: Schema.Int
  }),
  Schema.Struct({ _tag: tagged("reason", "no_engine", "NoEngine"), kind, version }),
  Schema.Struct({
    _tag: tagged("reason", "backing_off", "BackingOff"),
    untilMs: renamed("until_ms", Schema.Int),
    failures: Schema.Int,
    problem: Schema.String
  }),
  Schema.Struct({ _tag: tagged("reason", "begins_later", "BeginsLater"), atMs: renamed("at_ms", Schema.Int) }),
  Schema.Struct({ _tag: tagged("reason", "no_slot", "NoSlot"), slots: Schema.Int }),
  Schema.Struct({ _tag: tagged("reason", "due_now", "DueNow"), sinceMs: renamed("since_ms", Schema.Int), ...doing })
)
/** The one reason why a process does not move. */
export type Reason = typeof Reason.Type

/** Who can move a process. `owner` is the holder of its lease, which runs its body. */
export const Sender = Schema.Literal(
  "owner",
  "sweep",
  "operator",
  "parent",
  "child",
  "signal_sender",
  "timer",
  "external_system",
  "host"
)
/** Who can move a process. */
export type Sender = typeof Sender.Type

/** One way to move a process: who does what, and the command to type where there is one. */
export const Move = Schema.Struct({ by: Sender, sentence: Schema.String, command: optional(Schema.String) })
/** One way to move a process. */
export type Move = typeof Move.Type

/** An event that the statechart takes notice of from here, and who may send it. */
export const Accepted = Schema.Struct({
  eventType: renamed("event_type", Schema.String),
  from: Schema.Array(Sender)
})
/** An event that the statechart takes notice of from here. */
export type Accepted = typeof Accepted.Type

/** `dead`: proven. `alive`: the kernel shows its OS process. `unprovable`: nothing can be known of it from here. */
export const HolderLiveness = Schema.Literal("dead", "alive", "unprovable")
/** What is known of the holder of a lease. */
export type HolderLiveness = typeof HolderLiveness.Type

/** Who holds a process, until when, and what is known of its life. Units: epoch milliseconds, UTC. */
export const LeaseFacts = Schema.Struct({
  holder: LeaseOwner,
  fencingToken: renamed("fencing_token", Schema.Int),
  claimedAtMs: renamed("claimed_at_ms", Schema.Int),
  expiresAtMs,
  isExpired: renamed("is_expired", Schema.Boolean),
  liveness: HolderLiveness
})
/** Who holds a process. */
export type LeaseFacts = typeof LeaseFacts.Type

const Leave: Schema.Schema<LeaveReason> = Schema.Literal(
  "settled",
  "externally_owned",
  "busy",
  "outcome_unknown",
  "no_engine",
  "not_yet",
  "at_rest"
)

/** What a sweep would do with the row. */
export const Verdict = Schema.Union(
  Schema.Struct({ _tag: tagged("verdict", "run", "Run") }),
  Schema.Struct({ _tag: tagged("verdict", "cancel", "Cancel") }),
  Schema.Struct({ _tag: tagged("verdict", "exhausted", "Exhausted") }),
  Schema.Struct({
    _tag: tagged("verdict", "abandon", "Abandon"),
    writer: Schema.Literal("sweep", "reconciled_request"),
    owner: Schema.Literal("holder", "first_started", "none")
  }),
  Schema.Struct({ _tag: tagged("verdict", "leave", "Leave"), why: Leave })
)
/** What a sweep would do with the row. */
export type Verdict = typeof Verdict.Type

/** A verdict of the machine, as it is shown. */
export const verdictOf = (verdict: MachineVerdict): Verdict => {
  // Only a row that is left shows its question: for the others the explanation's own reason says it.
  switch (verdict._tag) {
    case "Leave":
      return verdict
    case "Abandon":
      return { _tag: "Abandon", writer: verdict.writer, owner: verdict.owner }
    default:
      return { _tag: verdict._tag }
  }
}

/** Whether a sweep would look at the row now; the verdict with the engine and, when its presence is unknown, without it. */
export const SweepFacts = Schema.Struct({
  looksNow: renamed("looks_now", Schema.Boolean),
  verdict: Verdict,
  withoutEngine: renamedOptional("without_engine", Verdict)
})
/** What a sweep would do now. */
export type SweepFacts = typeof SweepFacts.Type

/** The engine that a process asks for, and whether the host that was asked has it. */
export const EngineFacts = Schema.Struct({
  kind,
  version,
  presence: Schema.Literal("present", "missing", "unknown")
})
/** The engine that a process asks for. */
export type EngineFacts = typeof EngineFacts.Type

/** Why a delivery was given up. */
export const DiscardReason: Schema.Schema<Outbox.DiscardReason> = Schema.Literal("expired", "target_gone", "retargeted")

/**
 * A message for a session that was not acknowledged yet. Units: epoch milliseconds, UTC.
 *
 * `no_target`: it has no session to wake. `unacknowledged`: it was delivered. Every other state is its delivery's.
 */
export const WakeFacts = Schema.Struct({
  sequence: Schema.Int,
  eventType: renamed("event_type", Schema.String),
  state: Schema.Literal("unacknowledged", "pending", "enqueuing", "discarded", "no_target"),
  wakeId: renamedOptional("wake_id", Schema.String),
  targetScopeId: renamedOptional("target_scope_id", SessionScopeId),
  attempts: optional(Schema.Int),
  /** Only while it is pending. */
  nextAttemptAtMs: renamedOptional("next_attempt_at_ms", Schema.Int),
  /** The delivery that must go first; only while it is pending. */
  blockedBy: renamedOptional("blocked_by", Schema.String),
  /** Only of what was discarded. */
  discardReason: renamedOptional("discard_reason", DiscardReason)
})
/** A message for a session that was not acknowledged yet. */
export type WakeFacts = typeof WakeFacts.Type

/** How far a step under way is, by its own last word. Units: epoch milliseconds, UTC. */
export const StepFacts = Schema.Struct({
  key: Schema.String,
  atMs: renamed("at_ms", Schema.Int),
  detail: Schema.Unknown
})

/** What a process failed with: its code, and what was thrown, where, and because of what. */
export const FailureFacts = Schema.Struct({
  class: Schema.String,
  code: Schema.String,
  message: Schema.String,
  thrown: optional(FailureRecord)
})
/** What a process failed with. */
export type FailureFacts = typeof FailureFacts.Type

/** What is known of a process that is still in the store. Units: epoch milliseconds, UTC. */
export const Detail = Schema.Struct({
  disposition: RecoveryDisposition,
  failure: optional(FailureFacts),
  /** The statechart's state value, as JSON. */
  value: Schema.Unknown,
  /** The innermost active states, as paths. */
  states: Schema.Array(Schema.String),
  accepts: Schema.Array(Accepted),
  lease: optional(LeaseFacts),
  waits: Schema.Array(WaitState),
  attempts: Schema.Int,
  maxAttempts: renamedOptional("max_attempts", Schema.Int),
  dueAtMs: renamed("due_at_ms", Schema.NullOr(Schema.Int)),
  engine: optional(EngineFacts),
  cancelRequest: renamedOptional(
    "cancel_request",
    Schema.Struct({ reason: Schema.NullOr(Schema.String), requestedAtMs: renamed("requested_at_ms", Schema.Int) })
  ),
  abandonRequest: renamedOptional("abandon_request", AbandonRequest),
  /** What the steps under way said last of how far they are; absent where none did. */
  progress: optional(Schema.Array(StepFacts)),
  /** The steps and the waits for other processes that are under way, as its worker says, or as was kept last. */
  underWay: renamedOptional("under_way", Schema.Array(UnderWay)),
  runningChildren: renamed("running_children", Schema.Array(ProcessId)),
  /** How many close requests to children are pending; absent when there are none. */
  closeRequests: renamedOptional("debts", Schema.Int),
  wakes: Schema.Array(WakeFacts),
  /** How many unacknowledged wakes precede those; absent when there are none. */
  earlierWakes: renamedOptional("earlier_wakes", Schema.Int),
  sweep: SweepFacts
})
/** What is known of a process that is still in the store. */
export type Detail = typeof Detail.Type

/** Why a process does not move, and what would move it. `detail` is absent for one that was pruned. */
export const Explanation = Schema.Struct({
  processId: renamed("process_id", ProcessId),
  lookedAtMs: renamed("looked_at_ms", Schema.Int),
  because: Reason,
  meaning: Schema.String,
  moves: Schema.Array(Move),
  detail: optional(Detail)
})
/** Why a process does not move, and what would move it. */
export type Explanation = typeof Explanation.Type

/** An explanation as JSON, both ways. */
export const { encode, decode }: Codec<Explanation> = codec("explanation", Explanation)
