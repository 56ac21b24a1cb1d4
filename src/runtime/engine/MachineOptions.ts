/**
 * What an engine from a machine declares, typed from the machine.
 */
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type {
  AnyActorLogic,
  AnyStateMachine,
  ContextFrom,
  EventFromLogic,
  EventObject,
  InputFrom,
  OutputFrom,
  SnapshotFrom,
  StateValue,
  StateValueFrom
} from "xstate"
import type { ActionOf, ActorOf } from "../../../machines/xstate/types.ts"
import type { InputInvalid } from "../../model/errors.ts"
import * as Arguments from "../arguments.ts"
import type { ActionContext } from "../body/chart.ts"
import type { ExecutionContext } from "../body/ExecutionContext.ts"
import type { Body } from "./Engine.ts"
import type { AnySignal, Signal } from "./Signal.ts"
import type { Startable } from "./Startable.ts"
import * as Startables from "./Startable.ts"

/** Any schema of a value, whatever it is stored as. */
export interface SchemaFor<A> extends Pick<Schema.Schema<A, unknown>, "ast" | "Type" | "Context"> {}

/** A schema of a value, as one that stores it as JSON. */
export const schemaOf = <A>(schema: SchemaFor<A>): Schema.Schema<A, unknown> => Schema.make<A, unknown>(schema.ast)

/** The event types of a machine that may come from outside. */
export type EventTypes<Machine extends AnyStateMachine> = Exclude<
  EventFromLogic<Machine>["type"],
  `xstate.${string}` | `error.action.${string}` | "*"
>

/** What an event carries besides its type. */
export type EventFields<Machine extends AnyStateMachine, Type extends string> = FieldsOf<EventFromLogic<Machine>, Type>

/** What each event of a type carries besides it; the events of one shape may have several types. */
export type FieldsOf<Event, Type> = Event extends { readonly type: infer Types }
  ? Type extends Types
    ? Omit<Event, "type">
    : never
  : never

/** The logic that a machine declares under a name. */
export type LogicOf<Machine extends AnyStateMachine, Src> = Extract<ActorOf<Machine>, { readonly src: Src }>["logic"]

/** What an action sees: the context and the event of its transition. */
export interface ActionArguments<Machine extends AnyStateMachine> {
  readonly context: ContextFrom<Machine>
  readonly event: EventFromLogic<Machine>
}

/** Performs an action. It runs after the commit of its transition, and its end is recorded: then it never runs again. */
export type Perform<Machine extends AnyStateMachine, Params, R> = (
  seen: ActionArguments<Machine>,
  params: Params,
  context: ActionContext
) => Effect.Effect<unknown, unknown, R>

/** An action, and how it is tried. */
export type Action<Machine extends AnyStateMachine, Params, R> =
  | Perform<Machine, Params, R>
  | {
      readonly run: Perform<Machine, Params, R>
      /** When to try again. @default never */
      readonly retry?: Schedule.Schedule<unknown, unknown>
      /** `event`: the machine takes `error.action.{name}`, which carries the `error`. @default "fail": the process fails */
      readonly onFailure?: "fail" | "event"
      /** The machine takes further events while it runs; later actions wait for it. @default false: events wait, too */
      readonly detached?: boolean
    }

/** What runs an actor as a child process: anything that can be started, or a body of its own. */
export type Actor<Input, Output, R> =
  | Startable<Input, Output, unknown, AnySignal>
  | ((input: Input, context: ExecutionContext) => Effect.Effect<Output, unknown, R>)

/** What a process of a reducer takes, and what its state is. */
export interface ReducerOptions<State, Event extends EventObject> {
  /** What each event carries. An event that is not here cannot be sent to it. */
  readonly events: {
    readonly [Type in Event["type"]]?: SchemaFor<FieldsOf<Event, Type>>
  }
  /** @default its state must be JSON as it is */
  readonly state?: SchemaFor<State>
}

