/**
 * The facts of a process, beside its chart: its status, its lease, its waits, its children, its journal, its record.
 */

import { spanOf, wordsOf } from "../text.ts"
import type { EventView, MomentView, ProcessView, RowView } from "../View.ts"
import type { Child } from "./dom.ts"
import { h, panel, pill } from "./dom.ts"
import { outputFailure, recordedFailure } from "./failure.ts"
import { commandList, jsonTree } from "./json.ts"
import { ageOf, nowMs, timeAndAge, timeOf } from "./text.ts"

/** The panels beside the chart: of the present, or of a past moment. */
export const factPanels = (
  view: ProcessView,
  moment: MomentView | undefined,
  isPast: boolean
): ReadonlyArray<HTMLElement> => {
  const past = isPast ? moment : undefined
  return [
    ...(past?.event ? [eventPanel(past.event)] : []),
    ...failurePanel(isPast ? moment?.record : view.record),
    past === undefined ? statusPanel(view.row, view.active) : pastStatusPanel(view.row, past),
    ...(isPast ? [] : [leasePanel(view), waitsPanel(view)]),
    ...(moment !== undefined && moment.commands.length > 0
      ? [panel("Commands of this event", commandList(moment.commands, 1))]
      : []),
    ...(view.children.length > 0 ? [childrenPanel(view)] : []),
    ...(isPast || view.progress.length === 0 || view.row.state !== "running" ? [] : [progressPanel(view)]),
    ...(isPast || view.journal.length === 0 ? [] : [journalPanel(view)]),
    panel(
      past === undefined ? "Record" : `Record at event ${past.sequence}`,
      jsonTree(isPast ? moment?.record : view.record, 1)
    )
  ]
}

/** A link to a process. */
export const processLink = (id: string): HTMLElement =>
  h("a", { href: `#/processes/${encodeURIComponent(id)}`, class: "mono" }, id)

const mono = (text: string): HTMLElement => h("span", "mono", text)

type Term = readonly [name: string, value: Child]

const terms = (entries: ReadonlyArray<Term>): HTMLElement =>
  h("dl", "terms", ...entries.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))

const failurePanel = (record: MomentView["record"] | undefined): ReadonlyArray<HTMLElement> => {
  const status = record?.["status"] as { readonly await_output?: unknown } | undefined // the wire form of a record
  const failure = outputFailure(status?.await_output)
  return failure === undefined ? [] : [panel("Failure", failure)]
}

const statusPanel = (row: RowView, active: ReadonlyArray<string>): HTMLElement =>
  panel(
    "Status",
    terms([
      ...statusTerms(row, active, row.attempts, row.updated_at_ms),
      ["next check", dueOf(row)],
      ...(row.problem === undefined ? [] : [["problem", row.problem] as const])
    ])
  )

const pastStatusPanel = (row: RowView, { active, record }: MomentView): HTMLElement =>
  panel(
    "Status then",
    terms(statusTerms(row, active, Number(record["attempts"] ?? 0), Number(record["updated_at_ms"])))
  )

const statusTerms = (
  row: RowView,
  active: ReadonlyArray<string>,
  attempts: number,
  changedAtMs: number
): ReadonlyArray<Term> => [
  ["states", leavesOf(active).join(", ")],
  ["disposition", row.disposition],
  ["attempts", attempts],
  ["originator", row.originator],
  ...(row.parent_id === undefined ? [] : [["parent", processLink(row.parent_id)] as const]),
  ["created", timeAndAge(row.created_at_ms)],
  ["changed", timeAndAge(changedAtMs)]
]

const dueOf = (row: RowView): string => {
  if (row.state !== "running") return "none: it has ended"
  if (row.owner_id !== undefined) return "when its lease ends"
  if (row.due_at_ms === null) return "only an event can move it"
  return row.due_at_ms <= nowMs() ? "due: at the next sweep" : ageOf(row.due_at_ms)
}

