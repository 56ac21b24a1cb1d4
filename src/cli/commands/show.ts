/**
 * `holdfast show ID`: one process, with its lease, its waits, its last events and the outcomes of its body's operations.
 */

import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { reasonsOf } from "../../explain/explain.ts"
import { showAll } from "../../explain/redaction.ts"
import { ago, holderName, moment } from "../../explain/remedies.ts"
import { brief } from "../../explain/render.ts"
import { journalView } from "../../inspector/views/process.ts"
import { textOf } from "../../model/Failure.ts"
import type { ProcessId } from "../../model/ids.ts"
import { quoted } from "../../model/ids.ts"
import { afterForks } from "../../model/JournalEntry.ts"
import { leaseIn } from "../../model/Lease.ts"
import { originatorScopeId } from "../../model/Provenance.ts"
import * as RecordWire from "../../model/wire.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import { recordOf } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { look, presentRow } from "../database.ts"
import * as Shared from "../options.ts"
import { eventTable, journalTable, nameOf, pairs, printAll } from "../rows.ts"
import type { Screen } from "../Screen.ts"
import { TheScreen } from "../Screen.ts"
import { compact, harmless } from "../table.ts"

const options = {
  id: Shared.id,
  db: Shared.db,
  json: Shared.json,
  events: Shared.positive("events", "How many of the last events, and of the last journal entries. Default: 10.").pipe(
    Options.withDefault(10)
  )
}

/** The command. */
export const command = Command.make("show", options, ({ id, db, json, events: most }) =>
  look(
    db,
    Effect.gen(function* () {
      const screen = yield* TheScreen
      const store = yield* ProcessStore
      const { row, events, entries, reasons } = yield* store.readTogether(
        Effect.flatMap(presentRow(id), (row) =>
          Effect.all({
            row: Effect.succeed(row),
            events: store.recentEvents(id, most),
            entries: store.execution.journal(id),
            reasons: json ? Effect.succeed([]) : reasonsOf([row])
          })
        )
      )
      const { counting: journal } = afterForks(entries, row.snapshot.context.forks)
      if (json) {
        const lease = leaseIn(id, row.lease)
        return yield* screen.json({
          record: RecordWire.wire.record.encode(recordOf(row)),
          ...(lease === undefined ? {} : { lease: RecordWire.wire.lease.encode(lease) }),
          events: events.map(RecordWire.wire.event.encode),
          journal: journal.map((entry) => journalView(entry, showAll))
        })
      }
      const [because] = reasons
      const nowMs = yield* Clock.currentTimeMillis
      yield* printAll(screen, pairs(screen, fieldsOf(row, because === undefined ? "" : brief(because, nowMs), nowMs)))
      yield* printAll(screen, ["", ...eventTable(screen, events)])
      const { status } = recordOf(row)
      if (status._tag === "Failed" && status.output._tag === "Failure" && status.output.thrown !== undefined) {
        yield* printAll(screen, ["", "thrown:", ...textOf(status.output.thrown).split("\n").map(harmless)])
      }
      if (journal.length > 0) yield* printAll(screen, ["", ...journalTable(screen, journal.slice(-most))])
      yield* hint(screen, id, row)
    })
  )
).pipe(
  Command.withDescription("Show one process: its record, its lease, its waits, its last events and journal entries.")
)

const hint = (screen: Screen, id: ProcessId, row: ProcessRow): Effect.Effect<void> =>
  screen.isLive && row.snapshot.status === "active"
    ? screen.remark(screen.paint("faint", `\nwhy: holdfast explain ${quoted(id)}`))
    : Effect.void

const fieldsOf = (row: ProcessRow, state: string, nowMs: number): Parameters<typeof pairs>[1] => {
  const { base, lease, snapshot, sequence } = row
  const { registration, createdAtMs } = base
  const { context } = snapshot
  const { held } = lease
  const since = (atMs: number) => `${moment(atMs)} (${ago(atMs, nowMs)})`
  const { maxAttempts, parent, provenance, disposition, input } = registration
  return [
    ["id", registration.id],
    ["kind", nameOf(row)],
    ["state", state],
    ["disposition", disposition.replace("_", "-")],
    ["attempts", `${context.attempts}${maxAttempts === undefined ? "" : ` of at most ${maxAttempts}`}`],
    ["started by", originatorScopeId(provenance.originator)],
    ["parent", parent && `${parent.processId} (at its end: ${parent.closePolicy})`],
    ["created", since(createdAtMs)],
    ["changed", since(context.updatedAtMs)],
    ["first run", context.firstStarted && since(context.firstStarted.startedAtMs)],
    ["payload", "payload" in input ? compact(input.payload) : undefined],
    ["external ref", context.externalRef && `${context.externalRef.backend} ${context.externalRef.id}`],
    ["held by", held === undefined ? "–" : holderName(held.owner)],
    ["lease until", held && moment(held.expiresAtMs)],
    ...context.waits.map(({ kind, sinceMs }) => ["waits for", `${kind.key}, since ${since(sinceMs)}`] as const),
    ["asked to stop", context.cancelRequest && requested(context.cancelRequest.reason, context.cancelRequest, since)],
    [
      "give up",
      context.abandonRequest &&
        `${requested(context.abandonRequest.reason, context.abandonRequest, since)}, by ${context.abandonRequest.requestedBy}`
    ],
    ["output", context.output && compact(RecordWire.wire.awaitOutput.encode(context.output))],
    ["events", String(sequence)]
  ]
}

const requested = (
  reason: string | null | undefined,
  { requestedAtMs }: { readonly requestedAtMs: number },
  since: (atMs: number) => string
): string => `${since(requestedAtMs)}${reason ? `: ${reason}` : ""}`
