/**
 * What laws are about: fresh processes of every disposition, owners with liveness evidence, and leases.
 *
 * Every id is new, so that any number of laws may share one store.
 */
import * as Effect from "effect/Effect"
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import type { Disposition } from "../../machines/recovery.ts"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import * as Output from "../model/AwaitOutput.ts"
import * as EventType from "../model/EventType.ts"
import type {
  InputInvalid,
  LeaseLost,
  ProcessPruned,
  RegistrationConflict,
  RegistrationInvalid,
  StoreError
} from "../model/errors.ts"
import { ProcessAlreadyTerminal } from "../model/errors.ts"
import type { EnvironmentRef, ProcessId } from "../model/ids.ts"
import { processId } from "../model/ids.ts"
import type { ClaimOutcome, Lease, LeaseOwner } from "../model/Lease.ts"
import * as Provenance from "../model/Provenance.ts"
import type { ProcessInput } from "../model/Registration.ts"
import * as Registration from "../model/Registration.ts"
import * as Activation from "../operations/decisions/activation.ts"
import { onLease } from "../operations/decisions/authority.ts"
import * as Changes from "../operations/decisions/change.ts"
import type { CompletionRefusal } from "../operations/decisions/completion.ts"
import type { Recoverer } from "../operations/decisions/recover.ts"
import type { Lookup } from "../operations/existing.ts"
import { Leases } from "../operations/Leases.ts"
import { ProcessRegistry } from "../operations/ProcessRegistry.ts"
import type { Decision, ProcessRow } from "../store/Decision.ts"
import { refuse } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import { expectEquals, Mismatch } from "./Law.ts"

/** A time to live that no law outlasts. Units: milliseconds. */
export const longMs = 3_600_000

/** A time to live that laws let pass. Units: milliseconds. */
export const shortMs = 50

/** A fresh id. */
export const freshId: Effect.Effect<ProcessId> = Effect.sync(() => processId(`law-${crypto.randomUUID()}`))

/** A new life of an owner, with evidence by which its death may be proven. */
export const freshOwner = (ownerId = "worker"): Effect.Effect<LeaseOwner> =>
  Effect.sync(() => {
    const incarnationId = crypto.randomUUID()
    return {
      ownerId,
      incarnationId,
      liveness: {
        _tag: "LocalProcess",
        hostId: "law-host",
        bootId: "law-boot",
        pid: 4_242,
        processStart: incarnationId
      }
    }
  })

/** The work of processes that run here. */
export const engineInput: ProcessInput = { _tag: "Engine", kind: "law.engine", payload: { steps: 3 } }

/** The event types a process of a law declares besides the core ones. */
export const eventTypes: ReadonlyArray<EventType.EventType> = [
  EventType.plain("note"),
  EventType.plain("line", { type: "object", required: ["text"], properties: { text: { type: "string" } } }),
  EventType.plain("signal.ready"),
  {
    name: "progress",
    payloadSchema: { schema: {} },
    semantics: { wake: { when: { pointer: "/urgent" }, input: { pointer: "/text" }, dedupeKey: "event_identity" } }
  },
  {
    name: "finished",
    payloadSchema: { schema: { type: "object" } },
    semantics: { terminal: { state: "completed", awaitOutput: { pointer: "/result" } } }
  },
  {
    name: "broken",
    payloadSchema: { schema: {} },
    semantics: { terminal: { state: "failed", awaitOutput: { pointer: "/problem" } } }
  }
]

/** A registration of a disposition, with the event types above. */
export const registrationOf = (
  id: ProcessId,
  disposition: Disposition,
  changes: Partial<Registration.Registration> = {}
): Registration.Registration => {
  const isExternal = disposition === "externally_owned"
  const input: ProcessInput = isExternal ? { _tag: "External", metadata: { label: "outside" } } : engineInput
  return {
    ...Registration.make(id, input, disposition, Provenance.host),
    eventTypes,
    ...(isExternal ? {} : { envRef: environment }),
    ...changes
  }
}

/** A registered process without further events. */
export const freshProcess = (
  disposition: Disposition = "rerunnable",
  changes?: Partial<Registration.Registration>
): Effect.Effect<ProcessId, RegistrationRefusal, ProcessRegistry> =>
  Effect.gen(function* () {
    const id = yield* freshId
    const registry = yield* ProcessRegistry
    yield* registry.registerProcess(registrationOf(id, disposition, changes))
    return id
  })

/** The normalised form in which a start is handed to a store. */
export const registeredOf = (
  registration: Registration.Registration
): Effect.Effect<Registration.Registered, RegistrationInvalid> => Registration.prepare(registration)

