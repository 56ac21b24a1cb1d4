/**
 * What only some hosts have: the supervision tree, the last sweeps, the wake outbox.
 */
import type { PartView } from "../View.ts"
import { openRedrive } from "./actions.ts"
import { get, sentenceOf } from "./connection.ts"
import type { Child } from "./dom.ts"
import { button, fill, h, notice, panel, pill } from "./dom.ts"
import { processLink } from "./facts.ts"
import { ageOf, brief, spanOf, timeAndAge, wordsOf } from "./text.ts"

type Fields = Readonly<Record<string, unknown>>

/** A view that reads itself again on demand. */
export interface PartPanel {
  readonly element: HTMLElement
  readonly refresh: () => void
}

/** The supervision tree. */
export const makeTree = (): PartPanel =>
  makePart("tree", "Supervision tree", "This host offers no supervision tree; a file never has one.", (value) =>
    panel("Supervision tree", h("ul", "tree", ...listOf(value).map(branchOf)))
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
    const all = listOf(Array.isArray(value) ? value : rows)
    const chips = countsOf(fieldsOf(counts)).map(([state, count]) =>
      h("span", "chip", `${state} `, h("b", {}, String(count)))
    )
    const groups = listOf(blocked)
    return h(
      "div",
      {},
      panel(
        "Wake outbox",
        chips.length > 0 && h("div", "chips", ...chips),
        all.length === 0
          ? notice("empty", "No wakes", "Wakes that are pending or discarded appear here.")
          : wakeTable(all, mayRedrive(), () => part.refresh()),
        leftOff(rowsLeft)
      ),
      groups.length > 0 && panel("Blocked groups", blockedTable(groups), leftOff(blockedLeft))
    )
  })
  return part
}

const makePart = (path: string, title: string, absent: string, show: (value: unknown) => HTMLElement): PartPanel => {
  const element = h("div", "part", notice("loading", `Reading: ${title}…`))
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
  const { name, kind, state, note, children, ...rest } = fieldsOf(value)
  const inner = listOf(children)
  const shown = Object.entries(rest).filter(([, field]) => field !== undefined && field !== null)
  const line = [
    h("b", "mono", textOf(name, "?")),
    typeof kind === "string" && h("span", "muted", ` ${kind}`),
    typeof state === "string" && pill(state),
    typeof note === "string" && h("span", "muted", ` ${note}`),
    ...shown.map(([key, field]) => h("span", "mark", `${wordsOf(key)}: ${scalarOf(key, field)}`))
  ]
  if (inner.length === 0) return h("li", {}, h("div", "branch", ...line))
  return h("li", {}, h("details", { open: true }, h("summary", "branch", ...line), h("ul", {}, ...inner.map(branchOf))))
}

const sweepOf = (value: unknown): HTMLElement => {
  const { at_ms: at, duration_ms: took, problem, dead, ...lists } = fieldsOf(value)
  const [admitted, ended, deferred] = [listOf(lists.admitted), listOf(lists.ended), listOf(lists.deferred)]
  return h(
    "details",
    { class: "sweep", open: admitted.length + ended.length + deferred.length > 0 },
    h(
      "summary",
      {},
      typeof at === "number" ? timeAndAge(at) : "sweep",
      typeof took === "number" && ` · ${spanOf(took)}`,
      typeof problem === "string"
        ? ` · failed: ${problem}`
        : ` · admitted ${admitted.length}, ended ${ended.length}, deferred ${deferred.length}`
    ),
    ...listOf(dead)
      .map(fieldsOf)
      .map(({ owner_id: id, leases }) =>
        h("p", {}, `${id} is proven dead; it left ${leases} ${leases === 1 ? "lease" : "leases"}.`)
      ),
    sweepGroup("admitted", admitted),
    sweepGroup("ended", ended),
    sweepGroup("deferred", deferred)
  )
}

const sweepGroup = (name: string, entries: ReadonlyArray<unknown>): Child =>
  entries.length > 0 &&
  h("div", "sweep-group", h("h3", {}, `${name} ${entries.length}`), h("ul", {}, ...entries.map(sweepEntry)))

