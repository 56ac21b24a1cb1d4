/**
 * The worker as the rest of the runtime knows it: takes processes on and runs each under a lease of its own.
 */

import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type { ProcessCommand } from "../../../machines/process/machine.ts"
import type { ProcessUnknown, StoreError } from "../../model/errors.ts"
import { EnvironmentUnusable } from "../../model/errors.ts"
import type { StartError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { LeaseOwner } from "../../model/Lease.ts"
import type { Registered, Registration } from "../../model/Registration.ts"
import { Activations } from "../../operations/Activations.ts"
import { BodyWrites } from "../../operations/BodyWrites.ts"
import type { Authority } from "../../operations/decisions/authority.ts"
import type { Claimant } from "../../operations/decisions/lease.ts"
import type { LeftFor, RecoveryOutcome } from "../../operations/decisions/recover.ts"
import { leftOf, verdictOf } from "../../operations/decisions/recover.ts"
import type { StartOutcome } from "../../operations/decisions/register.ts"
import { Environments } from "../../operations/Environments.ts"
import { OwnerLiveness } from "../../operations/OwnerLiveness.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import type { BackOff, Change, ProcessRow } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import * as Contexts from "../body/context.ts"
import { Awaiter } from "../client/Awaiter.ts"
import { Engines } from "../engine/EngineRegistry.ts"
import { Tools } from "../engine/ToolCatalog.ts"
import { HostEnvironment } from "../HostEnvironment.ts"
import * as Facets from "../HostServices.ts"
import { RuntimeConfig } from "../RuntimeConfig.ts"
import * as Lines from "./AdmissionQueue.ts"
import type { Roster } from "./RunningActivations.ts"
import * as Rosters from "./RunningActivations.ts"
import { certain } from "./resolveUnknownCommit.ts"
import * as Resumptions from "./resumptions.ts"
import * as Slots from "./Slots.ts"
import * as Tracing from "./Tracing.ts"

/**
 * What became of a row that the worker was asked to look at.
 *
 * `no_slot`: it is queued for one. `backing_off`: starting it failed, and is tried again later. An unknown process is `settled`.
 */
export type Admission =
  | RecoveryOutcome
  | {
      readonly _tag: "Deferred"
      readonly reason: LeftFor | { readonly why: "no_slot" } | ({ readonly why: "backing_off" } & BackOff)
    }

/** What a body that starts a child journals in the same commit. */
export type JournalWrite = NonNullable<Parameters<(typeof Activations.Service)["start"]>[3]>

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
     * A row whose payload or environment does not decode here stays as it is, and rests.
     */
    readonly recover: (id: ProcessId, dead: ReadonlyArray<LeaseOwner>) => Effect.Effect<Admission, StoreError>
    /** The activations in progress. */
    readonly running: Pick<
      Roster,
      | "all"
      | "remind"
      | "retake"
      | "passivate"
      | "passivateAfterMs"
      | "interruptAll"
      | "accept"
      | "empty"
      | "ownerBound"
    >
    /** How many bodies could begin to work now, of how many at once. */
    readonly slots: () => { readonly free: number; readonly total: number }
    /** A fresh identity for one attempt. */
    readonly claimant: (purpose: "run" | "recovery" | "drain") => Claimant
    /** Takes those who stand in line for a slot on, in order, for ever. */
    readonly admission: Effect.Effect<never>
    /** Looks at rows that a commit pointed at, for ever. */
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
    const registry = yield* ProcessRegistry
    const activations = yield* Activations
    const executions = yield* BodyWrites
    const awaiter = yield* Awaiter
    const engines = yield* Engines
    const environments = yield* Environments
    const host = yield* HostEnvironment
    const { capture } = host
    const around = { environments, host, tools: yield* Tools, facets: yield* Facets.services }
    const config = yield* RuntimeConfig
    const owner = yield* Effect.flatMap(OwnerLiveness, (liveness) => liveness.identify(`holdfast:${randomUUID()}`))

    const trace = yield* Tracing.make(store)
    const slots = Slots.make(config.maxConcurrent)
    const lines = yield* Lines.make(slots, engines)
    /** Hints for processes that are just being started here: their actors come into being after the commit. */
    const early = make()
    const looks = yield* Queue.unbounded<ProcessId>()

    const readRow = (id: ProcessId) =>
      Effect.map(store.find(id), (found) => (found._tag === "Present" ? found.row : undefined))

    const roster = yield* Rosters.make({
      activations,
      readRow,
      contextOf: (activation) => Contexts.make({ start, awaiter, registry, executions, capture, around }, activation),
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
      const held = { owner: attempt, ttlMs: config.leaseTtlMs, token: randomUUID(), renewerId: owner.incarnationId }
      return traced === undefined ? held : { ...held, trace: traced }
    }

    const start: (typeof Worker.Service)["start"] = Effect.fnUntraced(function* (registered, authority, journal) {
      const { registration } = registered
      const isLater = (registration.startAtMs ?? 0) > (yield* Clock.currentTimeMillis)
      if (isLater || roster.stopping() || !engines.has(registration)) {
        return yield* activations.start(registered, authority, undefined, journal)
      }
      const line = lines.of(registration)
      // Nobody overtakes those who stand in line already.
      if (!lines.isEmpty(line) || !line.slots.tryTake()) {
        const outcome = yield* activations.start(registered, authority, undefined, journal)
        if (outcome._tag === "Registered") enqueue(line, { id: registration.id, dead: [] })
        return outcome
      }
      return yield* early.during(registration.id, (heard) =>
        Effect.tapErrorCause(begin(registered, authority, journal, line.slots, heard), () =>
          Effect.sync(line.slots.release)
        )
      )
    }, Effect.uninterruptible)

    /** Registers a process and begins it, in one commit, on a slot that was taken for it. */
    const begin = Effect.fnUntraced(function* (
      registered: Registered,
      authority: Authority,
      journal: JournalWrite | undefined,
      slots: Slots.Slots,
      heard: Heard
    ) {
      const { registration } = registered
      const { id } = registration
      const body = yield* Effect.catchTag(prepared(registration), "EnvironmentUnusable", Effect.succeed)
      if (body instanceof EnvironmentUnusable) {
        // What could not be begun is there all the same, and says why it rests.
        const outcome = yield* activations.start(registered, authority, undefined, journal)
        if (outcome._tag === "Registered") yield* rest(id, body.message)
        slots.release()
        return outcome
      }
      const by = claimant("run", body.trace)
      const outcome = yield* certain(
        readRow,
        activations.start(registered, authority, { owner, claimant: by }, journal),
        { id, by },
        (row, lease): StartOutcome => ({ _tag: "Begun", row, lease })
      )
      if (outcome._tag === "Begun") yield* roster.launch(outcome.row, outcome.lease, body, slots, heard.commands)
      else slots.release()
      return outcome
    })

    /** Whatever is prepared here is on this host: `has` said so. */
    const prepared = Effect.fnUntraced(function* (registration: Registration, row?: ProcessRow) {
      const body = yield* Effect.catchTag(engines.prepare(registration), "EngineMissing", Effect.die)
      if (registration.envRef !== undefined) yield* environments.load(registration.envRef)
      return yield* trace(body, registration, row)
    })

    const recover = (
      id: ProcessId,
      dead: ReadonlyArray<LeaseOwner>,
      held?: Slots.Slots
    ): Effect.Effect<Admission, StoreError> =>
      Effect.suspend(() => {
        const taken: Taken = { slots: held }
        // The slot is the actor's once it was launched, and nobody's otherwise.
        return Effect.ensuring(
          takeOver(id, dead, taken),
          Effect.sync(() => taken.slots?.release())
        )
      }).pipe(Effect.uninterruptible)

    const takeOver = Effect.fnUntraced(function* (id: ProcessId, dead: ReadonlyArray<LeaseOwner>, taken: Taken) {
      const row = yield* readRow(id)
      if (row === undefined) return { _tag: "Deferred", reason: { why: "settled" } } as const
      const { registration } = row.base
      const engine = engines.has(registration) ? "present" : "missing"
      const expected = verdictOf(row, { dead, engine }, yield* Clock.currentTimeMillis)
      // What runs here is its keeper's to judge, also when its lease has lapsed while this host slept.
      if (roster.has(id)) return { _tag: "Deferred", reason: { why: "busy", holder: owner.ownerId } } as const
      if (expected._tag === "Leave") return leftOf(row, expected.why)
      const by = { owner, dead, engine } as const
      if (expected._tag !== "Run") {
        return yield* settle(activations.recover(id, { ...by, claimant: claimant("recovery") }))
      }
      const line = lines.of(registration)
      const slots = taken.slots ?? line.slots
      if (roster.stopping() || !(taken.slots !== undefined || slots.tryTake())) {
        enqueue(line, { id, dead })
        return { _tag: "Deferred", reason: { why: "no_slot" } } as const
      }
      taken.slots = slots
      const body = yield* Effect.catchTag(
        prepared(registration, row),
        "EnvironmentUnusable",
        "InputInvalid",
        Effect.succeed
      )
      if (!("run" in body)) return yield* rest(id, body.message)
      const begins = claimant("recovery", body.trace)
      return yield* early.during(id, (heard) =>
        certain(
          readRow,
          settle(activations.recover(id, { ...by, claimant: begins })),
          { id, by: begins },
          (begun, lease): RecoveryOutcome => ({ _tag: "Run", row: begun, lease })
        ).pipe(
          Effect.tap((outcome) => {
            if (outcome._tag !== "Run") return Effect.void
            taken.slots = undefined
            return roster.launch(outcome.row, outcome.lease, body, slots, heard.commands)
          })
        )
      )
    })

    const rest = (id: ProcessId, problem: string): Effect.Effect<Admission, StoreError> =>
      Effect.map(
        activations.backOff(id, problem),
        (backOff): Admission => ({
          _tag: "Deferred",
          reason: backOff === undefined ? { why: "settled" } : { why: "backing_off", ...backOff }
        })
      )

    const enqueue = (line: Lines.Line, standing: Lines.Standing): void => {
      if (!roster.stopping()) lines.enqueue(line, standing)
    }

    /** Whoever found no slot. Forked, so that those for whom slots are free share a commit. */
    const takeOn = ({ id, dead }: Lines.Standing, held: Slots.Slots) =>
      roster.fork(
        Effect.catchAllCause(recover(id, dead, held), (cause) => Effect.logWarning(`${id} not admitted`, cause))
      )

    const dispatch = (changes: ReadonlyArray<Change>): void => {
      for (const { row, commands, events } of changes) {
        const { id } = row.base.registration
        if (roster.has(id)) for (const end of Resumptions.among(events)) roster.resumed(id, end.waitKey, end.ended)
        for (const command of commands) {
          if (command.type === "requestSweep") looks.unsafeOffer(id)
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
      running: roster,
      slots: () => ({ free: slots.free(), total: config.maxConcurrent }),
      claimant,
      admission: lines.admission(takeOn),
      recheck: Effect.forever(look)
    })
  })
)

