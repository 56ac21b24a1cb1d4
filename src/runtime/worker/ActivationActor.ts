/**
 * The actor of one activation: a fiber that interprets the run machine, and carries out what it and the lifecycle ask for.
 *
 * ```
 * running ─► completing ─► completed | deferred | zombie
 *   a cancel, a lost lease, a stopping host, an end elsewhere ─► the body is interrupted, and the machine knows why
 * ```
 * Invariant: the actor dispatches and never advances the process. The lifecycle advances inside the store's transaction; the
 * inbox carries hints about facts that are durable already. A defect of the actor itself never takes its body down: the
 * interpretation goes on where it was.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as BackOff from "../../../machines/backOff.ts"
import type { ProcessCommand } from "../../../machines/process/machine.ts"
import type { Disturbance, RunCommand } from "../../../machines/run.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import type { RuntimeError } from "../../model/failures.ts"
import type { Lease } from "../../model/Lease.ts"
import type { Activation, AtRest } from "../body/Activation.ts"
import { abort, advance, disturbanceOf, fenced } from "../body/Activation.ts"
import * as Interruption from "../body/interruption.ts"
import { underWayIn } from "../body/underWay.ts"
import { cancelledMessage } from "../engine/SessionTurn.ts"
import { whileUnavailable } from "../retry.ts"
import { conclude, logFailure } from "./conclusion.ts"

/** Hands a hint of the lifecycle to the actor of an activation. */
export const hint = ({ inbox, ends, row }: Activation, command: ProcessCommand): void => {
  switch (command.type) {
    // A request to stop has its place in the log: a body that runs again is interrupted where it was.
    case "interruptBody":
      ends.arrive({ _tag: "CancelRequested", sequence: row.sequence, position: 0 })
      break
    case "announceEnd":
      inbox.offer("process.ended")
      break
    // The worker checks the row.
    case "requestSweep":
      break
  }
}

/** How many defects of its own an actor survives. */
export const maxRestarts = 10

/** What an activation runs. */
type Body = Effect.Effect<AwaitOutput | AtRest, RuntimeError>

