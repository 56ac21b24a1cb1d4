/**
 * The owner: the life cycle of this worker's identity, from the first process it runs to the last one it gives up.
 *
 * ```
 * accepting ─► interrupting ─► draining ─► stopped
 * ```
 * Invariant: a stopping owner first interrupts its bodies, which hands rerunnable work back, and only then gives up the
 * owner-bound work without a holder; both within a deadline. What still runs then is named, and its rerunnable rows are handed
 * over: what the body does from there on is refused.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type { OwnerCommand, OwnerEvent } from "../../machines/owner.ts"
import { ownerMachine } from "../../machines/owner.ts"
import * as Step from "../../machines/xstate/step.ts"
import type { StoreError } from "../model/errors.ts"
import { messageOf } from "../model/Failure.ts"
import type { ProcessId } from "../model/ids.ts"
import { jsonEquals } from "../model/json.ts"
import type { LeaseOwner } from "../model/Lease.ts"
import { Activations } from "../operations/Activations.ts"
import type { Activation } from "../runtime/body/Activation.ts"
import { RuntimeConfig } from "../runtime/RuntimeConfig.ts"
import { Worker } from "../runtime/worker/Worker.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import type { TreeNode } from "./Supervisor.ts"

/** What a drain gave up, in the order of ids, and what it tried to give up in vain. Only confirmed writes are reported. */
export interface DrainReport {
  readonly abandoned: ReadonlyArray<ProcessId>
  readonly failed: ReadonlyArray<{ readonly id: ProcessId; readonly problem: string }>
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
     * The rows say what that is, not this host's memory. Work that is held, rerunnable, never begun, or another owner's stays
     * as it is. A write that fails, or dies, keeps no other row from being tried; fails with `StoreError` when the rows cannot be read.
     */
    readonly drainOwnerBoundWork: Effect.Effect<DrainReport, StoreError>
    /** Runs until it is interrupted, and then stops as the machine says; for the supervision tree to run. */
    readonly run: Effect.Effect<void>
  }
>() {}

/** How many rows a drain looks at in one read. */
const pageSize = 500

/** The owner that the worker in context is. */
export const layer: Layer.Layer<Owner, never, Worker | Activations | RuntimeConfig | ProcessStore> = Layer.effect(
  Owner,
  Effect.gen(function* () {
    const { owner: identity, running, claimant } = yield* Worker
    const activations = yield* Activations
    const store = yield* ProcessStore
    const { shutdownMs } = yield* RuntimeConfig
    let snapshot = Step.begin(ownerMachine, undefined).snapshot

    /** The running owner-bound work that this owner began first, a page at a time. */
    const begunHere = Effect.gen(function* () {
      const ids: Array<ProcessId> = []
      let after: ProcessId | undefined
      while (true) {
        const query = { filter: { disposition: "owner_bound" } as const, limit: pageSize }
        const rows: ReadonlyArray<ProcessRow> = yield* store.list(after === undefined ? query : { ...query, after })
        for (const { base, snapshot } of rows) {
          if (jsonEquals(snapshot.context.firstStarted?.owner, identity)) ids.push(base.registration.id)
        }
        after = rows.at(-1)?.base.registration.id
        if (rows.length < pageSize) return ids
      }
    })

    const drainOwnerBoundWork = Effect.gen(function* () {
      const abandoned: Array<ProcessId> = []
      const failed: Array<DrainReport["failed"][number]> = []
      for (const id of yield* begunHere) {
        const exit = yield* Effect.exit(activations.drain(id, { owner: identity, claimant: claimant("drain") }))
        if (Exit.isSuccess(exit)) {
          if (exit.value) abandoned.push(id)
        } else if (Cause.isInterruptedOnly(exit.cause)) {
          return yield* Effect.interrupt
        } else {
          failed.push({ id, problem: messageOf(Cause.squash(exit.cause)) })
        }
      }
      if (abandoned.length > 0) yield* Effect.logWarning(`owner-bound work given up: ${abandoned.join(", ")}`)
      for (const { id, problem } of failed) {
        yield* Effect.logWarning(`${id} not given up, a sweep of another host will: ${problem}`)
      }
      return { abandoned, failed }
    })

    /** Answers `done`, or that the deadline passed. */
    const inTime = (effect: Effect.Effect<unknown>, done: OwnerEvent["type"]): Effect.Effect<OwnerEvent> =>
      Effect.timeoutTo(Effect.interruptible(effect), {
        duration: shutdownMs,
        onSuccess: () => ({ type: done }),
        onTimeout: () => ({ type: "deadline.passed" as const })
      })

    /** Hands over the rows of bodies that outlast the deadline; the others keep their leases, which expire. */
    const leaveBehind = Effect.suspend(() => {
      const left = running.all()
      const handOver = ({ id, lease, inbox, awaited, leftUnderWay = [] }: Activation) =>
        activations.suspend(lease, "handed_back", { ...awaited, underWay: leftUnderWay }).pipe(
          Effect.map(() => {
            inbox.offer("lease.lost")
            return id
          }),
          Effect.catchAll((error) =>
            Effect.as(Effect.logWarning(`${id} not handed over: ${error.message}`), undefined)
          ),
          Effect.interruptible,
          Effect.timeoutTo({ duration: shutdownMs, onSuccess: (done) => done, onTimeout: () => undefined })
        )
      const mayRunElsewhere = left.filter(
        ({ row, exit }) => exit === undefined && row.base.registration.disposition === "rerunnable"
      )
      return Effect.flatMap(Effect.forEach(mayRunElsewhere, handOver, { concurrency: "unbounded" }), (over) =>
        Effect.logWarning(
          `${processCount(left.length)} did not stop within ${shutdownMs} ms: ${left.map((each) => leftOf(each, over.includes(each.id))).join(", ")}`
        )
      )
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
          return Effect.as(command.params.inTime ? Effect.void : leaveBehind, undefined)
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

/** A process that was left behind, as the log has it: what of it is under way, and what becomes of its row. */
const leftOf = ({ id, leftUnderWay = [] }: Activation, isHandedOver: boolean): string => {
  const steps = leftUnderWay.map(({ name, operation }) => `${operation === "step" ? "step " : ""}\`${name}\``)
  const what = steps.length === 0 ? "" : ` in ${steps.join(" and ")}`
  return `\`${id}\`${what} (${isHandedOver ? "handed over" : "its lease will expire"})`
}
