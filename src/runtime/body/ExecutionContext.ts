/**
 * What a body sees of the process it runs in.
 *
 * Every operation that writes is journaled: a body that runs again gets the recorded outcome, and does not do it again. An
 * operation is known by its name, its occurrence, and the scope it is in.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { InputInvalid, ReplayDiverged } from "../../model/errors.ts"
import type { RuntimeError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Lease } from "../../model/Lease.ts"
import type { SessionScope } from "../../model/Provenance.ts"
import { ClosePolicy } from "../../model/Registration.ts"
import type { Authority } from "../../operations/decisions/authority.ts"
import * as Arguments from "../arguments.ts"
import * as ProcessHandle from "../client/ProcessHandle.ts"
import type { AnySignal } from "../engine/Signal.ts"
import type { Startable, StartSpec } from "../engine/Startable.ts"
import * as Startables from "../engine/Startable.ts"
import { registrationOf } from "../engine/Startable.ts"
import type { Activation } from "./Activation.ts"
import { abortSignalOf, stateOf } from "./Activation.ts"
import type { BodyOperations } from "./BodyOperations.ts"
import * as Operations from "./BodyOperations.ts"
import * as Handles from "./handles.ts"
import type { Journal } from "./Journal.ts"
import * as Journals from "./Journal.ts"
import * as Lineage from "./lineage.ts"
import type { Operate } from "./operate.ts"
import * as Operating from "./operate.ts"
import type { Surroundings } from "./Surroundings.ts"
import * as Around from "./Surroundings.ts"
import { clockOf } from "./turns.ts"

/** How to start a child. */
export interface ChildOptions<Payload> {
  /** Names the child within its parent. One name in a loop names another child each time. */
  readonly name: string
  readonly payload: Payload
  /** The child's id. @default `{parent id}/{scopes/}{name}`, and `…:{n}` for the n-th start of that name */
  readonly id?: string
  /** What people know the child by. */
  readonly label?: string
  /** What the end of this process means for the child, and what being asked to stop does. @default "cancel" */
  readonly closePolicy?: ClosePolicy
  /** The session that the child's wakes are for. @default whom this process woke when its activation began */
  readonly wakeTarget?: SessionScope
}

const childOptions = {
  name: true,
  payload: true,
  id: true,
  label: true,
  closePolicy: true,
  wakeTarget: true
} as const satisfies Readonly<Record<keyof ChildOptions<unknown>, true>>

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
  readonly phase: <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | InputInvalid, R>

  /** Aborted when its host interrupts the body: `reason` is an error whose `cause` says why. */
  readonly abortSignal: AbortSignal

  /**
   * The handle of a process that was started elsewhere. What it does is journaled as the body's own; with an argument of the wrong
   * kind, everything that it does fails with `InputInvalid`.
   */
  readonly attach: <Payload, Success, Failure, Signals extends AnySignal = never>(
    startable: Startable<Payload, Success, Failure, Signals>,
    id: ProcessId | string
  ) => ProcessHandle.ProcessHandle<Success, Failure, Signals>

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
  readonly settle: Effect.Effect<void, ReplayDiverged>
  /** Reads what happened before this activation. The body begins after it. */
  readonly load: Effect.Effect<void>
  readonly journal: Journal
  /** What the body's own pauses are measured by. */
  readonly clock: Clock.Clock
}

/** Makes the context of one activation: every write it makes presents the lease of that activation. */
export const make = (activation: Activation): Prepared => {
  const { id: processId, row } = activation
  const journal = Journals.make(activation)
  const operate = Operating.make(activation, journal)
  const handles = Handles.make(activation, journal, operate)
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
    load: journal.load,
    journal,
    clock: clockOf(activation.services.clock, {
      isOfBody: (fiber) =>
        stateOf(activation) !== "over" &&
        activation.body !== undefined &&
        !operate.isOperating(fiber) &&
        !journal.isInside(fiber) &&
        Lineage.isFrom(activation.body, fiber),
      sleep: activation.ends.sleep
    }),
    context: {
      processId,
      attempt: row.snapshot.context.attempts,
      fencingToken: row.lease.fencingToken,
      surroundings: Effect.sync(surroundings),
      get abortSignal() {
        return abortSignalOf(activation)
      },
      ...Operations.make(activation, journal, operate),
      phase: (name, effect) =>
        Arguments.refusing(() => {
          Arguments.text("name of `phase`", name)
          const work = Arguments.effect("effect of `phase`", effect)
          return Effect.acquireUseRelease(
            Effect.sync(() => enter(name)),
            () => Effect.annotateLogs(work, "phase", name),
            (before) => Effect.sync(() => enter(before))
          )
        }),
      attach: (startable, id) => {
        const refusal = Arguments.refusalOf(() => {
          Startables.startable(startable, "startable of `attach`")
          Arguments.text("id of `attach`", id)
        })
        // Any text may be an id.
        return ProcessHandle.make(
          startable,
          id as ProcessId,
          refusal === undefined ? handles : Handles.refused(refusal)
        )
      },
      start: starting(activation, journal, operate, handles, (child) => surroundings().origin.runLocal.add(child))
    }
  }
}

