/**
 * The failures of the steps of a body.
 */
import * as Schema from "effect/Schema"
import { errorOf, FailureRecord, failure, headOf } from "../Failure.ts"

const processId = Schema.String

/**
 * A step did not come to its value. This is what was recorded of its failure: a body that runs again meets the same.
 *
 * `name`, `message`, `code`, `data`, `stack` and `cause` are those of what was thrown.
 */
export class StepFailed extends failure<StepFailed>()("StepFailed", {
  processId,
  step: Schema.String,
  failure: FailureRecord
}) {
  /** No getter: every error gets a stack of its own, which says where it was made and would hide one. */
  override readonly stack: string = [headOf(this.failure.name, this.failure.message), this.failure.stack ?? ""].join(
    "\n"
  )
  override get name(): string {
    return this.failure.name
  }
  override get message(): string {
    return this.failure.message
  }
  override get cause(): Error | undefined {
    return this.failure.cause && errorOf(this.failure.cause)
  }
  get code(): string | undefined {
    return this.failure.code
  }
  get data(): unknown {
    return this.failure.data
  }
}

/** An operation of a context was called while one of its steps runs: a step is one effect, recorded as a whole. */
export class InsideStep extends failure<InsideStep>()("InsideStep", {
  processId,
  step: Schema.String,
  operation: Schema.String
}) {
  override get message(): string {
    return `\`${this.operation}\` was called inside step \`${this.step}\` of \`${this.processId}\`: call it before or after the step, or split the step`
  }
}

/** Two operations of one name are under way at once in one scope, so that a replay could not tell them apart. */
export class StepNameAmbiguous extends failure<StepNameAmbiguous>()("StepNameAmbiguous", {
  processId,
  name: Schema.String
}) {
  override get message(): string {
    return `two operations named \`${this.name}\` run at once in \`${this.processId}\`: name them apart, or give each branch a scope with ctx.scope`
  }
}
