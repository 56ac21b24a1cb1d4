/**
 * What only some hosts have: the supervision tree, the last sweeps, the wake outbox.
 */

import { brief, spanOf, wordsOf } from "../text.ts"
import type { PartView } from "../View.ts"
import type { BlockedView, WakeView } from "../views/wakes.ts"
import { openRedrive } from "./actions.ts"
import { get, sentenceOf } from "./connection.ts"
import type { Child } from "./dom.ts"
import { button, fill, h, notice, panel, pill } from "./dom.ts"
import { processLink } from "./facts.ts"
import { ageOf, timeAndAge } from "./text.ts"

/** A view that reads itself again on demand. */
export interface PartPanel {
  readonly element: HTMLElement
  readonly refresh: () => void
}

/** The supervision tree. */
export const makeTree = (): PartPanel =>
  makePart<Node | ReadonlyArray<Node>>(
    "tree",
    "Supervision tree",
    "This host offers no supervision tree; a file never has one.",
    (tree) => panel("Supervision tree", h("ul", "tree", ...[tree].flat().map(branchOf)))
  )

/** The last sweeps, newest first. */
export const makeSweeps = (): PartPanel =>
  makePart<ReadonlyArray<Sweep>>(
    "sweeps",
    "Sweeps",
    "This host keeps no sweep reports; a file never has any.",
    (all) =>
      all.length === 0
        ? notice("empty", "No sweep yet", "The first one is reported here.")
        : panel("Sweeps", ...all.map(sweepOf))
  )

/** The wake outbox; `mayRedrive` says whether discarded wakes may be sent again. */
export const makeWakes = (mayRedrive: () => boolean): PartPanel => {
  const part = makePart<Outbox>(
    "wakes",
    "Wake outbox",
    "This host offers no wake outbox here.",
    ({ counts, rows, blocked = [], ...left }) =>
      h(
        "div",
        {},
        panel(
          "Wake outbox",
          h("div", "chips", ...countsOf(counts)),
          rows.length === 0
            ? notice("empty", "No wakes", "Wakes that are pending or discarded appear here.")
            : wakeTable(rows, mayRedrive(), () => part.refresh()),
          leftOff(left.rows_left_off)
        ),
        blocked.length > 0 && panel("Blocked groups", blockedTable(blocked), leftOff(left.blocked_left_off))
      )
  )
  return part
}

const makePart = <A>(path: string, title: string, absent: string, show: (value: A) => HTMLElement): PartPanel => {
  const element = h("div", "part", notice("loading", `Reading: ${title}…`))
  const refresh = (): void => {
    get<PartView>(path)
      .then(
        (part) => (part.available ? show(part.value as A) : notice("empty", `${title}: not available here`, absent)) // the shape that a host promises for this part
      )
      .catch((error: unknown) => notice("error", `${title} could not be read`, sentenceOf(error)))
      .then((shown) => fill(element, shown))
  }
  return { element, refresh }
}

/** A supervisor or what it supervises; further fields are shown as they are. */
interface Node {
  readonly name: string
  readonly kind?: string
  readonly state?: string
  readonly note?: string
  readonly children?: ReadonlyArray<Node>
}

const branchOf = ({ name, kind, state, note, children = [], ...rest }: Node): HTMLElement => {
  const line = [
    h("b", "mono", name),
    kind !== undefined && h("span", "muted", ` ${kind}`),
    state !== undefined && pill(state),
    note !== undefined && h("span", "muted", ` ${note}`),
    ...Object.entries(rest).map(([key, field]) => h("span", "mark", `${wordsOf(key)}: ${scalarOf(key, field)}`))
  ]
  if (children.length === 0) return h("li", {}, h("div", "branch", ...line))
  const inner = h("ul", {}, ...children.map(branchOf))
  return h("li", {}, h("details", { open: true }, h("summary", "branch", ...line), inner))
}

const scalarOf = (key: string, value: unknown): string =>
  key.endsWith("_ms") && typeof value === "number" ? ageOf(value) : brief(value, 80)

/** A process that a sweep met: its id alone, or with what became of it. */
type Met =
  | string
  | { readonly id: string; readonly as?: string; readonly reason?: { readonly why: string; readonly problem?: string } }

interface Sweep {
  readonly at_ms: number
  readonly duration_ms?: number
  readonly problem?: string
  readonly dead?: ReadonlyArray<{ readonly owner_id: string; readonly leases: number }>
  readonly admitted: ReadonlyArray<Met>
  readonly ended: ReadonlyArray<Met>
  readonly deferred: ReadonlyArray<Met>
}

