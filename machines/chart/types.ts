/**
 * What a machine's type says of its actions and actors.
 */
import type { AnyStateMachine, MetaObject, ParameterizedObject, ProvidedActor, StateMachine } from "xstate"

/** The actions that a machine names, with their parameters. */
export type ActionOf<Machine extends AnyStateMachine> =
  Machine extends StateMachine<
    infer _Context,
    infer _Event,
    infer _Children,
    infer _Actor,
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
    ? Action extends ParameterizedObject
      ? Action
      : never
    : never

/** The actors that a machine names, with their logic. */
export type ActorOf<Machine extends AnyStateMachine> =
  Machine extends StateMachine<
    infer _Context,
    infer _Event,
    infer _Children,
    infer Actor,
    infer _Action,
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
    ? Actor extends ProvidedActor
      ? Actor
      : never
    : never
