/**
 * Reducers as actors: `fromTransition` of JSON runs as a process whose state is the reducer's.
 *
 * It becomes a machine of one state, so it takes its events, is stored and is seen as any machine.
 */
import type { ActorScope, AnyStateMachine, EventObject, Snapshot } from "xstate"
import { assign, createMachine } from "xstate"

/** What `fromTransition` makes. */
export interface Reducer {
  readonly transition: (snapshot: never, event: never, scope: never) => unknown
  readonly getInitialSnapshot: (scope: never, input: never) => unknown
}

/** Whether an actor is a reducer: promises, callbacks and observables are started, and machines have states. */
export const isReducer = (logic: unknown): logic is Reducer =>
  typeof logic === "object" &&
  logic !== null &&
  "config" in logic &&
  typeof logic.config === "function" &&
  !("start" in logic)

/** A machine whose context has the state of a reducer. */
export const machineOf = (id: string, reducer: Reducer): AnyStateMachine => {
  const { transition, getInitialSnapshot } = reducer as unknown as Known // see `isReducer`
  return createMachine({
    id,
    context: ({ input }: { readonly input: unknown }) => ({ state: getInitialSnapshot(undefined, input).context }),
    on: {
      "*": {
        actions: assign(({ context, event, self, system }) => {
          const scope = { self, system, id, sessionId: self.sessionId, emit: refuse, defer: refuse, stopChild: refuse }
          return { state: transition({ ...active, context: context["state"] }, event, scope).context }
        })
      }
    }
  })
}

interface Known {
  readonly transition: (snapshot: object, event: EventObject, scope: Partial<Scope>) => { readonly context: unknown }
  readonly getInitialSnapshot: (scope: undefined, input: unknown) => { readonly context: unknown }
}

type Scope = ActorScope<Snapshot<unknown>, EventObject>

const active = { status: "active", output: undefined, error: undefined }

const refuse = (): never => {
  throw new Error("a reducer only answers its next state")
}
