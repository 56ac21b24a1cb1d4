/**
 * The options by which a command chooses processes, and what they choose.
 */
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { reasonsOf } from "../explain/explain.ts"
import type { Selection } from "../explain/selection.ts"
import type { StoreError } from "../model/errors.ts"
import type { StatusFilter } from "../model/ListFilter.ts"
import type { OwnerLiveness } from "../operations/OwnerLiveness.ts"
import type { ProcessRow } from "../store/Decision.ts"
import type { ProcessStore } from "../store/ProcessStore.ts"
import { didYouMean } from "./nearest.ts"
import * as Shared from "./options.ts"
import type { Explained } from "./rows.ts"
import { reasonNames, wireName } from "./shortly.ts"
import { harmless } from "./table.ts"

const statuses = ["running", "completed", "failed", "cancelled", "abandoned", "any"] as const

const text = (name: string, pseudo: string, description: string) =>
  Shared.text(name, pseudo, description).pipe(Options.optional)

/** A moment that lies back: so long ago, or a date. Units: epoch milliseconds, UTC. */
export const moment = (typed: string, nowMs: number): number | undefined => {
  const [, count = "", unit = ""] = /^(\d+(?:\.\d+)?) *(s|min|m|h|d)$/.exec(typed.trim()) ?? []
  const unitMs = units[unit]
  if (unitMs !== undefined) return nowMs - Number(count) * unitMs
  // A date without a time is one in UTC already; a time without a zone would be this machine's.
  const isZoned = /[zZ]|[+-]\d\d:?\d\d$/.test(typed) || !/\d:\d/.test(typed)
  const atMs = /^\d{4}-\d\d/.test(typed) ? Date.parse(isZoned ? typed : `${typed}Z`) : Number.NaN
  return Number.isNaN(atMs) ? undefined : atMs
}

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 }

const since = Shared.text(
  "since",
  "when",
  "Only those that changed since then: 90s, 15min, 2h, 3d, or a date in UTC."
).pipe(
  Options.mapEffect((typed) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
      const atMs = moment(typed, nowMs)
      return atMs === undefined
        ? Effect.fail(
            ValidationError.invalidValue(HelpDoc.p("--since takes a time such as 15min, 2h, 3d or 2026-03-01"))
          )
        : Effect.succeed(atMs)
    })
  ),
  Options.optional
)

/** What chooses processes, besides their status. */
export const narrowing = {
  kind: text("kind", "kind", "Only of this kind: an engine's name."),
  waiting: Options.boolean("waiting").pipe(Options.withDescription("Only those that wait for something.")),
  session: text("session", "session", "Only those that this session started; s/frame:f names a frame."),
  since,
  search: text("search", "text", "Only those with this text in id, label, kind or problem."),
  parent: text("parent", "id", "Only the children of this process."),
  problem: text("problem", "text", "Only those with this text in what they failed with, or back off for."),
  because: Shared.text(
    "because",
    "reason",
    "Only those that do not move for this reason, such as waiting_for_signal."
  ).pipe(
    Options.mapEffect((typed) =>
      reasonNames.includes(typed)
        ? Effect.succeed(typed)
        : Effect.fail(
            ValidationError.invalidValue(
              HelpDoc.p(
                `${harmless(typed)} is no reason${didYouMean(typed, reasonNames)}; there are ${reasonNames.join(", ")}`
              )
            )
          )
    ),
    Options.optional
  )
}

/** Which statuses are chosen. */
export const status = (otherwise: StatusFilter): Options.Options<StatusFilter> =>
  Options.choice("status", statuses).pipe(
    Options.withDescription(
      `Which ones. Default: ${otherwise === "running" ? "running, which is all that have not ended" : otherwise}.`
    ),
    Options.withDefault(otherwise)
  )

/** What was typed of that. */
export interface Typed {
  readonly kind: Option.Option<string>
  readonly waiting: boolean
  readonly session: Option.Option<string>
  readonly since: Option.Option<number>
  readonly search: Option.Option<string>
  readonly parent: Option.Option<string>
  readonly problem: Option.Option<string>
}

/** The selection that was typed. */
export const selectionOf = (typed: Typed, wanted: StatusFilter): Selection => {
  const { kind, waiting, session, since: at, search, parent, problem } = typed
  return {
    ...(wanted === "any" ? {} : { state: wanted }),
    ...given("kind", kind),
    ...given("session", session),
    ...given("sinceMs", at),
    ...given("text", search),
    ...given("parent", parent),
    ...given("problem", problem),
    ...(waiting ? { isWaiting: true } : {})
  }
}

const given = <Key extends string, A>(key: Key, value: Option.Option<A>): { readonly [K in Key]?: A } =>
  Option.isNone(value) ? {} : ({ [key]: value.value } as { readonly [K in Key]: A }) // the one key

/** Whether anything was typed that narrows. */
export const isNarrowed = (typed: Narrowed): boolean =>
  typed.waiting ||
  [typed.kind, typed.session, typed.since, typed.search, typed.parent, typed.problem, typed.because].some((one) =>
    Option.isSome<unknown>(one)
  )

/** What was typed of all that narrows. */
export interface Narrowed extends Typed {
  readonly because: Option.Option<string>
}

/** Rows with their reasons; of a reason that is named, only those. */
export const explained = (
  rows: ReadonlyArray<ProcessRow>,
  named: Option.Option<string>
): Effect.Effect<ReadonlyArray<Explained>, StoreError, ProcessStore | OwnerLiveness> =>
  Effect.map(reasonsOf(rows), (reasons) =>
    reasons.flatMap((because, index) => {
      const row = rows[index]
      return row === undefined || (Option.isSome(named) && wireName(because._tag) !== named.value)
        ? []
        : [{ row, because }]
    })
  )
