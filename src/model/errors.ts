/**
 * Every typed failure, by what the caller does about it. **Retry**: it may succeed later. **Stop**: another owner has this now.
 * **Fix the call**: it can never succeed. **Give up**: what was waited for will not come. A fifth needs a decision record.
 */
import * as Schema from "effect/Schema"
import { AwaitOutput } from "./AwaitOutput.ts"
import { errorOf, failure } from "./Failure.ts"
import { divergence, LeftBehind, whyNotResumed } from "./JournalEntry.ts"

export * from "./errors/machine.ts"
export * from "./errors/step.ts"

const processId = Schema.String

// --- Retry ------------------------------------------------------------------------------------------------------------

/**
 * The store could not answer, or could not say whether it wrote. Retry when `written` is "no": nothing was, for certain.
 * Otherwise read again first, or repeat the operation, which replays safely.
 */
export class StoreError extends failure<StoreError>()("StoreError", {
  operation: Schema.String,
  reason: Schema.Literal("busy", "full", "corrupt", "newer_schema", "unusable", "failed"),
  written: Schema.Literal("no", "unknown"),
  detail: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message(): string {
    return `the store could not ${this.operation}: ${this.detail}`
  }
}

// --- Stop -------------------------------------------------------------------------------------------------------------

/** The lease presented is not the present one, or has expired. Nothing was written: the presenter must stop. */
export class LeaseLost extends failure<LeaseLost>()("LeaseLost", {
  processId,
  fencingToken: Schema.Int,
  currentFence: Schema.Int
}) {
  override get message(): string {
    return `process lease for \`${this.processId}\` is missing or expired: fence ${this.fencingToken} was presented, the present fence is ${this.currentFence}`
  }
}

/** The parent was asked to stop, so it starts no more children. Nothing was written. */
export class ParentClosing extends failure<ParentClosing>()("ParentClosing", { processId, childId: Schema.String }) {
  override get message(): string {
    return `process \`${this.processId}\` was asked to stop and cannot start child \`${this.childId}\``
  }
}

// --- Fix the call -----------------------------------------------------------------------------------------------------

/** No process has this id. */
export class ProcessUnknown extends failure<ProcessUnknown>()("ProcessUnknown", { processId }) {
  override get message(): string {
    return `unknown process \`${this.processId}\``
  }
}

/** A process had this id; it ended, and was pruned. Units: epoch milliseconds, UTC. */
export class ProcessPruned extends failure<ProcessPruned>()("ProcessPruned", {
  processId,
  terminalState: Schema.String,
  prunedAtMs: Schema.Int
}) {
  override get message(): string {
    return `process \`${this.processId}\` ended as ${this.terminalState} and was pruned`
  }
}

/** A registration that cannot be accepted. `field` names what to change. Nothing was written. */
export class RegistrationInvalid extends failure<RegistrationInvalid>()("RegistrationInvalid", {
  processId,
  field: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `registration of \`${this.processId}\` is invalid at ${this.field}: ${this.problem}`
  }
}

/** The id is taken by a different registration. Nothing was written: use another id, or register the same thing. */
export class RegistrationConflict extends failure<RegistrationConflict>()("RegistrationConflict", {
  processId,
  stored: Schema.String,
  presented: Schema.String
}) {
  override get message(): string {
    return `registration hash conflict for \`${this.processId}\`: stored ${this.stored}, presented ${this.presented}`
  }
}

/** The id belongs to a process that was started with something else. `fields` names what differs. */
export class ProcessIdConflict extends failure<ProcessIdConflict>()("ProcessIdConflict", {
  processId,
  fields: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `process \`${this.processId}\` exists and was started with another ${this.fields.join(" and ")}: choose another id`
  }
}

/** An event that may not be appended, and why. Nothing was written, and no sequence number was used. */
export class EventRejected extends failure<EventRejected>()("EventRejected", {
  processId,
  eventType: Schema.String,
  reason: Schema.Literal(
    "undeclared",
    "reserved",
    "replay_key_required",
    "replay_conflict",
    "payload_invalid",
    "semantics_failed"
  ),
  detail: Schema.String
}) {
  override get message(): string {
    return `process \`${this.processId}\`: ${this.detail}`
  }
}

/** The process has ended, and nothing ends twice. Nothing was written; `state` says how it ended. */
export class ProcessAlreadyTerminal extends failure<ProcessAlreadyTerminal>()("ProcessAlreadyTerminal", {
  processId,
  state: Schema.String,
  /** What was asked of it, when that was no second end. */
  refused: Schema.optionalWith(
    Schema.Literal(
      "accept a cancel request",
      "accept an abandon request",
      "enter a wait state",
      "take a signal",
      "be resumed",
      "begin its machine"
    ),
    { exact: true }
  )
}) {
  override get message(): string {
    const consequence = this.refused === undefined ? "" : `, and cannot ${this.refused}`
    return `process \`${this.processId}\` is already terminal: ${this.state}${consequence}`
  }
}

/** The process is known by another reference already. Nothing was written. */
export class ExternalRefConflict extends failure<ExternalRefConflict>()("ExternalRefConflict", {
  processId,
  stored: Schema.String,
  presented: Schema.String
}) {
  override get message(): string {
    return `external ref conflict for \`${this.processId}\`: stored ${this.stored}, presented ${this.presented}`
  }
}

/** The process is not granted to the scope that wanted to pass it on. Nothing was written, for any process. */
export class GrantMissing extends failure<GrantMissing>()("GrantMissing", { processId, scopeId: Schema.String }) {
  override get message(): string {
    return `process \`${this.processId}\` is not granted to session scope \`${this.scopeId}\``
  }
}

/** The declared terminal state and the output contradict each other. Nothing was written. */
export class TerminalOutcomeMismatch extends failure<TerminalOutcomeMismatch>()("TerminalOutcomeMismatch", {
  processId,
  declared: Schema.String,
  outcome: Schema.String
}) {
  override get message(): string {
    return `process \`${this.processId}\`: the event type declares ${this.declared}, its output says ${this.outcome}`
  }
}

/** The authority named may not complete this process. Nothing was written. */
export class CompletionRefused extends failure<CompletionRefused>()("CompletionRefused", {
  processId,
  authority: Schema.String,
  disposition: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.authority} may not complete \`${this.processId}\`, which is ${this.disposition}: ${this.detail}`
  }
}

