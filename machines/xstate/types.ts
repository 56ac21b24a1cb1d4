/**
 * What a machine's type says of its actions and actors.
 */
import type { AnyStateMachine, MetaObject, ParameterizedObject, ProvidedActor, StateMachine } from "xstate"

/** The actions and actors that a machine names. */
interface Named<Actor, Action> {
  readonly actor: Actor
  readonly action: Action
}

type NamedBy<Machine> =
  Machine extends StateMachine<
    infer _Context,
    infer _Event,
    infer _Children,
    infer Actor,
    infer Action,
    infer _Guard,
    infer _Delay,
    infer _Value,
    infer _Tag,
    infer _Input,
    infer _Output,
    infer _Emitted,
    infer _Meta extends MetaObject,
    infer _Schema
  >
    ? Named<Actor, Action>
    : never

/** The actions that a machine names, with their parameters. */
export type ActionOf<Machine extends AnyStateMachine> = Extract<NamedBy<Machine>["action"], ParameterizedObject>

/** The actors that a machine names, with their logic. */
export type ActorOf<Machine extends AnyStateMachine> = Extract<NamedBy<Machine>["actor"], ProvidedActor>
