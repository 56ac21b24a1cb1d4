/**
 * The audit as durable processes: a parent, and the children it finds again by their names when it runs again.
 *
 * ```
 * audit ┬ listing            rerunnable    walks the directory; what it recorded is what is read, however often the parent runs
 *       ├ directory-0001 …   rerunnable    a turn of a sub-agent for each directory, or for a share of a large one
 *       │  └ batch-0001 …    rerunnable    reads its files; once recorded, no file is read again
 *       └ git-log            owner_bound   a subprocess that is never started twice; when it is lost, git-log-2 is another one
 * ```
 * Invariant: the parent decides nothing by chance, so every activation of it asks for the same children. It publishes
 * nothing that nobody approved.
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

/** What an audit is asked to do. Two audits that are asked for the same are the same audit. */
export const AuditPayload = Schema.Struct({
  directory: Schema.String,
  /** The folder that the reports are written to. */
  out: Schema.String,
  exclude: Schema.Array(Schema.String),
  /** Paths below the directory that are this program's own. */
  ownPaths: Schema.Array(Schema.String),
  /** How long one try at one file may take. Units: milliseconds. */
  fileTimeoutMs: Schema.Int
})
/** What an audit is asked to do. */
export type AuditPayload = typeof AuditPayload.Type

/** Walks the directory once; its record is the list that everything after it works on. */
export const Listing = Engine.make("audit.listing", {
  version: "2",
  payload: AuditPayload.omit("out", "fileTimeoutMs"),
  success: Directory.Listing,
  error: Directory.DirectoryUnreadable,
  disposition: "rerunnable",
  run: ({ directory, exclude, ownPaths }) => Directory.list({ directory, names: exclude, paths: ownPaths })
})

/** What a published audit comes to. */
export const Published = Schema.Struct({ totals: Report.Totals, approvedBy: Schema.String })
/** What a published audit comes to. */
export type Published = typeof Published.Type

/** Why an audit comes to no published report. */
export const AuditFailure = Schema.Union(Directory.DirectoryUnreadable, ReportNotWritten, ReportRejected)
/** Why an audit comes to no published report. */
export type AuditFailure = typeof AuditFailure.Type

/** The whole audit. The reports are published by its body: it has not ended before they are there. */
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

/** The engines a host of this program needs, beside what runs its agents. */
export const engines = [Audit, Listing, ReadBatch, GitLog] as const

/** The id of a child, by its name. */
export const childId = (parentId: string, name: string): string => `${parentId}/${name}`

/** How many sub-agents are asked for at a time; a host runs fewer, and others may help with the rest. */
const sharesAtOnce = 16
