/**
 * `holdfast wakes` and `holdfast redrive`: lists the messages of processes for sessions, and sends a discarded one again.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ago, away } from "../../explain/remedies.ts"
import type { BlockedView, WakeView } from "../../inspector/views/wakes.ts"
import { blockedView, undelivered, wakeView } from "../../inspector/views/wakes.ts"
import type { InputInvalid, StoreError } from "../../model/errors.ts"
import { processId, sessionScopeId } from "../../model/ids.ts"
import { WakeOutbox } from "../../operations/WakeOutbox.ts"
import type { WakeQuery, WakeReport, WakeRow, WakeState } from "../../store/Outbox.ts"
import { maxListed } from "../../store/Outbox.ts"
import { change, look } from "../database.ts"
import * as Shared from "../options.ts"
import { printAll } from "../rows.ts"
import type { CliFailure, Paint, Screen } from "../Screen.ts"
import { notFound, refused, TheScreen } from "../Screen.ts"
import { harmless, table, wrapped } from "../table.ts"

const options = {
  db: Shared.db,
  json: Shared.json,
  state: Options.choice("state", ["pending", "enqueuing", "enqueued", "discarded", "any"] as const).pipe(
    Options.withDescription("Only those in this state. Default: all that were not delivered (enqueued)."),
    Options.optional
  ),
  session: Shared.text("session", "session", "Only those for this session; s/frame:f names a frame.").pipe(
    Options.optional
  ),
  process: Shared.text("process", "id", "Only those of this process.").pipe(Options.optional),
  limit: Shared.positive(
    "limit",
    `At most so many, and so many blocked groups; ${maxListed} at most. Default: 50.`
  ).pipe(Options.withDefault(50)),
  before: Shared.positive("before", "Go on before the wake of this number.").pipe(Options.optional)
}

/** `holdfast wakes`. */
export const command = Command.make("wakes", options, ({ db, json, limit, ...wanted }) =>
  look(
    db,
    Effect.gen(function* () {
      const screen = yield* TheScreen
      const outbox = yield* WakeOutbox
      const most = Math.min(limit, maxListed)
      const { rows, next } = yield* outbox.list({ ...queryOf(wanted), limit: most })
      const report = yield* outbox.report
      const groups = report.blocked.filter(isAsked(wanted))
      const wakes = rows.map((row) => wakeView(row, report.blocked))
      const blocked = groups.slice(0, most).map(blockedView)
      if (json) {
        return yield* screen.json({
          counts: report.counts,
          wakes,
          blocked,
          ...(next === undefined ? {} : { next }),
          ...(groups.length > most ? { blocked_left_off: groups.length - most } : {})
        })
      }
      const nowMs = yield* Clock.currentTimeMillis
      yield* printAll(screen, wrapped(countsText(report), screen.width))
      if (wakes.length > 0) yield* printAll(screen, ["", ...wakeTable(screen, wakes, nowMs)])
      if (blocked.length > 0) yield* printAll(screen, ["", ...blockedTable(screen, blocked, nowMs)])
      if (wakes.length === 0) yield* screen.remark("no such wakes")
      if (next !== undefined) yield* screen.remark(`there are more: add --before ${next}`)
      if (groups.length > most) yield* screen.remark(`${groups.length - most} more groups are blocked: raise --limit`)
    })
  )
).pipe(Command.withDescription("List the wakes that were not delivered yet, and the groups that are blocked."))

/** `holdfast redrive`. */
export const redrive = Command.make(
  "redrive",
  {
    wake: Shared.word("wake", "The id of a discarded wake, or its number in the list of wakes."),
    db: Shared.db,
    json: Shared.json
  },
  ({ wake, db, json }) =>
    change(
      db,
      Effect.gen(function* () {
        const screen = yield* TheScreen
        const outbox = yield* WakeOutbox
        const wakeId = yield* idOf(wake)
        const outcome = yield* outbox.redrive(wakeId)
        if (outcome._tag === "NoneDiscarded") return yield* whyNot(wakeId)
        if (json) return yield* screen.json({ wake_id: wakeId, rows: outcome.rows })
        const said = `${wakeId}: it is due again. A host with a sink delivers it; the session may see it twice.`
        yield* printAll(screen, wrapped(harmless(said), screen.width))
      })
    )
).pipe(Command.withDescription("Send a discarded wake again."))

interface Wanted {
  readonly state: Option.Option<WakeState | "any">
  readonly session: Option.Option<string>
  readonly process: Option.Option<string>
  readonly before: Option.Option<number>
}

const queryOf = ({ state, session, process, before }: Wanted): Omit<WakeQuery, "limit"> => ({
  ...statesOf(Option.getOrUndefined(state)),
  ...(Option.isNone(session) ? {} : { targetScopeId: sessionScopeId(session.value) }),
  ...(Option.isNone(process) ? {} : { processId: processId(process.value) }),
  ...(Option.isNone(before) ? {} : { before: before.value })
})

