/**
 * The audit as durable processes: a parent, and the children it finds again by their names when it runs again.
 *
 * ```
 * audit ┬ listing       rerunnable    walks the directory; what it recorded is what is read, however often the parent runs
 *       ├ batch-0001 …  rerunnable    reads its files; once recorded, no file of it is read again
 *       └ git-log       owner_bound   a subprocess that is never started twice; when it is lost, git-log-2 is another one
 * ```
 * Invariant: the parent decides nothing by chance, so every activation of it asks for the same children.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ExecutionContext } from "../../../src/index.ts"
import { Engine } from "../../../src/index.ts"
import type { FileReport, Unread } from "./FileReport.ts"
import { BatchReport } from "./FileReport.ts"
import type { History } from "./gitLog.ts"
import * as GitHistory from "./gitLog.ts"
import * as Directory from "./listing.ts"
import { Progress } from "./Progress.ts"
import { readOne } from "./reading.ts"
import * as Report from "./report.ts"
import { ReportNotWritten, writeReports } from "./writing.ts"

/** What an audit is asked to do. Two audits that are asked for the same are the same audit. */
export const AuditPayload = Schema.Struct({
  directory: Schema.String,
  /** The folder that the reports are written to. */
  out: Schema.String,
  exclude: Schema.Array(Schema.String),
  /** Paths below the directory that are this program's own. */
  ownPaths: Schema.Array(Schema.String)
})
/** What an audit is asked to do. */
export type AuditPayload = typeof AuditPayload.Type

/** Walks the directory once; its record is the list that everything after it works on. */
export const Listing = Engine.make("audit.listing", {
  version: "1",
  payload: AuditPayload.omit("out"),
  success: Directory.Listing,
  error: Directory.DirectoryUnreadable,
  disposition: "rerunnable",
  run: ({ directory, exclude, ownPaths }) => Directory.list({ directory, names: exclude, paths: ownPaths })
})

/** Reads the files of one batch. */
export const ReadBatch = Engine.make("audit.read-batch", {
  version: "1",
  payload: Schema.Struct({ directory: Schema.String, files: Schema.Array(Schema.String) }),
  success: BatchReport,
  disposition: "rerunnable",
  run: ({ directory, files }, { processId, attempt }) =>
    Effect.gen(function* () {
      const progress = yield* Progress
      const read = (path: string) =>
        Effect.logDebug(`reading ${path}`).pipe(
          Effect.zipRight(readOne(directory, path)),
          Effect.tap(() => progress.fileRead(processId, path))
        )
      const answers = yield* Effect.forEach(files, read, { concurrency: filesAtOnce })
      return { files: answers.filter(isRead), unread: answers.filter((answer): answer is Unread => !isRead(answer)) }
    }).pipe(Effect.annotateLogs({ process: processId, attempt }))
})

/** Asks git for the history. A subprocess cannot be gone on with, so its body is never started twice. */
export const GitLog = Engine.make("audit.git-log", {
  version: "1",
  payload: Schema.Struct({ directory: Schema.String }),
  success: GitHistory.History,
  error: GitHistory.GitStopped,
  disposition: "owner_bound",
  run: ({ directory }) => GitHistory.historyOf(directory)
})

/** The whole audit. The reports are written by its body: it has not ended before they are there. */
export const Audit = Engine.make("audit", {
  version: "1",
  payload: AuditPayload,
  success: Report.Totals,
  error: Schema.Union(Directory.DirectoryUnreadable, ReportNotWritten),
  disposition: "rerunnable",
  run: ({ directory, out, exclude, ownPaths }, context) =>
    Effect.gen(function* () {
      const listAndRead = Effect.gen(function* () {
        const child = yield* context.startChild(Listing, { name: "listing", payload: { directory, exclude, ownPaths } })
        const listing = yield* child.await
        const batches = yield* Effect.forEach(
          listing.batches,
          ({ name, files }) =>
            Effect.flatMap(
              context.startChild(ReadBatch, { name, payload: { directory, files } }),
              (batch) => batch.await
            ),
          { concurrency: batchesAtOnce }
        )
        return { listing, batches }
      })
      const [history, { listing, batches }] = yield* Effect.all([gitHistory(context, directory), listAndRead], {
        concurrency: "unbounded"
      })
      const report = Report.make({ listing, batches, history, exclude })
      yield* writeReports(out, context.processId, report)
      return report.totals
    })
})

/** The engines a host of this program needs. */
export const engines = [Audit, Listing, ReadBatch, GitLog] as const

/** The id of a child, by its name. */
export const childId = (auditId: string, name: string): string => `${auditId}/${name}`

/** How many files one batch reads at a time. */
const filesAtOnce = 4

/** How many batches are asked for at a time; a host runs fewer, and others may help with the rest. */
const batchesAtOnce = 16

/** How often git may be ended by a signal before the report goes without a history. */
const maxStops = 3

/** Longer than git may take. Only then is a child that says nothing one whose host vanished without proof of its death. */
const patienceMs = GitHistory.timeLimitMs + 15_000

/** What became of one `git-log` child. `Lost` says why the next one is needed. */
type Attempt =
  | { readonly _tag: "Known"; readonly history: History }
  | { readonly _tag: "Lost" | "Stopped"; readonly why: string }

/**
 * The history, from the first `git-log` child that tells it.
 *
 * An abandoned child is an answer in its own right: its host ended while it ran, so nobody knows what it would have said.
 * The next one has a name of its own. A body that runs again goes through the same names, and finds each end recorded.
 */
const gitHistory = (context: ExecutionContext.ExecutionContext, directory: string) =>
  Effect.gen(function* () {
    const progress = yield* Progress
    let stops = 0
    for (let number = 1; ; number++) {
      const name = number === 1 ? "git-log" : `git-log-${number}`
      const attempt = yield* askGit(context, name, directory)
      if (attempt._tag === "Known") return attempt.history
      if (attempt._tag === "Stopped") stops++
      if (stops === maxStops) return { _tag: "Unavailable", reason: attempt.why } as const
      yield* progress.note(`${name}: ${attempt.why}; a fresh one is started as git-log-${number + 1}`)
    }
  })

const askGit = (context: ExecutionContext.ExecutionContext, name: string, directory: string) =>
  Effect.gen(function* () {
    const child = yield* context.startChild(GitLog, { name, payload: { directory } })
    return yield* Effect.map(child.await, known).pipe(
      Effect.catchTags({
        ProcessAbandoned: () =>
          Effect.succeed(lost("its host ended while it ran, so its outcome is unknown (abandoned)")),
        GitStopped: (error) => Effect.succeed<Attempt>({ _tag: "Stopped", why: error.message })
      }),
      Effect.timeoutTo({
        duration: patienceMs,
        onSuccess: (attempt) => attempt,
        onTimeout: () => lost("it gives no answer, and nothing proves that its host ended")
      })
    )
  })

const known = (history: History): Attempt => ({ _tag: "Known", history })

const lost = (why: string): Attempt => ({ _tag: "Lost", why })

const isRead = (answer: FileReport | Unread): answer is FileReport => "sha256" in answer