/** The slot that was taken for a row, until its actor has it. */
interface Taken {
  slots: Slots.Slots | undefined
}

/** A row that vanished between the read and the write needs nothing any more. */
const settle = (
  outcome: Effect.Effect<RecoveryOutcome, ProcessUnknown | StoreError>
): Effect.Effect<RecoveryOutcome, StoreError> =>
  Effect.catchTag(outcome, "ProcessUnknown", () =>
    Effect.succeed({ _tag: "Deferred", reason: { why: "settled" } } as const)
  )

/** The hints given for a process while it is being started here. */
export interface Heard {
  readonly id: ProcessId
  readonly commands: ReadonlyArray<ProcessCommand>
}

/** Listens for processes that are being started. */
export interface EarlyHints {
  /** Runs a start, which is handed what is given for its process meanwhile. */
  readonly during: <A, E>(id: ProcessId, start: (heard: Heard) => Effect.Effect<A, E>) => Effect.Effect<A, E>
  readonly give: (id: ProcessId, command: ProcessCommand) => void
}

/** Makes one; several starts of one id may be under way at once, and each hears everything. */
export const make = (): EarlyHints => {
  const all = new Set<{ readonly id: ProcessId; readonly commands: Array<ProcessCommand> }>()
  return {
    during: (id, start) =>
      Effect.suspend(() => {
        const heard = { id, commands: [] }
        all.add(heard)
        return Effect.ensuring(
          start(heard),
          Effect.sync(() => all.delete(heard))
        )
      }),
    give: (id, command) => {
      for (const heard of all) if (heard.id === id) heard.commands.push(command)
    }
  }
}