/** Something handed to the host does not fit its declaration: an option, an engine, a payload. `field` names it. */
export class InputInvalid extends failure<InputInvalid>()("InputInvalid", {
  field: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.field} ${this.problem}`
  }
}

/** This host has no engine of that kind and version. */
export class EngineMissing extends failure<EngineMissing>()("EngineMissing", {
  kind: Schema.String,
  version: Schema.String
}) {
  override get message(): string {
    const version = this.version === "" ? "" : ` version ${this.version}`
    return `process engine \`${this.kind}\`${version} is not configured on this host`
  }
}

/** The environment a process was started under cannot be had here. Its row stays as it is, and rests. */
export class EnvironmentUnusable extends failure<EnvironmentUnusable>()("EnvironmentUnusable", {
  envRef: Schema.String,
  problem: Schema.Literal("missing", "undecodable"),
  detail: Schema.optionalWith(Schema.String, { exact: true })
}) {
  override get message(): string {
    return this.problem === "missing"
      ? `missing process execution env \`${this.envRef}\``
      : `failed to decode process execution env \`${this.envRef}\`: ${this.detail ?? ""}`
  }
}

/** The session may not address the process: it has no grant of it, or no grant of a process that still runs. */
export class ProcessNotVisible extends failure<ProcessNotVisible>()("ProcessNotVisible", {
  processId,
  scopeId: Schema.String,
  needed: Schema.Literal("live", "any")
}) {
  override get message(): string {
    return `process \`${this.processId}\` is not ${this.needed === "live" ? "live or " : ""}visible in this session`
  }
}

/** The host judged a cancel that a session asked for, and refused it. */
export class CancelRefused extends failure<CancelRefused>()("CancelRefused", { processId, problem: Schema.String }) {
  override get message(): string {
    return `this host does not cancel \`${this.processId}\`: ${this.problem}`
  }
}

/** The key of a durable promise was not made here, or was changed since. */
export class PromiseUnknown extends failure<PromiseUnknown>()("PromiseUnknown", { keyId: Schema.String }) {
  override get message(): string {
    return `await_event_unknown_or_revoked: \`${this.keyId}\` is no key of this host`
  }
}