/** Runs an activation to its end. */
export const run = (activation: Activation, body: Body): Effect.Effect<void> =>
  Effect.catchAllCause(interpret(activation, body), (cause) => {
    if (Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
    return Effect.flatMap(Clock.currentTimeMillis, (atMs) => {
      const problem = Cause.pretty(cause)
      activation.restarts += 1
      activation.lastFailure = { atMs, problem }
      if (activation.restarts > maxRestarts) {
        return Effect.logError(`the actor of ${activation.id} gives up: its lease expires unrenewed`, cause)
      }
      return Effect.logError(`the actor of ${activation.id} met a defect and goes on`, cause).pipe(
        Effect.zipRight(Effect.sleep(BackOff.delayMs({ baseMs: 10, maxMs: 1_000 }, activation.restarts))),
        Effect.zipRight(Effect.suspend(() => run(activation, body)))
      )
    })
  })

const interpret = Effect.fnUntraced(function* (activation: Activation, body: Body) {
  const { pending, inbox } = activation
  let hasCancelled = false
  while (true) {
    for (let command = pending[0]; command !== undefined; command = pending[0]) {
      yield* perform(activation, body, command)
      pending.shift()
    }
    if (hasCancelled) activation.ends.cancelled()
    if (activation.run.status === "done") return
    const message = yield* inbox.take
    hasCancelled = message === "cancel.requested"
    if (message === "passivation.due" && !mayLeave(activation)) continue
    advance(activation, message)
  }
})

/** Whether an idle body leaves memory: one that is being stopped may wait while it cleans up. */
const mayLeave = (activation: Activation): boolean => {
  const { ends } = activation
  const disturbance = disturbanceOf(activation)
  // It was to leave, and there is a wait that its interruption has not reached, such as one in a fiber of its own.
  if (disturbance === "passivating") ends.resume()
  // Paused first: a wait that ends between this and the interruption must not let the body go on half way.
  return disturbance === "undisturbed" && ends.pause()
}

const perform = (activation: Activation, body: Body, command: RunCommand): Effect.Effect<void> => {
  switch (command.type) {
    case "runBody":
      return Effect.map(
        Effect.forkDaemon(Effect.onExit(body, (exit) => Effect.sync(() => exited(activation, exit)))),
        (fiber) => {
          activation.body = fiber
          fiber.addObserver((exit) => exited(activation, exit))
        }
      )
    case "interruptBody": {
      activation.awaited = activation.ends.awaited()
      // A second interruption finds what the first one has ended already.
      const left = underWayIn(activation)
      if (left.length > 0) activation.leftUnderWay = left
      activation.wasIdle = activation.ends.idleSinceMs() !== undefined
      abort(activation, command.params.cause)
      const { body: fiber } = activation
      if (fiber === undefined) return Effect.void
      return Effect.flatMap(Interruption.request(fiber, "at once"), (interruption) => {
        activation.interrupting = interruption
        return Effect.asVoid(Effect.forkDaemon(interruption.over))
      })
    }
    case "conclude": {
      const { cause } = command.params
      return Effect.map(write(activation, cause === "none" ? undefined : cause), (answer) =>
        advance(activation, answer)
      )
    }
  }
}

/** What the body left behind is interrupted, and its end does not wait for that. */
const exited = (activation: Activation, exit: Exit.Exit<AwaitOutput | AtRest, RuntimeError>): void => {
  if (activation.exit !== undefined) return
  activation.exit = exit
  activation.inbox.offer("body.exited")
}

/** Writes how the body ended; answers how the store took it. */
const write = Effect.fnUntraced(function* (activation: Activation, stop: Disturbance | undefined) {
  const { id, row, services, awaited, lease } = activation
  const { activations } = services
  const conclusion = conclude({
    processId: id,
    exit: activation.exit ?? Exit.die("the body left no exit"),
    stop,
    disposition: row.base.registration.disposition,
    // A body that was asked to stop before it began may end before it is interrupted.
    cancelReason:
      stop === "cancel"
        ? ((yield* cancelReasonOf(activation)) ?? "cancelled")
        : reasonOf(row.snapshot.context.cancelRequest),
    owner: row.snapshot.context.firstStarted?.owner ?? lease.owner,
    nowMs: yield* Clock.currentTimeMillis
  })
  switch (conclusion._tag) {
    case "Complete":
      return yield* Effect.tap(
        insist(activation, (held) => activations.complete(held, conclusion.output), "conclusion.written"),
        (answer) => (answer === "conclusion.written" ? logFailure(id, conclusion.output) : Effect.void)
      )
    case "HandBack": {
      // A body that may leave memory, and only waited when its host stopped, has left it: the next host need not run it to wait.
      const reason = activation.wasIdle && activation.passivateAfterMs !== undefined ? "passivated" : conclusion.reason
      return yield* insist(
        activation,
        (held) =>
          Effect.map(
            activations.suspend(held, reason, { ...awaited, underWay: activation.leftUnderWay ?? [] }),
            ({ dueAtMs }) => {
              // A wait that ended while the body left memory must not wait for a sweep.
              if (reason === "passivated" && dueAtMs !== null) services.recheck(id)
            }
          ),
        "conclusion.deferred"
      )
    }
    case "Diverged":
      yield* Effect.logError(`${id} backs off: ${conclusion.problem}`)
      return yield* insist(
        activation,
        (held) =>
          Effect.zipRight(
            activations.suspend(held, "handed_back"),
            activations.backOff(id, conclusion.problem, activation.failures)
          ),
        "conclusion.deferred"
      )
    case "Drop":
      // The end of a chart is in the commit that took its last event or action: nothing of it is lost.
      if (stop !== "superseded" || activation.journal !== undefined) {
        yield* Effect.logWarning(
          `${id} not written: ${stop === "superseded" ? "it ended elsewhere" : "its lease is lost"}`
        )
      }
      return "conclusion.refused"
  }
})

/** The reason in the log's cancel request; without one a session's turn has a text of its own. */
const cancelReasonOf = ({ id, row, services }: Activation): Effect.Effect<string | null> =>
  services.readRow(id).pipe(
    Effect.map(
      (now) =>
        now?.snapshot.context.cancelRequest?.reason ??
        (row.base.registration.input._tag === "SessionTurn" ? cancelledMessage : null)
    ),
    Effect.orElseSucceed(() => null)
  )

/** The reason of a request to stop, also of one that gives none; `null` without a request. */
const reasonOf = (request: { readonly reason: string | null } | undefined): string | null =>
  request === undefined ? null : (request.reason ?? "cancelled")

/** Writes a conclusion: tried until the store has written it or the lease is lost. */
const insist = <const Answer extends string, E extends { readonly _tag: string; readonly message: string }>(
  activation: Activation,
  attempt: (lease: Lease) => Effect.Effect<unknown, E>,
  answer: Answer
): Effect.Effect<Answer | "conclusion.refused"> =>
  Effect.matchEffect(
    whileUnavailable(fenced(activation, attempt), ({ message }) =>
      Effect.logWarning(`${activation.id} not written yet: ${message}`)
    ),
    {
      onSuccess: () => Effect.succeed(answer),
      onFailure: (error) =>
        Effect.as(Effect.logWarning(`${activation.id} not written: ${error.message}`), "conclusion.refused" as const)
    }
  )
