/**
 * What a check of a machine is given: models in the place of what acts, and what must hold.
 */
import type * as FastCheck from "effect/FastCheck"
import type { AnyStateMachine, ContextFrom, InputFrom, OutputFrom, StateValueFrom } from "xstate"
import type { ActionOf, ActorOf } from "../../../machines/xstate/types.ts"
import type { ActionArguments, EventFields, EventTypes, LogicOf } from "../../runtime/engine/MachineOptions.ts"

/** What an action does to the world outside, as a function. One that is idempotent does the same once and twice. */
export type ActionModel<Machine extends AnyStateMachine, Params, World> = (
  world: World,
  call: ActionArguments<Machine> & {
    readonly params: Params
    /** The same for each try of one action. */
    readonly idempotencyKey: string
  }
) => World

type ParamsOf<Machine extends AnyStateMachine, Name> = Extract<ActionOf<Machine>, { readonly type: Name }>["params"]

/** Models and promises of a machine. */
export interface Models<Machine extends AnyStateMachine, World = unknown> {
  /** What events carry, by their types. @default by the schemas of the engine */
  readonly events?: { readonly [Type in EventTypes<Machine>]?: FastCheck.Arbitrary<EventFields<Machine, Type>> }
  /** @default by the schema of the engine */
  readonly input?: FastCheck.Arbitrary<InputFrom<Machine>>
  /** What must hold in every state that is reached, each by a name. */
  readonly invariants?: Readonly<
    Record<
      string,
      (place: { readonly value: StateValueFrom<Machine>; readonly context: ContextFrom<Machine> }) => boolean
    >
  >
  /** What actors answer; one that throws fails. @default null */
  readonly actors?: {
    readonly [Src in ActorOf<Machine>["src"]]?: (
      input: InputFrom<LogicOf<Machine, Src>>
    ) => OutputFrom<LogicOf<Machine, Src>>
  }
  /** What actions do to the world. The world after each history must be as if each recorded action ran once. */
  readonly actions?: {
    readonly [Name in ActionOf<Machine>["type"]]?: ActionModel<Machine, ParamsOf<Machine, Name>, World>
  }
  /** The world at the beginning. */
  readonly world?: World
}
