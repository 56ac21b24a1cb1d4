/**
 * The audit as a durable chart, and the processes that it invokes. They attach to their own children by name when they run again.
 *
 * ```
 * audit                    a chart         draft it, wait for its approval, publish it
 *   ├ draft:1              rerunnable      reads everything, and writes the draft
 *   │ ├ listing            rerunnable      walks the directory once; its record is the list of files
 *   │ ├ directory-0001 …   rerunnable      a turn of a sub-agent for each directory, or for a share of a large one
 *   │ │  └ batch-0001 …    rerunnable      reads its files; once recorded, no file is read again
 *   │ └ git-log            owner_bound     a subprocess that is never started twice; if it is lost, git-log-2 is the next
 *   └ publish:1            rerunnable      gives the approved draft its final names
 * ```
 * Invariant: what is published has the bytes of the draft that was approved.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assign, setup } from "xstate"
import { Engine } from "../../../../src/index.ts"
import * as Report from "../report/report.ts"
import { Digests, DraftChanged, draftNames, publishDraft, ReportNotWritten, writeReports } from "../report/writing.ts"
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

/** A draft that is written: its totals help to decide. */
const Draft = Schema.Struct({ totals: Report.Totals, digests: Digests })
type Draft = typeof Draft.Type

/** Reads everything, and writes the draft. It is deterministic, so each of its activations asks for the same children. */
const WriteDraft = Engine.make("audit.draft", {
  version: "1",
  payload: AuditPayload,
  success: Draft,
  error: Schema.Union(Directory.DirectoryUnreadable, ReportNotWritten),
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
      return { totals: report.totals, digests: yield* writeReports(out, draftNames, context.processId, report) }
    })
})

const Approved = Schema.Struct({ out: Schema.String, digests: Digests })

/** Gives the approved draft its final names: when it has ended, the reports exist. */
const Publish = Engine.make("audit.publish", {
  version: "1",
  payload: Approved,
  success: Schema.Null,
  error: Schema.Union(ReportNotWritten, DraftChanged),
  disposition: "rerunnable",
  run: ({ out, digests }, context) => Effect.as(publishDraft(out, context.processId, digests), null)
})

const approval = Schema.Struct({ approved: Schema.Boolean, by: Schema.NonEmptyString })

/** How an audit ended. */
export const Outcome = Schema.Struct({ totals: Report.Totals, approved: Schema.Boolean, by: Schema.String })
/** How an audit ended. */
export type Outcome = typeof Outcome.Type

/** What an audit knows of itself. */
export interface Context {
  readonly request: AuditPayload
  /** Absent until it is written. */
  readonly draft?: Draft
  /** Who decided, and how; absent until then. */
  readonly decision?: typeof approval.Type
}

/** What it does next. A child that fails, such as for a directory that cannot be read, fails the audit. */
export const audit = setup({
  types: {
    context: {} as Context,
    events: {} as { readonly type: "approval" } & typeof approval.Type,
    input: {} as AuditPayload,
    output: {} as Outcome
  },
  actors: {
    writeDraft: Engine.fromDurable<AuditPayload, Draft>(),
    publish: Engine.fromDurable<typeof Approved.Type, null>()
  },
  actions: { decide: assign({ decision: ({ event: { approved, by } }) => ({ approved, by }) }) },
  guards: { isApproved: ({ event }) => event.approved }
}).createMachine({
  id: "audit",
  context: ({ input }) => ({ request: input }),
  initial: "reading",
  states: {
    reading: {
      description: "Every file is read by a child process of a child process; then the draft is written.",
      invoke: {
        src: "writeDraft",
        id: "draft",
        input: ({ context }) => context.request,
        onDone: { target: "waiting", actions: assign({ draft: ({ event }) => event.output }) }
      }
    },
    waiting: {
      description: "A person reads the draft, and may take days.",
      on: {
        approval: [
          { guard: "isApproved", target: "publishing", actions: "decide" },
          { target: "rejected", actions: "decide" }
        ]
      }
    },
    publishing: {
      description: "The draft gets its final names.",
      invoke: {
        src: "publish",
        id: "publish",
        input: ({ context: { request, draft } }) => ({ out: request.out, digests: written(draft).digests }),
        onDone: "published"
      }
    },
    published: { type: "final" },
    rejected: { type: "final", description: "The draft stays where it is." }
  },
  output: ({ context: { draft, decision } }) => ({
    totals: written(draft).totals,
    approved: decision?.approved === true,
    by: decision?.by ?? ""
  })
})

/** The draft, which each state after the first one has. */
const written = (draft: Draft | undefined): Draft => {
  if (draft === undefined) throw new Error("there is no draft yet")
  return draft
}

/** The whole audit. */
export const Audit = Engine.fromMachine(audit, {
  version: "4",
  input: AuditPayload,
  output: Outcome,
  context: Schema.Struct({
    request: AuditPayload,
    draft: Schema.optionalWith(Draft, { exact: true }),
    decision: Schema.optionalWith(approval, { exact: true })
  }),
  events: { approval },
  actors: { writeDraft: WriteDraft, publish: Publish }
})

/** The engines of a host of this program, beside the runner of its agents. */
export const engines = [Audit, Listing, ReadBatch, GitLog] as const

/** The id of the process that reads everything for an audit. */
export const readerId = (auditId: string): string => `${auditId}/draft:1`

/** The id of a child that a process started by a name. */
export const childId = (parentId: string, name: string): string => `${parentId}/${name}`

/** How many sub-agents are started at a time; a host runs fewer at once, and other hosts may run the rest. */
const sharesAtOnce = 16
