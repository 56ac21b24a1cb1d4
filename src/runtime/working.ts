/**
 * The worker: takes processes on and runs each under a lease of its own.
 *
 * Invariant: a body runs only after the commit that says so, and only while this worker holds its lease. Every attempt has an
 * identity of its own, so that a second attempt of the same worker is fenced by the first.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type { ProcessUnknown, StoreError } from "../model/errors.ts"
import { EnvironmentUnusable } from "../model/errors.ts"
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
import { ProcessEnvironments } from "../store/ProcessEnvironments.ts"
import { ProcessRegistry } from "../store/ProcessRegistry.ts"
import type { Change, ProcessRow } from "../store/ProcessStore.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import { Awaiter } from "./Awaiter.ts"
import { certain } from "./certainty.ts"
import * as Contexts from "./context.ts"
import * as EarlyHints from "./EarlyHints.ts"
import { Engines } from "./Engines.ts"
import { HostEnvironment } from "./HostEnvironment.ts"
import * as Lines from "./Lines.ts"
import * as Rosters from "./Roster.ts"
import { RuntimeConfig } from "./RuntimeConfig.ts"
import * as Resumptions from "./resumptions.ts"
import * as Slots from "./Slots.ts"
import { Tools } from "./Tools.ts"
import * as Tracing from "./Tracing.ts"
import type { Admission, JournalWrite } from "./Worker.ts"
import { Worker } from "./Worker.ts"

/** A worker on the store and engines in context. Its loops are for the supervision tree to run. */
export const layer: Layer.Layer<
  Worker,
  never,
  | ProcessStore
  | ProcessRegistry
  | ProcessEnvironments
  | HostEnvironment
  | ActivationStore
  | ExecutionStore
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
    const activations = yield* ActivationStore
    const executions = yield* ExecutionStore
    const awaiter = yield* Awaiter
    const engines = yield* Engines
    const environments = yield* ProcessEnvironments
    const host = yield* HostEnvironment
    const { capture } = host
    const around = { environments, host, tools: yield* Tools }
    const config = yield* RuntimeConfig
    const owner = yield* Effect.flatMap(OwnerLiveness, (liveness) => liveness.identify(`holdfast:${randomUUID()}`))

    const trace = yield* Tracing.make(store)
    const slots = Slots.make(config.maxConcurrent)
    const lines = yield* Lines.make(slots, engines)
    /** Hints for processes that are just being started here: their actors come into being after the commit. */
    const early = EarlyHints.make()
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
        const line = lines.of(registration)
        // Nobody overtakes those who stand in line already.
        if (!lines.isEmpty(line) || !line.slots.tryTake()) {
          const outcome = yield* register
          if (outcome._tag === "Registered") enqueue(line, { id: registration.id, dead: [] })
          return outcome
        }
        const begin = (heard: EarlyHints.Heard) =>
          Effect.gen(function* () {
            const body = yield* Effect.catchTag(prepared(registration), "EnvironmentUnusable", Effect.succeed)
            if (body instanceof EnvironmentUnusable) {
              return yield* Effect.zipLeft(
                startedAtRest(register, registration.id, body),
                Effect.sync(line.slots.release)
              )
            }
            const by = claimant("run", body.trace)
            const outcome = yield* certain(
              readRow,
              activations.start(registered, authority, { owner, claimant: by }, journal),
              { id: registration.id, by },
              (row, lease): StartOutcome => ({ _tag: "Begun", row, lease })
            )
            if (outcome._tag === "Begun")
              yield* roster.launch(outcome.row, outcome.lease, body, line.slots, heard.commands)
            else line.slots.release()
            return outcome
          }).pipe(Effect.tapErrorCause(() => Effect.sync(line.slots.release)))
        return yield* early.during(registration.id, begin)
      }).pipe(Effect.uninterruptible)

    /** Whatever is prepared here is on this host: `has` said so. */
    const prepared = (registration: Registration, row?: ProcessRow) =>
      Effect.gen(function* () {
        const body = yield* Effect.catchTag(engines.prepare(registration), "EngineMissing", Effect.die)
        if (registration.envRef !== undefined) yield* environments.load(registration.envRef)
        return yield* trace(body, registration, row)
      })

    /** What could not be begun is there all the same, and says why it rests. */
    const startedAtRest = (
      register: Effect.Effect<StartOutcome, StartError>,
      id: ProcessId,
      { message }: EnvironmentUnusable
    ) => Effect.tap(register, (outcome) => (outcome._tag === "Registered" ? rest(id, message) : Effect.void))

    const recover = (
      id: ProcessId,
      dead: ReadonlyArray<LeaseOwner>,
      held?: Slots.Slots
    ): Effect.Effect<Admission, StoreError> =>
      Effect.gen(function* () {
        let taken = held
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
          const line = lines.of(row.base.registration)
          const own = taken ?? line.slots
          if (roster.stopping() || !(taken !== undefined || own.tryTake())) {
            enqueue(line, { id, dead })
            return { _tag: "NoSlot" } as const
          }
          taken = own
          const body = yield* Effect.either(prepared(row.base.registration, row))
          if (body._tag === "Left") {
            if (body.left._tag === "StoreError") return yield* body.left
            return yield* rest(id, body.left.message)
          }
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
              taken = undefined
              yield* roster.launch(outcome.row, outcome.lease, body.right, own, heard.commands)
              return outcome
            })
          )
        })
        // The slot is the actor's once it was launched, and nobody's otherwise.
        return yield* Effect.ensuring(
          look,
          Effect.sync(() => {
            taken?.release()
          })
        )
      }).pipe(Effect.uninterruptible)

    const rest = (id: ProcessId, problem: string): Effect.Effect<Admission, StoreError> =>
      Effect.map(activations.backOff(id, problem), (backOff) =>
        backOff === undefined ? { _tag: "Left", reason: "settled" } : { _tag: "BackingOff", backOff }
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
      admission: lines.admission(takeOn),
      lookout: Effect.forever(look)
    })
  })
)

/** A row that vanished between the read and the write needs nothing any more. */
const settle = (
  outcome: Effect.Effect<RecoveryOutcome, ProcessUnknown | StoreError>
): Effect.Effect<RecoveryOutcome, StoreError> =>
  Effect.catchTag(outcome, "ProcessUnknown", () => Effect.succeed({ _tag: "Left", reason: "settled" } as const))
