/**
 * Machines for programs that do not use Effect: their actions and actors are async functions, and what a handle on them answers are
 * Promises and async iterables.
 */
import type * as Duration from "effect/Duration"
import type { AnyStateMachine, InputFrom, OutputFrom } from "xstate"
import type { ActionOf, ActorOf } from "../../../machines/xstate/types.ts"
import * as Arguments from "../../runtime/arguments.ts"
import type { ActionContext } from "../../runtime/body/chart.ts"
import type * as Machines from "../../runtime/client/MachineHandle.ts"
import type {
  Action,
  ActionArguments,
  Actor,
  DeclaresActors,
  EventTypes,
  IfReducer,
  LogicOf,
  MachineOptions,
  SignalOf
} from "../../runtime/engine/MachineOptions.ts"
import type { AcceptedEvent, EmittedEvent, MachineSnapshot, SentEvent } from "../../runtime/engine/MachineView.ts"
import type { AnySignal } from "../../runtime/engine/Signal.ts"
import type { Startable } from "../../runtime/engine/Startable.ts"
import type { BodyContext, Promised } from "./body.ts"
import { bodyOf } from "./body.ts"
import type { Handle, Reach, Retry, WaitOptions } from "./handle.ts"
import { fromPromise, handleOf, hearing, iterable, rejecting, tries } from "./handle.ts"

/** Performs an action, as `Perform` does. `context.abortSignal` says when it should stop; its process waits until it has settled. */
export type PromisedPerform<Machine extends AnyStateMachine, Params> = (
  seen: ActionArguments<Machine>,
  params: Params,
  context: ActionContext
) => unknown

/** An action, and how it is tried. */
export type PromisedAction<Machine extends AnyStateMachine, Params> =
  | PromisedPerform<Machine, Params>
  | {
      readonly run: PromisedPerform<Machine, Params>
      /** How often to try again, after which pause; each pause is twice the one before. @default never */
      readonly retry?: Retry
      /** `event`: the machine takes `error.action.{name}`, which carries the `error`. @default "fail": the process fails */
      readonly onFailure?: "fail" | "event"
      /** The machine takes further events while it runs. @default false: they wait for it */
      readonly detached?: boolean
    }

/** What runs an actor as a child process: anything that can be started, or an async function. */
export type PromisedActor<Input, Output> =
  | Startable<Input, Output, unknown, AnySignal>
  | ((input: Input, context: BodyContext) => Output | Promise<Output>)

/** The actors of a machine that are engines or async functions. */
export type PromisedActors<Machine extends AnyStateMachine> = {
  readonly [Src in ActorOf<Machine>["src"]]: IfReducer<
    LogicOf<Machine, Src>,
    PromisedActor<InputFrom<LogicOf<Machine, Src>>, OutputFrom<LogicOf<Machine, Src>>>
  >
}

/** What an engine from a machine declares, its actions and actors as async functions. */
export type PromiseMachineOptions<Machine extends AnyStateMachine> = Omit<
  MachineOptions<Machine, never>,
  "actions" | "actors"
> & {
  /** Performs the actions that the machine names. */
  readonly actions?: {
    readonly [A in ActionOf<Machine> as A["type"]]?: PromisedAction<Machine, A["params"]>
  }
} & (DeclaresActors<Machine> extends true
    ? {
        /** Runs the actors that the machine names, each as a child process. */
        readonly actors: PromisedActors<Machine>
      }
    : { readonly actors?: PromisedActors<Machine> })

