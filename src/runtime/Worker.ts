/**
 * The worker: takes processes on, runs each under a lease of its own, and hands them back when the host stops.
 *
 * Invariant: a body runs only after the commit that says so, and only while this worker holds its lease. Every attempt has an
 * identity of its own, so that a second attempt of the same worker is fenced by the first.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import { resume } from "../../machines/lifecycle.ts"
import type { InputInvalid, ProcessUnknown, StoreError } from "../model/errors.ts"
import type { StartError } from "../model/failures.ts"
import type { ProcessId } from "../model/ids.ts"
import type { Lease, LeaseOwner } from "../model/Lease.ts"
import type { Registered, Registration } from "../model/Registration.ts"
import { ActivationStore } from "../store/ActivationStore.ts"
import type { Authority } from "../store/decisions/authority.ts"
import { holds } from "../store/decisions/authority.ts"
import type { Claimant } from "../store/decisions/lease.ts"
import type { RecoveryOutcome } from "../store/decisions/recover.ts"
import { verdictOf } from "../store/decisions/recover.ts"
import type { StartOutcome } from "../store/decisions/register.ts"
import { LeaseStore } from "../store/LeaseStore.ts"
import { OwnerLiveness } from "../store/OwnerLiveness.ts"
import { ProcessRegistry } from "../store/ProcessRegistry.ts"
import type { Change, ProcessRow } from "../store/ProcessStore.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import { Awaiter } from "./Awaiter.ts"
import * as Contexts from "./context.ts"
import * as EarlyHints from "./EarlyHints.ts"
import type { Body } from "./Engine.ts"
import { Engines } from "./Engines.ts"
import * as Actors from "./ProcessActor.ts"
import { RuntimeConfig } from "./RuntimeConfig.ts"
import * as Slots from "./Slots.ts"

/** What became of a row that the worker was asked to look at. `NoSlot`: it waits for one, in line. */
export type Admission = RecoveryOutcome | { readonly _tag: "NoSlot" } | { readonly _tag: "Absent" }

/** Runs processes. */
export class Worker extends Context.Tag("holdfast/runtime/Worker")<
  Worker,
  {
    /** This worker's stable identity. */
    readonly owner: LeaseOwner
    /** Starts a process, and runs it at once when this host has its engine and a free slot. */
    readonly start: (registered: Registered, authority: Authority) => Effect.Effect<StartOutcome, StartError>
    /**
     * Looks at one row and does what the verdict table says. `dead` are holders whose death is proven.
     *
     * Fails with `InputInvalid` when the stored payload does not decode here: the row stays as it is.
     */
    readonly recover: (
      id: ProcessId,
      dead: ReadonlyArray<LeaseOwner>
    ) => Effect.Effect<Admission, InputInvalid | StoreError>
    /** The activations in progress. */
    readonly running: () => ReadonlyArray<Actors.ProcessActor>
    /** Another OS process changed this row: if it runs here, its actor gets the hints that the snapshot calls for. */
    readonly remind: (id: ProcessId) => Effect.Effect<void, StoreError>
  }
>() {}

/** A worker on the store and engines in context. When its scope closes, every body is interrupted and handed back. */
export const layer: Layer.Layer<
  Worker,
  never,
  ProcessStore | ProcessRegistry | ActivationStore | LeaseStore | Awaiter | Engines | OwnerLiveness | RuntimeConfig
