/**
 * What a check of a machine is given: models in the place of what acts, and what must hold.
 */
import type * as FastCheck from "effect/FastCheck"
import type { StateValue } from "xstate"

/** What an action does to the world outside, as a function. One that is idempotent does the same once and twice. */
export type ActionModel<World> = (
  world: World,
  call: {
    readonly context: unknown
    readonly event: unknown
    readonly params: unknown
    /** The same for each try of one action. */
    readonly idempotencyKey: string
  }
) => World

/** Models and promises of a machine, whose context has a type. */
export interface Models<World = unknown, Context = unknown> {
  /** What events carry, by their types. @default by the schemas of the engine */
  readonly events?: Readonly<Record<string, FastCheck.Arbitrary<object>>>
  /** @default by the schema of the engine */
  readonly input?: FastCheck.Arbitrary<unknown>
  /** What must hold in every state that is reached, each by a name. */
  readonly invariants?: Readonly<
    Record<string, (place: { readonly value: StateValue; readonly context: Context }) => boolean>
  >
  /** What actors answer; one that throws fails. @default null */
  readonly actors?: Readonly<Record<string, (input: unknown) => unknown>>
  /** What actions do to the world. The world after each history must be as if each recorded action ran once. */
  readonly actions?: Readonly<Record<string, ActionModel<World>>>
  /** The world at the beginning. */
  readonly world?: World
}
