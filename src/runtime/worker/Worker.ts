/**
 * Starts and recovers processes, and runs the body of each under a lease of its own.
 *
 * Invariant: a slot that was taken for a process is its activation's once that was launched, and released otherwise.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { onlyWaits } from "../../../machines/process/lifecycle.ts"
import type { ProcessCommand } from "../../../machines/process/machine.ts"
import type { ProcessPruned, ProcessUnknown, StoreError } from "../../model/errors.ts"
import { EnvironmentUnusable } from "../../model/errors.ts"
import { newsTypes } from "../../model/facts.ts"
import type { StartError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import { freeze } from "../../model/json.ts"
import type { LeaseOwner } from "../../model/Lease.ts"
import type { Registered, Registration } from "../../model/Registration.ts"
import { Activations } from "../../operations/Activations.ts"
import { BodyWrites } from "../../operations/BodyWrites.ts"
import { Limits } from "../../operations/checks.ts"
import type { Authority } from "../../operations/decisions/authority.ts"
import type { Claimant } from "../../operations/decisions/lease.ts"
import type { LeftFor, RecoveryOutcome } from "../../operations/decisions/recover.ts"
import { leftOf, verdictOf } from "../../operations/decisions/recover.ts"
import type { StartOutcome } from "../../operations/decisions/register.ts"
import { Environments } from "../../operations/Environments.ts"
import { deadHolder, OwnerLiveness } from "../../operations/OwnerLiveness.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import type { BackOff, Change, ProcessRow } from "../../store/Decision.ts"
import { runsAs } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import type { JournalWrite } from "../body/Activation.ts"
import { workScheduler } from "../body/fairScheduler.ts"
import { Awaiter } from "../client/Awaiter.ts"
import { Engines } from "../engine/EngineRegistry.ts"
import { Tools } from "../engine/ToolCatalog.ts"
import { HostEnvironment } from "../HostEnvironment.ts"
import { hostServices } from "../HostServices.ts"
import { RuntimeConfig } from "../RuntimeConfig.ts"
import * as AdmissionQueue from "./AdmissionQueue.ts"
import type { RunningActivations } from "./RunningActivations.ts"
import * as Running from "./RunningActivations.ts"
import * as Slots from "./Slots.ts"
import * as Tracing from "./Tracing.ts"
import { resolveUnknownCommit } from "./unknownCommit.ts"

/**
 * What became of a row that the worker was asked to check.
 *
 * `no_slot`: it is queued for one. `backing_off`: starting it failed, and is tried again later. An unknown process is `settled`.
 */
export type Admission =
  | RecoveryOutcome
  | {
      readonly _tag: "Deferred"
      readonly reason: LeftFor | { readonly why: "no_slot" } | ({ readonly why: "backing_off" } & BackOff)
    }

/** Runs processes. */
export class Worker extends Context.Tag("holdfast/runtime/Worker")<
  Worker,
  {
    /** This worker's stable identity; its incarnation renews its leases. */
    readonly owner: LeaseOwner
    /** Starts a process, and runs it at once when this host has its engine and a free slot. */
    readonly start: (
      registered: Registered,
      authority: Authority,
      journal?: JournalWrite
    ) => Effect.Effect<StartOutcome, StartError>
    /**
     * Checks one row and does what the verdict table says. `dead` are holders whose death is proven; without it, that of the
     * row's holder is looked into.
     *
     * A row whose payload or environment does not decode here stays as it is, and backs off.
     */
    readonly recover: (id: ProcessId, dead?: ReadonlyArray<LeaseOwner>) => Effect.Effect<Admission, StoreError>
    /** The activations in progress. */
    readonly running: Pick<
      RunningActivations,
      "all" | "of" | "remind" | "passivate" | "passivateAfterMs" | "interruptAll" | "accept" | "empty"
    >
    /** How many bodies could begin to work now, of how many at once. */
    readonly slots: () => { readonly free: number; readonly total: number }
    /** A fresh identity for one attempt. */
    readonly claimant: (purpose: "run" | "recovery" | "drain") => Claimant
    /** Admits queued processes in FIFO order as slots free up. Never returns. */
    readonly admission: Effect.Effect<never>
    /** Whether a process is about to run here: its actor is not there yet. */
    readonly isStarting: (id: ProcessId) => boolean
    /** Checks rows soon, which a commit of another program pointed at. */
    readonly check: (ids: Iterable<ProcessId>) => void
    /** Checks rows that a commit pointed at. Never returns. */
    readonly recheck: Effect.Effect<never>
  }
