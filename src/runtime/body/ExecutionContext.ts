/**
 * What a body sees of the process it runs in.
 *
 * Every operation that writes is journaled: a body that runs again gets the recorded outcome, and does not do it again. An
 * operation is known by its name, its occurrence, and the scope it is in.
 */
import * as Effect from "effect/Effect"
import type { ReplayDiverged, StoreError } from "../../model/errors.ts"
import type { RuntimeError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Lease } from "../../model/Lease.ts"
import type { SessionScope } from "../../model/Provenance.ts"
import type { ClosePolicy } from "../../model/Registration.ts"
import type { Authority } from "../../operations/decisions/authority.ts"
import { readProcess, requestAbandon } from "../../operations/ProcessRegistry.ts"
import * as ProcessHandle from "../client/ProcessHandle.ts"
import type { AnySignal } from "../engine/Signal.ts"
import type { Startable, StartSpec } from "../engine/Startable.ts"
import { registrationOf } from "../engine/Startable.ts"
import type { Activation } from "./Activation.ts"
import { fenced, stateOf } from "./Activation.ts"
import type { BodyOperations } from "./BodyOperations.ts"
import * as Operations from "./BodyOperations.ts"
import type { Journal } from "./Journal.ts"
import * as Journals from "./Journal.ts"
import type { Surroundings } from "./Surroundings.ts"
import * as Around from "./Surroundings.ts"

/** How to start a child. */
export interface ChildOptions<Payload> {
  /** Names the child within its parent: a body that runs again attaches to the child of the same name. */
  readonly name: string
  readonly payload: Payload
  /** The child's id. @default `{parent id}/{name}` */
  readonly id?: string
  /** What people know the child by. */
  readonly label?: string
  /** What the end of this process means for the child, and what being asked to stop does. @default "cancel" */
  readonly closePolicy?: ClosePolicy
  /** The session that the child's wakes are for. @default whom this process woke when its activation began */
  readonly wakeTarget?: SessionScope
}

/** What a body sees of the process it runs in. Once the body has ended, every operation fails with `OutsideProcess`. */
export interface ExecutionContext extends BodyOperations {
  readonly processId: ProcessId
  /** The number of this try; it rises only when the one before it left no fact behind. */
  readonly attempt: number
  /** The number of this activation; an effect on the outside world may use it as its fence. */
  readonly fencingToken: number

  /**
   * What surrounds the body: session, provenance, wake target, environment, what a model may call here, and what the host
   * supplies besides: triggers, attachments, projections, a sink for what a turn is doing.
   *
   * It is read from the registration, and from the record as it was when this activation began.
   */
  readonly surroundings: Effect.Effect<Surroundings>

  /** Names what the body is doing, for people: it shows in the tree and in logs, and is not stored. */
  readonly phase: <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

  /**
   * Starts a child, or attaches to it when this body started it in an earlier activation. What is started may be an engine, a
   * tool, a turn of a child session, or external work: a host that has it runs it.
   *
   * While the body waits for a child, its slot is free for others. Fails with `ParentClosing` once this process was asked to
   * stop, with `LeaseLost` when another worker runs it by now, with `ProcessIdConflict` when the id belongs to something else.
   */
  readonly start: <Payload, Success, Failure, Signals extends AnySignal = never>(
    startable: Startable<Payload, Success, Failure, Signals>,
    options: ChildOptions<Payload>
  ) => Effect.Effect<ProcessHandle.ProcessHandle<Success, Failure, Signals>, RuntimeError>
}

/** A context, and what must hold once its body has ended. */
export interface Prepared {
  readonly context: ExecutionContext
  /** Fails with `ReplayDiverged` when the journal has entries that the body never asked for. */
  readonly settle: Effect.Effect<void, ReplayDiverged | StoreError>
}

