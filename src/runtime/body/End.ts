/**
 * The end of an operation of a body, and its place in the one order of the process.
 */
import type { ProcessId } from "../../model/ids.ts"
import type { Waited } from "../../operations/decisions/execution.ts"

/** How a wait ended. */
export type WaitEnd = NonNullable<Waited["ended"]>

/** An end and its place: after an event of the log, then by position in the journal; an event itself has position 0. */
export type End = { readonly sequence: number; readonly position: number } & (
  | { readonly _tag: "Recorded"; readonly key: string; readonly outcome: unknown }
  /** A wait was entered here, which is no end: what follows waits until the body has asked for it. */
  | { readonly _tag: "WaitEntered"; readonly key: string }
  | { readonly _tag: "WaitEnded"; readonly waitKey: string; readonly ended: WaitEnd }
  | { readonly _tag: "ChildEnded"; readonly childId: ProcessId }
  /** The body lets go of an operation here, and goes on. */
  | { readonly _tag: "Dropped"; readonly key: string }
  | { readonly _tag: "CancelRequested" }
)

/** An end, and when it became known, in the order of all writes and ends. */
export interface Arrived {
  readonly end: End
  readonly arrivedAt: number
}

/** What an operation waits for. */
export type Source =
  | `recorded ${string}`
  | `entered ${string}`
  | `dropped ${string}`
  | `wait ${string}`
  | `child ${string}`

/** Whether one end comes before another. */
export const isBefore = (one: End, other: End): boolean =>
  one.sequence === other.sequence ? one.position < other.position : one.sequence < other.sequence

/** What waits for an end. */
export const sourceOf = (end: Exclude<End, { readonly _tag: "CancelRequested" }>): Source => {
  switch (end._tag) {
    case "Dropped":
      return `dropped ${end.key}`
    case "Recorded":
      return `recorded ${end.key}`
    case "WaitEntered":
      return `entered ${end.key}`
    case "WaitEnded":
      return `wait ${end.waitKey}`
    case "ChildEnded":
      return `child ${end.childId}`
  }
}