// --- Give up ----------------------------------------------------------------------------------------------------------

/** The attached engine that was to wait for a process could not. */
export class AttachFailed extends failure<AttachFailed>()("AttachFailed", {
  processId,
  problem: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message(): string {
    return `the attached engine could not wait for \`${this.processId}\`: ${this.problem}`
  }
}

/** The awaited process failed: by a typed error that does not decode here, a defect, or a failure of the runtime's. */
export class ProcessFailed extends failure<ProcessFailed>()("ProcessFailed", { processId, output: AwaitOutput }) {
  override get message(): string {
    const { processId, output } = this
    if (output._tag !== "Failure") return `process \`${processId}\` failed`
    // One that let the failure of another through says which, and nothing of the processes between.
    return output.code === this._tag
      ? `process \`${processId}\` failed: ${output.message}`
      : `process \`${processId}\` failed (${output.class}, ${output.code}): ${output.message}`
  }

  /** What the first of the processes says of itself, when each let the failure of the next one through. */
  get origin(): string {
    return this.output._tag === "Failure" && this.output.code === this._tag ? this.output.message : this.message
  }

  /** What the body threw, as it was recorded. */
  override get cause(): Error | undefined {
    const thrown = this.output._tag === "Failure" ? this.output.thrown : undefined
    if (thrown === undefined) return undefined
    return thrown.name === this._tag ? thrown.cause && errorOf(thrown.cause) : errorOf(thrown)
  }
}

/** The awaited process stopped because it was asked to. */
export class ProcessCancelled extends failure<ProcessCancelled>()("ProcessCancelled", {
  processId,
  reason: Schema.String
}) {
  override get message(): string {
    return `process \`${this.processId}\` was cancelled: ${this.reason}`
  }
}

/** The awaited process was given up: its outcome is unknown. `output` carries the evidence. */
export class ProcessAbandoned extends failure<ProcessAbandoned>()("ProcessAbandoned", {
  processId,
  output: AwaitOutput
}) {
  override get message(): string {
    return this.output._tag === "Abandoned"
      ? `process \`${this.processId}\` was abandoned by ${this.output.evidence.writer}: its outcome is unknown`
      : `process \`${this.processId}\` was abandoned`
  }
}

/** The process completed with a value that does not decode by the schema it is awaited with. */
export class OutputInvalid extends failure<OutputInvalid>()("OutputInvalid", { processId, problem: Schema.String }) {
  override get message(): string {
    return `process \`${this.processId}\` completed with a value that its engine's schema refuses: ${this.problem}`
  }
}

/**
 * The journal does not fit the code that is being replayed: an operation under another's key, or entries that no operation
 * asked for, the first at `position`. The row is left as it is, and rests: its message says how to move it.
 */
export class ReplayDiverged extends failure<ReplayDiverged>()("ReplayDiverged", {
  processId,
  position: Schema.Int,
  key: Schema.String,
  expected: Schema.String,
  actual: Schema.String
}) {
  override get message(): string {
    return divergence(this)
  }
}

/** The process cannot be resumed from there, or not without a decision that only a person can make. Nothing was written. */
export class ResumeRefused extends failure<ResumeRefused>()("ResumeRefused", {
  processId,
  from: Schema.Int,
  reason: Schema.Literal("not_rerunnable", "held", "no_entry", "effects", "children"),
  left: LeftBehind
}) {
  override get message(): string {
    return `process \`${this.processId}\` is not resumed from entry ${this.from} of its journal: ${whyNotResumed(this.reason, this.left)}`
  }
}

/** The signal did not come in time. */
export class WaitTimedOut extends failure<WaitTimedOut>()("WaitTimedOut", { processId, signal: Schema.String }) {
  override get message(): string {
    return `signal \`${this.signal}\` did not come in time`
  }
}

/** The body of this context has ended, and nothing was done: a body awaits what it begins; what is to go on is a process. */
export class OutsideProcess extends failure<OutsideProcess>()("OutsideProcess", { processId }) {
  override get message(): string {
    return `the body of \`${this.processId}\` has ended, and its context with it: nothing is done outside of a process`
  }
}
