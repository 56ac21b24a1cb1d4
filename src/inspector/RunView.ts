/**
 * The JSON of a run on its axis, as the server writes it and the page reads it. Units: epoch milliseconds, UTC.
 */
import type { StateLabel } from "./View.ts"

/** A time in which a host had a process; `lost`: the host was gone before it could say so. */
export interface BandView {
  readonly from_ms: number
  readonly to_ms: number | null
  readonly owner_id: string
  readonly attempt: number
  readonly lost?: boolean
}

/** What a process did, or waited for; `null` lasts. */
export interface SpanView {
  readonly what: "step" | "wait" | "sleep"
  readonly name: string
  readonly from_ms: number
  readonly to_ms: number | null
  readonly deadline_ms?: number
  readonly failed?: boolean
  /** The event of the log that belongs to it. */
  readonly sequence?: number
}

/** A process on the axis of a run. Units: epoch milliseconds, UTC. */
export interface RunView {
  readonly process_id: string
  readonly depth: number
  readonly kind: string
  readonly label?: string
  readonly state: StateLabel
  readonly from_ms: number
  readonly to_ms: number | null
  readonly bands: ReadonlyArray<BandView>
  readonly spans: ReadonlyArray<SpanView>
  readonly spans_left_off: number
}

/** A process and all below it, in the order in which they are shown. */
export interface RunsView {
  readonly runs: ReadonlyArray<RunView>
  readonly complete: boolean
  readonly now_ms: number
}
