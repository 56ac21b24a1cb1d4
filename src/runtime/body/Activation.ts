/**
 * One activation: the value that the body's context, its actor and the worker share.
 *
 * Invariant: the actor writes its fields, and the lease renewer its lease; a body only reads them.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { SnapshotFrom } from "xstate"
import type { Disturbance, RunCommand, RunEvent } from "../../../machines/run.ts"
import { runMachine } from "../../../machines/run.ts"
import * as Step from "../../../machines/xstate/step.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import type { LeaseLost, StoreError } from "../../model/errors.ts"
import type { RuntimeError, StartError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { UnderWay } from "../../model/JournalEntry.ts"
import type { Taking } from "../../model/json.ts"
import type { Lease } from "../../model/Lease.ts"
import type { Registered } from "../../model/Registration.ts"
import type { Activations } from "../../operations/Activations.ts"
import type { BodyWrites } from "../../operations/BodyWrites.ts"
import type { Authority } from "../../operations/decisions/authority.ts"
import type { Claimant } from "../../operations/decisions/lease.ts"
import type { StartOutcome } from "../../operations/decisions/register.ts"
import type { Environments } from "../../operations/Environments.ts"
import type { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import type { Change, ProcessRow } from "../../store/Decision.ts"
import type { Awaiter } from "../client/Awaiter.ts"
import type { Tools } from "../engine/ToolCatalog.ts"
import type { HostEnvironment } from "../HostEnvironment.ts"
import type { HostServices } from "../HostServices.ts"
import { whileUnavailable } from "../retry.ts"
import type { Inbox } from "../worker/Inbox.ts"
import * as Inboxes from "../worker/Inbox.ts"
import type { HeldSlot } from "../worker/Slots.ts"
import { resolveUnknownCommit } from "../worker/unknownCommit.ts"
import type { Ends } from "./Ends.ts"
import * as Ending from "./Ends.ts"
import type { FairScheduler } from "./fairScheduler.ts"
import * as Fair from "./fairScheduler.ts"
import type { Interruption } from "./interruption.ts"
import type { Awaited } from "./waiters.ts"

/** An activation in progress. */
export interface Activation {
  readonly id: ProcessId
  /** The row as it was when the activation began. */
  readonly row: ProcessRow
  readonly services: Services
  readonly slot: HeldSlot
  /** What its fibers run on. */
  readonly scheduler: FairScheduler
  readonly inbox: Inbox<RunEvent["type"]>
  /** The ends of the body's operations, in their order, and whether it does anything but wait. */
  readonly ends: Ends
  /** Takes up what a commit of this host, or another one, did to the process. Its journal does that. */
  journal?: {
    readonly observe: (change: Change) => void
    readonly refresh: (present: ProcessRow) => Effect.Effect<void, StoreError>
  }
  /** Aborted when the host interrupts the body; made when a body asks for it. */
  interruption?: AbortController
  interruptedBy?: Disturbance
  /** The interruption of the body, sent or not. */
  interrupting?: Interruption
  readonly passivateAfterMs: number | undefined
  /** The present lease: replaced when it is renewed or re-acquired. */
  lease: Lease
  /** Made when the lease is first re-acquired: one attempt at a time. */
  reacquiring?: Effect.Semaphore
  /** A write was refused, since the lease is another's: from here on the body does nothing in the name of its process. */
  lost?: LeaseLost
  /** The state of the run machine. */
  run: SnapshotFrom<typeof runMachine>
  /** Commands that are still to be carried out; one that met a defect is tried again. */
  readonly pending: Array<RunCommand>
  /** What the body says it is doing. */
  phase?: string | undefined
  /** Whether all the body did was wait when it was interrupted, and for what. */
  wasIdle: boolean
  awaited: Awaited
  /** The steps and waits for other processes that are under way, by key; made when the first begins. */
  underWay?: Map<string, UnderWay>
  /** What of that is kept in the store. */
  keptUnderWay?: string
  /** What was under way when the body was interrupted. */
  leftUnderWay?: ReadonlyArray<UnderWay>
  body?: Fiber.RuntimeFiber<AwaitOutput | AtRest, RuntimeError>
  /** How the body ended; what is left is to write it. */
  exit?: Exit.Exit<AwaitOutput | AtRest, RuntimeError>
  /** How often in a row the process could not go on before this activation. */
  readonly failures: number
  /** How often the interpretation met a defect and went on. */
  restarts: number
  lastFailure?: { readonly atMs: number; readonly problem: string }
}

