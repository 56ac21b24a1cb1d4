/**
 * The turn of a sub-agent: reads one share of the directory, and wakes the audit's session at once if it finds likely secrets.
 *
 * Invariant: its findings come from the records of its batches, so a turn that runs again wakes no session twice.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ExecutionContext } from "../../../../src/index.ts"
import { Signal } from "../../../../src/index.ts"
import type { BatchReport } from "../report/parts.ts"
import { counted } from "../report/text.ts"
import { ReadBatch } from "./batch.ts"
import { Share } from "./listing.ts"

/** Likely secrets were found: an event that sends a message to a session. */
export const CriticalFound = Signal.event("audit.critical_found", {
  payload: Schema.Struct({ text: Schema.String, secrets: Schema.Int }),
  semantics: { wake: { input: { pointer: "/text" }, dedupeKey: "event_identity" } }
})

/** The input of a sub-agent. */
export const ShareInput = Schema.Struct({
  directory: Schema.String,
  share: Share,
  fileTimeoutMs: Schema.Int
})
/** The input of a sub-agent. */
export type ShareInput = typeof ShareInput.Type

/** Reads the batches of one share as children of the turn. A message goes to the wake target of the turn. */
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