/** The options of an actor that is a reducer; `Otherwise` for any other one. */
export type IfReducer<Logic, Otherwise> = Logic extends AnyActorLogic
  ? SnapshotFrom<Logic> extends { readonly context: infer State }
    ? SnapshotFrom<Logic> extends { readonly machine: unknown } | { readonly input: unknown }
      ? Otherwise
      : ReducerOptions<State, EventFromLogic<Logic>>
    : Otherwise
  : Otherwise

/** What an engine from a machine declares. */
export interface MachineOptions<Machine extends AnyStateMachine, R> {
  /** A process stays on the version that it began with. */
  readonly version: string
  /** @default the id of the machine */
  readonly kind?: string
  /** What the machine is started with. */
  readonly input: SchemaFor<InputFrom<Machine>>
  /** @default its output must be JSON as it is */
  readonly output?: SchemaFor<OutputFrom<Machine>>
  /** @default its context must be JSON as it is */
  readonly context?: SchemaFor<ContextFrom<Machine>>
  /** What each event carries that may be sent from outside, or by another process. An event that is not here cannot be sent. */
  readonly events?: {
    readonly [Type in EventTypes<Machine>]?: SchemaFor<EventFields<Machine, Type>>
  }
  /** Performs the actions that the machine names. */
  readonly actions?: {
    readonly [A in ActionOf<Machine> as A["type"]]?: Action<Machine, A["params"], R>
  }
  /** Runs the actors that the machine names, each as a child process. */
  readonly actors?: {
    readonly [Src in ActorOf<Machine>["src"]]: IfReducer<
      LogicOf<Machine, Src>,
      Actor<InputFrom<LogicOf<Machine, Src>>, OutputFrom<LogicOf<Machine, Src>>, R>
    >
  }
  /**
   * Takes over processes of earlier versions, by version, when each next takes an event: it answers their state in this one.
   * Without one, a process stays on the version that it began with. What is not legal here stays as it is, and says why.
   */
  readonly migrate?: Readonly<Record<string, Migrate<Machine>>>
  /** How many of its processes may perform actions at once on one host. @default as many as the host has slots */
  readonly concurrency?: number
}

/** The state of a chart at rest, as an earlier version stored it: JSON. */
export interface StoredState {
  readonly value: StateValue
  readonly context: Readonly<Record<string, unknown>>
  readonly history: Readonly<Record<string, ReadonlyArray<string>>>
  readonly timers: ReadonlyArray<{ readonly id: string; readonly at: number }>
  readonly children: Readonly<Record<string, { readonly process: string; readonly src: string }>>
}

/** What an earlier state becomes. `cancel` names the timers and children that end with it. @default nothing ends */
export interface MigratedState<Machine extends AnyStateMachine> {
  readonly value: Written<StateValueFrom<Machine>>
  readonly context: ContextFrom<Machine>
  readonly history?: StoredState["history"]
  readonly cancel?: { readonly timers?: ReadonlyArray<string>; readonly children?: ReadonlyArray<string> }
}

/** A state value. What is added to it has no values: it keeps the compiler from taking "idle" for any text, as it knows no machine yet. */
type Written<Value> = Value | (Value & "") | AsWritten

interface AsWritten {
  readonly [asWritten]: never
  readonly [name: string]: AsWritten | ""
}

declare const asWritten: unique symbol

/** Makes a state of this version of one of an earlier version. Pure: it runs inside the transaction. */
export type Migrate<Machine extends AnyStateMachine> = (
  stored: StoredState,
  about: { readonly processId: string }
) => MigratedState<Machine>

/** The actions of a machine, whatever they require. */
export type ActionsOf<Machine extends AnyStateMachine> = NonNullable<MachineOptions<Machine, unknown>["actions"]>

/** The actors of a machine, whatever they require. */
export type ActorsOf<Machine extends AnyStateMachine> = NonNullable<MachineOptions<Machine, unknown>["actors"]>

/** Options with these actions and actors, and no others. Those of a machine that declares actors must be there. */
export type OptionsWith<Machine extends AnyStateMachine, Actions, Actors> = Omit<
  MachineOptions<Machine, unknown>,
  "actions" | "actors"
