/**
 * What is found in one file, and in a batch of files: the values that the reading children end with.
 */
import * as Schema from "effect/Schema"

/** A place worth a look. `text` is an excerpt of the line, with every likely secret in it made unreadable. */
export const Finding = Schema.Struct({
  kind: Schema.Literal("todo", "fixme", "secret"),
  /** Which rule found it: the marker itself, or the name of a rule for secrets. */
  rule: Schema.String,
  /** Counted from 1. */
  line: Schema.Int,
  text: Schema.String
})
/** A place worth a look. */
export type Finding = typeof Finding.Type

/** One file that was read. `language` is null for a binary file, whose lines are not counted and not scanned. */
export const FileReport = Schema.Struct({
  path: Schema.String,
  bytes: Schema.Int,
  sha256: Schema.String,
  language: Schema.NullOr(Schema.String),
  lines: Schema.Int,
  findings: Schema.Array(Finding),
  notes: Schema.Array(Schema.String)
})
/** One file that was read. */
export type FileReport = typeof FileReport.Type

/** A file or folder that could not be read, and why. It is a finding of the audit, never its end. */
export const Unread = Schema.Struct({ path: Schema.String, problem: Schema.String })
/** A file or folder that could not be read, and why. */
export type Unread = typeof Unread.Type

/** Everything a batch found, in the order of its files. */
export const BatchReport = Schema.Struct({
  files: Schema.Array(FileReport),
  unread: Schema.Array(Unread)
})
/** Everything a batch found. */
export type BatchReport = typeof BatchReport.Type
