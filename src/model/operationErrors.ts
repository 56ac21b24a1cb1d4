/**
 * The failures of what a body does through its context. Fix the code: nothing of the process was lost.
 */
import * as Schema from "effect/Schema"

const processId = Schema.String

/**
 * The journal does not fit the code that is being replayed: an operation under another's key, or entries that no operation
 * asked for. The row is left as it is, and rests: run the code it was begun with, or register the changed code as a version.
 */
export class ReplayDiverged extends Schema.TaggedError<ReplayDiverged>()("ReplayDiverged", {
  processId,
  key: Schema.String,
  expected: Schema.String,
  actual: Schema.String
}) {
  override get message(): string {
    return `the journal of \`${this.processId}\` has ${this.expected} under \`${this.key}\`, and the code being replayed has ${this.actual}: give changed code a version of its own`
  }
}

/** Two operations of one name are under way at once in one scope, so that a replay could not tell them apart. */
export class StepNameAmbiguous extends Schema.TaggedError<StepNameAmbiguous>()("StepNameAmbiguous", {
  processId,
  name: Schema.String
}) {
  override get message(): string {
    return `two operations named \`${this.name}\` run at once in \`${this.processId}\`: name them apart, or give each branch a scope with ctx.scope`
  }
}

/** The signal did not come in time. */
export class WaitTimedOut extends Schema.TaggedError<WaitTimedOut>()("WaitTimedOut", {
  processId,
  signal: Schema.String
}) {
  override get message(): string {
    return `signal \`${this.signal}\` did not come in time`
  }
}

/**
 * The body whose context this is has ended: whoever kept the context is outside of the process. Nothing was done.
 *
 * What a body begins it awaits, or it ends with the body. What is to go on is a process of its own.
 */
export class OutsideProcess extends Schema.TaggedError<OutsideProcess>()("OutsideProcess", { processId }) {
  override get message(): string {
    return `the body of \`${this.processId}\` has ended, and its context with it: nothing is done outside of a process`
  }
}
