/**
 * The owner: the life cycle of this worker's identity, from the first process it runs to the last one it gives up.
 *
 * ```
 * accepting ─► interrupting ─► draining ─► stopped
 * ```
 * Invariant: a stopping owner first interrupts its bodies, which hands rerunnable work back, and only then gives up the
 * owner-bound work without a holder; both within a deadline.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { OwnerCommand, OwnerEvent } from "../../machines/owner.ts"
import { ownerMachine } from "../../machines/owner.ts"
import * as Step from "../../machines/xstate/step.ts"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { LeaseOwner } from "../model/Lease.ts"
import { Activations } from "../operations/Activations.ts"
import { RuntimeConfig } from "../runtime/RuntimeConfig.ts"
import { Worker } from "../runtime/worker/Worker.ts"
import type { TreeNode } from "./Supervisor.ts"

/** What a drain gave up, in the order in which it did. Only confirmed writes are reported. */
export interface DrainReport {
  readonly abandoned: ReadonlyArray<ProcessId>
}

/** The owner of what runs here. */
export class Owner extends Context.Tag("holdfast/supervision/Owner")<
  Owner,
  {
    readonly identity: LeaseOwner
    /** The state of its machine. */
    readonly state: () => "accepting" | "interrupting" | "draining" | "stopped"
    /** The running processes, as nodes of the tree. */
    readonly processes: () => ReadonlyArray<TreeNode>
    /**
     * Gives up owner-bound work that this owner began and that has no holder: for operators, and the last step of a stop.
     *
     * Work that is held, rerunnable, never begun, or another owner's stays as it is.
     */
    readonly drainOwnerBoundWork: Effect.Effect<DrainReport, StoreError>
    /** Runs until it is interrupted, and then stops as the machine says; for the supervision tree to run. */
    readonly run: Effect.Effect<void>
  }
>() {}

/** The owner that the worker in context is. */
export const layer: Layer.Layer<Owner, never, Worker | Activations | RuntimeConfig> = Layer.effect(
  Owner,
  Effect.gen(function* () {
    const { owner: identity, running, claimant } = yield* Worker
    const activations = yield* Activations
    const { shutdownMs } = yield* RuntimeConfig
    let snapshot = Step.begin(ownerMachine, undefined).snapshot

    const drainOwnerBoundWork = Effect.gen(function* () {
      const abandoned: Array<ProcessId> = []
      for (const id of running.ownerBound()) {
        const row = yield* activations.drain(id, { owner: identity, claimant: claimant("drain") })
        if (row !== undefined) abandoned.push(id)
      }
      if (abandoned.length > 0) yield* Effect.logWarning(`owner-bound work given up: ${abandoned.join(", ")}`)
      return { abandoned }
    })

    /** Answers `done`, or that the deadline passed. */
    const inTime = (effect: Effect.Effect<unknown>, done: OwnerEvent["type"]): Effect.Effect<OwnerEvent> =>
      Effect.timeoutTo(Effect.interruptible(effect), {
        duration: shutdownMs,
        onSuccess: () => ({ type: done }),
        onTimeout: () => ({ type: "deadline.passed" as const })
      })

    const perform = (command: OwnerCommand): Effect.Effect<OwnerEvent | undefined> => {
      switch (command.type) {
        case "interruptBodies":
          return Effect.zipRight(running.interruptAll, inTime(running.empty, "bodies.let_go"))
        case "drainOwnerBoundWork":
          return inTime(
            Effect.catchAllCause(drainOwnerBoundWork, (cause) =>
              Effect.logWarning("owner-bound work not given up, a sweep of another host will", cause)
            ),
            "drain.finished"
          )
        case "announceStopped":
          return command.params.inTime
            ? Effect.succeed(undefined)
            : Effect.as(
                Effect.logWarning(
                  `${processCount(running.all().length)} did not stop within ${shutdownMs} ms: their leases will expire`
                ),
                undefined
              )
      }
    }

    const stop = Effect.gen(function* () {
      let event: OwnerEvent | undefined = { type: "owner.stop_requested" }
      while (event !== undefined) {
        const step: Step.Step<typeof snapshot, OwnerCommand> = Step.advance(ownerMachine, snapshot, event)
        snapshot = step.snapshot
        event = undefined
        for (const command of step.commands) event = (yield* perform(command)) ?? event
      }
    })

    const accept = Effect.suspend(() => {
      snapshot = Step.begin(ownerMachine, undefined).snapshot
      return running.accept
    })

    return Owner.of({
      identity,
      state: () => snapshot.value as "accepting" | "interrupting" | "draining" | "stopped", // the machine's states
      processes: () =>
        running.all().map((actor) => ({
          name: actor.id,
          kind: "process",
          state: typeof actor.run.value === "string" ? actor.run.value : (Object.keys(actor.run.value)[0] ?? ""),
          restarts: actor.restarts,
          ...(actor.lastFailure === undefined ? {} : { lastFailure: actor.lastFailure }),
          note: `attempt ${actor.row.snapshot.context.attempts}, fence ${actor.lease.fencingToken}`,
          children: []
        })),
      drainOwnerBoundWork,
      // The stop runs uninterruptibly: the fiber that asks for it has been interrupted itself.
      run: Effect.uninterruptibleMask((restore) =>
        accept.pipe(
          Effect.zipRight(Effect.exit(restore(Effect.never))),
          Effect.zipRight(Effect.flatMap(Effect.fork(Effect.interruptible(stop)), (fiber) => fiber.await)),
          Effect.asVoid
        )
      )
    })
  })
)

const processCount = (count: number): string => (count === 1 ? "1 process" : `${count} processes`)
