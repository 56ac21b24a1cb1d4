/**
 * `holdfast ls`: lists processes, each with the reason why it does not move.
 */

import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { brief } from "../../explain/render.ts"
import type { Selection } from "../../explain/selection.ts"
import { inOrder, orders, selected, troubleOf } from "../../explain/selection.ts"
import type { StoreError } from "../../model/errors.ts"
import { processId, quoted } from "../../model/ids.ts"
import { originatorScopeId } from "../../model/Provenance.ts"
import * as Wire from "../../model/wire.ts"
import type { OwnerLiveness } from "../../operations/OwnerLiveness.ts"
import { recordOf } from "../../store/Decision.ts"
import type { ProcessStore } from "../../store/ProcessStore.ts"
import { look } from "../database.ts"
import { didYouMean } from "../nearest.ts"
import * as Shared from "../options.ts"
import type { Explained } from "../rows.ts"
import { printAll, processTable } from "../rows.ts"
import type { CliFailure } from "../Screen.ts"
import { misused, TheScreen } from "../Screen.ts"
import { explained, narrowing, selectionOf, status } from "../selecting.ts"
import { wireName } from "../shortly.ts"

const options = {
  db: Shared.db,
  json: Shared.json,
  fields: Shared.text("fields", "names", "Of each process only these, as JSON: --json id,kind,reason.").pipe(
    Options.optional
  ),
  status: status("running"),
  ...narrowing,
  sort: Options.choice("sort", orders).pipe(
    Options.withDescription("In which order: the latest, or the most, first. Default: id."),
    Options.withDefault("id" as const)
  ),
  limit: Shared.positive("limit", "At most so many. Default: 50.").pipe(Options.withDefault(50)),
  after: Shared.text("after", "id", "Go on after this id.").pipe(Options.optional)
}

/** The command. */
export const command = Command.make("ls", options, (typed) =>
  Effect.gen(function* () {
    const { db, json, limit, after, sort, because: reason } = typed
    const fields = Option.isSome(typed.fields) ? yield* fieldsOf(typed.fields.value) : undefined
    if (sort !== "id" && Option.isSome(after)) {
      return yield* misused("--after goes on in the order of ids; with --sort choose a larger --limit")
    }
    const wanted = selectionOf(typed, typed.status)
    yield* look(
      db,
      Effect.gen(function* () {
        const screen = yield* TheScreen
        const from = Option.isNone(after) ? {} : { after: processId(after.value) }
        const all = sort === "id" ? yield* some(wanted, reason, limit + 1, from) : yield* sorted(wanted, reason, sort)
        const rows = all.slice(0, limit)
        const next = all.length > limit ? rows.at(-1)?.row.base.registration.id : undefined
        const nowMs = yield* Clock.currentTimeMillis
        if (json || fields !== undefined) {
          yield* screen.jsonRows(
            rows.map((one) => (fields === undefined ? whole(one, nowMs) : only(one, nowMs, fields)))
          )
        } else {
          if (rows.length === 0) return yield* screen.remark("no such processes")
          yield* printAll(screen, processTable(screen, rows, nowMs))
        }
        if (next === undefined) return
        yield* screen.remark(
          sort === "id"
            ? `there are more: add --after ${quoted(next)}`
            : `there are ${all.length - limit} more: raise --limit`
        )
      })
    )
  })
).pipe(Command.withDescription("List processes, each with a few words on why it does not move."))

type Rows = Effect.Effect<ReadonlyArray<Explained>, StoreError, ProcessStore | OwnerLiveness>

/** The first that are selected, by id. A reason is known only once a row was read. */
const some = (
  wanted: Selection,
  reason: Option.Option<string>,
  limit: number,
  from: { readonly after?: Explained["row"]["base"]["registration"]["id"] }
): Rows =>
  Option.isNone(reason)
    ? Effect.flatMap(selected(wanted, { ...from, limit }), (rows) => explained(rows, reason))
    : Effect.flatMap(selected(wanted, from), (rows) => explained(rows, reason))

const sorted = (wanted: Selection, reason: Option.Option<string>, sort: (typeof orders)[number]): Rows =>
  Effect.flatMap(selected(wanted), (rows) => explained(inOrder(rows, sort), reason))

/** The record in its wire form, with the reason, and without the schemas of its events: `show --json` has them. */
const whole = (one: Explained, nowMs: number): unknown => {
  const { event_types: _schemas, ...record } = Object(Wire.wire.record.encode(recordOf(one.row)))
  return { ...record, reason: wireName(one.because._tag), state: brief(one.because, nowMs) }
}

type Field = (one: Explained, nowMs: number) => unknown

/** What may be asked for by name. */
const byName: Readonly<Record<string, Field>> = {
  id: ({ row }) => row.base.registration.id,
  kind: ({ row }) => row.base.registration.identity.kind,
  label: ({ row }) => row.base.registration.identity.label ?? null,
  status: ({ row }) => recordOf(row).status._tag.toLowerCase(),
  reason: ({ because }) => wireName(because._tag),
  state: ({ because }, nowMs) => brief(because, nowMs),
  problem: ({ row }) => troubleOf(row) ?? null,
  attempts: ({ row }) => row.snapshot.context.attempts,
  events: ({ row }) => row.sequence,
  created_at_ms: ({ row }) => row.base.createdAtMs,
  updated_at_ms: ({ row }) => row.snapshot.context.updatedAtMs,
  due_at_ms: ({ row }) => row.dueAtMs,
  parent: ({ row }) => row.base.registration.parent?.processId ?? null,
  session: ({ row }) => originatorScopeId(row.base.registration.provenance.originator),
  owner: ({ row }) => row.lease.held?.owner.ownerId ?? null
}

const only = (one: Explained, nowMs: number, fields: ReadonlyArray<string>): unknown =>
  Object.fromEntries(fields.map((name) => [name, byName[name]?.(one, nowMs)]))

const fieldsOf = (typed: string): Effect.Effect<ReadonlyArray<string>, CliFailure> => {
  const names = typed.split(",").map((name) => name.trim())
  const known = Object.keys(byName)
  const strange = names.find((name) => !known.includes(name))
  return strange === undefined
    ? Effect.succeed(names)
    : Effect.fail(
        misused(
          `${strange} is no field${didYouMean(strange, known)} There are ${known.join(", ")}`.replace(
            /([^?]) There/,
            "$1: there"
          )
        )
      )
}
