/**
 * The actor of one activation: a fiber that interprets the run machine, and carries out what it and the lifecycle ask for.
 *
 * ```
 * running ─► completing ─► completed | deferred | zombie
 *   a cancel, a lost lease, a stopping host, an end elsewhere ─► the body is interrupted, and the machine knows why
 * ```
 * Invariant: the actor dispatches and never advances the process. The lifecycle advances inside the store's transaction; what
 * reaches the inbox are hints about facts that are durable already. A defect of the actor itself never takes its body down:
 * the interpretation goes on where it was.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { SnapshotFrom } from "xstate"
import * as BackOff from "../../../machines/backOff.ts"
import type { ProcessCommand } from "../../../machines/process/machine.ts"
import type { RunCommand, RunEvent } from "../../../machines/run.ts"
import { runMachine } from "../../../machines/run.ts"
import * as Step from "../../../machines/xstate/step.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import type { LeaseLost, StoreError } from "../../model/errors.ts"
import type { RuntimeError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Lease } from "../../model/Lease.ts"
import type { Activations } from "../../operations/Activations.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import type { Parking } from "../body/PendingWaits.ts"
import * as Parkings from "../body/PendingWaits.ts"
import { insisting } from "../retry.ts"
import type { StopCause } from "./conclusion.ts"
import { conclude } from "./conclusion.ts"
import type { Inbox } from "./Inbox.ts"
import * as Inboxes from "./Inbox.ts"

/** An activation in progress. The lease is replaced when it is renewed. */
export interface ProcessActor {
  readonly id: ProcessId
  readonly row: ProcessRow
  readonly inbox: Inbox<RunEvent["type"]>
  lease: Lease
  /** Where the run machine stands. */
  run: SnapshotFrom<typeof runMachine>
  /** Commands that are still to be carried out; one that met a defect is tried again. */
  readonly pending: Array<RunCommand>
  /** The body's waits, and whether it does anything else. */
  readonly parking: Parking
  readonly passivateAfterMs?: number
  /** What the body says it is doing. */
  phase?: string | undefined
  /** The waits that were parked when the body was interrupted. */
  parked: ReadonlyArray<string>
  body?: Fiber.RuntimeFiber<AwaitOutput, RuntimeError>
  /** How the body ended; what is left is to write it. */
  exit?: Exit.Exit<AwaitOutput, RuntimeError>
  /** How often the interpretation met a defect and went on. */
  restarts: number
  lastFailure?: { readonly atMs: number; readonly problem: string }
}

const steps = Step.tabulate(runMachine, undefined)

/** Makes the actor of an activation that the store has just begun. */
export const make = (
  row: ProcessRow,
  lease: Lease,
  clock: Clock.Clock,
  passivateAfterMs: number | undefined
): ProcessActor => {
  return {
    id: lease.processId,
    row,
    lease,
    inbox: Inboxes.make<RunEvent["type"]>(),
    run: steps.initial.snapshot,
    pending: [...steps.initial.commands],
    parking: Parkings.make(() => clock.unsafeCurrentTimeMillis()),
    ...(passivateAfterMs === undefined ? {} : { passivateAfterMs }),
    parked: [],
    restarts: 0
  }
}

/** Hands a hint of the lifecycle to the actor. */
export const hint = (actor: ProcessActor, command: ProcessCommand): void => {
  switch (command.type) {
    case "interruptBody":
      actor.inbox.offer("cancel.requested")
      break
    case "announceEnd":
      actor.inbox.offer("process.ended")
      break
    // The worker looks at the row.
    case "requestSweep":
      break
  }
}

/** How the actor writes and what it runs. */
export interface ActorSupport {
  readonly body: Effect.Effect<AwaitOutput, RuntimeError>
  readonly activations: typeof Activations.Service
  /** Looks at the row again soon. */
  readonly lookAgain: () => void
  /** Takes the actor's lease again after it expired; fails when somebody held the process in between. */
  readonly retake: Effect.Effect<void, LeaseLost | StoreError>
  /** The reason in the log's cancel request, read when it matters. */
  readonly cancelReason: Effect.Effect<string | null>
}

/** How many defects of its own an actor survives. */
export const maxRestarts = 10

