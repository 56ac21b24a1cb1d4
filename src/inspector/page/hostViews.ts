/**
 * What only some hosts have: the supervision tree, the last sweeps, the wake outbox.
 */
import type { PartView } from "../View.ts"
import { openRedrive } from "./actions.ts"
import { get, sentenceOf } from "./api.ts"
import { fill, h, notice, panel, pill } from "./dom.ts"
import { processLink } from "./facts.ts"
import { ageOf, brief, spanOf, timeOf } from "./text.ts"

type Fields = Readonly<Record<string, unknown>>

/** A view that reads itself anew on demand. */
export interface PartPanel {
  readonly element: HTMLElement
  readonly refresh: () => void
}

/** The supervision tree. */
export const makeTree = (): PartPanel =>
  makePart("tree", "Supervision tree", "This host offers no supervision tree; a file never has one.", (value) =>
    panel("Supervision tree", h("ul", { class: "tree" }, ...listOf(value).map(branchOf)))
  )

/** The last sweeps, newest first. */
export const makeSweeps = (): PartPanel =>
  makePart("sweeps", "Sweeps", "This host keeps no sweep reports; a file never has any.", (value) => {
    const reports = listOf(value)
    if (reports.length === 0) return notice("empty", "No sweep yet", "The first one is reported here.")
    return panel("Sweeps", ...reports.map(sweepOf))
  })

/** The wake outbox; `mayRedrive` says whether discarded wakes may be sent again. */
export const makeWakes = (mayRedrive: () => boolean): PartPanel => {
  const part: PartPanel = makePart("wakes", "Wake outbox", "This host offers no wake outbox here.", (value) => {
    const { rows, counts, blocked, rows_left_off: rowsLeft, blocked_left_off: blockedLeft } = fieldsOf(value)
    const all = Array.isArray(value) ? listOf(value) : listOf(rows)
    const shownCounts = countsOf(fieldsOf(counts)).map(([state, count]) =>
      h("span", { class: "chip" }, `${state} `, h("b", {}, String(count)))
    )
    const stuck = listOf(blocked)
    return h(
      "div",
      {},
      panel(
        "Wake outbox",
        shownCounts.length > 0 && h("div", { class: "chips" }, ...shownCounts),
        all.length === 0
          ? notice("empty", "No wakes", "A wake that is owed, or was discarded, appears here.")
          : wakeTable(all, mayRedrive(), () => part.refresh()),
        leftOff(rowsLeft)
      ),
      stuck.length > 0 && panel("Blocked groups", blockedTable(stuck), leftOff(blockedLeft))
    )
  })
  return part
}

const makePart = (path: string, title: string, absent: string, show: (value: unknown) => HTMLElement): PartPanel => {
  const element = h("div", { class: "part" }, notice("loading", `Reading: ${title}…`))
  const refresh = (): void => {
    get<PartView>(path).then(
      (part) =>
        fill(element, part.available ? show(part.value) : notice("empty", `${title}: not available here`, absent)),
      (error: unknown) => fill(element, notice("error", `${title} could not be read`, sentenceOf(error)))
    )
  }
  return { element, refresh }
}

const branchOf = (value: unknown): HTMLElement => {
  const { id, label, name, kind, state, note, children, ...rest } = fieldsOf(value)
  const inner = listOf(children)
  const shown = Object.entries(rest).filter(([, field]) => field !== undefined && field !== null)
  const line = [
    h("b", { class: "mono" }, String(label ?? name ?? id ?? "?")),
    typeof kind === "string" && h("span", { class: "muted" }, ` ${kind}`),
    typeof state === "string" && pill(state),
    typeof note === "string" && h("span", { class: "muted" }, ` ${note}`),
    ...shown.map(([key, field]) => h("span", { class: "mark" }, `${key.replaceAll("_", " ")}: ${scalarOf(key, field)}`))
  ]
  if (inner.length === 0) return h("li", {}, h("div", { class: "branch" }, ...line))
  return h(
    "li",
    {},
    h("details", { open: true }, h("summary", { class: "branch" }, ...line), h("ul", {}, ...inner.map(branchOf)))
  )
}

const sweepOf = (value: unknown): HTMLElement => {
  const { at_ms: at, duration_ms: took, problem: failed, dead, admitted, ended, deferred } = fieldsOf(value)
  const idsOf = (list: unknown): ReadonlyArray<string> =>
    listOf(list).map((entry) => (typeof entry === "string" ? entry : String(fieldsOf(entry).id ?? "")))
  const reasonOf = (entry: unknown): string => {
    const { as, reason } = fieldsOf(entry)
    const { why, problem } = fieldsOf(reason)
    return [as, typeof reason === "string" ? reason : typeof why === "string" ? wordsOf(why) : undefined, problem]
      .filter((word) => typeof word === "string")
      .join(": ")
  }
  const group = (name: string, list: unknown) =>
    listOf(list).length > 0 &&
    h(
      "div",
      { class: "sweep-group" },
      h("h3", {}, `${name} ${listOf(list).length}`),
      h(
        "ul",
        {},
        ...listOf(list).map((entry, index) =>
          h("li", {}, processLink(idsOf(list)[index] ?? ""), " ", h("span", { class: "muted" }, reasonOf(entry)))
        )
      )
    )
  const total = [admitted, ended, deferred].map((list) => listOf(list).length)
  return h(
    "details",
    { class: "sweep", open: total.some((count) => count > 0) },
    h(
      "summary",
      {},
      typeof at === "number" ? `${timeOf(at)} (${ageOf(at)})` : "sweep",
      typeof took === "number" && ` · ${spanOf(took)}`,
      typeof failed === "string"
        ? ` · failed: ${failed}`
        : ` · admitted ${total[0]}, ended ${total[1]}, deferred ${total[2]}`
    ),
    ...listOf(dead).map((holder) =>
      h("p", {}, `${fieldsOf(holder).owner_id} is proven dead; it left ${leaseCount(fieldsOf(holder).leases)}.`)
    ),
    group("admitted", admitted),
    group("ended", ended),
    group("deferred", deferred)
  )
}