/** Makes the context of one activation: every write it makes presents the lease of that activation. */
export const make = (activation: Activation): Prepared => {
  const { id: processId, row } = activation
  const journal = Journals.make({
    processId,
    isFirst: row.snapshot.context.activations <= 1,
    read: activation.services.writes.journalOf(processId),
    state: () => stateOf(activation)
  })
  let made: Surroundings | undefined
  /** Made when a body asks: most bodies do not. */
  const surroundings = (): Surroundings => {
    made ??= Around.make(activation)
    return made
  }
  const enter = (phase: string | undefined): string | undefined => {
    const before = activation.phase
    activation.phase = phase
    return before
  }
  return {
    settle: journal.settle,
    context: {
      processId,
      attempt: row.snapshot.context.attempts,
      fencingToken: row.lease.fencingToken,
      surroundings: Effect.sync(surroundings),
      ...Operations.make(activation, journal),
      phase: (name, effect) =>
        Effect.acquireUseRelease(
          Effect.sync(() => enter(name)),
          () => Effect.annotateLogs(effect, "phase", name),
          (before) => Effect.sync(() => enter(before))
        ),
      start: starting(activation, journal, (child) => surroundings().origin.runLocal.add(child))
    }
  }
}

const authorityOf = (lease: Lease): Authority => ({ _tag: "Body", lease })

/**
 * Starts children. Each start is one journaled operation, committed together with the child's registration: a body that runs
 * again attaches to the child that its journal names. `started` hears of every child.
 */
const starting = (
  activation: Activation,
  journal: Journal,
  started: (child: ProcessId) => void
): ExecutionContext["start"] => {
  const { id: processId, row, services, waits } = activation
  const { provenance, envRef } = row.base.registration
  const handles = handlesOf(activation)
  const environment = envRef === undefined ? services.host.capture : Effect.succeed(envRef)
  return <Payload, Success, Failure, Signals extends AnySignal = never>(
    startable: Startable<Payload, Success, Failure, Signals>,
    { name, payload, id = `${processId}/${name}`, label, closePolicy = "cancel", wakeTarget }: ChildOptions<Payload>
  ) => {
    const begun = (child: ProcessId) => {
      started(child)
      return ProcessHandle.make<Success, Failure, Signals>(startable, child, handles)
    }
    // Children wake whom this process wakes now: a deleted session may have taken that away since its registration.
    const target = wakeTarget ?? row.snapshot.context.wakeTarget
    const spec: StartSpec<Payload> = {
      id,
      payload,
      ...(label === undefined ? {} : { label }),
      ...(target === null ? {} : { wakeTarget: target }),
      provenance: { originator: provenance.originator, causedBy: { _tag: "Process", processId } },
      parent: { processId, closePolicy }
    }
    return waits.busy(
      journal.operate(
        "start_child",
        name,
        (outcome) => Effect.sync(() => begun((outcome as { readonly process_id: ProcessId }).process_id)), // written below
        (opened) =>
          Effect.flatMap(registrationOf(startable, spec, environment), (registered) => {
            const child = registered.registration.id
            const draft = { ...opened, outcome: { process_id: child } }
            return Effect.map(
              fenced(activation, (lease) => services.start(registered, authorityOf(lease), { lease, draft })),
              () => begun(child)
            )
          })
      )
    )
  }
}

/** What a handle does from within a body: it asks children to stop, and signals others, under the fence of the activation. */
const handlesOf = (activation: Activation): ProcessHandle.HandleActions => {
  const { id: processId, services, slot, waits } = activation
  const { awaiter, registry } = services
  return {
    awaitOutput: (id) => waits.busy(slot.releaseWhile(awaiter.awaitProcess(id))),
    cancel: (id, reason) =>
      waits.busy(fenced(activation, (lease) => registry.requestProcessCancel(id, reason, authorityOf(lease)))),
    abandon: (id, reason) =>
      waits.busy(
        fenced(activation, (lease) =>
          requestAbandon(registry, id, { requestedBy: `process:${processId}`, authority: authorityOf(lease), reason })
        )
      ),
    signal: (id, signal) => waits.busy(fenced(activation, (lease) => registry.signal(id, signal, authorityOf(lease)))),
    status: (id) => readProcess(registry, id),
    awaiter
  }
}
