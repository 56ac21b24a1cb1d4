/**
 * The roster of a worker: the activations that run here, each with its actor, its slot and its fiber.
 *
 * Invariant: an actor is on the roster from the commit that began its activation until its conclusion was written or refused.
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as FiberSet from "effect/FiberSet"
import * as HashMap from "effect/HashMap"
import type * as Scope from "effect/Scope"
import { resume } from "../../../machines/process/lifecycle.ts"
import type { ProcessCommand } from "../../../machines/process/machine.ts"
import type { LeaseLost, StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Lease } from "../../model/Lease.ts"
import type { Activations } from "../../operations/Activations.ts"
import { holds } from "../../operations/decisions/authority.ts"
import type { Waited } from "../../operations/decisions/execution.ts"
import type { Claimant } from "../../operations/decisions/lease.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import type { Activation, Prepared } from "../body/context.ts"
import type { Ended } from "../body/PendingWaits.ts"
import type { Ready } from "../engine/EngineRegistry.ts"
import { cancelledMessage } from "../engine/SessionTurn.ts"
import type { ProcessActor } from "./ActivationActor.ts"
import * as Actors from "./ActivationActor.ts"
import * as Slots from "./Slots.ts"

/** What a roster needs of its worker. */
export interface RosterSupport {
  readonly activations: typeof Activations.Service
  /** How a wait that was entered earlier stands in the log. */
  readonly waitOf: (id: ProcessId, waitKey: string) => Effect.Effect<Waited, StoreError>
  readonly readRow: (id: ProcessId) => Effect.Effect<ProcessRow | undefined, StoreError>
  readonly contextOf: (activation: Activation) => Prepared
  /** Looks at a row again soon: it was put away, and has something to do already. */
  readonly lookAgain: (id: ProcessId) => void
  readonly claimant: () => Claimant
}

/** The activations that run here. */
export interface Roster {
  /** Runs an activation that has begun, on a slot that is taken from `slots`; the slot is given back when it has ended. */
  readonly launch: (
    row: ProcessRow,
    lease: Lease,
    body: Ready,
    slots: Slots.Slots,
    commands: ReadonlyArray<ProcessCommand>
  ) => Effect.Effect<void>
  readonly has: (id: ProcessId) => boolean
  /** Tells the body of a process that one of its waits has ended. */
  readonly resumed: (id: ProcessId, waitKey: string, ended: Ended) => void
  readonly all: () => ReadonlyArray<ProcessActor>
  /** Hands a hint of a commit to the actor it is for; `false` when none runs here. */
  readonly hint: (id: ProcessId, command: ProcessCommand) => boolean
  /** Another OS process changed this row: its actor, if it runs here, gets the hints that the snapshot calls for. */
  readonly remind: (id: ProcessId) => Effect.Effect<void, StoreError>
  /** Takes an actor's lease again after it expired. Fails with `LeaseLost` when somebody held the process in between. */
  readonly retake: (actor: ProcessActor) => Effect.Effect<void, LeaseLost | StoreError>
  /** Runs work that belongs to this worker beside its activations. */
  readonly fork: (work: Effect.Effect<void>) => Effect.Effect<void>
  /** Asks every activation to let go, also those that are just being launched. */
  readonly interruptAll: Effect.Effect<void>
  /** Launches without asking them to let go again. */
  readonly accept: Effect.Effect<void>
  readonly stopping: () => boolean
  /**
   * Puts away every body that has done nothing but wait for as long as its engine allows.
   *
   * Answers when the next one may have, as things stand; `undefined` when none ever will. Units: epoch milliseconds.
   */
  readonly passivate: (nowMs: number) => number | undefined
  /** For how long a body that runs here may do nothing but wait. Units: milliseconds. */
  readonly passivateAfterMs: (id: ProcessId) => number | undefined
  /** Waits until nothing runs here any more. */
  readonly empty: Effect.Effect<void>
  /** Owner-bound processes that this worker began and whose end it has not seen. */
  readonly ownerBound: () => ReadonlyArray<ProcessId>
}