/** `NoEngine` as people say it. */
const wordsOf = (tag: string): string => tag.replaceAll("_", " ")

const leaseCount = (leases: unknown): string => (leases === 1 ? "1 lease" : `${leases} leases`)

/** Counts by state; those of the discarded by reason, too. */
const countsOf = (counts: Fields): ReadonlyArray<readonly [string, unknown]> =>
  Object.entries(counts).flatMap(
    ([state, count]): ReadonlyArray<readonly [string, unknown]> =>
      typeof count === "object"
        ? Object.entries(fieldsOf(count)).map(([reason, each]) => [`${state} (${reason})`, each])
        : [[state, count]]
  )

const leftOff = (count: unknown): HTMLElement | false =>
  typeof count === "number" &&
  count > 0 &&
  h("p", { class: "left-off" }, `${count} more are not shown: `, h("code", {}, "holdfast wakes"), " lists all of them.")

const tableOf = (label: string, titles: ReadonlyArray<string>, rows: ReadonlyArray<HTMLElement>): HTMLElement =>
  h(
    "div",
    { class: "table", tabindex: 0, role: "region", "aria-label": label },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...titles.map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, ...rows)
    )
  )

const wakeTable = (rows: ReadonlyArray<unknown>, mayRedrive: boolean, done: () => void): HTMLElement =>
  tableOf(
    "Wakes",
    ["state", "process", "event", "session", "attempts", "next attempt", "wake", ""],
    rows.map((row) => wakeLine(fieldsOf(row), mayRedrive, done))
  )

const wakeLine = (wake: Fields, mayRedrive: boolean, done: () => void): HTMLElement => {
  const { state, discard_reason: why, blocked_by: first } = wake
  const isOwed = state !== "discarded" && state !== "enqueued"
  const behind = typeof first === "string" ? [" behind ", wakeName(first)] : []
  return h(
    "tr",
    {},
    h("td", {}, pill(String(state ?? "?")), typeof why === "string" && ` ${why}`, ...behind),
    h("td", {}, processLink(String(wake.process_id ?? ""))),
    h("td", {}, `#${String(wake.sequence ?? "")}`),
    h("td", { class: "mono" }, String(wake.target_scope_id ?? wake.target_session_id ?? "")),
    h("td", {}, String(wake.attempts ?? 0)),
    h("td", {}, isOwed ? momentOf(wake.next_attempt_at_ms) : "–"),
    h("td", {}, wakeName(String(wake.wake_id ?? ""))),
    h(
      "td",
      {},
      state === "discarded" &&
        h(
          "button",
          {
            type: "button",
            class: "small",
            disabled: !mayRedrive,
            onclick: () => openRedrive(String(wake.wake_id), done)
          },
          "Redrive…"
        )
    )
  )
}

const blockedTable = (groups: ReadonlyArray<unknown>): HTMLElement =>
  tableOf(
    "Blocked groups",
    ["process", "session", "waiting", "behind event", "state", "attempts", "next attempt", "unblocked by"],
    groups
      .map(fieldsOf)
      .map((group) =>
        h(
          "tr",
          {},
          h("td", {}, processLink(String(group.process_id ?? ""))),
          h("td", { class: "mono" }, String(group.target_scope_id ?? "")),
          h("td", {}, String(group.waiting ?? "")),
          h("td", {}, `#${String(group.sequence ?? "")}`),
          h("td", {}, pill(String(group.state ?? "?"))),
          h("td", {}, String(group.attempts ?? 0)),
          h("td", {}, momentOf(group.next_attempt_at_ms)),
          h("td", {}, wakeName(String(group.unblocked_by ?? "")))
        )
      )
  )

/** An id is long: its beginning tells it from others, and it can be copied whole. */
const wakeName = (id: string): HTMLElement => h("span", { class: "mono wake-id", title: id }, id)

const momentOf = (ms: unknown): string => (typeof ms === "number" ? ageOf(ms) : "–")

const scalarOf = (key: string, value: unknown): string =>
  key.endsWith("_ms") && typeof value === "number" && value > 1_000_000_000_000 ? ageOf(value) : brief(value, 80)

const listOf = (value: unknown): ReadonlyArray<unknown> =>
  Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]

const fieldsOf = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {}) // any object has fields
