/**
 * Progress of a step: what it says while it runs is shown to people, and handed to its next try if this one leaves no record.
 *
 * Invariant: it is no part of the journal: a body that runs again never sees it, only the step does. It is written at most once a
 * second, the last word always. A report that may be written at once is written before the step goes on; those that follow
 * within the second do not hold it up.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { InputInvalid } from "../../model/errors.ts"
import { InputInvalid as Invalid } from "../../model/errors.ts"
import { snapshot, withAdvice } from "../../model/json.ts"
import type { Activation } from "./Activation.ts"
import { fenced } from "./Activation.ts"
import type { Journal } from "./Journal.ts"
import { sessionIdOf } from "./Surroundings.ts"

/** The progress of one step. */
export interface StepProgress {
  /** The last that the step said before, in a try that left no record; `undefined` when it said nothing. */
  readonly last: unknown
  /** Says how far the step is. The detail must be JSON; fails with `InputInvalid` otherwise. */
  readonly report: (detail: unknown) => Effect.Effect<void, InputInvalid>
}

/** The shortest time between two writes of one step. Units: milliseconds. */
const pauseMs = 1_000

/** Runs a step with its progress. Reports are written beside it; what is left at its end is written then. */
export const withProgress = <A, E, R>(
  activation: Activation,
  journal: Journal,
  step: { readonly key: string; readonly name: string },
  run: (progress: StepProgress) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const { writes, clock, fork, hostServices } = activation.services
  const key = journal.branched(step.key)
  let pending: { readonly detail: unknown } | undefined
  let writtenAtMs = Number.NEGATIVE_INFINITY
  let isScheduled = false
  let isOver = false
  /** A report that cannot be written is lost: the next one comes, and the record does not depend on it. */
  const write = Effect.suspend(() => {
    if (pending === undefined) return Effect.void
    const { detail } = pending
    pending = undefined
    writtenAtMs = clock.unsafeCurrentTimeMillis()
    return Effect.ignore(fenced(activation, (lease) => writes.keepProgress(lease, key, detail)))
  })
  const writeLater = (): void => {
    if (isScheduled) return
    isScheduled = true
    const later = Effect.suspend(() => {
      isScheduled = false
      return isOver ? Effect.void : write
    })
    // Beside the step: an interruption of a step that cannot be interrupted would take a fiber of the step's for its work.
    fork(Effect.withClock(Effect.zipRight(Effect.sleep(pauseMs), later), clock))
  }
  const shown = (detail: unknown) =>
    hostServices.activity.emit({
      sessionId: sessionIdOf(activation.row.base.registration),
      kind: "step_progress",
      detail: { processId: activation.id, step: step.name, progress: detail }
    })
  const report: StepProgress["report"] = (detail) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
      Either.match(snapshot(detail, activation.services.limits), {
        onLeft: (found) =>
          Effect.fail(
            new Invalid({ field: `progress of step \`${step.name}\`${found.path}`, problem: withAdvice(found) })
          ),
        onRight: (copy) => {
          journal.progress.set(key, copy)
          pending = { detail: copy }
          return Effect.zipRight(shown(copy), nowMs - writtenAtMs >= pauseMs ? write : Effect.sync(writeLater))
        }
      })
    )
  return Effect.zipRight(
    journal.readProgress,
    Effect.suspend(() => {
      isOver = false
      return run({ last: journal.progress.get(key), report })
    })
  ).pipe(
    Effect.onExit((exit) => {
      isOver = true
      return exit._tag === "Success" ? Effect.void : write
    })
  )
}