/** A process of a machine, addressed with the machine's types. What is not explained here is as in `MachineHandle` of `Engine`. */
export interface MachineHandle<Machine extends AnyStateMachine> extends Handle<OutputFrom<Machine>, SignalOf<Machine>> {
  readonly send: (event: SentEvent<Machine>, options?: Machines.SendOptions) => Promise<void>
  /** Sends an event, and answers the snapshot that its transition left. A host that stops gives it up: repeat it with its `id`. */
  readonly ask: (
    event: SentEvent<Machine>,
    options?: Machines.SendOptions & WaitOptions
  ) => Promise<MachineSnapshot<Machine>>
  readonly can: (event: SentEvent<Machine>) => Promise<boolean>
  readonly accepts: () => Promise<ReadonlyArray<AcceptedEvent<EventTypes<Machine>>>>
  readonly snapshot: (options?: WaitOptions) => Promise<MachineSnapshot<Machine>>
  /** The present snapshot and those after it, until the process has ended. Every loop over it begins anew. */
  readonly snapshots: (options?: WaitOptions) => AsyncIterable<MachineSnapshot<Machine>>
  readonly waitFor: (
    until: Machines.Until<Machine>,
    options?: { readonly timeout?: Duration.DurationInput } & WaitOptions
  ) => Promise<MachineSnapshot<Machine>>
  /** The events that it emitted, from the first one on, until it has ended. Every loop over it begins anew. */
  readonly emitted: (options?: WaitOptions) => AsyncIterable<EmittedEvent<Machine>>
}

/** Turns a handle into one of Promises. */
export const machineHandleOf = <Machine extends AnyStateMachine>(
  handle: Machines.MachineHandle<Machine>,
  reach: Reach
): MachineHandle<Machine> => ({
  ...handleOf(handle, reach),
  send: (event, options) => reach.act(handle.send(event, options)),
  ask: (event, options) =>
    rejecting(() => {
      const [own, waiting] = apart(options)
      return reach.wait(handle.ask(event, own), waiting)
    }),
  can: (event) => reach.wait(handle.can(event)),
  accepts: () => reach.wait(handle.accepts),
  snapshot: (options) => reach.wait(handle.snapshot, options),
  snapshots: (options) => iterable(handle.snapshots, reach, options),
  waitFor: (until, options) =>
    rejecting(() => {
      const [own, waiting] = apart(options)
      return reach.wait(handle.waitFor(until, own), waiting)
    }),
  emitted: (options) => iterable(handle.emitted, reach, options)
})

/** The options of the operation itself, which refuses those that it does not know, and those of its Promise. */
const apart = <Options extends object>(
  options: (Options & WaitOptions) | undefined
): readonly [own: Options | undefined, waiting: WaitOptions | undefined] => {
  if (typeof options !== "object" || options === null || Array.isArray(options)) return [options, undefined]
  const { signal, ...own } = options
  return [own as Options, signal === undefined ? undefined : { signal }] // without what is the Promise's own
}

/** The options of a machine whose actions and actors are async functions, as those of one whose are effects. */
export const withEffects = <Machine extends AnyStateMachine>(
  options: PromiseMachineOptions<Machine>,
  promised: Promised
): MachineOptions<Machine, never> =>
  ({
    ...options,
    ...(options.actions === undefined ? {} : { actions: mapped("actions", options.actions, actionOf) }),
    ...(options.actors === undefined ? {} : { actors: mapped("actors", options.actors, actorOf(promised)) })
  }) as unknown as MachineOptions<Machine, never> // the same names and values, with effects for Promises

/** What is no action or actor is left to the engine, which refuses it by its name. */
const mapped = (field: string, record: object, of: (member: never, field: string) => unknown): object =>
  Object.fromEntries(
    Object.entries(Arguments.record(field, record)).map(([name, member]) => [
      name,
      of(member as never, `${field}/${name}`) // each member is of its kind
    ])
  )

const actionOf = <Machine extends AnyStateMachine>(
  action: PromisedAction<Machine, unknown>,
  field: string
): Action<Machine, unknown, never> => {
  const { run, retry, ...rest } = typeof action === "function" ? { run: action } : Arguments.record(field, action)
  if (typeof run !== "function") return action as never // see `mapped`
  return {
    ...rest,
    run: (seen, params, context) =>
      hearing(
        fromPromise(async () => run(seen, params, context)),
        context.abortSignal
      ),
    ...(retry === undefined ? {} : { retry: tries(`${field}/retry`, retry) })
  }
}

const actorOf =
  (promised: Promised) =>
  (actor: PromisedActor<unknown, unknown>): Actor<unknown, unknown, never> =>
    typeof actor === "function" ? bodyOf(actor, undefined, promised) : actor
