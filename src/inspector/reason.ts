/**
 * Why the process of a line does not move, in a few words, by what the line says.
 *
 * Invariant: a body is said to be at work only where its host may live: neither its lease is over nor its death proven.
 */
import { awayOf, spanOf } from "./text.ts"
import type { DoingView, RowView } from "./View.ts"

/** What a line says of when its process is due, of whether and until when it waits, and of what has it. */
export type Due = Pick<RowView, "due_at_ms" | "waits" | "deadline_ms" | "holder">

/**
 * Whether a process is due and no host works on it: no host has it, the lease of the one that had it is over, or that one is
 * proven dead. What waits is not late with its holder, only with its own deadline.
 */
export const isLate = (
  { due_at_ms: due, waits, deadline_ms: deadline = Number.POSITIVE_INFINITY, holder }: Due,
  nowMs: number
): boolean => {
  const isDue = due !== null && due <= nowMs
  if (holder === undefined) return isDue
  return (holder === "dead" || (isDue && holder === "lapsed")) && (waits.length === 0 || deadline <= nowMs)
}

/** Whether a host may be working on a process, as far as was known when it was read: leases are renewed unseen. */
export const hasHost = ({ holder }: Pick<RowView, "holder">): boolean => holder === "alive"

/** Whether only a person can say how a process ended: it must not run twice, it began, and no host has it any more. */
export const isOutcomeUnknown = (row: RowView): boolean =>
  row.state === "running" &&
  row.disposition === "owner_bound" &&
  row.active &&
  !row.abandon_requested &&
  row.holder !== "dead" &&
  !hasHost(row)

/** What a process that runs is counted as in the overview; a list is narrowed to the same. */
export const works = ["active", "waiting", "late"] as const

/** One of {@link works}. */
export type Work = (typeof works)[number]

/** Whether a process is counted as at work, as waiting, or as backlog. What is late may wait as well. */
export const isOfWork = (row: RowView, work: Work, nowMs: number): boolean => {
  if (row.state !== "running") return false
  if (work === "late") return isLate(row, nowMs)
  if (work === "waiting") return row.waits.length > 0 || row.rests !== undefined
  return row.active && row.waits.length === 0 && hasHost(row) && !isLate(row, nowMs)
}

/** In a few words, why a process does not move; nothing of one that has ended, or of which its line says nothing. */
export const reasonOf = (
  row: RowView,
  nowMs: number
): { readonly class: string; readonly text: string } | undefined => {
  if (row.state !== "running") return undefined
  const { deadline_ms: deadline, due_at_ms: due } = row
  const left = row.left === undefined ? "" : `, was in ${stepOf(row.left)}`
  if (isOutcomeUnknown(row)) return { class: "bad", text: `outcome unknown, needs you${left}` }
  const isFree = isLate(row, nowMs)
  if (isFree && deadline !== undefined && deadline <= nowMs) {
    return { class: "bad", text: `was to wake ${awayOf(deadline, nowMs)}` }
  }
  const until = deadline === undefined ? "" : `, ${awayOf(deadline, nowMs)}`
  const signals = row.waits.filter((name) => name !== "timer")
  if (signals.length > 0) return { class: "wait", text: `waits: ${signals.join(", ")}${until}` }
  if (row.waits.length > 0) return { class: "wait", text: `sleeps${until}` }
  if (row.rests !== undefined) {
    // It may wait for the end of its child, or for an event meanwhile.
    const child = row.invoked === undefined ? undefined : reasonOf(row.invoked, nowMs)
    if (child === undefined) return { class: "wait", text: `rests in ${row.rests}` }
    return {
      class: child.class === "bad" ? "bad" : "wait",
      text: `rests in ${row.rests}; its child: ${child.text}`
    }
  }
  if (row.doing !== undefined) return doingOf(row.doing, nowMs)
  if (row.awaits !== undefined) return { class: "wait", text: `awaits ${row.awaits}` }
  if (isFree) {
    const since = due === null ? "" : ` ${awayOf(due, nowMs)}`
    const fate =
      row.holder === "dead" ? "its host is gone" : `${row.owner_id === undefined ? "due" : "lease over"}${since}`
    return { class: "bad", text: `${fate}${left}` }
  }
  if (!row.active) return undefined
  return hasHost(row) ? { class: "", text: "at work" } : { class: "bad", text: `no host has it${left}` }
}

const doingOf = (doing: DoingView, nowMs: number) =>
  doing.error === undefined
    ? { class: "", text: `${stepOf(doing)}, ${spanOf(Math.max(0, nowMs - doing.since_ms))}` }
    : { class: "bad", text: stepOf(doing) }

const stepOf = ({ name, tries, error }: DoingView): string =>
  `step ${name}${tries === 1 ? "" : `, try ${tries}`}${error === undefined ? "" : `: ${error}`}`
