/**
 * One turn of a child session, run as a process: the host says what a session is, and this says when which step is due.
 *
 * ```
 * create ─► open the turn ─► run it ─► its value            interrupted anywhere after `create` ─► close
 *   └ process_session_create_failed  └ …_turn_scope_failed  └ …_turn_failed
 * ```
 * Invariant: a child session whose turn was interrupted, or lost its process, is closed before the process lets go of it.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import * as Output from "../../model/AwaitOutput.ts"
import { coreEventTypes, fixed } from "../../model/EventType.ts"
import type { InputInvalid } from "../../model/errors.ts"
import type { AboutProcess } from "../../model/failures.ts"
import { isAboutProcess } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import { ProcessId as ProcessIdSchema } from "../../model/ids.ts"
import { AnyJson, renamed, snapshot, whenAsked, withAdvice } from "../../model/json.ts"
import type { CausalRef } from "../../model/Provenance.ts"
import type { ProcessInput } from "../../model/Registration.ts"
import { Limits } from "../../operations/checks.ts"
import * as Arguments from "../arguments.ts"
import type { ExecutionContext } from "../body/ExecutionContext.ts"
import { keepingItsEnd } from "../body/interruption.ts"
import { TurnContext } from "../HostServices.ts"
import type { Body } from "./Engine.ts"
import { declaration } from "./Engine.ts"
import { encoderOf, outcomesOf } from "./outcomes.ts"
import type { EventDefinition } from "./Signal.ts"
import type { Startable } from "./Startable.ts"

/** The input of a process that runs one turn of a child session. */
export type SessionTurnInput = Extract<ProcessInput, { readonly _tag: "SessionTurn" }>

/** What one turn of a child session is asked to do. The three are the host's own JSON. */
export type TurnPayload = Pick<SessionTurnInput, "createRequest" | "turnInput" | "outputContract">

/** What turns of one sort declare. */
export interface TurnOptions {
  /** Whether a turn may run again after a crash. Required. */
  readonly disposition: "rerunnable" | "owner_bound"
  /** The events that the turn may append, and the signals that it waits for. @default none */
  readonly events?: ReadonlyArray<Pick<EventDefinition<never>, "type">>
}

/** A request for a child session. A process that runs again asks again under the same id: answer with the same session. */
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

/**
 * What a host supplies to run turns of child sessions. Whatever these fail with becomes the failure of the process, except
 * what says something about the process alone: a lost lease, a request to stop, a store that is out, a journal that does not
 * fit. Then the session is closed, and the process goes on as that of an engine would.
 */
