/**
 * The audit as durable processes: a parent, and children that it attaches to by name when it runs again.
 *
 * ```
 * audit ┬ listing            rerunnable    walks the directory once; its record is the list of files
 *       ├ directory-0001 …   rerunnable    a turn of a sub-agent for each directory, or for a share of a large one
 *       │  └ batch-0001 …    rerunnable    reads its files; once recorded, no file is read again
 *       └ git-log            owner_bound   a subprocess that is never started twice; if it is lost, git-log-2 is the next
 * ```
 * Invariant: the parent is deterministic, so each of its activations asks for the same children. It publishes only an approved
 * report.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Engine } from "../../../../src/index.ts"
import * as Report from "../report/report.ts"
import { draftNames, ReportNotWritten, removeReports, reportNames, writeReports } from "../report/writing.ts"
import { Approval, Drafted, ReportRejected } from "./Approval.ts"
import { delegate } from "./agents.ts"
import { ReadBatch } from "./batch.ts"
import { GitLog, gitHistory } from "./history.ts"
import * as Directory from "./listing.ts"

/** The request of an audit. Two audits with the same request are the same audit. */
export const AuditPayload = Schema.Struct({
  directory: Schema.String,
  /** The folder that the reports are written to. */
  out: Schema.String,
  exclude: Schema.Array(Schema.String),
  /** Paths below the directory that belong to this program. */
  ownPaths: Schema.Array(Schema.String),
  /** The time limit of one attempt to read a file. Units: milliseconds. */
  fileTimeoutMs: Schema.Int
})
/** The request of an audit. */
export type AuditPayload = typeof AuditPayload.Type

/** Walks the directory once; its record is the list of files. */
export const Listing = Engine.make("audit.listing", {
  version: "2",
  payload: AuditPayload.omit("out", "fileTimeoutMs"),
  success: Directory.Listing,
  error: Directory.DirectoryUnreadable,
  disposition: "rerunnable",
  run: ({ directory, exclude, ownPaths }) => Directory.list({ directory, names: exclude, paths: ownPaths })
})

/** The outcome of a published audit. */
export const Published = Schema.Struct({ totals: Report.Totals, approvedBy: Schema.String })
/** The outcome of a published audit. */
export type Published = typeof Published.Type

/** Why an audit published no report. */
export const AuditFailure = Schema.Union(Directory.DirectoryUnreadable, ReportNotWritten, ReportRejected)
/** Why an audit published no report. */
export type AuditFailure = typeof AuditFailure.Type

/** The whole audit. Its body publishes the reports: when it has ended, they exist. */
export const Audit = Engine.make("audit", {
  version: "3",
  payload: AuditPayload,
  success: Published,
  error: AuditFailure,
  signals: [Approval],
  events: [Drafted],
  disposition: "rerunnable",
  run: ({ directory, out, exclude, ownPaths, fileTimeoutMs }, context) =>
    Effect.gen(function* () {
      const listAndRead = Effect.gen(function* () {
        const child = yield* context.start(Listing, { name: "listing", payload: { directory, exclude, ownPaths } })
        const listing = yield* child.await
        const shares = yield* Effect.forEach(
          listing.shares,
          (share) => delegate(context, { directory, share, fileTimeoutMs }),
          { concurrency: sharesAtOnce }
        )
        return { listing, shares }
      })
      const [history, { listing, shares }] = yield* Effect.all([gitHistory(context, directory), listAndRead], {
        concurrency: "unbounded"
      })
      const report = Report.make({ listing, batches: shares, history, exclude })
      yield* writeReports(out, draftNames, context.processId, report)
      yield* context.appendEvent(Drafted, report.totals)
      const { approved, by } = yield* context.awaitSignal(Approval)
      if (!approved) return yield* new ReportRejected({ by })
      yield* writeReports(out, reportNames, context.processId, report)
      yield* removeReports(out, draftNames)
      return { totals: report.totals, approvedBy: by }
    })
})

/** The engines of a host of this program, beside the runner of its agents. */
export const engines = [Audit, Listing, ReadBatch, GitLog] as const

/** The id of a child, by its name. */
export const childId = (parentId: string, name: string): string => `${parentId}/${name}`

/** How many sub-agents are started at a time; a host runs fewer at once, and other hosts may run the rest. */
const sharesAtOnce = 16