const sweepOf = ({ at_ms: at, duration_ms: took, problem, dead = [], admitted, ended, deferred }: Sweep): HTMLElement =>
  h(
    "details",
    { class: "sweep", open: admitted.length + ended.length + deferred.length > 0 },
    h(
      "summary",
      {},
      timeAndAge(at),
      took !== undefined && ` · ${spanOf(took)}`,
      problem === undefined
        ? ` · admitted ${admitted.length}, ended ${ended.length}, deferred ${deferred.length}`
        : ` · failed: ${problem}`
    ),
    ...dead.map(({ owner_id: id, leases }) =>
      h("p", {}, `${id} is proven dead; it left ${leases} ${leases === 1 ? "lease" : "leases"}.`)
    ),
    ...Object.entries({ admitted, ended, deferred }).map(
      ([name, all]) =>
        all.length > 0 && h("div", "sweep-group", h("h3", {}, `${name} ${all.length}`), h("ul", {}, ...all.map(metOf)))
    )
  )

const metOf = (met: Met): HTMLElement => {
  const { id, as, reason } = typeof met === "string" ? { id: met } : met
  const words = [as, reason && wordsOf(reason.why), reason?.problem].filter((word) => word !== undefined)
  return h("li", {}, processLink(id), " ", h("span", "muted", words.join(": ")))
}

interface Outbox {
  readonly counts: Readonly<Record<string, number | Readonly<Record<string, number>>>>
  readonly rows: ReadonlyArray<WakeView>
  readonly rows_left_off?: number
  readonly blocked?: ReadonlyArray<BlockedView>
  readonly blocked_left_off?: number
}

/** Counts by state; those of the discarded by reason, too. */
const countsOf = (counts: Outbox["counts"]): ReadonlyArray<HTMLElement> =>
  Object.entries(counts).flatMap(([state, count]) => {
    const all = typeof count === "number" ? { [state]: count } : count
    return Object.entries(all).map(([reason, each]) =>
      h("span", "chip", reason === state ? `${state} ` : `${state} (${reason}) `, h("b", {}, each))
    )
  })

const wakeTable = (wakes: ReadonlyArray<WakeView>, mayRedrive: boolean, done: () => void): HTMLElement =>
  tableOf(
    "Wakes",
    ["state", "process", "event", "session", "attempts", "next attempt", "wake", ""],
    wakes.map(({ wake_id: id, state, discard_reason: why, blocked_by: first, ...wake }) => [
      h("span", {}, pill(state), why !== undefined && ` ${why}`, first !== undefined && " behind ", wakeName(first)),
      processLink(wake.process_id),
      `#${wake.sequence}`,
      h("span", "mono", wake.target_scope_id ?? wake.target_session_id),
      wake.attempts,
      state === "discarded" || state === "enqueued" ? "–" : ageOf(wake.next_attempt_at_ms),
      wakeName(id),
      state === "discarded" && button("small", "Redrive…", () => openRedrive(id, done), { disabled: !mayRedrive })
    ])
  )

const blockedTable = (groups: ReadonlyArray<BlockedView>): HTMLElement =>
  tableOf(
    "Blocked groups",
    ["process", "session", "waiting", "behind event", "state", "attempts", "next attempt", "unblocked by"],
    groups.map((group) => [
      processLink(group.process_id),
      h("span", "mono", group.target_scope_id),
      group.waiting,
      `#${group.sequence}`,
      pill(group.state),
      group.attempts,
      ageOf(group.next_attempt_at_ms),
      wakeName(group.unblocked_by)
    ])
  )

const tableOf = (
  label: string,
  titles: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<Child>>
): HTMLElement => {
  const head = h("tr", {}, ...titles.map((title) => h("th", { scope: "col" }, title)))
  const lines = rows.map((cells) => h("tr", {}, ...cells.map((cell) => h("td", {}, cell))))
  const table = h("table", {}, h("thead", {}, head), h("tbody", {}, ...lines))
  return h("div", { class: "table", tabindex: 0, role: "region", "aria-label": label }, table)
}

const leftOff = (count = 0): Child =>
  count > 0 &&
  h("p", "left-off", `${count} more are not shown: `, h("code", {}, "holdfast wakes"), " lists all of them.")

/** The id of a wake is long: it is cut, and its title has all of it. */
const wakeName = (id: string | undefined): Child =>
  id !== undefined && h("span", { class: "mono wake-id", title: id }, id)