>() {}

/** A worker on the store and engines in context. Its loops are for the supervision tree to run. */
export const layer: Layer.Layer<
  Worker,
  never,
  | ProcessStore
  | ProcessRegistry
  | Environments
  | HostEnvironment
  | Activations
  | BodyWrites
  | Awaiter
  | Engines
  | Tools
  | OwnerLiveness
  | RuntimeConfig
> = Layer.scoped(
  Worker,
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const activations = yield* Activations
    const engines = yield* Engines
    const environments = yield* Environments
    const config = yield* RuntimeConfig
    const liveness = yield* OwnerLiveness
    // Frozen, it is shared and not copied by every write that presents it.
    const owner = freeze(yield* liveness.identify(`holdfast:${randomUUID()}`))
    const trace = yield* Tracing.make(store)
    const slots = Slots.make(config.maxConcurrent)
    const queues = AdmissionQueue.make(slots, engines)
    const rechecks = yield* Queue.unbounded<ProcessId>()
    /** Starts under way; each collects the hints for its process, whose actor is made after the commit. */
    const early = new Set<EarlyHints>()

    const readRow = (id: ProcessId) =>
      Effect.map(store.find(id), (found) => (found._tag === "Present" ? found.row : undefined))

    const running = yield* Running.make({
      activations,
      writes: yield* BodyWrites,
      registry: yield* ProcessRegistry,
      awaiter: yield* Awaiter,
      environments,
      host: yield* HostEnvironment,
      tools: yield* Tools,
      hostServices: yield* hostServices,
      limits: yield* Limits,
      clock: yield* Effect.clock,
      readRow,
      start: (registered, authority, journal) => start(registered, authority, journal),
      claimant: () => claimant("run"),
      recheck: (id) => rechecks.unsafeOffer(id)
    })

    const claimant = (purpose: "run" | "recovery" | "drain", traced?: string): Claimant => {
      const incarnationId = randomUUID()
      const attempt = {
        ownerId: `${owner.ownerId}:${purpose}:${incarnationId}`,
        incarnationId,
        liveness: owner.liveness
      }
      const held = { owner: attempt, ttlMs: config.leaseTtlMs, token: randomUUID(), renewerId: owner.incarnationId }
      return traced === undefined ? held : { ...held, trace: traced }
    }

    const start: (typeof Worker.Service)["start"] = Effect.fnUntraced(function* (registered, authority, journal) {
      const { registration } = registered
      const isLater = (registration.startAtMs ?? 0) > (yield* Clock.currentTimeMillis)
      // A chart begins with its registration; an activation is for the actions that it asks for.
      const isChart = engines.chartOf(registration) !== undefined
      if (isLater || isChart || running.stopping() || !engines.has(registration)) {
        return yield* activations.start(registered, authority, undefined, journal)
      }
      const queue = queues.of(registration)
      // A start never overtakes processes that are queued already.
      if (!queues.isIdle(queue) || !queue.slots.tryTake()) {
        const outcome = yield* activations.start(registered, authority, undefined, journal)
        if (outcome._tag === "Registered") enqueue(queue, { id: registration.id, dead: [] })
        return outcome
      }
      return yield* collecting(registration.id, (hints) =>
        Effect.tapErrorCause(begin(registered, authority, journal, queue.slots, hints), () =>
          Effect.sync(queue.slots.release)
        )
      )
    }, Effect.uninterruptible)

    /** Registers a process and begins it, in one commit, on a slot that was taken for it. */
    const begin = Effect.fnUntraced(function* (
      registered: Registered,
      authority: Authority,
      journal: JournalWrite | undefined,
      slots: Slots.Slots,
      hints: EarlyHints
    ) {
      const { registration } = registered
      const { id } = registration
      const body = yield* Effect.catchTag(prepared(registration), "EnvironmentUnusable", Effect.succeed)
      if (body instanceof EnvironmentUnusable) {
        // What could not be begun is registered, and says why it backs off.
        const outcome = yield* activations.start(registered, authority, undefined, journal)
        if (outcome._tag === "Registered") yield* backOff(id, body.message)
        slots.release()
        return outcome
      }
      const by = claimant("run", body.trace)
      const outcome = yield* resolveUnknownCommit(
        activations.start(registered, authority, { owner, claimant: by }, journal),
        readRow(id),
        by.token,
        (row, lease): StartOutcome => ({ _tag: "Begun", row, lease })
      )
      if (outcome._tag === "Begun") yield* running.launch(outcome.row, outcome.lease, body, slots, hints.commands)
      else slots.release()
      return outcome
    })

    /** Finds and decodes what runs a process that this host has. */
    const prepared = Effect.fnUntraced(function* (registration: Registration, row?: ProcessRow) {
      const body = yield* Effect.catchTag(engines.prepare(registration), "EngineMissing", Effect.die)
      if (registration.envRef !== undefined) yield* environments.load(registration.envRef)
      return yield* trace(body, registration, row)
    })

    const recover = (
      id: ProcessId,
      dead?: ReadonlyArray<LeaseOwner>,
      held?: Slots.Slots
    ): Effect.Effect<Admission, StoreError> =>
      Effect.suspend(() => {
        const taken: Taken = { slots: held }
        return Effect.ensuring(
          takeOver(id, dead, taken),
          Effect.sync(() => taken.slots?.release())
        )
      }).pipe(Effect.uninterruptible)

    const takeOver = Effect.fnUntraced(function* (
      id: ProcessId,
      known: ReadonlyArray<LeaseOwner> | undefined,
      taken: Taken
    ) {
      const row = yield* readRow(id)
      if (row === undefined) return { _tag: "Deferred", reason: { why: "settled" } } as const
      // The lease renewer judges what runs here, also when its lease has expired while this host slept.
      if (running.has(id)) return { _tag: "Deferred", reason: { why: "busy", holder: owner.ownerId } } as const
      const dead = known ?? (yield* deadHolder(liveness, row, owner))
      const registration = runsAs(row)
      const engine = engines.has(registration) ? "present" : "missing"
      const expected = verdictOf(row, { dead, engine }, yield* Clock.currentTimeMillis)
      if (expected._tag === "Leave") return leftOf(row, expected.why)
      if (expected._tag === "Run" && engines.chartOf(registration) !== undefined) {
        const rest = yield* activations.takeEvents(id, engines.chartOf)
        if (rest?.stuck !== undefined) return yield* backOff(id, rest.stuck)
        if (rest?.needs !== "worker") {
          // The event loop has its turn before it takes more.
          if (rest?.hasMore === true) yield* nextTurn
          return leftOf(row, "settled")
        }
      }
      const by = { owner, dead, engine } as const
      if (expected._tag !== "Run") {
        return yield* settle(activations.recover(id, { ...by, claimant: claimant("recovery") }))
      }
      const queue = queues.of(registration)
      const slots = taken.slots ?? queue.slots
      if (running.stopping() || !(taken.slots !== undefined || slots.tryTake())) {
        enqueue(queue, { id, dead, isWaiting: onlyWaits(row.snapshot) })
        return { _tag: "Deferred", reason: { why: "no_slot" } } as const
      }
      taken.slots = slots
      const body = yield* Effect.catchTag(
        prepared(registration, row),
        "EnvironmentUnusable",
        "InputInvalid",
        Effect.succeed
      )
      if (!("run" in body)) return yield* backOff(id, body.message)
      const begins = claimant("recovery", body.trace)
      return yield* collecting(id, (hints) =>
        resolveUnknownCommit(
          settle(activations.recover(id, { ...by, claimant: begins })),
          readRow(id),
          begins.token,
          (begun, lease): RecoveryOutcome => ({ _tag: "Run", row: begun, lease })
        ).pipe(
          Effect.tap((outcome) => {
            if (outcome._tag !== "Run") return Effect.void
            taken.slots = undefined
            return running.launch(outcome.row, outcome.lease, body, slots, hints.commands, row.backOff?.failures)
          })
        )
      )
    })

    const backOff = (id: ProcessId, problem: string): Effect.Effect<Admission, StoreError> =>
      Effect.map(
        activations.backOff(id, problem),
        (found): Admission => ({
          _tag: "Deferred",
          reason: found === undefined ? { why: "settled" } : { why: "backing_off", ...found }
        })
      )

    const enqueue = (queue: AdmissionQueue.AdmissionQueue, queued: AdmissionQueue.Queued): void => {
      if (!running.stopping()) queues.enqueue(queue, queued)
    }

    /** Forked, so that processes for which slots are free share a commit. */
    const admit = ({ id, dead }: AdmissionQueue.Queued, held: Slots.Slots) =>
      running.fork(
        Effect.catchAllCause(recover(id, dead, held), (cause) => Effect.logWarning(`${id} not admitted`, cause))
      )

    /** Runs a start that collects the hints for its process meanwhile; several starts of one id may be under way at once. */
    const collecting = <A, E>(id: ProcessId, during: (hints: EarlyHints) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.suspend(() => {
        const hints = { id, commands: [] }
        early.add(hints)
        return Effect.ensuring(
          during(hints),
          Effect.sync(() => early.delete(hints))
        )
      })

    /** What runs here hears of it by itself. */
    const check = (ids: Iterable<ProcessId>): void => {
      for (const id of ids) if (!running.has(id)) rechecks.unsafeOffer(id)
    }

    const dispatch = (changes: ReadonlyArray<Change>): void => {
      for (const change of changes) {
        const { id } = change.row.base.registration
        running.observe(change)
        for (const command of change.commands) {
          if (command.type === "requestSweep") rechecks.unsafeOffer(id)
          else if (!running.hint(id, command))
            for (const hints of early) if (hints.id === id) hints.commands.push(command)
        }
        // Its holder may be dead: then what happened need not wait until a sweep has come to it.
        if (isNews(change)) check([id])
      }
    }

    /** Side by side, so that they share commits. */
    const recheck = Effect.flatMap(Queue.takeBetween(rechecks, 1, breadth), (ids) =>
      Effect.forEach(
        new Set(ids),
        (id) => Effect.catchAll(recover(id), (error) => Effect.logWarning(`${id} not checked: ${error.message}`)),
        { concurrency: "unbounded", discard: true }
      )
    )

    yield* store.onCommit(dispatch)

    return Worker.of({
      owner,
      start,
      recover,
      running,
      slots: () => ({ free: slots.free(), total: config.maxConcurrent }),
      claimant,
      isStarting: (id) => [...early].some((hints) => hints.id === id),
      check,
      admission: Effect.withScheduler(queues.admission(admit), workScheduler),
      recheck: Effect.withScheduler(Effect.forever(recheck), workScheduler)
    })
  })
)

/** How many rows are checked side by side. */
const breadth = 64

/** Whether a commit brought a process that another worker holds something to do. */
const isNews = ({ before, row, lifecycle }: Change): boolean =>
  before?.lease.held !== undefined &&
  row.lease.held !== undefined &&
  lifecycle.some(({ type }) => newsTypes.includes(type))

const nextTurn: Effect.Effect<void> = Effect.async((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** The slot that was taken for a row, until its actor has it. */
interface Taken {
  slots: Slots.Slots | undefined
}

/** A row that vanished between the read and the write needs nothing any more. */
const settle = (outcome: Effect.Effect<RecoveryOutcome, ProcessUnknown | ProcessPruned | StoreError>) =>
  Effect.catchTag(outcome, "ProcessUnknown", "ProcessPruned", () =>
    Effect.succeed({ _tag: "Deferred", reason: { why: "settled" } } as const)
  )

/** The hints for a process that is being started here. */
interface EarlyHints {
  readonly id: ProcessId
  readonly commands: Array<ProcessCommand>
}
