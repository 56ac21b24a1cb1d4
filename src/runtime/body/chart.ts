/**
 * The body of a process whose body is a chart: it performs the actions that transitions asked for, in order, records each, and
 * leaves when there is none.
 *
 * Invariant: what has happened is recorded before the next action, and nothing interrupts between the two.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import type { PendingAction } from "../../../machines/chart/state.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import * as Output from "../../model/AwaitOutput.ts"
import type { LeaseLost } from "../../model/errors.ts"
import type { FailureRecord } from "../../model/Failure.ts"
import { describe } from "../../model/Failure.ts"
import type { RuntimeError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Activation, AtRest } from "./Activation.ts"
import { abortSignalOf, answered, fenced, heldAgain } from "./Activation.ts"
import { workScheduler } from "./fairScheduler.ts"
import { outcomeOf } from "./step.ts"

/** What an action of a chart works with. */
export interface ActionContext {
  readonly processId: ProcessId
  /** The same for each try of the same action of the same transition: for outside systems that take a request once. */
  readonly idempotencyKey: string
  /** Aborted when the process is asked to stop, or its host stops. */
  readonly abortSignal: AbortSignal
}

/** An action of a chart that is to be performed. */
export interface Performer<R> {
  readonly run: (
    action: PendingAction,
    context: Readonly<Record<string, unknown>>,
    work: ActionContext
  ) => Effect.Effect<unknown, unknown, R>
  readonly onFailure: "fail" | "event"
}

/** The actions of a chart, by name. */
export type Performers<R> = ReadonlyMap<string, Performer<R>>

/** Runs the actions of one activation. */
export type ChartBody<R> = (activation: Activation) => Effect.Effect<AwaitOutput | AtRest, RuntimeError, R>

/** Makes the body of a chart. */
export const performing =
  <R>(performers: Performers<R>): ChartBody<R> =>
  (activation) => {
    const { id, services } = activation
    const written = (action: PendingAction, failure?: FailureRecord) =>
      answered(
        activation,
        fenced(activation, (lease) =>
          services.activations.performed(lease, { ...action, ...(failure === undefined ? {} : { failure }) })
        )
      )

    const next: Effect.Effect<AwaitOutput | AtRest, RuntimeError, R> = Effect.suspend(() =>
      Effect.flatMap(answered(activation, services.readRow(id)), (row) => {
        const { chart, cancelRequest } = row?.snapshot.context ?? {}
        // Another host has begun it, or this one has to take its lease again: an action is performed under a lease.
        if (row !== undefined && row.lease.fencingToken !== activation.lease.fencingToken) {
          return Effect.zipRight(answered(activation, heldAgain(activation)), next)
        }
        const action = chart?.actions[0]
        // The worker interrupts it in a moment: nothing more is begun.
        if (cancelRequest !== undefined) return Effect.never
        // Where nothing is left to perform, the commit that took the last of it has ended a machine in a final state.
        if (chart === undefined || action === undefined) return Effect.succeed(atRest)
        return Effect.flatMap(perform(action, chart.context), (ended) =>
          ended === undefined ? next : Effect.succeed(ended)
        )
      })
    )

    /** Performs an action. Answers the output that the process ends with when it fails for good. */
    const perform = (
      action: PendingAction,
      context: Readonly<Record<string, unknown>>
    ): Effect.Effect<AwaitOutput | undefined, LeaseLost, R> => {
      const performer = performers.get(action.name)
      if (performer === undefined) {
        const problem = `the machine asked for the action \`${action.name}\`, which nothing here performs`
        return Effect.succeed(Output.failure("internal", "machine_action_missing", problem))
      }
      const work: ActionContext = {
        processId: id,
        idempotencyKey: `${id}:${action.revision}:${action.index}`,
        get abortSignal() {
          return abortSignalOf(activation)
        }
      }
      const seen = (action.context ?? context) as Readonly<Record<string, unknown>> // a context is a record
      return Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(
          outcomeOf(
            asWork,
            Effect.suspend(() => performer.run(action, seen, work)),
            { restore, onInterrupted: () => {} },
            undefined
          ),
          (exit): Effect.Effect<AwaitOutput | undefined, LeaseLost> => {
            if (Exit.isSuccess(exit)) return Effect.as(written(action), undefined)
            if (Cause.isInterruptedOnly(exit.cause)) return Effect.interrupt
            const thrown = Cause.squash(exit.cause)
            return performer.onFailure === "event"
              ? Effect.as(written(action, describe(thrown)), undefined)
              : Effect.succeed(Output.thrown("execution", codeOf(thrown), thrown))
          }
        )
      )
    }
    return next
  }

/** The work of a chart is no body's. */
const asWork = FiberRef.set(FiberRef.currentScheduler, workScheduler)

const atRest: AtRest = { _tag: "AtRest" }

const codeOf = (thrown: unknown): string =>
  typeof thrown === "object" && thrown !== null && "_tag" in thrown && typeof thrown._tag === "string"
    ? thrown._tag
    : "machine_action_failed"
