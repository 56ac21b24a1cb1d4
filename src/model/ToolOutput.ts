/**
 * What a tool call ends with, and how that and a process's output stand for each other.
 *
 * Invariant: both ways keep class, code, message, raw value and control. Only an abandonment goes one way: it reaches a tool's
 * caller as a failure, and nothing ever becomes an abandonment again.
 */
import * as Schema from "effect/Schema"
import type { AwaitOutput } from "./AwaitOutput.ts"
import * as Output from "./AwaitOutput.ts"
import { whenAsked } from "./json.ts"

/** Where a failure comes from: the tool itself, the runtime around it, or a system behind it. */
export const FailureSource = Schema.Literal("tool", "runtime", "provider")

/** Whether the same call may be tried again. */
export const RetryAdvice = Schema.Literal("never", "safe", "later")

const Failure = Schema.Struct({ ...Output.Failure.fields, source: FailureSource, retry: RetryAdvice })

const Cancelled = Schema.Struct({ ...Output.Cancelled.fields, source: FailureSource })

/** What a tool call ends with. */
export const ToolOutput = Schema.Union(Output.Success, Failure, Cancelled)
/** What a tool call ends with. */
export type ToolOutput = typeof ToolOutput.Type

/** What a process ends with that ran a tool call. Where a failure came from and whether to retry are left out. */
export const toAwaitOutput = (output: ToolOutput): AwaitOutput => {
  switch (output._tag) {
    case "Success":
      return output
    case "Failure": {
      const { source: _source, retry: _retry, ...failure } = output
      return failure
    }
    case "Cancelled": {
      const { source: _source, ...cancelled } = output
      return cancelled
    }
  }
}

/** The end of a process, as the caller of a tool receives it. */
export const fromAwaitOutput = (output: AwaitOutput): ToolOutput => {
  switch (output._tag) {
    case "Success":
      return output
    case "Failure":
      return { ...output, source: "tool", retry: "never" }
    case "Cancelled":
      return { ...output, source: "runtime" }
    case "Abandoned":
      return {
        _tag: "Failure",
        class: "external",
        code: "process_abandoned",
        message: abandonMessages[output.evidence.writer],
        raw: encodeEvidence(output.evidence),
        source: "tool",
        retry: "never",
        ...(output.control === undefined ? {} : { control: output.control })
      }
  }
}

/** A failure of the runtime around a tool, which never reached a process. */
export const runtimeFailure = (failureClass: Output.FailureClass, code: string, message: string): ToolOutput => ({
  _tag: "Failure",
  class: failureClass,
  code,
  message,
  source: "runtime",
  retry: "never"
})

const encodeEvidence = whenAsked(() => Schema.encodeSync(Output.AbandonEvidence))

const abandonMessages: Readonly<Record<Output.AbandonEvidence["writer"], string>> = {
  owner_drain: "its owner was drained without recording an outcome",
  sweep: "recovery observed that its owner is provably dead",
  reconciled_request: "a request to abandon it was reconciled after its lease had lapsed"
}