const statesOf = (state: WakeState | "any" | undefined): Pick<WakeQuery, "states"> => {
  if (state === "any") return {}
  return { states: state === undefined ? [...undelivered.discarded, ...undelivered.pending] : [state] }
}

const isAsked =
  ({ session, process }: Wanted) =>
  ({ targetScopeId, processId: id }: WakeReport["blocked"][number]): boolean =>
    (Option.isNone(session) || sessionScopeId(session.value) === targetScopeId) &&
    (Option.isNone(process) || process.value === id)

const countsText = ({ counts: { discarded, ...others } }: WakeReport): string => {
  const reasons = Object.entries(discarded).filter(([, count]) => count > 0)
  const all = reasons.reduce((sum, [, count]) => sum + count, 0)
  const why = reasons.map(([reason, count]) => `${count} ${reason}`).join(", ")
  const counted = Object.entries(others).map(([state, count]) => `${count} ${state}`)
  return [...counted, `${all} discarded${all === 0 ? "" : ` (${why})`}`].join(", ")
}

const paints: Readonly<Record<WakeState, Paint>> = {
  pending: "strong",
  enqueuing: "strong",
  enqueued: "good",
  discarded: "bad"
}

const wakeTable = (screen: Screen, wakes: ReadonlyArray<WakeView>, nowMs: number): ReadonlyArray<string> =>
  table(
    screen,
    [
      { title: "NO", yields: 9, least: 2, align: "right" },
      { title: "STATE", yields: 7, least: 9 },
      { title: "PROCESS", yields: 6, least: 10 },
      { title: "EVENT", yields: 3, least: 8 },
      { title: "SESSION", yields: 5, least: 7 },
      { title: "TRY", yields: 9, least: 3, align: "right" },
      { title: "CREATED", yields: 2, least: 7 },
      { title: "WAKE", yields: 1, least: 6 }
    ],
    wakes.map((wake) => [
      String(wake.number),
      { text: stateText(wake, nowMs), paint: paints[wake.state] },
      harmless(wake.process_id),
      harmless(`${wake.event_type} #${wake.sequence}`),
      sessionOf(wake),
      String(wake.attempts),
      ago(wake.created_at_ms, nowMs),
      wake.wake_id
    ])
  )

const stateText = ({ state, discard_reason, blocked_by, next_attempt_at_ms }: WakeView, nowMs: number): string => {
  if (discard_reason !== undefined) return `${state}: ${discard_reason}`
  if (state !== "pending") return state
  if (blocked_by !== undefined) return "pending, blocked"
  return next_attempt_at_ms <= nowMs ? "pending, due" : `pending, goes ${away(next_attempt_at_ms, nowMs)}`
}

const blockedTable = (screen: Screen, groups: ReadonlyArray<BlockedView>, nowMs: number): ReadonlyArray<string> =>
  table(
    screen,
    [
      { title: "BLOCKED", yields: 6, least: 10 },
      { title: "SESSION", yields: 5, least: 7 },
      { title: "WAITING", yields: 9, least: 7, align: "right" },
      { title: "BEHIND", yields: 3, least: 7 },
      { title: "NEXT ATTEMPT", yields: 2, least: 8 },
      { title: "UNBLOCKED BY", yields: 1, least: 6 }
    ],
    groups.map((group) => [
      harmless(group.process_id),
      sessionOf(group),
      String(group.waiting),
      `#${group.sequence}, ${group.state}`,
      group.next_attempt_at_ms <= nowMs ? "due" : away(group.next_attempt_at_ms, nowMs),
      group.unblocked_by
    ])
  )

/** A target as `--session` takes it. */
const sessionOf = ({ target_scope_id: scope }: { readonly target_scope_id: string }): string =>
  harmless(scope.replace(/^session:/, ""))

/** The id that was meant: on a narrow terminal ids are cut, and numbers are not. */
const idOf = (wake: string): Effect.Effect<string, CliFailure | InputInvalid | StoreError, WakeOutbox> => {
  if (!/^\d+$/.test(wake)) return Effect.succeed(wake)
  const number = Number(wake)
  return Effect.gen(function* () {
    const outbox = yield* WakeOutbox
    const [row] = (yield* outbox.list({ before: number + 1, limit: 1 })).rows
    return row?.number === number ? row.wake.wakeId : yield* notFound(`there is no wake of number ${wake}`)
  })
}

const whyNot = (wakeId: string): Effect.Effect<never, CliFailure | InputInvalid | StoreError, WakeOutbox> =>
  Effect.gen(function* () {
    const outbox = yield* WakeOutbox
    const last: WakeRow | undefined = (yield* outbox.rowsOf(wakeId)).at(-1)
    return yield* last === undefined
      ? notFound(`there is no wake ${wakeId}`)
      : refused(`the wake ${wakeId} is ${last.state}; only a discarded one is sent again`)
  })
