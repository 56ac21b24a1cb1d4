/**
 * The activations that run on one worker, each with its actor's fiber.
 *
 * Invariant: an activation is listed from the commit that began it until its conclusion was written or refused.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as FiberSet from "effect/FiberSet"
import * as HashMap from "effect/HashMap"
import type * as Scope from "effect/Scope"
import { resume } from "../../../machines/process/lifecycle.ts"
import type { ProcessCommand } from "../../../machines/process/machine.ts"
import { sameIncarnation } from "../../../machines/recovery.ts"
import type { StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Lease } from "../../model/Lease.ts"
import type { Change, ProcessRow } from "../../store/Decision.ts"
import type { Activation, Services } from "../body/Activation.ts"
import * as Activations from "../body/Activation.ts"
import * as Contexts from "../body/ExecutionContext.ts"
import { atRoot } from "../body/Journal.ts"
import * as Lineage from "../body/lineage.ts"
import type { Ready } from "../engine/EngineRegistry.ts"
import * as Actors from "./ActivationActor.ts"
import * as Slots from "./Slots.ts"

/** The activations that run here. */
export interface RunningActivations {
  /** Runs an activation that has begun, on a slot that was taken from `slots`; the slot is released when it has ended. */
  readonly launch: (
    row: ProcessRow,
    lease: Lease,
    body: Ready,
    slots: Slots.Slots,
    commands: ReadonlyArray<ProcessCommand>,
    /** How often in a row it could not go on before. @default never */
    failures?: number
  ) => Effect.Effect<void>
  readonly has: (id: ProcessId) => boolean
  readonly of: (id: ProcessId) => Activation | undefined
  /** Tells the body of a process, if it runs here, what a commit did to it. */
  readonly observe: (change: Change) => void
  readonly all: () => ReadonlyArray<Activation>
  /** Hands a hint of a commit to the actor it is for; `false` when none runs here. */
  readonly hint: (id: ProcessId, command: ProcessCommand) => boolean
  /** Another OS process changed this row: its actor, if it runs here, gets the hints that the snapshot calls for. */
  readonly remind: (id: ProcessId) => Effect.Effect<void, StoreError>
  /** Runs work that belongs to this worker beside its activations. */
  readonly fork: (work: Effect.Effect<void>) => Effect.Effect<void>
  /** Asks every activation to end, also those that are just being launched. */
  readonly interruptAll: Effect.Effect<void>
  /** Launches without asking activations to end again. */
  readonly accept: Effect.Effect<void>
  readonly stopping: () => boolean
  /**
   * Passivates every body that has been idle for as long as its engine allows.
   *
   * Answers when the next one may be due, as things are; `undefined` when none ever will. Units: epoch milliseconds.
   */
  readonly passivate: (nowMs: number) => number | undefined
  /** For how long a body that runs here may be idle. Units: milliseconds. */
  readonly passivateAfterMs: (id: ProcessId) => number | undefined
  /** Waits until no activation runs here any more. */
  readonly empty: Effect.Effect<void>
}

