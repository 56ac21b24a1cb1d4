/**
 * The worker: takes processes on and runs each under a lease of its own.
 *
 * Invariant: a body runs only after the commit that says so, and only while this worker holds its lease. Every attempt has an
 * identity of its own, so that a second attempt of the same worker is fenced by the first.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type { InputInvalid, ProcessUnknown, StoreError } from "../model/errors.ts"
import type { StartError } from "../model/failures.ts"
import type { ProcessId } from "../model/ids.ts"
import type { LeaseOwner } from "../model/Lease.ts"
import type { Registered, Registration } from "../model/Registration.ts"
import { ActivationStore } from "../store/ActivationStore.ts"
import type { Authority } from "../store/decisions/authority.ts"
import type { Claimant } from "../store/decisions/lease.ts"
import type { RecoveryOutcome } from "../store/decisions/recover.ts"
import { leftOf, verdictOf } from "../store/decisions/recover.ts"
import type { StartOutcome } from "../store/decisions/register.ts"
import { ExecutionStore } from "../store/ExecutionStore.ts"
import { OwnerLiveness } from "../store/OwnerLiveness.ts"
import { ProcessRegistry } from "../store/ProcessRegistry.ts"
import type { BackOff, Change, ProcessRow } from "../store/ProcessStore.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import { Awaiter } from "./Awaiter.ts"
import { certain } from "./certainty.ts"
import * as Contexts from "./context.ts"
import * as EarlyHints from "./EarlyHints.ts"
import { Engines } from "./Engines.ts"
import type { Roster } from "./Roster.ts"
import * as Rosters from "./Roster.ts"
import { RuntimeConfig } from "./RuntimeConfig.ts"
import * as Resumptions from "./resumptions.ts"
import * as Slots from "./Slots.ts"
import type { Traced } from "./Tracing.ts"
import * as Tracing from "./Tracing.ts"

/**
 * What became of a row that the worker was asked to look at.
 *
 * `NoSlot`: it waits for one, in line. `BackingOff`: it could not be begun and rests. `Absent`: there is no such process.
 */
export type Admission =
  | RecoveryOutcome
  | { readonly _tag: "NoSlot" }
  | { readonly _tag: "BackingOff"; readonly backOff: BackOff }
  | { readonly _tag: "Absent" }

/** What a body that starts a child journals in the same commit. */
export type JournalWrite = NonNullable<Parameters<(typeof ActivationStore.Service)["start"]>[3]>

/** Runs processes. */
export class Worker extends Context.Tag("holdfast/runtime/Worker")<
  Worker,
  {
    /** This worker's stable identity; its incarnation is the keeper of its leases. */
    readonly owner: LeaseOwner
    /** Starts a process, and runs it at once when this host has its engine and a free slot. */
    readonly start: (
      registered: Registered,
      authority: Authority,
      journal?: JournalWrite
    ) => Effect.Effect<StartOutcome, StartError>
    /**
     * Looks at one row and does what the verdict table says. `dead` are holders whose death is proven.
     *
     * A row whose payload does not decode here stays as it is, and rests.
     */
    readonly recover: (id: ProcessId, dead: ReadonlyArray<LeaseOwner>) => Effect.Effect<Admission, StoreError>
    /** The activations in progress. */
    readonly roster: Pick<
      Roster,
      "all" | "remind" | "retake" | "passivate" | "interruptAll" | "accept" | "empty" | "ownerBound"
    >
    /** How many bodies could begin to work now, of how many at once. */
    readonly slots: () => { readonly free: number; readonly total: number }
    /** A fresh identity for one attempt. */
    readonly claimant: (purpose: "run" | "recovery" | "drain") => Claimant
    /** Takes those who stand in line for a slot on, in order, for ever. */
    readonly admission: Effect.Effect<never>
    /** Looks at rows that a commit pointed at, for ever. */
    readonly lookout: Effect.Effect<never>
  }
>() {}