const leasePanel = ({ lease, fencing_token: fence }: ProcessView): HTMLElement => {
  if (lease === null) return panel("Lease", h("p", "muted", `No host holds it. Last fence: ${fence}.`))
  const {
    owner,
    expires_at_epoch_ms: expires,
    claimed_at_epoch_ms: claimed
  } = lease as {
    readonly owner: { readonly owner_id: string; readonly incarnation_id: string; readonly liveness?: unknown }
    readonly expires_at_epoch_ms: number
    readonly claimed_at_epoch_ms: number
  } // the wire form of a lease
  const left = expires - nowMs()
  return panel(
    "Lease",
    terms([
      ["owner", mono(owner.owner_id)],
      ["incarnation", mono(owner.incarnation_id)],
      ["fence", fence],
      ["claimed", timeOf(claimed)],
      ["expires", left > 0 ? `in ${spanOf(left)}` : `expired ${ageOf(expires)}`]
    ]),
    owner.liveness !== undefined &&
      h("details", {}, h("summary", {}, "Evidence of liveness"), jsonTree(owner.liveness, 2))
  )
}

const waitsPanel = ({ record: { waits } }: ProcessView): HTMLElement =>
  Array.isArray(waits) && waits.length > 0
    ? panel("Waits", ...waits.map(waitTerms))
    : panel("Waits", h("p", "muted", "It waits for nothing."))

/** Kinds of waits differ; each field that is a time is shown as one. */
const waitTerms = (wait: unknown): HTMLElement => {
  const { kind, ...rest } = wait as { readonly kind: Readonly<Record<string, unknown>> } // the wire form of a wait
  return terms(
    Object.entries({ ...kind, ...rest }).map(([name, value]) => [
      wordsOf(name.replace(/_ms$/, "")),
      name.endsWith("_ms") && typeof value === "number"
        ? timeAndAge(value)
        : mono(typeof value === "string" ? value : JSON.stringify(value))
    ])
  )
}

const childrenPanel = ({ children, children_complete: isComplete }: ProcessView): HTMLElement =>
  panel(
    `Children (${children.length}${isComplete ? "" : "+"})`,
    h("ul", "children", ...children.map((row) => h("li", {}, pill(row.state), " ", processLink(row.process_id))))
  )

/** Steps under way, by their last word. */
const progressPanel = ({ progress }: ProcessView): HTMLElement =>
  panel(
    "Steps under way",
    h(
      "ul",
      "commands",
      ...progress.map(({ key, at_ms: at, detail }) =>
        h("li", {}, h("code", {}, key), " ", h("span", "muted", ageOf(at)), " ", jsonTree(detail, 1))
      )
    )
  )

/** Outcomes of operations, newest first. */
const journalPanel = ({ journal, journal_length: length }: ProcessView): HTMLElement =>
  panel(
    `Journal (${length})`,
    h(
      "ul",
      "commands",
      ...journal
        .toReversed()
        .map(({ position, operation, key, at_ms: at, outcome }) =>
          h(
            "li",
            {},
            h("span", "muted", `${position} ${wordsOf(operation)} `),
            h("code", { title: timeOf(at) }, key),
            " ",
            recordedFailure(outcome) ?? jsonTree(outcome, 0)
          )
        )
    ),
    journal.length < length && h("p", "muted", `The last ${journal.length} of ${length} are shown.`)
  )

const eventPanel = ({ sequence, event_type: type, payload, semantics, invocation }: EventView): HTMLElement =>
  panel(`Event ${sequence}`, h("p", "mono", type), jsonTree({ payload, semantics, invocation }, 2))

const leavesOf = (active: ReadonlyArray<string>): ReadonlyArray<string> =>
  active
    .filter((id) => !active.some((other) => other.startsWith(`${id}.`)))
    .map((id) =>
      id
        .split(".")
        .slice(1)
        .filter((part) => part !== "running" || active.length < 3)
        .join(".")
    )