/** Runs an activation to its end. */
export const run = (actor: ProcessActor, support: ActorSupport): Effect.Effect<void> =>
  Effect.catchAllCause(interpret(actor, support), (cause) => {
    if (Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
    return Effect.flatMap(Clock.currentTimeMillis, (atMs) => {
      const problem = Cause.pretty(cause)
      actor.restarts += 1
      actor.lastFailure = { atMs, problem }
      if (actor.restarts > maxRestarts) {
        return Effect.logError(`the actor of ${actor.id} gives up: its lease is left to run out`, cause)
      }
      return Effect.logError(`the actor of ${actor.id} met a defect and goes on`, cause).pipe(
        Effect.zipRight(Effect.sleep(BackOff.delayMs({ baseMs: 10, maxMs: 1_000 }, actor.restarts))),
        Effect.zipRight(Effect.suspend(() => run(actor, support)))
      )
    })
  })

const interpret = Effect.fnUntraced(function* (actor: ProcessActor, support: ActorSupport) {
  while (true) {
    for (let command = actor.pending[0]; command !== undefined; command = actor.pending[0]) {
      yield* perform(actor, support, command)
      actor.pending.shift()
    }
    if (actor.run.status === "done") return
    const message = yield* actor.inbox.take
    if (message === "passivation.due" && !mayLeave(actor)) continue
    advance(actor, message)
  }
})

/** Whether a body that is quiet leaves memory: one that is being stopped may wait while it cleans up. */
const mayLeave = (actor: ProcessActor): boolean => {
  const { parking } = actor
  const disturbance = disturbanceOf(actor)
  // It was to leave, and there is a wait that its interruption has not reached, such as one in a fiber of its own.
  if (disturbance === "passivating") parking.thaw()
  // Frozen first: a wait that ends between this and the interruption must not let the body go on half way.
  return disturbance === "undisturbed" && parking.freeze()
}

/** Where a body stands: it may go on, or is leaving so that its next activation goes on, or is over. */
export const standing = (actor: ProcessActor): "open" | "leaving" | "over" => {
  if (actor.exit !== undefined) return "over"
  const disturbance = disturbanceOf(actor)
  // Work that may not run again is given up when its host stops: then this is its last word.
  const { disposition } = actor.row.base.registration
  const isLeaving = disturbance === "passivating" || (disturbance === "stopping" && disposition === "rerunnable")
  return isLeaving ? "leaving" : "open"
}

const disturbanceOf = ({ run: { value } }: ProcessActor) =>
  typeof value === "object" && "running" in value ? value.running : undefined

const advance = (actor: ProcessActor, type: RunEvent["type"]): void => {
  const step = steps.advance(actor.run, type)
  actor.run = step.snapshot
  actor.pending.push(...step.commands)
}

const perform = (actor: ProcessActor, support: ActorSupport, command: RunCommand): Effect.Effect<void> => {
  switch (command.type) {
    case "runBody":
      return Effect.map(Effect.fork(support.body), (fiber) => {
        actor.body = fiber
        fiber.addObserver((exit) => {
          actor.exit = exit
          actor.inbox.offer("body.exited")
        })
      })
    case "interruptBody":
      actor.parked = actor.parking.parked()
      return actor.body === undefined ? Effect.void : Fiber.interruptFork(actor.body)
    case "conclude": {
      const { cause } = command.params
      return Effect.map(write(actor, support, cause === "none" ? undefined : cause), (answer) => advance(actor, answer))
    }
  }
}

/** Writes how the body ended; answers what the store said to it. */
const write = Effect.fnUntraced(function* (actor: ProcessActor, support: ActorSupport, stop: StopCause | undefined) {
  const { base, snapshot } = actor.row
  const { activations, cancelReason } = support
  const { parked } = actor
  const conclusion = conclude({
    processId: actor.id,
    exit: actor.exit ?? Exit.die("the body left no exit"),
    stop,
    disposition: base.registration.disposition,
    cancelReason: stop === "cancel" ? yield* cancelReason : null,
    owner: snapshot.context.firstStarted?.owner ?? actor.lease.owner,
    nowMs: yield* Clock.currentTimeMillis
  })
  switch (conclusion._tag) {
    case "Complete":
      return yield* insist(
        actor,
        support,
        () => activations.complete(actor.lease, conclusion.output),
        "conclusion.written"
      )
    case "HandBack":
      return yield* insist(
        actor,
        support,
        () =>
          Effect.map(activations.suspend(actor.lease, conclusion.reason, parked), (row) => {
            // What ended while the body was put away must not wait for a sweep.
            if (conclusion.reason === "passivated" && row.dueAtMs !== null) support.lookAgain()
          }),
        "conclusion.deferred"
      )
    case "Diverged":
      yield* Effect.logError(`${actor.id} rests: ${conclusion.problem}`)
      return yield* insist(
        actor,
        support,
        () =>
          Effect.zipRight(
            activations.suspend(actor.lease, "handed_back"),
            activations.backOff(actor.id, conclusion.problem)
          ),
        "conclusion.deferred"
      )
    case "Drop":
      yield* Effect.logWarning(
        `${actor.id} not written: ${stop === "superseded" ? "it ended elsewhere" : "its lease is lost"}`
      )
      return "conclusion.refused"
  }
})

interface WriteError {
  readonly _tag: string
  readonly message: string
}

/**
 * A store that is out for a while loses nothing: the conclusion is tried until it is written or the lease is gone. A lease
 * that only expired meanwhile is taken again.
 */
const insist = <const Answer extends string>(
  actor: ProcessActor,
  { retake }: ActorSupport,
  attempt: () => Effect.Effect<unknown, WriteError>,
  answer: Answer
): Effect.Effect<Answer | "conclusion.refused"> => {
  const fenced = Effect.catchIf(
    Effect.suspend(attempt),
    (error) => error._tag === "LeaseLost",
    () => Effect.zipRight(retake, Effect.suspend(attempt))
  )
  const written = insisting(fenced, (outage) => Effect.logWarning(`${actor.id} not written yet: ${outage.message}`))
  return Effect.matchEffect(written, {
    onSuccess: () => Effect.succeed(answer),
    onFailure: (error) =>
      Effect.as(Effect.logWarning(`${actor.id} not written: ${error.message}`), "conclusion.refused" as const)
  })
}
