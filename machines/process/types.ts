/**
 * The plain data that lifecycle events carry. No behaviour: anything that can read JSON can read these.
 *
 * Times are epoch milliseconds, UTC. Every optional property is absent rather than `undefined`.
 */

import type { ChartState, ChartTransition } from "../chart/state.ts"

/** Who wrote an abandonment, and so on which ground. */
export type AbandonWriter = "owner_drain" | "sweep" | "reconciled_request"

/** The classes of failure that a caller may distinguish. */
export type FailureClass =
  | "invalid_request"
  | "unavailable"
  | "permission_denied"
  | "timeout"
  | "execution"
  | "external"
  | "resource_limit"
  | "internal"

/** Who runs a process: a stable stem, one life of it, and the evidence by which others may prove that life ended. */
export interface Owner {
  readonly ownerId: string
  readonly incarnationId: string
  readonly liveness:
    | { readonly _tag: "Opaque" }
    | {
        readonly _tag: "LocalProcess"
        readonly hostId: string
        readonly bootId: string
        readonly pid: number
        readonly processStart: string
      }
}

/** What a finished tool asks of the conversation that called it. */
export type Control =
  | {
      readonly _tag: "SwitchAgentFrame"
      readonly frameId: string
      readonly initialNodes?: unknown
      readonly task?: unknown
    }
  | { readonly _tag: "Finish"; readonly value: unknown }
  | { readonly _tag: "Fail"; readonly failure: unknown }

/** The output a process ends with, one variant for each terminal state. */
export type Output =
  | { readonly _tag: "Success"; readonly value: unknown; readonly control?: Control }
  | {
      readonly _tag: "Failure"
      readonly class: FailureClass
      readonly code: string
      readonly message: string
      readonly raw?: unknown
      readonly control?: Control
    }
  | { readonly _tag: "Cancelled"; readonly message: string; readonly raw?: unknown; readonly control?: Control }
  | {
      readonly _tag: "Abandoned"
      readonly evidence: { readonly writer: AbandonWriter; readonly owner?: Owner; readonly epochMs: number }
      readonly control?: Control
    }

/** An open wait: what it is for, since when, and when it ends at the latest. A timer is a wait for its deadline only. */
export interface Wait {
  readonly kind:
    | {
        readonly _tag: "Signal"
        readonly name: string
        readonly eventType: string
        readonly key: string
        readonly ordinal: number
      }
    | { readonly _tag: "Timer"; readonly key: string }
  readonly sinceMs: number
  readonly deadlineMs?: number
  /** Its key is used once only: nothing has to count how often it was entered. */
  readonly once?: true
  /** It takes a signal before the waits that are open already. */
  readonly ahead?: true
}

/** How a wait ended; what a re-execution reads instead of waiting again. */
export type WaitOutcome =
  | { readonly _tag: "Signal"; readonly sequence: number }
  | { readonly _tag: "Timer" }
  | { readonly _tag: "Child"; readonly processId: string }
  | { readonly _tag: "Promise" }
  | { readonly _tag: "Timeout" }
  | { readonly _tag: "Cancelled" }
  | { readonly _tag: "Dropped" }

/** An operator's permission to abandon a process once its lease is free. */
export interface AbandonRequest {
  readonly requestedBy: string
  readonly requestedAtMs: number
  readonly reason?: string
}

/** Where an attached system knows this process. */
export interface ExternalRef {
  readonly backend: string
  readonly id: string
  readonly metadata?: unknown
}

/** The session, or a frame of it, that this process wakes. */
export interface WakeTarget {
  readonly sessionId: string
  readonly agentFrameId?: string
}

/** The mutable part of a process record. Times are epoch milliseconds, UTC. */
export interface ProcessContext {
  readonly updatedAtMs: number
  /** Activations begun so far; the next one is `activations + 1`. */
  readonly activations: number
  /** The number of the present try: it rises only when the activation before it left no fact behind. */
  readonly attempts: number
  readonly firstStarted?: { readonly owner: Owner; readonly startedAtMs: number }
  readonly cancelRequest?: { readonly reason: string | null; readonly requestedAtMs: number }
  readonly abandonRequest?: AbandonRequest
  readonly externalRef?: ExternalRef
  /** `null` once the session it pointed to was deleted, or when there never was one. */
  readonly wakeTarget: WakeTarget | null
  readonly waits: ReadonlyArray<Wait>
  /** How often each wait key was entered. */
  readonly waitCounts: Readonly<Record<string, number>>
  /** For each signal name, the sequence up to which signals were consumed. */
  readonly consumedSignals: Readonly<Record<string, number>>
  /** For each signal name, the ordinal of the last wait whose key is used once. */
  readonly signalWaits?: Readonly<Record<string, number>>
  /** For each signal name, the sequences of signals that a dropped wait gave back; the next wait takes the first. */
  readonly returnedSignals?: Readonly<Record<string, ReadonlyArray<number>>>
  /** The forks of its journal, in order. */
  readonly forks?: ReadonlyArray<Fork>
  readonly output?: Output
  /** The state of the host's own statechart that is the body of this process. */
  readonly chart?: ChartState
}

/** A fork of a journal: what its entries from one position to another came to does not count any more. */
export interface Fork {
  readonly from: number
  readonly to: number
}

/** What a registration gives the lifecycle to begin with. */
export interface ProcessInput {
  readonly createdAtMs: number
  readonly wakeTarget: WakeTarget | null
}

/** A fact about a process, as stored in its log; `process.noted` represents every event without lifecycle meaning. */
export type ProcessEvent = { readonly atMs: number } & (
  | { readonly type: "process.started"; readonly owner: Owner; readonly startedAtMs: number; readonly attempt: number }
  | { readonly type: "process.suspended"; readonly reason: "handed_back" | "passivated" | "lease_lost" }
  | { readonly type: "process.waiting"; readonly wait: Wait }
  | { readonly type: "process.resumed"; readonly waitKey: string; readonly outcome: WaitOutcome }
  | { readonly type: "process.signal_returned"; readonly name: string; readonly sequence: number }
  | { readonly type: "process.journal_forked"; readonly from: number; readonly to: number }
  | { readonly type: "process.child_ended"; readonly childId: string; readonly state: EndState }
  | { readonly type: "process.cancel_requested"; readonly reason: string | null }
  | { readonly type: "process.abandon_requested"; readonly request: AbandonRequest }
  | { readonly type: "process.external_ref_set"; readonly externalRef: ExternalRef }
  | { readonly type: "process.wake_target_cleared"; readonly sessionId: string }
  | { readonly type: "process.completed"; readonly output: Output }
  | { readonly type: "process.failed"; readonly output: Output }
  | { readonly type: "process.cancelled"; readonly output: Output }
  | { readonly type: "process.abandoned"; readonly output: Output }
  /** `isSignal`: it is an event for the chart of the process, if that has one. */
  | { readonly type: "process.noted"; readonly isSignal?: true }
  | { readonly type: "machine.transitioned"; readonly step: ChartTransition }
  /**
   * An event for the chart that no other process sent; `timer` names the timer that fired, and `sequence` is its event's, where
   * that may still be cancelled.
   */
  | { readonly type: "machine.input"; readonly timer?: string; readonly sequence?: number }
  /** A timer fired whose event is another process's. */
  | { readonly type: "machine.sent"; readonly timer: string }
  | { readonly type: "machine.acted"; readonly revision: number; readonly index: number }
)

/** The four ends; nothing ever leaves one of them. */
export type EndState = "completed" | "failed" | "cancelled" | "abandoned"