export interface SessionRunner<R> {
  /** Creates the child session, or finds the one of an earlier activation; answers its id. */
  readonly create: (request: SessionRequest) => Effect.Effect<string, unknown, R>
  /** Makes the session ready for a turn; what the scope holds is let go when the turn has ended. */
  readonly openTurn: (sessionId: string, turnId: string) => Effect.Effect<void, unknown, R | Scope.Scope>
  /**
   * Runs the turn; its value is JSON.
   *
   * The context is that of the process: what is done through it is journaled, and a later activation does not do it again.
   */
  readonly runTurn: (request: TurnRequest, context: ExecutionContext) => Effect.Effect<unknown, unknown, R>
  /** Closes the session of a turn that was interrupted, or lost its process. A later activation may ask for it again. */
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

const taken = encoderOf(
  ["payload", "a session turn"],
  Schema.Struct({ createRequest: AnyJson, turnInput: AnyJson, outputContract: AnyJson })
) as (payload: TurnPayload) => Effect.Effect<TurnPayload, InputInvalid> // of the same fields, copied

/** Declares turns of child sessions. They run on a host that has a runner of sessions. */
export const make = (options: TurnOptions): Startable<TurnPayload, TurnOutcome, never> => {
  const known = { disposition: true, events: true } as const
  const { disposition, events = [] } = Arguments.options("options of a session turn", known, options)
  Arguments.oneOf("disposition of a session turn", disposition, ["rerunnable", "owner_bound"])
  Arguments.list<object>("events of a session turn", events, declaration)
  return {
    disposition,
    signals: [],
    ...(events.length === 0 ? {} : { eventTypes: fixed([...events.map(({ type }) => type), ...coreEventTypes]) }),
    hasEnvironment: false,
    inputOf: (payload) => Effect.map(taken(payload), (fields) => ({ input: { _tag: "SessionTurn", ...fields } })),
    ...outcomesOf<TurnOutcome, typeof TurnOutcome.Encoded, never, never>(TurnOutcome, undefined)
  }
}

/** The message of a turn that was cancelled without a reason. */
export const cancelledMessage = "background session turn was cancelled"

/** The body that runs a turn. */
export const bodyOf =
  <R>(runner: SessionRunner<R>, input: SessionTurnInput): Body<R> =>
  (context) =>
    keepingItsEnd(
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          const { processId } = context
          const request = {
            processId,
            createRequest: input.createRequest,
            causedBy: { _tag: "Process", processId } as const
          }
          const sessionId = yield* step("process_session_create_failed", restore(runner.create(request)))
          const close = Effect.catchAllCause(runner.close(sessionId), (cause) =>
            Effect.logWarning(`session ${sessionId} of ${processId} not closed`, cause)
          )
          // From here on there is a session, and neither an interruption nor the loss of the process must leave it open.
          const { hostServices, turn: around } = yield* context.surroundings
          const report = (kind: string, detail: unknown) =>
            hostServices.activity.emit({ sessionId, turnId: processId, kind, detail })
          const reported = Effect.zipRight(
            report("turn_started", { process_id: processId }),
            turn(runner, input, context, sessionId)
          )
          return yield* restore(reported).pipe(
            Effect.provideService(TurnContext, around),
            Effect.onExit((exit) => report("turn_ended", { process_id: processId, ended: exit._tag })),
            Effect.onError((cause) => Effect.unlessEffect(close, isOwnEnd(cause)))
          )
        })
      )
    ).pipe(Effect.catchTag("Stopped", ({ output }) => Effect.succeed(output)))

const turn = <R>(
  runner: SessionRunner<R>,
  { turnInput, outputContract }: SessionTurnInput,
  context: ExecutionContext,
  sessionId: string
): Effect.Effect<AwaitOutput, Stopped | AboutProcess, R> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { processId } = context
      yield* step("process_session_turn_scope_failed", runner.openTurn(sessionId, processId))
      const request = { sessionId, turnId: processId, turnInput, outputContract }
      const value = yield* step("process_session_turn_failed", runner.runTurn(request, context))
      const taken = snapshot(value, yield* Limits)
      if (Either.isLeft(taken)) {
        const problem = `the turn${taken.left.path} ${withAdvice(taken.left)}`
        return Output.failure("internal", "process_output_invalid", problem)
      }
      return Output.success(encodeOutcome({ processId, childSessionId: sessionId, turn: taken.right }))
    })
  )

/** Whether a turn that failed has failed by itself. One that is interrupted may fail as well, while it lets go. */
const isOwnEnd = (cause: Cause.Cause<Stopped | AboutProcess>): Effect.Effect<boolean> =>
  Effect.map(
    Effect.descriptor,
    ({ interruptors }) =>
      HashSet.size(interruptors) === 0 && Option.exists(Cause.failureOption(cause), ({ _tag }) => _tag === "Stopped")
  )

/** A step that failed, with the output that this means. */
interface Stopped {
  readonly _tag: "Stopped"
  readonly output: AwaitOutput
}

const step = <A, R>(code: string, effect: Effect.Effect<A, unknown, R>): Effect.Effect<A, Stopped | AboutProcess, R> =>
  effect.pipe(
    Effect.catchAllDefect(Effect.fail),
    Effect.mapError((error) =>
      isAboutProcess(error) ? error : { _tag: "Stopped", output: Output.thrown("execution", code, error) }
    )
  )

const encodeOutcome = whenAsked(() => Schema.encodeSync(TurnOutcome))
