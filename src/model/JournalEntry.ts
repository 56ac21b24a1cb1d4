/**
 * The journal of a process: what each operation of its body came to, under a key that a body which runs again computes anew.
 *
 * Invariant: an entry is written once, under the fence of the activation that performed it, and never changes. Entries are no
 * events: they are not folded into the record and do not show in the change feed.
 */

/** What a body may do through its context. */
export type JournalOperation =
  | "step"
  | "sleep"
  | "await_signal"
  | "append_event"
  | "start_child"
  | "signal"
  | "now"
  | "random"
  | "patched"
  | "await_child"
  | "request"
  | "dropped"

/**
 * One entry. `key` is scope path, name and occurrence; `position` counts the entries of the process from 1; `sequence` is
 * the last event of the log at that moment. `outcome` is JSON. Units: epoch milliseconds, UTC.
 */
export interface JournalEntry {
  readonly key: string
  readonly position: number
  readonly sequence: number
  readonly operation: JournalOperation
  readonly atMs: number
  readonly outcome: unknown
}
