/**
 * What a tool call ends with, and how that and a process's output stand for each other.
 *
 * Invariant: both ways keep class, code, message, raw value and control. Only an abandonment goes one way: it reaches a tool's
 * caller as a failure, and nothing ever becomes an abandonment again.
 */
import * as Schema from "effect/Schema"
import type { AwaitOutput } from "./AwaitOutput.ts"
import { AbandonEvidence, FailureClass, ToolControl } from "./AwaitOutput.ts"
import { AnyJson, optional, tagged } from "./json.ts"

/** Where a failure comes from: the tool itself, the runtime around it, or a system behind it. */
export const FailureSource = Schema.Literal("tool", "runtime", "provider")

/** Whether the same call may be tried again. */
export const RetryAdvice = Schema.Literal("never", "safe", "later")

const Success = Schema.Struct({
  _tag: tagged("type", "success", "Success"),
  value: AnyJson,
  control: optional(ToolControl)
})

const Failure = Schema.Struct({
  _tag: tagged("type", "failure", "Failure"),
  class: FailureClass,
  code: Schema.String,
  message: Schema.String,
  raw: optional(Schema.Unknown),
  source: FailureSource,
  retry: RetryAdvice,
  control: optional(ToolControl)
})

const Cancelled = Schema.Struct({
  _tag: tagged("type", "cancelled", "Cancelled"),
  message: Schema.String,
  raw: optional(Schema.Unknown),
  source: FailureSource,
  control: optional(ToolControl)
})

/** What a tool call ends with. */
export const ToolOutput = Schema.Union(Success, Failure, Cancelled)
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

/** What the caller of a tool is told of a process's end. */
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
export const runtimeFailure = (failureClass: typeof FailureClass.Type, code: string, message: string): ToolOutput => ({
  _tag: "Failure",
  class: failureClass,
  code,
  message,
  source: "runtime",
  retry: "never"
})

const encodeEvidence = Schema.encodeSync(AbandonEvidence)

const abandonMessages: Readonly<Record<AbandonEvidence["writer"], string>> = {
  owner_drain: "its owner was drained without recording an outcome",
  sweep: "recovery observed that its owner is provably dead",
  reconciled_request: "a request to abandon it was reconciled after its lease had lapsed"
}
