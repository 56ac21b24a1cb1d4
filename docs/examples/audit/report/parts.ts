/**
 * The parts of a report: what the children of an audit find in files, in folders and in the git history.
 */
import * as Schema from "effect/Schema"

/** A place to review. `text` is an excerpt of the line, with every likely secret redacted. */
export const Finding = Schema.Struct({
  kind: Schema.Literal("todo", "fixme", "secret"),
  /** Which rule found it: the marker itself, or the name of a rule for secrets. */
  rule: Schema.String,
  /** Counted from 1. */
  line: Schema.Int,
  text: Schema.String
})
/** A place to review. */
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

/** A file or folder that could not be read, and why. The audit reports it and does not fail. */
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

/** What is known of a directory's history. `NoHistory` is a normal answer: not every directory has one. */
export const History = Schema.Union(
  Schema.TaggedStruct("History", {
    commits: Schema.Int,
    authors: Schema.Int,
    /** At most {@link maxAuthors}, most commits first. */
    topAuthors: Schema.Array(Schema.Struct({ name: Schema.String, commits: Schema.Int })),
    /** ISO 8601, UTC. */
    lastCommitAt: Schema.String
  }),
  Schema.TaggedStruct("NoHistory", {}),
  Schema.TaggedStruct("Unavailable", { reason: Schema.String })
)

/** What is known of a directory's history. */
export type History = typeof History.Type

/** How many authors a history names. */
export const maxAuthors = 50

/** What a walk passed over: links, which are not followed, and what is neither file nor folder. */
export const PassedOver = Schema.Struct({ links: Schema.Int, special: Schema.Int })

/** Names that are left out of every audit. */
export const alwaysExcluded: ReadonlyArray<string> = [".git", ".holdfast", "dist", "node_modules"]

/** The order of everything in a report: by code units, the same in every locale. */
export const byPath = (a: { readonly path: string }, b: { readonly path: string }): number =>
  a.path < b.path ? -1 : a.path > b.path ? 1 : 0