> = Layer.scoped(
  Worker,
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const registry = yield* ProcessRegistry
    const activations = yield* ActivationStore
    const leases = yield* LeaseStore
    const awaiter = yield* Awaiter
    const engines = yield* Engines
    const config = yield* RuntimeConfig
    const owner = yield* Effect.flatMap(OwnerLiveness, (liveness) => liveness.identify(`holdfast:${randomUUID()}`))

    const slots = Slots.make(config.maxConcurrent)
    const actors = new Map<ProcessId, Actors.ProcessActor>()
    const held = new Map<Actors.ProcessActor, Slots.HeldSlot>()
    /** Hints for processes that are just being started here: their actors come into being after the commit. */
    const early = EarlyHints.make()
    const fibers = yield* FiberSet.make()
    const line = yield* Queue.unbounded<Standing>()
    const inLine = new Set<ProcessId>()
    const looks = yield* Queue.unbounded<ProcessId>()
    let stopping = false

    const claimant = (purpose: "run" | "recovery"): Claimant => {
      const incarnationId = randomUUID()
      const attempt = {
        ownerId: `${owner.ownerId}:${purpose}:${incarnationId}`,
        incarnationId,
        liveness: owner.liveness
      }
      return { owner: attempt, ttlMs: config.leaseTtlMs, token: randomUUID() }
    }

    const readRow = (id: ProcessId) =>
      Effect.map(store.find(id), (found) => (found._tag === "Present" ? found.row : undefined))

    /** Runs an activation that has begun. From here on the slot is the actor's to give back. */
    const launch = (row: ProcessRow, lease: Lease, body: Body<never>, heard: EarlyHints.Heard): Effect.Effect<void> =>
      Effect.suspend(() => {
        const actor = Actors.make(row, lease)
        // Whatever of this process still runs here was fenced by the activation that begins now.
        actors.get(actor.id)?.inbox.offer({ _tag: "Stop", cause: "lease_lost" })
        actors.set(actor.id, actor)
        const slot = Slots.hold(slots)
        held.set(actor, slot)
        const context = Contexts.make({ start, awaiter, registry }, { row, lease: () => actor.lease, lend: slot.lend })
        const cancelReason = Effect.map(readRow(actor.id), (now) => now?.snapshot.context.cancelRequest?.reason ?? null)
        const activation = Actors.run(actor, {
          body: Effect.suspend(() => body(context)),
          activations,
          leases,
          leaseTtlMs: config.leaseTtlMs,
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
        for (const command of [...resume(row.snapshot), ...heard.commands]) {
          actor.inbox.offer({ _tag: "Command", command })
        }
        if (stopping) actor.inbox.offer({ _tag: "Stop", cause: "host_stop" })
        return Effect.asVoid(FiberSet.run(fibers, activation))
      })

    /** Hints that another OS process's commit gave: the snapshot says them again. */
    const remind = (id: ProcessId): Effect.Effect<void, StoreError> =>
      Effect.gen(function* () {
        const actor = actors.get(id)
        const row = actor && (yield* readRow(id))
        if (actor === undefined || row === undefined) return
        for (const command of resume(row.snapshot)) actor.inbox.offer({ _tag: "Command", command })
        if (row.snapshot.status === "active" && !holds(row, actor.lease)) {
          actor.inbox.offer({ _tag: "Stop", cause: "lease_lost" })
        }
      })

    const start = (registered: Registered, authority: Authority): Effect.Effect<StartOutcome, StartError> =>
      Effect.gen(function* () {
        const { registration } = registered
        if (stopping || !engines.has(registration)) return yield* activations.start(registered, authority)
        // Nobody overtakes those who stand in line already.
        if (inLine.size > 0 || !slots.tryTake()) {
          const outcome = yield* activations.start(registered, authority)
          if (outcome._tag === "Registered") enqueue({ id: registration.id, dead: [] })
          return outcome
        }
        const begin = (heard: EarlyHints.Heard) =>
          Effect.gen(function* () {
            const body = yield* prepared(registration)
            const outcome = yield* activations.start(registered, authority, { owner, claimant: claimant("run") })
            if (outcome._tag === "Begun") yield* launch(outcome.row, outcome.lease, body, heard)
            else slots.release()
            return outcome
          }).pipe(Effect.tapErrorCause(() => Effect.sync(slots.release)))
        return yield* early.during(registration.id, begin)
      }).pipe(Effect.uninterruptible)

    const prepared = (registration: Registration): Effect.Effect<Body<never>, InputInvalid> =>
      Effect.catchTag(engines.prepare(registration), "EngineMissing", (error) => Effect.die(error)) // `has` said otherwise

    const recover = (
      id: ProcessId,
      dead: ReadonlyArray<LeaseOwner>,
      slot: "try" | "held" = "try"
    ): Effect.Effect<Admission, InputInvalid | StoreError> =>
      Effect.gen(function* () {
        const row = yield* Effect.tapError(readRow(id), () => Effect.sync(() => slot === "held" && slots.release()))
        if (row === undefined) {
          if (slot === "held") slots.release()
          return { _tag: "Absent" } as const
        }
        const engine = engines.has(row.base.registration) ? "present" : "missing"
        const expected = verdictOf(row, { dead, engine }, yield* Clock.currentTimeMillis)
        if (expected._tag !== "Run" && slot === "held") slots.release()
        // What runs here is its keeper's to judge, also when its lease has lapsed while this host slept.
        if (actors.has(id)) {
          if (slot === "held" && expected._tag === "Run") slots.release()
          return { _tag: "Left", reason: "busy" } as const
        }
        if (expected._tag === "Leave") return { _tag: "Left", reason: expected.reason } as const
        const by = { owner, claimant: claimant("recovery"), dead, engine } as const
        if (expected._tag !== "Run") return yield* settle(activations.recover(id, by))
        if (stopping || (slot === "try" && !slots.tryTake())) {
          enqueue({ id, dead })
          return { _tag: "NoSlot" } as const
        }
        const begin = (heard: EarlyHints.Heard) =>
          Effect.gen(function* () {
            const body = yield* prepared(row.base.registration)
            const outcome = yield* settle(activations.recover(id, by))
            if (outcome._tag === "Run") yield* launch(outcome.row, outcome.lease, body, heard)
            else slots.release()
            return outcome
          }).pipe(Effect.tapErrorCause(() => Effect.sync(slots.release)))
        return yield* early.during(id, begin)
      }).pipe(Effect.uninterruptible)

    const enqueue = (standing: Standing): void => {
      if (stopping || inLine.has(standing.id)) return
      inLine.add(standing.id)
      line.unsafeOffer(standing)
    }

    /** Whoever found no slot is taken on in order, as soon as one is free. */
    const admit = Effect.gen(function* () {
      const { id, dead } = yield* line.take
      yield* slots.take
      inLine.delete(id)
      // Forked, so that those for whom slots are free share a commit.
      yield* FiberSet.run(
        fibers,
        Effect.catchAllCause(recover(id, dead, "held"), (cause) => Effect.logWarning(`${id} not admitted`, cause))
      )
    })

    const dispatch = (changes: ReadonlyArray<Change>): void => {
      for (const { row, commands } of changes) {
        for (const command of commands) {
          const { id } = row.base.registration
          const actor = actors.get(id)
          if (command.type === "requestSweep") looks.unsafeOffer(id)
          else if (command.type === "runBody") continue
          else if (actor === undefined) early.give(id, command)
          // Its slot is free as soon as its end is written, before whoever waits for the end goes on.
          else if (actor.exited) held.get(actor)?.giveBack()
          else actor.inbox.offer({ _tag: "Command", command })
        }
      }
    }

    const look = Effect.flatMap(looks.take, (id) => recover(id, [])).pipe(
      Effect.catchAllCause((cause) => Effect.logWarning("not looked at", cause))
    )

    yield* store.onCommit(dispatch)
    yield* Effect.forkScoped(Effect.forever(look))
    yield* Effect.forkScoped(Effect.forever(admit))
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        stopping = true
        for (const actor of actors.values()) actor.inbox.offer({ _tag: "Stop", cause: "host_stop" })
        return FiberSet.awaitEmpty(fibers).pipe(
          Effect.timeoutOption(config.shutdownMs),
          Effect.tap((done) =>
            Option.isNone(done)
              ? Effect.logWarning(
                  `${actors.size} processes did not let go within ${config.shutdownMs} ms: left to their leases`
                )
              : Effect.void
          ),
          // A host that is interrupted stops in an interrupted fiber, where a wait would end at once: another one waits.
          Effect.interruptible,
          Effect.fork,
          Effect.flatMap(Fiber.join)
        )
      })
    )

    return Worker.of({
      owner,
      start,
      recover,
      running: () => [...actors.values()],
      remind
    })
  })
)

/** Who stands in line for a slot, with the proofs that its recovery rests on. */
interface Standing {
  readonly id: ProcessId
  readonly dead: ReadonlyArray<LeaseOwner>
}

/** A row that vanished between the read and the write needs nothing any more. */
const settle = (
  outcome: Effect.Effect<RecoveryOutcome, ProcessUnknown | StoreError>
): Effect.Effect<RecoveryOutcome, StoreError> =>
  Effect.catchTag(outcome, "ProcessUnknown", () => Effect.succeed({ _tag: "Left", reason: "settled" } as const))
