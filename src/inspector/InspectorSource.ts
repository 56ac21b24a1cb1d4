/**
 * What an inspector shows beside processes: the supervision tree, sweeps, wakes, explanations. Each part is optional.
 *
 * Invariant: a host that lacks a part loses that view and nothing else.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { ProcessId } from "../model/ids.ts"
import type { UnderWay } from "../model/JournalEntry.ts"
import type { LeaseOwner } from "../model/Lease.ts"

/** A part that was read, or why it could not be. Values are plain JSON. */
export type Part = Effect.Effect<unknown, PartFailed>

/** Why a part could not be read or done: anything with a tag and a message. */
export interface PartFailed {
  readonly _tag: string
  readonly message: string
}

/** Whether the holder of a lease is proven dead. */
export type Deaths = (holder: LeaseOwner) => Effect.Effect<boolean>

/** The parts of a host that only some hosts have. */
export interface InspectorParts {
  /**
   * The supervision tree: a node, or several.
   *
   * Shape: `{ name, kind?, state?, note?, children?: […], … }`; every further field is shown as it is.
   */
  readonly tree?: Part
  /** The last sweeps, newest first. Shape: `[{ at_ms, duration_ms?, problem?, dead?: [{ owner_id, leases }], admitted: [id], ended: [{ id, as }], deferred: [{ id, reason }] }]`. */
  readonly sweeps?: Part
  /**
   * The wake outbox.
   *
   * Shape: `{ counts: { state: n }, rows: [{ wake_id, process_id, sequence, target_session_id, state, attempts,
   * discard_reason?, blocked_by?, … }], blocked?: [{ process_id, target_scope_id, unblocked_by, waiting, … }] }`; a count
   * may itself be `{ reason: n }`. `rows_left_off` and `blocked_left_off` say how many are not in it.
   */
  readonly wakes?: Part
  /** Why a process does not move, and what would move it. Shape: `{ text, … }`. */
  readonly explain?: (id: ProcessId) => Part
  /** What the body of a process has under way, where it runs in this host; from memory, since lists ask it for each line. */
  readonly underWay?: (id: ProcessId) => ReadonlyArray<UnderWay> | undefined
  /** Whether the holder of a lease is proven dead. @default a holder counts as alive until its lease is over */
  readonly isDead?: Deaths
  /** The places for bodies: how many are free, of how many. */
  readonly slots?: () => { readonly free: number; readonly total: number }
  /** Sends a discarded wake again. */
  readonly redrive?: (wakeId: string) => Part
}

/** The optional parts in context. @default none */
export class InspectorSource extends Context.Reference<InspectorSource>()("holdfast/inspector/InspectorSource", {
  defaultValue: (): InspectorParts => ({})
}) {}

/** The proof of deaths that an inspector has; without one none is proven. */
export const deathsIn = ({ isDead = () => Effect.succeed(false) }: InspectorParts): Deaths => isDead
