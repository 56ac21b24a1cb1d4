/**
 * The whole of a store at one look: what ended and when, what failed, what is late, who works, and what waits for a person.
 */
import type { Holder } from "../../store/ProcessStore.ts"
import type { FailureGroup, InboxGroup, OverviewView } from "../OverviewView.ts"
import { isOfWork, isOutcomeUnknown } from "../reason.ts"
import { brief } from "../text.ts"
import type { CountsView, PartView, RowView } from "../View.ts"
import type { Line, Look } from "./directory.ts"
import { rowOf } from "./directory.ts"

const minuteMs = 60_000

/** How many minutes of ends are counted. */
const minutes = 60

/** For how long failures are counted. Units: milliseconds. */
const dayMs = 86_400_000

/** How many groups, and rows of one, are named. */
const most = { failures: 6, inbox: 12, rows: 5, kinds: 40 }

/** What is read beside the lines. */
export interface Beside {
  /** Of the whole store, of which lines may have been let go. */
  readonly counted: CountsView
  readonly holders: ReadonlyArray<Holder & { readonly isDead: boolean }>
  readonly slots: OverviewView["slots"]
  readonly wakes: OverviewView["wakes"]
}

/** The overview of what a look has found. */
export const overviewOf = (look: Look, { counted, holders, slots, wakes }: Beside): OverviewView => {
  const { lines, nowMs, reading } = look
  const kinds = new Map<string, number>()
  const ends = Array.from({ length: minutes }, () => ({ good: 0, bad: 0 }))
  const failures = new Map<string, FailureGroup>()
  const inbox = new Map<string, InboxGroup>()
  const late: Array<RowView> = []
  const unknown: Array<string> = []
  const sums = { active: 0, waiting: 0, failed: 0 }
  for (const line of lines.values()) {
    const row = rowOf(line.row, look)
    kinds.set(row.kind, (kinds.get(row.kind) ?? 0) + 1)
    if (row.state === "running") {
      if (isOutcomeUnknown(row)) unknown.push(row.process_id)
      if (isOfWork(row, "late", nowMs)) late.push(row)
      if (isOfWork(row, "active", nowMs)) sums.active++
      if (isOfWork(row, "waiting", nowMs)) sums.waiting++
      if (line.asks.length > 0) addAsked(inbox, line)
      continue
    }
    const age = nowMs - row.updated_at_ms
    const minute = ends[minutes - 1 - Math.floor(age / minuteMs)]
    if (minute !== undefined) minute[row.state === "completed" ? "good" : "bad"]++
    if ((row.state === "failed" || row.state === "abandoned") && age < dayMs) {
      sums.failed++
      addFailure(failures, row)
    }
  }
  const waits = [...inbox.values()].toSorted((a, b) => a.oldest_ms - b.oldest_ms)
  // What a dead host has is late before it is due, when its lease is over.
  const dues = late.flatMap(({ due_at_ms: due }) => (due !== null && due <= nowMs ? [due] : []))
  const oldestDue = dues.reduce<number | undefined>((least, due) => Math.min(least ?? due, due), undefined)
  return {
    ...counted,
    ...(reading === undefined ? {} : { reading }),
    now_ms: nowMs,
    ends,
    active: sums.active,
    waiting: sums.waiting,
    failed_lately: sums.failed,
    failures: [...failures.values()].toSorted((a, b) => b.count - a.count).slice(0, most.failures),
    late: late.length,
    late_kinds: new Set(late.map(({ kind }) => kind)).size,
    ...(oldestDue === undefined ? {} : { oldest_due_ms: oldestDue }),
    inbox: waits.slice(0, most.inbox),
    ...(unknown.length === 0 ? {} : { unknown: { count: unknown.length, process_ids: unknown.slice(0, most.rows) } }),
    inbox_left_off: Math.max(0, waits.length - most.inbox),
    kinds: [...kinds.entries()]
      .toSorted(([, a], [, b]) => b - a)
      .slice(0, most.kinds)
      .map(([kind, count]) => ({ kind, count })),
    holders: holders.map(({ renewerId, owner, leases, isDead }) => ({
      owner_id: renewerId ?? owner.ownerId,
      leases,
      ...(isDead ? { dead: true } : {})
    })),
    ...(slots === undefined ? {} : { slots }),
    ...(wakes === undefined ? {} : { wakes })
  }
}

/** How many wakes the part of a host that shows them has, by what they are in; `undefined` where it is absent. */
export const wakesCounted = (part: PartView): OverviewView["wakes"] => {
  if (!part.available || part.value === null) return undefined
  const { counts, blocked } = Object(part.value) as Partial<Record<"counts" | "blocked", unknown>> // a host's own part
  const sum = (count: unknown): number =>
    typeof count === "number" ? count : Object.values(Object(count)).reduce<number>((all, each) => all + sum(each), 0)
  const { pending = 0, enqueuing = 0, discarded = 0 } = Object(counts) as Readonly<Record<string, unknown>> // as above
  return {
    pending: sum(pending) + sum(enqueuing),
    discarded: sum(discarded),
    blocked: Array.isArray(blocked) ? blocked.length : 0
  }
}

const addFailure = (failures: Map<string, FailureGroup>, row: RowView): void => {
  const problem = brief(row.problem ?? row.state, 80)
  const key = JSON.stringify([row.kind, problem])
  const known = failures.get(key)
  const latest = { process_id: row.process_id, latest_ms: row.updated_at_ms }
  failures.set(key, { kind: row.kind, problem, count: (known?.count ?? 0) + 1, ...latest })
}

/** One that takes several signals needs one answer: it is in one group. */
const addAsked = (inbox: Map<string, InboxGroup>, { row, asks }: Line): void => {
  const key = JSON.stringify([row.kind, asks])
  const sinceMs = row.waiting_since_ms ?? row.updated_at_ms
  const known = inbox.get(key)
  const one = {
    process_id: row.process_id,
    ...(row.label === undefined ? {} : { label: row.label }),
    since_ms: sinceMs,
    ...(row.deadline_ms === undefined ? {} : { until_ms: row.deadline_ms })
  }
  const rows = [...(known?.rows ?? []), one].toSorted((a, b) => a.since_ms - b.since_ms).slice(0, most.rows)
  inbox.set(key, {
    kind: row.kind,
    asks,
    count: (known?.count ?? 0) + 1,
    oldest_ms: Math.min(known?.oldest_ms ?? sinceMs, sinceMs),
    rows
  })
}
