/**
 * One turn of a child session, run as a process: the host says what a session is, and this says when which step is due.
 *
 * ```
 * create ─► open the turn ─► run it ─► its value            interrupted anywhere after `create` ─► close
 *   └ process_session_create_failed  └ …_turn_scope_failed  └ …_turn_failed
 * ```
 * Invariant: a child session whose turn was interrupted is closed before the process lets go of it.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import * as Output from "../model/AwaitOutput.ts"
import { jsonProblem } from "../model/canonical.ts"
import type { ProcessId } from "../model/ids.ts"
import { ProcessId as ProcessIdSchema } from "../model/ids.ts"
import { AnyJson, renamed } from "../model/json.ts"
import type { ProcessInput } from "../model/ProcessInput.ts"
import type { CausalRef } from "../model/Provenance.ts"
import type { Body } from "./Engine.ts"
import { messageOf } from "./outputs.ts"

/** The input of a process that runs one turn of a child session. */
export type SessionTurnInput = Extract<ProcessInput, { readonly _tag: "SessionTurn" }>

/** A wish for a child session. A process that runs again asks again under the same id: answer with the same session. */
export interface SessionRequest {
  readonly processId: ProcessId
  readonly createRequest: unknown
  readonly causedBy: CausalRef
}

/** One turn of a child session. */
export interface TurnRequest {
  readonly sessionId: string
  readonly turnId: string
  readonly turnInput: unknown
  readonly outputContract: unknown
}

/** What a host supplies to run turns of child sessions. Whatever these fail with becomes the failure of the process. */
export interface SessionRunner<R> {
  /** Creates the child session, or finds the one of an earlier activation; answers its id. */
  readonly create: (request: SessionRequest) => Effect.Effect<string, unknown, R>
  /** Makes the session ready for a turn; what the scope holds is let go when the turn has ended. */
  readonly openTurn: (sessionId: string, turnId: string) => Effect.Effect<void, unknown, R | Scope.Scope>
  /** Runs the turn; its value is JSON. */
  readonly runTurn: (request: TurnRequest) => Effect.Effect<unknown, unknown, R>
  /** Closes the session of a turn that was interrupted. */
  readonly close: (sessionId: string) => Effect.Effect<void, unknown, R>
}

/** What a session's turn ends with: `{"process_id", "child_session_id", "turn"}` on the wire. */
export const TurnOutcome = Schema.Struct({
  processId: renamed("process_id", ProcessIdSchema),
  childSessionId: renamed("child_session_id", Schema.String),
  turn: AnyJson
})
/** What a session's turn ends with. */
export type TurnOutcome = typeof TurnOutcome.Type

/** What a cancelled turn says when nobody gave a reason. */
export const cancelledMessage = "background session turn was cancelled"

/** The body that runs a turn. */
export const bodyOf =
  <R>(runner: SessionRunner<R>, input: SessionTurnInput): Body<R> =>
  ({ processId }) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const request = {
          processId,
          createRequest: input.createRequest,
          causedBy: { _tag: "Process", processId } as const
        }
        const sessionId = yield* step("process_session_create_failed", restore(runner.create(request)))
        // From here on there is a session, and an interruption must not leave it open.
        return yield* restore(turn(runner, input, processId, sessionId)).pipe(
          Effect.onInterrupt(() =>
            Effect.catchAllCause(runner.close(sessionId), (cause) =>
              Effect.logWarning(`session ${sessionId} of ${processId} not closed`, cause)
            )
          )
        )
      })
    ).pipe(Effect.catchAll((stopped) => Effect.succeed(stopped.output)))

const turn = <R>(
  runner: SessionRunner<R>,
  { turnInput, outputContract }: SessionTurnInput,
  processId: ProcessId,
  sessionId: string
): Effect.Effect<AwaitOutput, Stopped, R> =>
  Effect.scoped(
    Effect.gen(function* () {
      yield* step("process_session_turn_scope_failed", runner.openTurn(sessionId, processId))
      const request = { sessionId, turnId: processId, turnInput, outputContract }
      const value = yield* step("process_session_turn_failed", runner.runTurn(request))
      const answer = value === undefined ? null : value
      const problem = jsonProblem(answer)
      if (problem !== undefined) {
        return Output.failure("internal", "process_output_invalid", `the turn at ${problem.path} ${problem.problem}`)
      }
      return Output.success(encodeOutcome({ processId, childSessionId: sessionId, turn: answer }))
    })
  )

/** A step that failed, with the output that this means. */
interface Stopped {
  readonly output: AwaitOutput
}

const step = <A, R>(code: string, effect: Effect.Effect<A, unknown, R>): Effect.Effect<A, Stopped, R> =>
  effect.pipe(
    Effect.catchAllDefect(Effect.fail),
    Effect.mapError((error) => ({ output: Output.failure("execution", code, messageOf(error)) }))
  )

const encodeOutcome = Schema.encodeSync(TurnOutcome)
