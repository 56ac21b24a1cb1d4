/**
 * A sub-agent: takes on one directory, or one share of a large one, and wakes the audit's session when it finds something
 * that cannot wait for the report.
 *
 * Invariant: what it finds is what its batches recorded, so that a sub-agent that runs again wakes nobody twice.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Engine, Signal } from "../../../src/index.ts"
import { ReadBatch } from "./batch.ts"
import { BatchReport } from "./FileReport.ts"
import { Share } from "./listing.ts"
import { counted } from "./text.ts"

/** Likely secrets were found: an event whose meaning is a message for a session. */
export const CriticalFound = Signal.event("audit.critical_found", {
  payload: Schema.Struct({ text: Schema.String, secrets: Schema.Int }),
  semantics: { wake: { input: { pointer: "/text" }, dedupeKey: "event_identity" } }
})

/** What a sub-agent ends with. */
export const ShareReport = Schema.Struct({
  ...BatchReport.fields,
  /** Likely secrets in its files. */
  secrets: Schema.Int
})

/** Has the batches of one share read. */
export const ReadShare = Engine.make("audit.read-share", {
  version: "1",
  payload: Schema.Struct({
    directory: Schema.String,
    share: Share,
    fileTimeoutMs: Schema.Int,
    /** The session that is woken. */
    session: Schema.String
  }),
  success: ShareReport,
  events: [CriticalFound],
  disposition: "rerunnable",
  run: ({ directory, share, fileTimeoutMs, session }, context) =>
    Effect.gen(function* () {
      const batches = yield* Effect.forEach(
        share.batches,
        ({ name, files }) =>
          Effect.flatMap(
            context.startChild(ReadBatch, { name, payload: { directory, files, fileTimeoutMs } }),
            (batch) => batch.await
          ),
        { concurrency: "unbounded" }
      )
      const files = batches.flatMap((batch) => batch.files)
      const unread = batches.flatMap((batch) => batch.unread)
      const leaking = files.filter(({ findings }) => findings.some(({ kind }) => kind === "secret"))
      const secrets = leaking.flatMap(({ findings }) => findings.filter(({ kind }) => kind === "secret")).length
      if (secrets > 0) {
        const text = `${counted(secrets, "likely secret")} in ${counted(leaking.length, "file")}, first in ${leaking[0]?.path}`
        yield* context.appendEvent(CriticalFound, { text, secrets }, { wakeTarget: { sessionId: session } })
      }
      return { files, unread, secrets }
    })
})
