/**
 * What a sub-agent does in its turn: has one share of the directory read, and wakes the audit's session when it finds something
 * that cannot wait for the report.
 *
 * Invariant: what it finds is what its batches recorded, so that a turn that runs again wakes nobody twice.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ExecutionContext } from "../../../../src/index.ts"
import { Signal } from "../../../../src/index.ts"
import { counted } from "../report/text.ts"
import { ReadBatch } from "./batch.ts"
import type { BatchReport } from "./FileReport.ts"
import { Share } from "./listing.ts"

/** Likely secrets were found: an event whose meaning is a message for a session. */
export const CriticalFound = Signal.event("audit.critical_found", {
  payload: Schema.Struct({ text: Schema.String, secrets: Schema.Int }),
  semantics: { wake: { input: { pointer: "/text" }, dedupeKey: "event_identity" } }
})

/** What a sub-agent is given. */
export const ShareInput = Schema.Struct({
  directory: Schema.String,
  share: Share,
  fileTimeoutMs: Schema.Int
})
/** What a sub-agent is given. */
export type ShareInput = typeof ShareInput.Type

/** Has the batches of one share read, as children of the turn. The session that is woken is the one that the turn was started for. */
export const readShare = (
  { directory, share, fileTimeoutMs }: ShareInput,
  context: ExecutionContext.ExecutionContext
) =>
  Effect.gen(function* () {
    const batches = yield* Effect.forEach(
      share.batches,
      ({ name, files }) =>
        Effect.flatMap(
          context.start(ReadBatch, { name, payload: { directory, files, fileTimeoutMs } }),
          (batch) => batch.await
        ),
      { concurrency: "unbounded" }
    )
    const files = batches.flatMap((batch) => batch.files)
    const leaking = files.filter(({ findings }) => findings.some(({ kind }) => kind === "secret"))
    const secrets = leaking.flatMap(({ findings }) => findings.filter(({ kind }) => kind === "secret")).length
    if (secrets > 0) {
      const text = `${counted(secrets, "likely secret")} in ${counted(leaking.length, "file")}, first in ${leaking[0]?.path}`
      yield* context.appendEvent(CriticalFound, { text, secrets })
    }
    return { files, unread: batches.flatMap((batch) => batch.unread) } satisfies BatchReport
  })