/**
 * Starts children. Each start is one journaled operation, committed together with the child's registration: a body that runs
 * again attaches to the child that its journal names. `started` hears of every child.
 */
const starting = (
  activation: Activation,
  journal: Journal,
  operate: Operate,
  handles: ProcessHandle.HandleActions,
  started: (child: ProcessId) => void
): ExecutionContext["start"] => {
  const { id: processId, row, services } = activation
  const { provenance, envRef } = row.base.registration
  const environment = envRef === undefined ? services.host.capture : Effect.succeed(envRef)
  const start = <Payload, Success, Failure, Signals extends AnySignal = never>(
    startable: Startable<Payload, Success, Failure, Signals>,
    options: ChildOptions<Payload>
  ) => {
    const {
      name,
      payload,
      id,
      label,
      closePolicy = "cancel",
      wakeTarget
    } = Arguments.options("options of `start`", childOptions, options)
    Startables.startable(startable, "startable of `start`")
    Arguments.text("name of `start`", name)
    if (id !== undefined) Arguments.text("id of `start`", id)
    if (label !== undefined) Arguments.text("label of `start`", label)
    Arguments.oneOf("closePolicy of `start`", closePolicy, ClosePolicy.literals)
    if (wakeTarget !== undefined) Arguments.sessionScope("wakeTarget of `start`", wakeTarget)
    // Children wake whom this process wakes now: a deleted session may have taken that away since its registration.
    const target = wakeTarget ?? row.snapshot.context.wakeTarget
    const specOf = (child: string): StartSpec<Payload> => ({
      id: child,
      payload,
      ...(label === undefined ? {} : { label }),
      ...(target === null ? {} : { wakeTarget: target }),
      provenance: { originator: provenance.originator, causedBy: { _tag: "Process", processId } },
      parent: { processId, closePolicy }
    })
    return operate.once("start_child", name, {
      attempt: (key) =>
        Effect.map(
          registrationOf(startable, specOf(id ?? journal.branched(childIdOf(processId, key))), environment),
          (registered) => (lease, opened) => {
            const draft = { ...opened, outcome: { process_id: registered.registration.id } }
            return services.start(registered, authorityOf(lease), { lease, draft })
          }
        ),
      takeUp: (outcome) =>
        Effect.sync(() => {
          const { process_id: child } = outcome as { readonly process_id: ProcessId } // written above
          started(child)
          return ProcessHandle.make<Success, Failure, Signals>(startable, child, handles)
        })
    })
  }
  return (startable, options) => Arguments.refusing(() => start(startable, options))
}

/**
 * The id of a child by its place in the code: what is started under one name again gets a number. So does a name that ends as
 * if it had one, or as if it were of another branch, and what is no end of a scope in it is written otherwise: two places never
 * have the same id.
 */
const childIdOf = (parent: ProcessId, key: string): string => {
  const parts = key.split(/(#\d+(?:\/|$))/).map((part, index) => (index % 2 === 0 ? withoutSlash(part) : part))
  const place = parts
    .join("")
    .replace(/([:@]\d+)?#(\d+)(?=\/|$)/g, (_, number: string = "", occurrence: string) =>
      number === "" && occurrence === "1" ? "" : `${number}:${occurrence}`
    )
  return `${parent}/${place}`
}

const withoutSlash = (name: string): string => name.replace(/%(?=2F|25)/g, "%25").replaceAll("/", "%2F")

const authorityOf = (lease: Lease): Authority => ({ _tag: "Body", lease })