/** A worker on the store and engines in context. Its loops are for the supervision tree to run. */
export const layer: Layer.Layer<
  Worker,
  never,
  ProcessStore | ProcessRegistry | ActivationStore | ExecutionStore | Awaiter | Engines | OwnerLiveness | RuntimeConfig
> = Layer.scoped(
  Worker,
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const registry = yield* ProcessRegistry
    const activations = yield* ActivationStore
    const executions = yield* ExecutionStore
    const awaiter = yield* Awaiter
    const engines = yield* Engines
    const config = yield* RuntimeConfig
    const owner = yield* Effect.flatMap(OwnerLiveness, (liveness) => liveness.identify(`holdfast:${randomUUID()}`))

    const trace = yield* Tracing.make(store)
    const slots = Slots.make(config.maxConcurrent)
    /** Hints for processes that are just being started here: their actors come into being after the commit. */
    const early = EarlyHints.make()
    const line = yield* Queue.unbounded<Standing>()
    const inLine = new Set<ProcessId>()
    const looks = yield* Queue.unbounded<ProcessId>()

    const readRow = (id: ProcessId) =>
      Effect.map(store.find(id), (found) => (found._tag === "Present" ? found.row : undefined))

    const roster = yield* Rosters.make({
      activations,
      readRow,
      slots,
      contextOf: (activation) => Contexts.make({ start, awaiter, registry, executions }, activation),
      waitOf: executions.waitOf,
      lookAgain: (id) => looks.unsafeOffer(id),
      claimant: () => claimant("run")
    })

    const claimant = (purpose: "run" | "recovery" | "drain", traced?: string): Claimant => {
      const incarnationId = randomUUID()
      const attempt = {
        ownerId: `${owner.ownerId}:${purpose}:${incarnationId}`,
        incarnationId,
        liveness: owner.liveness
      }
      const held = { owner: attempt, ttlMs: config.leaseTtlMs, token: randomUUID(), keeper: owner.incarnationId }
      return traced === undefined ? held : { ...held, trace: traced }
    }

    const start = (
      registered: Registered,
      authority: Authority,
      journal?: JournalWrite
    ): Effect.Effect<StartOutcome, StartError> =>
      Effect.gen(function* () {
        const { registration } = registered
        const isLater = (registration.startAtMs ?? 0) > (yield* Clock.currentTimeMillis)
        const register = activations.start(registered, authority, undefined, journal)
        if (isLater || roster.stopping() || !engines.has(registration)) return yield* register
        // Nobody overtakes those who stand in line already.
        if (inLine.size > 0 || !slots.tryTake()) {
          const outcome = yield* register
          if (outcome._tag === "Registered") enqueue({ id: registration.id, dead: [] })
          return outcome
        }
        const begin = (heard: EarlyHints.Heard) =>
          Effect.gen(function* () {
            const body = yield* prepared(registration)
            const by = claimant("run", body.trace)
            const outcome = yield* certain(
              readRow,
              activations.start(registered, authority, { owner, claimant: by }, journal),
              { id: registration.id, by },
              (row, lease): StartOutcome => ({ _tag: "Begun", row, lease })
            )
            if (outcome._tag === "Begun") yield* roster.launch(outcome.row, outcome.lease, body, heard.commands)
            else slots.release()
            return outcome
          }).pipe(Effect.tapErrorCause(() => Effect.sync(slots.release)))
        return yield* early.during(registration.id, begin)
      }).pipe(Effect.uninterruptible)

    const prepared = (registration: Registration, row?: ProcessRow): Effect.Effect<Traced, InputInvalid> =>
      Effect.flatMap(
        Effect.catchTag(engines.prepare(registration), "EngineMissing", (error) => Effect.die(error)), // `has` said otherwise
        (body) => trace(body, registration, row)
      )

    const recover = (
      id: ProcessId,
      dead: ReadonlyArray<LeaseOwner>,
      slot: "try" | "held" = "try"
    ): Effect.Effect<Admission, StoreError> =>
      Effect.gen(function* () {
        let taken = slot === "held"
        const look = Effect.gen(function* () {
          const row = yield* readRow(id)
          if (row === undefined) return { _tag: "Absent" } as const
          const engine = engines.has(row.base.registration) ? "present" : "missing"
          const expected = verdictOf(row, { dead, engine }, yield* Clock.currentTimeMillis)
          // What runs here is its keeper's to judge, also when its lease has lapsed while this host slept.
          if (roster.has(id)) return { _tag: "Left", reason: "busy", holder: owner } as const
          if (expected._tag === "Leave") return leftOf(row, expected.reason)
          const by = { owner, claimant: claimant("recovery"), dead, engine } as const
          if (expected._tag !== "Run") return yield* settle(activations.recover(id, by))
          if (roster.stopping() || !(taken || slots.tryTake())) {
            enqueue({ id, dead })
            return { _tag: "NoSlot" } as const
          }
          taken = true
          const body = yield* Effect.either(prepared(row.base.registration, row))
          if (body._tag === "Left") return yield* rest(id, body.left.message)
          return yield* early.during(id, (heard) =>
            Effect.gen(function* () {
              const begins = { ...by.claimant, ...(body.right.trace === undefined ? {} : { trace: body.right.trace }) }
              const outcome = yield* certain(
                readRow,
                settle(activations.recover(id, { ...by, claimant: begins })),
                { id, by: begins },
                (row, lease): RecoveryOutcome => ({ _tag: "Run", row, lease })
              )
              if (outcome._tag !== "Run") return outcome
              taken = false
              yield* roster.launch(outcome.row, outcome.lease, body.right, heard.commands)
              return outcome
            })
          )
        })
        // The slot is the actor's once it was launched, and nobody's otherwise.
        return yield* Effect.ensuring(
          look,
          Effect.sync(() => {
            if (taken) slots.release()
          })
        )
      }).pipe(Effect.uninterruptible)

    const rest = (id: ProcessId, problem: string): Effect.Effect<Admission, StoreError> =>
      Effect.map(activations.backOff(id, problem), (backOff) =>
        backOff === undefined ? { _tag: "Left", reason: "settled" } : { _tag: "BackingOff", backOff }
      )

    const enqueue = (standing: Standing): void => {
      if (roster.stopping() || inLine.has(standing.id)) return
      inLine.add(standing.id)
      line.unsafeOffer(standing)
    }

    /** Whoever found no slot is taken on in order, as soon as one is free. */
    const admit = Effect.gen(function* () {
      const { id, dead } = yield* line.take
      yield* Effect.onInterrupt(slots.take, () => Effect.sync(() => line.unsafeOffer({ id, dead })))
      inLine.delete(id)
      // Forked, so that those for whom slots are free share a commit.
      yield* roster.fork(
        Effect.catchAllCause(recover(id, dead, "held"), (cause) => Effect.logWarning(`${id} not admitted`, cause))
      )
    })

    const dispatch = (changes: ReadonlyArray<Change>): void => {
      for (const { row, commands, events } of changes) {
        const { id } = row.base.registration
        if (roster.has(id)) for (const end of Resumptions.among(events)) roster.resumed(id, end.waitKey, end.ended)
        for (const command of commands) {
          if (command.type === "requestSweep") looks.unsafeOffer(id)
          else if (command.type === "runBody") continue
          else if (!roster.hint(id, command)) early.give(id, command)
        }
      }
    }

    const look = Effect.flatMap(looks.take, (id) => recover(id, [])).pipe(
      Effect.catchAll((error) => Effect.logWarning(`not looked at: ${error.message}`))
    )

    yield* store.onCommit(dispatch)

    return Worker.of({
      owner,
      start,
      recover,
      roster,
      slots: () => ({ free: slots.free(), total: config.maxConcurrent }),
      claimant,
      admission: Effect.forever(admit),
      lookout: Effect.forever(look)
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
