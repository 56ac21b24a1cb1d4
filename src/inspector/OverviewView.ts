/**
 * The JSON of the overview, as the server writes it and the page reads it. Units: epoch milliseconds, UTC.
 */
import type { CountsView, ReadingView } from "./View.ts"

/** Failures of one kind with one text. */
export interface FailureGroup {
  readonly kind: string
  readonly problem: string
  readonly count: number
  /** The one that failed last, and when. */
  readonly process_id: string
  readonly latest_ms: number
}

/** Processes of one kind that wait for the same signals, any of which moves them; `rows` are those that wait longest. */
export interface InboxGroup {
  readonly kind: string
  /** Ascending. */
  readonly asks: ReadonlyArray<string>
  readonly count: number
  readonly oldest_ms: number
  readonly rows: ReadonlyArray<{
    readonly process_id: string
    readonly label?: string
    readonly since_ms: number
    readonly until_ms?: number
  }>
}

/** The whole store at one look. Units: epoch milliseconds, UTC. */
export interface OverviewView extends CountsView {
  readonly reading?: ReadingView
  readonly now_ms: number
  /** The ends of each of the last sixty minutes, oldest first. */
  readonly ends: ReadonlyArray<{ readonly good: number; readonly bad: number }>
  readonly active: number
  readonly waiting: number
  /** Failed or abandoned within a day. */
  readonly failed_lately: number
  readonly failures: ReadonlyArray<FailureGroup>
  /** Due, and no host works on them: none has them, or the lease of the one that had them is over. */
  readonly late: number
  readonly late_kinds: number
  readonly oldest_due_ms?: number
  readonly inbox: ReadonlyArray<InboxGroup>
  readonly inbox_left_off: number
  /** Those of which only a person can say how they ended; the first of them. */
  readonly unknown?: { readonly count: number; readonly process_ids: ReadonlyArray<string> }
  readonly kinds: ReadonlyArray<{ readonly kind: string; readonly count: number }>
  /** Who has leases; `dead`: it is proven to be gone. */
  readonly holders: ReadonlyArray<{ readonly owner_id: string; readonly leases: number; readonly dead?: boolean }>
  readonly slots?: { readonly free: number; readonly total: number }
  readonly wakes?: { readonly pending: number; readonly discarded: number; readonly blocked: number }
}
