/**
 * `holdfast ls`: lists processes, each with the reason why it does not move.
 */

import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { reasonsOf } from "../../explain/explain.ts"
import { processId, quoted, sessionScopeId } from "../../model/ids.ts"
import type { ListFilter } from "../../model/ListFilter.ts"
import * as Wire from "../../model/wire.ts"
import { recordOf } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { look } from "../database.ts"
import * as Shared from "../options.ts"
import { printAll, processTable } from "../rows.ts"
import { TheScreen } from "../Screen.ts"

const options = {
  db: Shared.db,
  json: Shared.json,
  status: Options.choice("status", ["running", "completed", "failed", "cancelled", "abandoned", "any"] as const).pipe(
    Options.withDescription("Which ones. Default: running, which is all that have not ended."),
    Options.withDefault("running" as const)
  ),
  kind: Shared.text("kind", "kind", "Only of this kind: an engine's name.").pipe(Options.optional),
  waiting: Options.boolean("waiting").pipe(Options.withDescription("Only those that wait for something.")),
  session: Shared.text("session", "session", "Only those that this session started; s/frame:f names a frame.").pipe(
    Options.optional
  ),
  limit: Shared.positive("limit", "At most so many. Default: 50.").pipe(Options.withDefault(50)),
  after: Shared.text("after", "id", "Go on after this id.").pipe(Options.optional)
}

/** The command. */
export const command = Command.make("ls", options, ({ db, json, limit, after, ...wanted }) =>
  look(
    db,
    Effect.gen(function* () {
      const screen = yield* TheScreen
      const store = yield* ProcessStore
      const found = yield* store.list({
        filter: filterOf(wanted),
        limit: limit + 1,
        ...(Option.isNone(after) ? {} : { after: processId(after.value) })
      })
      const rows = found.slice(0, limit)
      const next = found.length > limit ? rows.at(-1)?.base.registration.id : undefined
      if (json) {
        const processes = rows.map((row) => Wire.wire.record.encode(recordOf(row)))
        return yield* screen.json({ processes, ...(next === undefined ? {} : { next }) })
      }
      if (rows.length === 0) return yield* screen.remark("no such processes")
      const because = yield* reasonsOf(rows)
      const explained = because.flatMap((reason, index) => {
        const row = rows[index]
        return row === undefined ? [] : [{ row, because: reason }]
      })
      yield* printAll(screen, processTable(screen, explained, yield* Clock.currentTimeMillis))
      if (next !== undefined) yield* screen.remark(`there are more: add --after ${quoted(next)}`)
    })
  )
).pipe(Command.withDescription("List processes."))

interface Wanted {
  readonly status: NonNullable<ListFilter["status"]>
  readonly kind: Option.Option<string>
  readonly waiting: boolean
  readonly session: Option.Option<string>
}

const filterOf = ({ status, kind, waiting, session }: Wanted): ListFilter => ({
  status,
  ...(Option.isNone(kind) ? {} : { identityKind: kind.value }),
  ...(waiting ? { waiting } : {}),
  ...(Option.isNone(session) ? {} : { originatorScopeId: sessionScopeId(session.value) })
})
