/**
 * What is known of a process, beside its chart: where it stands, who holds it, what it waits for, whom it started.
 */
import type { MomentView, ProcessView, RowView } from "../View.ts"
import { h, panel, pill } from "./dom.ts"
import { jsonTree } from "./json.ts"
import { ageOf, nowMs, spanOf, timeOf } from "./text.ts"

/** The panels beside the chart; in the past they show the past. */
export const factPanels = (
  view: ProcessView,
  moment: MomentView | undefined,
  isPast: boolean
): ReadonlyArray<HTMLElement> => [
  ...(moment?.event && isPast ? [eventPanel(moment)] : []),
  isPast && moment !== undefined ? stoodAt(view.row, moment) : standing(view.row, view.active),
  ...(isPast ? [] : [lease(view), waits(view)]),
  ...(moment !== undefined && moment.commands.length > 0 ? [commands(moment)] : []),
  ...(view.children.length > 0 ? [children(view)] : []),
  ...(isPast || view.journal.length === 0 ? [] : [journal(view)]),
  panel(
    isPast && moment !== undefined ? `Record at event ${moment.sequence}` : "Record",
    jsonTree(isPast ? moment?.record : view.record, 1)
  )
]

/** A link to a process. */
export const processLink = (id: string): HTMLElement =>
  h("a", { href: `#/processes/${encodeURIComponent(id)}`, class: "mono" }, id)

const terms = (entries: ReadonlyArray<readonly [string, Node | string]>): HTMLElement =>
  h("dl", { class: "terms" }, ...entries.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))

const standing = (row: RowView, active: ReadonlyArray<string>): HTMLElement =>
  panel(
    "Standing",
    terms([
      ...stand(row, active, row.attempts, row.updated_at_ms),
      ["next look", dueOf(row)],
      ...(row.problem === undefined ? [] : [["problem", row.problem] as const])
    ])
  )

const stoodAt = (row: RowView, { active, record }: MomentView): HTMLElement =>
  panel("Standing then", terms(stand(row, active, Number(record["attempts"] ?? 0), Number(record["updated_at_ms"]))))

const stand = (
  row: RowView,
  active: ReadonlyArray<string>,
  attempts: number,
  changedAtMs: number
): ReadonlyArray<readonly [string, Node | string]> => [
  ["states", leavesOf(active).join(", ")],
  ["disposition", row.disposition],
  ["attempts", String(attempts)],
  ["originator", row.originator],
  ...(row.parent_id === undefined ? [] : [["parent", processLink(row.parent_id)] as const]),
  ["created", `${timeOf(row.created_at_ms)} (${ageOf(row.created_at_ms)})`],
  ["changed", `${timeOf(changedAtMs)} (${ageOf(changedAtMs)})`]
]

const dueOf = (row: RowView): string => {
  if (row.state !== "running") return "none: it has ended"
  if (row.owner_id !== undefined) return "when its lease ends"
  if (row.due_at_ms === null) return "only an event can move it"
  return row.due_at_ms <= nowMs() ? "due: at the next sweep" : ageOf(row.due_at_ms)
}

const lease = (view: ProcessView): HTMLElement => {
  const held = view.lease
  if (held === null) {
    return panel("Lease", h("p", { class: "muted" }, `Nobody holds it. Last fence: ${view.fencing_token}.`))
  }
  const {
    owner,
    expires_at_epoch_ms: expires,
    claimed_at_epoch_ms: claimed
  } = held as {
    readonly owner: { readonly owner_id: string; readonly incarnation_id: string; readonly liveness?: unknown }
    readonly expires_at_epoch_ms: number
    readonly claimed_at_epoch_ms: number
  } // the wire form of a lease
  const left = expires - nowMs()
  return panel(
    "Lease",
    terms([
      ["owner", h("span", { class: "mono" }, owner.owner_id)],
      ["incarnation", h("span", { class: "mono" }, owner.incarnation_id)],
      ["fence", String(view.fencing_token)],
      ["claimed", timeOf(claimed)],
      ["expires", left > 0 ? `in ${spanOf(left)}` : `expired ${ageOf(expires)}`]
    ]),
    owner.liveness !== undefined &&
      h("details", {}, h("summary", {}, "Evidence of liveness"), jsonTree(owner.liveness, 2))
  )
}

const waits = (view: ProcessView): HTMLElement => {
  const open = view.record.waits
  const all = Array.isArray(open) ? open : []
  if (all.length === 0) return panel("Waits", h("p", { class: "muted" }, "It waits for nothing."))
  return panel("Waits", ...all.map(waitOf))
}

/** Kinds of waits differ; whatever is a time in one of them is shown as one. */
const waitOf = (wait: unknown): HTMLElement => {
  const { kind, ...rest } = wait as { readonly kind: Readonly<Record<string, unknown>> } // the wire form of a wait
  return terms(
    Object.entries({ ...kind, ...rest }).map(([name, value]) => [
      name.replace(/_ms$/, "").replaceAll("_", " "),
      name.endsWith("_ms") && typeof value === "number"
        ? `${timeOf(value)} (${ageOf(value)})`
        : h("span", { class: "mono" }, typeof value === "string" ? value : JSON.stringify(value))
    ])
  )
}

const children = (view: ProcessView): HTMLElement =>
  panel(
    `Children (${view.children.length}${view.children_complete ? "" : "+"})`,
    h(
      "ul",
      { class: "children" },
      ...view.children.map((row) => h("li", {}, pill(row.state), " ", processLink(row.process_id)))
    )
  )

/** What operations came to, newest first: where the body is now stands on top. */
const journal = (view: ProcessView): HTMLElement =>
  panel(
    `Journal (${view.journal_length})`,
    h(
      "ul",
      { class: "commands" },
      ...view.journal
        .toReversed()
        .map(({ position, operation, key, at_ms: at, outcome }) =>
          h(
            "li",
            {},
            h("span", { class: "muted" }, `${position} ${operation.replaceAll("_", " ")} `),
            h("code", { title: timeOf(at) }, key),
            " ",
            jsonTree(outcome, 0)
          )
        )
    ),
    view.journal.length < view.journal_length &&
      h("p", { class: "muted" }, `The last ${view.journal.length} of ${view.journal_length} are shown.`)
  )

const commands = (moment: MomentView): HTMLElement =>
  panel(
    "Commands of this event",
    h(
      "ul",
      { class: "commands" },
      ...moment.commands.map(({ type, params }) => h("li", {}, h("code", {}, type), " ", jsonTree(params, 1)))
    )
  )

const eventPanel = ({ event, sequence }: MomentView): HTMLElement =>
  panel(
    `Event ${sequence}`,
    event === null ? null : h("p", { class: "mono" }, event.event_type),
    event === null
      ? null
      : jsonTree({ payload: event.payload, semantics: event.semantics, invocation: event.invocation }, 2)
  )

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