const sweepEntry = (entry: unknown): HTMLElement => {
  const { id, as, reason } = fieldsOf(entry)
  const { why, problem } = fieldsOf(reason)
  const words = [as, typeof reason === "string" ? reason : typeof why === "string" && wordsOf(why), problem]
  return h(
    "li",
    {},
    processLink(typeof entry === "string" ? entry : textOf(id)),
    " ",
    h("span", "muted", words.filter((word) => typeof word === "string").join(": "))
  )
}

const wakeTable = (wakes: ReadonlyArray<unknown>, mayRedrive: boolean, done: () => void): HTMLElement =>
  tableOf(
    "Wakes",
    ["state", "process", "event", "session", "attempts", "next attempt", "wake", ""],
    wakes.map(fieldsOf).map((wake) => {
      const { state, discard_reason: why, blocked_by: first, target_scope_id: scope, target_session_id: session } = wake
      const id = textOf(wake.wake_id)
      const isPending = state !== "discarded" && state !== "enqueued"
      return [
        [
          pill(textOf(state, "?")),
          typeof why === "string" && ` ${why}`,
          first !== undefined && " behind ",
          wakeName(first)
        ],
        processLink(textOf(wake.process_id)),
        `#${textOf(wake.sequence)}`,
        h("span", "mono", textOf(scope ?? session)),
        textOf(wake.attempts, "0"),
        isPending ? momentOf(wake.next_attempt_at_ms) : "–",
        wakeName(id),
        state === "discarded" && button("small", "Redrive…", () => openRedrive(id, done), { disabled: !mayRedrive })
      ]
    })
  )

const blockedTable = (groups: ReadonlyArray<unknown>): HTMLElement =>
  tableOf(
    "Blocked groups",
    ["process", "session", "waiting", "behind event", "state", "attempts", "next attempt", "unblocked by"],
    groups
      .map(fieldsOf)
      .map((group) => [
        processLink(textOf(group.process_id)),
        h("span", "mono", textOf(group.target_scope_id)),
        textOf(group.waiting),
        `#${textOf(group.sequence)}`,
        pill(textOf(group.state, "?")),
        textOf(group.attempts, "0"),
        momentOf(group.next_attempt_at_ms),
        wakeName(group.unblocked_by)
      ])
  )

type Cell = Child | ReadonlyArray<Child>

const tableOf = (
  label: string,
  titles: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>
): HTMLElement => {
  const cellOf = (cell: Cell) => h("td", {}, ...(Array.isArray(cell) ? cell : [cell]))
  return h(
    "div",
    { class: "table", tabindex: 0, role: "region", "aria-label": label },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...titles.map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, ...rows.map((cells) => h("tr", {}, ...cells.map(cellOf))))
    )
  )
}

/** Counts by state; those of the discarded by reason, too. */
const countsOf = (counts: Fields): ReadonlyArray<readonly [string, unknown]> =>
  Object.entries(counts).flatMap(
    ([state, count]): ReadonlyArray<readonly [string, unknown]> =>
      typeof count === "object"
        ? Object.entries(fieldsOf(count)).map(([reason, each]) => [`${state} (${reason})`, each])
        : [[state, count]]
  )

const leftOff = (count: unknown): Child =>
  typeof count === "number" &&
  count > 0 &&
  h("p", "left-off", `${count} more are not shown: `, h("code", {}, "holdfast wakes"), " lists all of them.")

/** An id is long: its beginning tells it from others, and it can be copied whole. */
const wakeName = (id: unknown): Child => typeof id === "string" && h("span", { class: "mono wake-id", title: id }, id)

const momentOf = (ms: unknown): string => (typeof ms === "number" ? ageOf(ms) : "–")

const scalarOf = (key: string, value: unknown): string =>
  key.endsWith("_ms") && typeof value === "number" && value > 1_000_000_000_000 ? ageOf(value) : brief(value, 80)

const textOf = (value: unknown, absent = ""): string => String(value ?? absent)

const listOf = (value: unknown): ReadonlyArray<unknown> =>
  Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]

const fieldsOf = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {}) // any object has fields
