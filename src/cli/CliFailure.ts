/**
 * How a command ends when it does not succeed: one clear sentence, and the exit code that says what kind of end it is.
 *
 * Invariant: whatever fails below, a person reads one line without a stack.
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"

/** What the exit codes mean; `--help` prints this. */
export const exitCodes: ReadonlyArray<readonly [number, string]> = [
  [0, "done"],
  [1, "refused or failed; the sentence on stderr says why (verify: differences were found)"],
  [2, "the command line is not understood"],
  [3, "no such process or wake, or no such database file"],
  [130, "interrupted"]
]

/** A command that did not succeed. Units: `code` is an exit code above. */
export class CliFailure extends Data.TaggedError("CliFailure")<{
  readonly code: 1 | 2 | 3
  readonly line: string
}> {
  override get message(): string {
    return this.line
  }
}

/** It could not be done. */
export const refused = (line: string): CliFailure => new CliFailure({ code: 1, line })

/** The command line asks for something that makes no sense. */
export const misused = (line: string): CliFailure => new CliFailure({ code: 2, line })

/** What was named is not there. */
export const notFound = (line: string): CliFailure => new CliFailure({ code: 3, line })

/** What a cause comes to: the command's own failure, the library's typed one in its words, or a defect in one line. */
export const failureOf = (cause: Cause.Cause<unknown>): CliFailure => {
  const error = Cause.squash(cause)
  if (error instanceof CliFailure) return error
  const line = error instanceof Error ? error.message : String(error)
  const tag = typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined
  if (tag === "ProcessUnknown" || tag === "ProcessPruned") return notFound(line)
  return refused(Cause.isDie(cause) ? `unexpected: ${line}` : line)
}