/** Claims a process that is free. */
export const claimed = (
  id: ProcessId,
  owner: LeaseOwner,
  ttlMs: number = longMs
): Effect.Effect<Lease, InputInvalid | Lookup | Mismatch, Leases> =>
  Effect.gen(function* () {
    const leases = yield* Leases
    const outcome = yield* leases.claimProcessLease(id, owner, ttlMs)
    if (outcome._tag === "Acquired") return outcome.lease
    return yield* new Mismatch({ about: "a claim of a free lease", expected: "Acquired", actual: outcome })
  })

/** Begins the next activation under a lease, as a worker does in the commit that takes the lease. */
export const begin = (
  lease: Lease,
  owner: LeaseOwner
): Effect.Effect<ProcessRow, LeaseLost | ProcessAlreadyTerminal | StoreError, ProcessStore> =>
  Effect.flatMap(ProcessStore, (store) =>
    store.transact(
      { lock: [lease.processId] },
      onLease(lease, (row, { nowMs }): Decision<ProcessRow, ProcessAlreadyTerminal> => {
        const state = lifecycleOf(row.snapshot)
        return state === "running"
          ? Changes.accepted(Activation.begun(Changes.of(row), owner, nowMs))
          : refuse(new ProcessAlreadyTerminal({ processId: lease.processId, state }))
      })
    )
  )

/** Of racers for one lease exactly one acquired it, and the others got its holder; answers the stored lease. */
export const exactlyOneAcquired = (
  id: ProcessId,
  racers: ReadonlyArray<LeaseOwner>,
  outcomes: ReadonlyArray<ClaimOutcome>
): Effect.Effect<Lease | undefined, Mismatch | InputInvalid | StoreError, Leases> =>
  Effect.gen(function* () {
    const stored = yield* (yield* Leases).getProcessLease(id)
    yield* expectEquals(
      "the outcomes",
      outcomes,
      racers.map(({ incarnationId }) =>
        incarnationId === stored?.owner.incarnationId
          ? { _tag: "Acquired", lease: stored }
          : { _tag: "Busy", holder: stored }
      )
    )
    return stored
  })

/** A fresh process with a fresh holder. */
export const leasedProcess = (
  disposition: Disposition = "rerunnable",
  ttlMs: number = longMs
): Effect.Effect<
  { readonly id: ProcessId; readonly owner: LeaseOwner; readonly lease: Lease },
  RegistrationRefusal | InputInvalid | Lookup | Mismatch,
  ProcessRegistry | Leases
> =>
  Effect.gen(function* () {
    const id = yield* freshProcess(disposition)
    const owner = yield* freshOwner()
    const lease = yield* claimed(id, owner, ttlMs)
    return { id, owner, lease }
  })

/** An output for each terminal state. */
export const outputs: Readonly<Record<AwaitOutput["_tag"], AwaitOutput>> = {
  Success: Output.success({ answer: 42 }),
  Failure: Output.failure("execution", "law_failed", "it broke", { at: "law" }),
  Cancelled: Output.cancelled("asked to stop"),
  Abandoned: Output.abandoned({ writer: "reconciled_request", epochMs: 7 })
}

/** The event type and the status that an output ends a process with. */
export const endOf = (
  output: AwaitOutput
): { readonly eventType: string; readonly status: { readonly _tag: string; readonly output: AwaitOutput } } => {
  const state = { Success: "Completed", Failure: "Failed", Cancelled: "Cancelled", Abandoned: "Abandoned" }[output._tag]
  return { eventType: `process.${state.toLowerCase()}`, status: { _tag: state, output } }
}

/** A process that its lease holder has completed with {@link outputs}' success. */
export const endedByLease: Effect.Effect<
  ProcessId,
  RegistrationRefusal | CompletionRefusal | LeaseLost | InputInvalid | Lookup | Mismatch,
  ProcessRegistry | Leases
> = Effect.gen(function* () {
  const registry = yield* ProcessRegistry
  const { id, lease } = yield* leasedProcess()
  yield* registry.completeProcessWithLease(lease, outputs.Success)
  return id
})

/** An attempt of a sweep: a stable worker, a fresh claimant, the deaths it knows of. */
export const recoverer = (
  changes: { readonly owner?: LeaseOwner; readonly dead?: ReadonlyArray<LeaseOwner>; readonly engine?: "missing" } = {}
): Effect.Effect<Recoverer> =>
  Effect.gen(function* () {
    const owner = changes.owner ?? (yield* freshOwner("sweeper"))
    const claimant = yield* freshOwner(`${owner.ownerId}:recovery`)
    return {
      owner,
      claimant: { owner: claimant, ttlMs: longMs, token: crypto.randomUUID() },
      dead: changes.dead ?? [],
      engine: changes.engine ?? "present"
    }
  })

type RegistrationRefusal = RegistrationInvalid | RegistrationConflict | ProcessPruned | StoreError

const environment = "process-env:sha256:00" as EnvironmentRef // any text will do: no law loads it