/** Makes an empty roster. When its scope closes, what still runs is interrupted. */
export const make = (support: RosterSupport): Effect.Effect<Roster, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { activations, readRow } = support
    const actors = new Map<ProcessId, ProcessActor>()
    const held = new Map<ProcessActor, Slots.HeldSlot>()
    const ownerBound = new Set<ProcessId>()
    const fibers = yield* FiberSet.make()
    const clock = yield* Effect.clock
    let stopping = false

    const retake: Roster["retake"] = (actor) =>
      Effect.suspend(() => {
        const presented = actor.lease
        return activations.reacquire(presented, { ...support.claimant(), owner: presented.owner }).pipe(
          Effect.map((lease) => {
            actor.lease = lease
          }),
          // Two branches may find the lease expired: what one has taken again serves the other.
          Effect.catchTag("LeaseLost", (lost) => (actor.lease === presented ? Effect.fail(lost) : Effect.void)),
          Effect.zipRight(
            Effect.logWarning(`the lease of ${actor.id} had expired; nobody held it in between, so it goes on`)
          )
        )
      })

    const launch: Roster["launch"] = (row, lease, body, slots, commands) =>
      Effect.suspend(() => {
        const actor = Actors.make(row, lease, clock, body.passivateAfterMs)
        // Whatever of this process still runs here was fenced by the activation that begins now.
        actors.get(actor.id)?.inbox.offer("lease.lost")
        actors.set(actor.id, actor)
        if (row.base.registration.disposition === "owner_bound") ownerBound.add(actor.id)
        const slot = Slots.hold(slots)
        held.set(actor, slot)
        const { context, settle } = support.contextOf({
          row,
          lease: () => actor.lease,
          lend: slot.lend,
          retake: retake(actor),
          parking: actor.parking,
          standing: () => Actors.standing(actor),
          enterPhase: (name) => {
            const before = actor.phase
            actor.phase = name
            return before
          }
        })
        const cancelReason = Effect.map(
          readRow(actor.id),
          (now) => now?.snapshot.context.cancelRequest?.reason ?? silentReason(row)
        )
        const activation = Actors.run(actor, {
          // An end counts only if the body asked for everything that its journal knows of.
          body: Effect.tap(
            Effect.suspend(() => body.run(context)),
            () => settle
          ),
          activations,
          lookAgain: () => support.lookAgain(actor.id),
          retake: retake(actor),
          cancelReason: Effect.orElseSucceed(cancelReason, () => null)
        }).pipe(
          // It is forked where a start must not be torn; it may itself be interrupted, and so may its body.
          Effect.interruptible,
          Effect.ensuring(
            Effect.sync(() => {
              if (actors.get(actor.id) === actor) actors.delete(actor.id)
              held.delete(actor)
              slot.giveBack()
            })
          )
        )
        for (const command of [...resume(row.snapshot), ...commands]) Actors.hint(actor, command)
        if (stopping) actor.inbox.offer("host.stopping")
        // The fiber is the activation's own: its annotations need never be taken back.
        const annotated = FiberRef.update(FiberRef.currentLogAnnotations, (annotations) =>
          HashMap.set(HashMap.set(annotations, "process", actor.id), "attempt", context.attempt)
        )
        return Effect.asVoid(FiberSet.run(fibers, Effect.zipRight(annotated, activation)))
      })

    return {
      launch,
      retake,
      has: (id) => actors.has(id),
      resumed: (id, waitKey, ended) => actors.get(id)?.parking.deliver(waitKey, ended),
      all: () => [...actors.values()],
      ownerBound: () => [...ownerBound],
      hint: (id, command) => {
        if (command.type === "announceEnd") ownerBound.delete(id)
        const actor = actors.get(id)
        if (actor === undefined) return false
        // Its slot is free as soon as its end is written, before whoever waits for the end goes on.
        if (actor.exit !== undefined) held.get(actor)?.giveBack()
        else Actors.hint(actor, command)
        return true
      },
      remind: Effect.fnUntraced(function* (id) {
        const actor = actors.get(id)
        const row = actor && (yield* readRow(id))
        if (actor === undefined || row === undefined) return
        for (const waitKey of actor.parking.parked()) {
          const { ended } = yield* support.waitOf(id, waitKey)
          if (ended !== undefined) actor.parking.deliver(waitKey, ended)
        }
        for (const command of resume(row.snapshot)) Actors.hint(actor, command)
        // An expired lease that nobody took is its keeper's to take again.
        if (row.snapshot.status === "active" && !holds(row, actor.lease)) actor.inbox.offer("lease.lost")
      }),
      fork: (work) => Effect.asVoid(FiberSet.run(fibers, work)),
      interruptAll: Effect.sync(() => {
        stopping = true
        for (const actor of actors.values()) actor.inbox.offer("host.stopping")
      }),
      accept: Effect.sync(() => {
        stopping = false
      }),
      stopping: () => stopping,
      passivate: (nowMs) => {
        let next: number | undefined
        for (const { parking, passivateAfterMs, inbox } of actors.values()) {
          const since = passivateAfterMs === undefined ? undefined : parking.quietSinceMs()
          if (since === undefined || passivateAfterMs === undefined) continue
          const dueMs = since + passivateAfterMs
          if (dueMs <= nowMs) inbox.offer("passivation.due")
          else next = Math.min(next ?? dueMs, dueMs)
        }
        return next
      },
      passivateAfterMs: (id) => actors.get(id)?.passivateAfterMs,
      empty: FiberSet.awaitEmpty(fibers)
    }
  })

/** What a cancelled process says when nobody gave a reason, if its kind has words of its own. */
const silentReason = ({ base }: ProcessRow): string | null =>
  base.registration.input._tag === "SessionTurn" ? cancelledMessage : null