/** What the activations of one worker use. */
export interface Services {
  readonly activations: typeof Activations.Service
  readonly writes: typeof BodyWrites.Service
  readonly registry: typeof ProcessRegistry.Service
  readonly awaiter: typeof Awaiter.Service
  readonly environments: typeof Environments.Service
  readonly host: typeof HostEnvironment.Service
  readonly tools: typeof Tools.Service
  readonly hostServices: HostServices
  readonly limits: Taking
  readonly clock: Clock.Clock
  readonly readRow: (id: ProcessId) => Effect.Effect<ProcessRow | undefined, StoreError>
  /** Starts a process, and runs it when this worker can; a body that starts a child journals that in the same commit. */
  readonly start: (
    registered: Registered,
    authority: Authority,
    journal?: JournalWrite
  ) => Effect.Effect<StartOutcome, StartError>
  /** A fresh identity for one attempt to hold a lease. */
  readonly claimant: () => Claimant
  /** Runs work beside the activations of this worker. */
  readonly fork: (work: Effect.Effect<void>) => void
  /** Checks a row again soon. */
  readonly recheck: (id: ProcessId) => void
}

/** A chart has nothing to do now: its process leaves memory. */
export interface AtRest {
  readonly _tag: "AtRest"
}

/** What a body that starts a child journals in the same commit. */
export type JournalWrite = NonNullable<Parameters<(typeof Activations.Service)["start"]>[3]>

const steps = Step.tabulate(runMachine, undefined)

/** Makes the activation that the store has just begun. */
export const make = (
  row: ProcessRow,
  lease: Lease,
  services: Services,
  slot: HeldSlot,
  passivateAfterMs: number | undefined,
  failures = 0
): Activation => {
  const inbox = Inboxes.make<RunEvent["type"]>()
  const scheduler = Fair.make()
  const activation: Activation = {
    id: lease.processId,
    row,
    services,
    slot,
    scheduler,
    inbox,
    ends: Ending.make({
      nowMs: () => services.clock.unsafeCurrentTimeMillis(),
      slot,
      scheduler,
      onCancel: () => inbox.offer("cancel.requested"),
      later: (run) => services.fork(Effect.delay(Effect.sync(run), "1 second")),
      fork: services.fork,
      isDeciding: () => isDeciding(activation),
      interrupts: () => activation.interrupting?.attempt() ?? false
    }),
    passivateAfterMs,
    lease,
    run: steps.initial.snapshot,
    pending: [...steps.initial.commands],
    wasIdle: false,
    awaited: { waits: [], children: [] },
    failures,
    restarts: 0
  }
  return activation
}

/** The signal that is aborted when the host interrupts the body. */
export const abortSignalOf = (activation: Activation): AbortSignal => {
  const { interruptedBy } = activation
  if (activation.interruption === undefined) {
    activation.interruption = new AbortController()
    if (interruptedBy !== undefined) abort(activation, interruptedBy)
  }
  return activation.interruption.signal
}

/** Says that the host interrupts the body: aborts its signal, also if it asks for one later. */
export const abort = (activation: Activation, cause: Disturbance): void => {
  activation.interruptedBy ??= cause
  const error = new Error(`the body of \`${activation.id}\` is interrupted: ${cause}`, { cause })
  activation.interruption?.abort(Object.assign(error, { name: "AbortError" }))
}

/** Advances the run machine; its commands are added to those that are pending. */
export const advance = (activation: Activation, type: RunEvent["type"]): void => {
  const step = steps.advance(activation.run, type)
  activation.run = step.snapshot
  activation.pending.push(...step.commands)
}

/** Why the body of a running activation is to stop, as the run machine knows it; `undefined` when it does not run. */
export const disturbanceOf = ({
  run: { value }
}: Activation): "undisturbed" | "passivating" | "cancelling" | "stopping" | "fenced" | "superseded" | undefined =>
  typeof value === "object" && "running" in value ? value.running : undefined

