/**
 * What a body sees of the process it runs in.
 */
import type * as Effect from "effect/Effect"
import type { RuntimeError } from "../model/failures.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ClosePolicy } from "../model/Registration.ts"
import type { Engine } from "./Engine.ts"
import type { ProcessHandle } from "./ProcessHandle.ts"

/** How to start a child. */
export interface StartChildOptions<Payload> {
  /** Names the child within its parent: a body that runs again attaches to the child of the same name. */
  readonly name: string
  readonly payload: Payload
  /** The child's id. @default `{parent id}/{name}` */
  readonly id?: string
  /** What people know the child by. */
  readonly label?: string
  /** What the end of this process means for the child, and what being asked to stop does. @default "cancel" */
  readonly closePolicy?: ClosePolicy
}

/** What a body sees of the process it runs in. */
export interface ExecutionContext {
  readonly processId: ProcessId
  /** The number of this try; it rises only when the one before it left no fact behind. */
  readonly attempt: number
  /** The number of this activation; an effect on the outside world may use it as its fence. */
  readonly fencingToken: number

  /**
   * Starts a child, or attaches to it when this body started it in an earlier activation.
   *
   * While the body waits for a child, it lends its slot to others. Fails with `ParentClosing` once this process was asked to
   * stop, with `LeaseLost` when somebody else runs it by now, with `ProcessIdConflict` when the id stands for something else.
   */
  readonly startChild: <Payload, Success, Failure, R>(
    engine: Engine<Payload, Success, Failure, R>,
    options: StartChildOptions<Payload>
  ) => Effect.Effect<ProcessHandle<Success, Failure>, RuntimeError>
}
