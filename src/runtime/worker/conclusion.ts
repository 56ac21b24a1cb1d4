/**
 * What the end of a body means for its process: a pure table from how the fiber ended, and why it was stopped.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Disposition } from "../../../machines/recovery.ts"
import type { Disturbance } from "../../../machines/run.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import * as Output from "../../model/AwaitOutput.ts"
import { textOf } from "../../model/Failure.ts"
import type { RuntimeError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { LeaseOwner } from "../../model/Lease.ts"
import type { AtRest } from "../body/Activation.ts"

/** What to write. `Drop`: nothing, since another owner runs the process or it has ended. */
export type Conclusion =
  | { readonly _tag: "Complete"; readonly output: AwaitOutput }
  | { readonly _tag: "HandBack"; readonly reason: "handed_back" | "passivated" }
  /** The code does not fit the journal: nothing is concluded, and the row backs off. */
  | { readonly _tag: "Diverged"; readonly problem: string }
  | { readonly _tag: "Drop" }

/** Everything the conclusion depends on. */
export interface Ending {
  readonly processId: ProcessId
  readonly exit: Exit.Exit<AwaitOutput | AtRest, RuntimeError>
  readonly stop: Disturbance | undefined
  readonly disposition: Disposition
  readonly cancelReason: string | null
  readonly owner: LeaseOwner
  readonly nowMs: number
}

/**
 * Concludes an activation.
 *
 * A body that completes although it was asked to stop stays completed. `cancelled` is written only for a request in the log;
 * an interruption without a request is a failure. Work that may run again is handed back when the host stops; work that
 * may not is given up by its owner, with evidence.
 */
export const conclude = (ending: Ending): Conclusion => {
  const { exit, stop } = ending
  if (stop === "lease_lost" || stop === "superseded") return { _tag: "Drop" }
  if (Exit.isSuccess(exit)) {
    return exit.value._tag === "AtRest" ? { _tag: "HandBack", reason: "passivated" } : complete(exit.value)
  }
  // Without a request to stop, a defect or failure beside an interruption is what happened: branches were interrupted by it.
  if (stop === undefined ? Cause.isInterruptedOnly(exit.cause) : Cause.isInterrupted(exit.cause)) {
    return interrupted(ending)
  }
  const failure = Cause.failureOption(exit.cause)
  return Option.isSome(failure) ? failed(ending, failure.value) : complete(Output.defect(Cause.squash(exit.cause)))
}

/**
 * Says in the log why a process failed: what was thrown, where, and because of what. A failure that its engine declares is an
 * answer to its caller, and a line for debugging alone. An end of another kind is no line.
 */
export const logFailure = (id: ProcessId, output: AwaitOutput): Effect.Effect<void> => {
  if (output._tag !== "Failure") return Effect.void
  const { class: kind, code, message, thrown } = output
  const line = `${id} failed (${kind}, ${code}): ${thrown === undefined ? message : textOf(thrown)}`
  return kind === "execution" && code !== "StepFailed" ? Effect.logDebug(line) : Effect.logError(line)
}

const complete = (output: AwaitOutput): Conclusion => ({ _tag: "Complete", output })

const interrupted = ({ stop, cancelReason, disposition, owner, nowMs }: Ending): Conclusion => {
  if (stop === "cancel") return complete(Output.cancelled(cancelReason ?? "cancelled"))
  if (stop === "passivated") return { _tag: "HandBack", reason: "passivated" }
  if (stop === "host_stop") {
    return disposition === "rerunnable"
      ? { _tag: "HandBack", reason: "handed_back" }
      : complete(Output.abandoned({ writer: "owner_drain", owner, epochMs: nowMs }))
  }
  return complete(Output.failure("internal", "process_interrupted", "the body interrupted itself"))
}

const failed = ({ processId, disposition, cancelReason }: Ending, error: RuntimeError): Conclusion => {
  switch (error._tag) {
    case "LeaseLost":
      return error.processId === processId ? { _tag: "Drop" } : complete(Output.thrown("execution", error._tag, error))
    case "ReplayDiverged":
      // Code that does not fit would do so again: a request to stop is how a person ends such a process.
      return cancelReason === null
        ? { _tag: "Diverged", problem: error.message }
        : complete(Output.cancelled(cancelReason))
    case "WaitTimedOut":
      return complete(Output.thrown("timeout", "process_signal_wait_timeout", error))
    case "ParentClosing":
      return complete(Output.cancelled(cancelReason ?? "cancelled"))
    case "StoreError":
      // The body got no answer from its store: that says nothing about its work.
      return disposition === "rerunnable"
        ? { _tag: "HandBack", reason: "handed_back" }
        : complete(Output.thrown("unavailable", error._tag, error))
    case "ProcessFailed":
      return complete(Output.thrown("execution", error._tag, error, { message: error.origin }))
    case "StepFailed":
      return complete(
        Output.thrown("execution", error._tag, error, { message: `step \`${error.step}\` failed: ${error.message}` })
      )
    default:
      return complete(Output.thrown("execution", error._tag ?? "process_error", error))
  }
}
