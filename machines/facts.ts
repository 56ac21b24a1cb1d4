/**
 * The plain data that lifecycle events carry. No behaviour, no imports: anything that can read JSON can read these.
 *
 * Times are epoch milliseconds, UTC. Every optional property is absent rather than `undefined`.
 */

/** Who wrote an abandonment, and so on which ground. */
export type AbandonWriter = "owner_drain" | "sweep" | "reconciled_request"

/** The classes of failure a caller may tell apart. */
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
}

/** How a wait ended; what a re-execution reads instead of waiting again. */
export type WaitOutcome =
  | { readonly _tag: "Signal"; readonly sequence: number }
  | { readonly _tag: "Timer" }
  | { readonly _tag: "Child"; readonly processId: string }
  | { readonly _tag: "Promise" }
  | { readonly _tag: "Timeout" }
  | { readonly _tag: "Cancelled" }

/** Somebody with authority allows a process to be given up once nobody holds it. */
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