/** Makes an empty set of activations. When its scope closes, what still runs is interrupted. */
export const make = (given: Omit<Services, "fork">): Effect.Effect<RunningActivations, never, Scope.Scope> =>
  Effect.gen(function* () {
    const running = new Map<ProcessId, Activation>()
    const fibers = yield* FiberSet.make()
    // What an activation leaves to be done later is nothing that a host which stops waits for.
    const runBeside = yield* FiberSet.makeRuntime()
    const services: Services = { ...given, fork: (work) => void runBeside(work) }
    let stopping = false

    const launch: RunningActivations["launch"] = (row, lease, body, slots, commands, failures = 0) =>
      Effect.suspend(() => {
        const held = Slots.hold(slots)
        const activation = Activations.make(row, lease, services, held, body.passivateAfterMs, failures)
        const { id, inbox, slot } = activation
        // An activation of this process that still runs here was fenced by the one that begins now.
        running.get(id)?.inbox.offer("lease.lost")
        running.set(id, activation)
        const { chart } = body
        const { settled, clock } = chart === undefined ? throughJournal(activation, body) : atOnce(activation, chart)
        const execution = Actors.run(activation, settled).pipe(
          // It is forked where a start must not be torn; it may itself be interrupted, and so may its body.
          Effect.interruptible,
          Effect.onExit((exit) =>
            Effect.sync(() => {
              // A body that cannot be interrupted is left behind: it may write nothing once its lease has expired.
              if (Exit.isInterrupted(exit)) activation.body?.unsafeInterruptAsFork(FiberId.none)
              if (running.get(id) === activation) running.delete(id)
              slot.release()
            })
          )
        )
        // What the log says of an earlier activation is read from there.
        const isFirst = row.snapshot.context.activations <= 1 || chart !== undefined
        for (const command of isFirst ? [...resume(row.snapshot), ...commands] : commands) {
          if (isFirst || command.type !== "interruptBody") Actors.hint(activation, command)
        }
        if (stopping) inbox.offer("host.stopping")
        // The fiber is the activation's own: its annotations need never be taken back.
        const annotated = Effect.updateFiberRefs((fiber, refs) => {
          const annotations = FiberRefs.getOrDefault(refs, FiberRef.currentLogAnnotations).pipe(
            HashMap.set<string, unknown>("process", id),
            HashMap.set<string, unknown>("attempt", row.snapshot.context.attempts)
          )
          const defaults = FiberRefs.getOrDefault(refs, DefaultServices.currentServices)
          const supervisor = Lineage.supervisedBy(FiberRefs.getOrDefault(refs, FiberRef.currentSupervisor))
          return FiberRefs.updateManyAs(atRoot(fiber, refs), {
            entries: [
              [FiberRef.currentScheduler, [[fiber, activation.scheduler]]],
              [FiberRef.currentSupervisor, [[fiber, supervisor]]],
              [DefaultServices.currentServices, [[fiber, Context.add(defaults, Clock.Clock, clock)]]],
              [FiberRef.currentLogAnnotations, [[fiber, annotations]]]
            ]
          })
        })
        return Effect.asVoid(FiberSet.run(fibers, Effect.zipRight(annotated, execution)))
      })

    return {
      launch,
      has: (id) => running.has(id),
      of: (id) => running.get(id),
      observe: (change) => running.get(change.row.base.registration.id)?.journal?.observe(change),
      all: () => [...running.values()],
      hint: (id, command) => {
        const activation = running.get(id)
        if (activation === undefined) return false
        // Its slot is free as soon as its end is written, before callers that await the end go on.
        if (activation.exit !== undefined) activation.slot.release()
        else tell(activation, command)
        return true
      },
      remind: Effect.fnUntraced(function* (id) {
        const activation = running.get(id)
        const row = activation && (yield* services.readRow(id))
        if (activation === undefined || row === undefined) return
        yield* activation.journal?.refresh(row) ?? Effect.void
        for (const command of resume(row.snapshot)) tell(activation, command)
        // An expired lease that is still free is the lease renewer's to re-acquire; its answer may be on its way.
        if (row.snapshot.status === "active" && !isHeldBy(row, activation)) activation.inbox.offer("lease.lost")
      }),
      fork: (work) => Effect.asVoid(FiberSet.run(fibers, work)),
      interruptAll: Effect.sync(() => {
        stopping = true
        for (const { inbox } of running.values()) inbox.offer("host.stopping")
      }),
      accept: Effect.sync(() => {
        stopping = false
      }),
      stopping: () => stopping,
      passivate: (nowMs) => {
        let next: number | undefined
        for (const { ends, passivateAfterMs, inbox } of running.values()) {
          const since = passivateAfterMs === undefined ? undefined : ends.idleSinceMs()
          if (since === undefined || passivateAfterMs === undefined) continue
          const dueMs = since + passivateAfterMs
          if (dueMs <= nowMs) inbox.offer("passivation.due")
          else next = Math.min(next ?? dueMs, dueMs)
        }
        return next
      },
      passivateAfterMs: (id) => running.get(id)?.passivateAfterMs,
      empty: FiberSet.awaitEmpty(fibers)
    }
  })

/** Runs a body of code. Its end counts only if it asked for everything that its journal knows of. */
const throughJournal = (activation: Activation, { run }: Ready) => {
  const { context, settle, load, journal, clock } = Contexts.make(activation)
  activation.journal = journal
  const ran = Effect.tap(
    Effect.suspend(() => run(context)),
    () => settle
  )
  return { settled: Effect.zipRight(load, ran), clock }
}

/** Runs the actions of a chart, which has no journal: what was performed is in its log. */
const atOnce = (activation: Activation, chart: NonNullable<Ready["chart"]>) => ({
  settled: Effect.suspend(() => {
    activation.ends.begin([])
    return chart(activation)
  }),
  clock: activation.services.clock
})

/** Whether a row has a lease of this activation, also one that it does not know of yet. */
const isHeldBy = ({ lease: { held } }: ProcessRow, { lease }: Activation): boolean =>
  held !== undefined && sameIncarnation(held.owner, lease.owner)

/** The journal tells of a request to stop in its place in the log; a hint would come before what the body learns first. */
const tell = (activation: Activation, command: ProcessCommand): void => {
  if (activation.journal === undefined || command.type !== "interruptBody") Actors.hint(activation, command)
}