/**
 * The state of the body. `leaving`: it is handed back so that its next activation goes on, and begins nothing more. `over`: it
 * has ended, and is in its process no longer.
 */
export const stateOf = (activation: Activation): "open" | "leaving" | "over" => {
  if (activation.exit !== undefined) return "over"
  const disturbance = disturbanceOf(activation)
  // Work that may not run again is given up when its host stops: then this is its last word.
  const { disposition } = activation.row.base.registration
  const isLeaving = disturbance === "passivating" || (disturbance === "stopping" && disposition === "rerunnable")
  return isLeaving ? "leaving" : "open"
}

/** Whether the body decides for itself how it goes on; it does so while it cleans up after a request to stop, too. */
export const isDeciding = (activation: Activation): boolean => {
  const disturbance = disturbanceOf(activation)
  return isGoingOn(activation) && (disturbance === "undisturbed" || disturbance === "cancelling")
}

/** Whether the body is in its process and may write, as far as it knows. */
export const isGoingOn = (activation: Activation): boolean =>
  stateOf(activation) === "open" && activation.lost === undefined

/** Asks the store until it answers; each outage is logged. */
export const answered = <A, E, R>(
  activation: Activation,
  attempt: Effect.Effect<A, E, R>
): Effect.Effect<A, Exclude<E, StoreError>, R> => whileUnavailable(attempt, () => outage(activation))

/** Logs that a process waits for its store. */
export const outage = ({ id }: Activation): Effect.Effect<void> => Effect.logWarning(`${id} waits for its store`)

/**
 * Re-acquires the lease after it expired. Fails with `LeaseLost` when another owner held the process in between.
 *
 * Branches of a body, and the lease renewer, may find it expired together: one attempt serves all of them. Each by itself would
 * present a lease that the first one has replaced, and hear of a loss that is none.
 */
export const reacquire = (activation: Activation): Effect.Effect<void, LeaseLost | StoreError> =>
  Effect.suspend(() => {
    const presented = activation.lease
    activation.reacquiring ??= Effect.unsafeMakeSemaphore(1)
    return activation.reacquiring.withPermits(1)(
      Effect.suspend(() =>
        activation.lease.leaseToken === presented.leaseToken ? acquireAgain(activation) : Effect.void
      )
    )
  })

const acquireAgain = (activation: Activation): Effect.Effect<void, LeaseLost | StoreError> => {
  const { id, lease: presented, services } = activation
  const claimant = { ...services.claimant(), owner: presented.owner }
  return resolveUnknownCommit(
    services.activations.reacquire(presented, claimant),
    services.readRow(id),
    claimant.token,
    (_, lease) => lease
  ).pipe(
    Effect.map((lease) => {
      activation.lease = lease
    }),
    Effect.zipRight(Effect.logWarning(`the lease of ${id} had expired; it was free in between, so the body goes on`))
  )
}

/**
 * Writes under the lease of an activation. A lease that only expired, while this host slept, is re-acquired first, as often as it has
 * expired again by the time of the write: only its loss ends that, so no end of a body is given up while its process is this host's.
 */
export const fenced = <A, E extends { readonly _tag: string }>(
  activation: Activation,
  write: (lease: Lease) => Effect.Effect<A, E>
): Effect.Effect<A, E | LeaseLost | StoreError> => {
  const attempt: Effect.Effect<A, E | LeaseLost | StoreError> = Effect.catchIf(
    Effect.suspend(() => write(activation.lease)),
    (error) => error._tag === "LeaseLost",
    () => Effect.zipRight(heldAgain(activation), attempt)
  )
  return attempt
}

/** Makes sure of the lease before more is done under it; a body that has lost it learns so each time. */
export const heldAgain = (activation: Activation): Effect.Effect<void, LeaseLost | StoreError> =>
  Effect.suspend(() =>
    activation.lost === undefined
      ? Effect.tapErrorTag(reacquire(activation), "LeaseLost", (lost) =>
          Effect.sync(() => {
            activation.lost = lost
          })
        )
      : Effect.fail(activation.lost)
  )