> & {
  readonly actions?: Actions & { readonly [Name in Exclude<keyof Actions, keyof ActionsOf<Machine>>]: never }
} & (DeclaresActors<Machine> extends true ? { readonly actors: Actors } : { readonly actors?: Actors })

/** Whether a machine declares actors, as `setup` does. */
export type DeclaresActors<Machine extends AnyStateMachine> = [ActorOf<Machine>] extends [never]
  ? false
  : string extends ActorOf<Machine>["src"]
    ? false
    : true

/** What actions or actors require of the host. Where there are none, their type says unknown: they require nothing. */
export type RequiredBy<Parts> =
  unknown extends RequiredByEach<Parts[keyof Parts]> ? never : RequiredByEach<Parts[keyof Parts]>

type RequiredByEach<Part> = Part extends (...args: never) => Effect.Effect<unknown, unknown, infer R>
  ? R
  : Part extends { readonly run: (...args: never) => Effect.Effect<unknown, unknown, infer R> }
    ? R
    : Part extends { readonly prepare: (payload: unknown) => Effect.Effect<Body<infer R>, InputInvalid> }
      ? R
      : never

/** The signal that carries an event of a machine. */
export type SignalOf<Machine extends AnyStateMachine> = {
  [Type in EventTypes<Machine>]: Signal<Type, EventFields<Machine, Type>>
}[EventTypes<Machine>]

const knownOptions = {
  version: true,
  kind: true,
  input: true,
  output: true,
  context: true,
  events: true,
  actions: true,
  actors: true,
  migrate: true,
  concurrency: true
} as const satisfies Readonly<Record<keyof MachineOptions<AnyStateMachine, unknown>, true>>

/** Checks that a machine is one, whichever copy of XState made it, and reads its options. Throws `InputInvalid`. */
export const optionsOf = <Options extends object>(machine: AnyStateMachine, options: Options): Options => {
  Arguments.like("machine", "a machine, as the createMachine of XState makes it", machine, {
    id: "string",
    root: "object",
    provide: "function"
  })
  return Arguments.options(`options of machine \`${machine.id}\``, knownOptions, options)
}

/** Checks the kind of each option. Throws `InputInvalid`, which names the option. */
export const check = <R>(id: string, options: MachineOptions<AnyStateMachine, R>): void => {
  const of = (option: string) => `${option} of machine \`${id}\``
  Arguments.text(of("version"), options.version)
  Arguments.optional(Arguments.text)(of("kind"), options.kind)
  Arguments.schema(of("input"), options.input)
  Arguments.optional(Arguments.schema)(of("output"), options.output)
  Arguments.optional(Arguments.schema)(of("context"), options.context)
  eachOf(of("events"), options.events, Arguments.optional(Arguments.schema))
  eachOf(of("actions"), options.actions, Arguments.optional(checkAction))
  eachOf(of("actors"), options.actors, (field, actor) =>
    typeof actor === "function" ? actor : Startables.startable(actor as object, field)
  )
  eachOf(of("migrate"), options.migrate, Arguments.callable)
}

const eachOf = (
  field: string,
  members: Readonly<Record<string, unknown>> | undefined,
  check: (field: string, value: unknown) => unknown
): void => {
  if (members === undefined) return
  for (const [name, member] of Object.entries(Arguments.record(field, members))) {
    check(`${field}/${name}`, member)
  }
}

const checkAction = (field: string, action: unknown): unknown => {
  if (typeof action === "function") return action
  const known = { run: true, retry: true, onFailure: true, detached: true } as const
  const { run, retry, onFailure } = Arguments.options(field, known, action as Readonly<Record<string, unknown>>)
  Arguments.callable(`${field}/run`, run)
  if (retry !== undefined) Arguments.schedule(`${field}/retry`, retry)
  if (onFailure !== undefined) Arguments.oneOf(`${field}/onFailure`, onFailure as string, ["fail", "event"])
  return action
}
