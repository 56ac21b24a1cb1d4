/**
 * The input, context and events of a supervisor.
 *
 * Times are epoch milliseconds, UTC.
 */
import type { BackOffPolicy } from "../backOff.ts"

/** Which children are started again with the one that failed: none, all, or those after it. */
export type SupervisorStrategy = "one_for_one" | "one_for_all" | "rest_for_one"

/** What is declared of a child. `shutdownMs` is how long it may take to stop. */
export interface ChildSpec {
  /** Unique among the children of a supervisor. */
  readonly name: string
  /** Started again after every end, after a failure, or never. */
  readonly restart: "permanent" | "transient" | "temporary"
  readonly shutdownMs: number
}

/** A child, as its supervisor knows it. */
export interface SupervisedChild extends ChildSpec {
  readonly status: "stopped" | "starting" | "running" | "stopping" | "backing_off"
  /** Whether the supervisor means to have it up: false once it ended for good. */
  readonly wanted: boolean
  /** Restarts in a row, each within the period of the one before; the back-off grows with them. */
  readonly restarts: number
  /** The last end that was a failure, or that a permanent child ought not to have come to. */
  readonly lastFailure?: { readonly atMs: number; readonly problem: string }
}

/** The child that a supervisor gave up over, and its last problem. */
export interface SupervisorFailure {
  readonly child: string
  readonly problem: string
}

/** How a supervisor is set up. Children are in the order in which they start. Times are milliseconds. */
export interface SupervisorInput {
  readonly strategy: SupervisorStrategy
  /** At most this many restarts within a period that slides. */
  readonly intensity: { readonly maxRestarts: number; readonly periodMs: number }
  readonly backOff: BackOffPolicy
  readonly children: ReadonlyArray<ChildSpec>
}

/** What a supervisor knows. Times are epoch milliseconds, UTC. */
export interface SupervisorContext extends SupervisorInput {
  readonly children: ReadonlyArray<SupervisedChild>
  /** The restarts within the period before the last one, oldest first. */
  readonly restartTimesMs: ReadonlyArray<number>
  /** Present once it gave up. */
  readonly failure?: SupervisorFailure
}

/** How a child went down without having been asked to; a problem is given with a failure, and only then. */
export interface ChildExit {
  readonly name: string
  readonly atMs: number
  readonly exit: "normal" | "failure"
  readonly problem?: string
}

/** What happens to a supervisor. */
export type SupervisorEvent =
  | { readonly type: "supervisor.start_requested"; readonly atMs: number }
  | { readonly type: "child.started"; readonly name: string; readonly atMs: number }
  | ({ readonly type: "child.exited" } & ChildExit)
  | { readonly type: "restart.due"; readonly name: string; readonly atMs: number }
  /** The answer to `stopChild`. */
  | { readonly type: "child.stopped"; readonly name: string; readonly atMs: number }
  | { readonly type: "supervisor.stop_requested"; readonly atMs: number }
