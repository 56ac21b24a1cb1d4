/**
 * A machine in two versions, for the commands that import a module of the host. The second one takes the first one over, but
 * for processes that have counted to thirteen; one that has counted to fourteen gets a note with half a surrogate pair.
 */
import * as Schema from "effect/Schema"
import { assign, setup } from "xstate"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"

/** How far a counter has counted. */
export interface Counted {
  readonly n: number
  readonly note?: string
}

/** A counter in a state of this name. */
export const counter = (state: string) =>
  setup({
    types: { context: {} as Counted, input: {} as Counted, events: {} as { readonly type: "go" } },
    delays: { patience: 777_600_000 }
  }).createMachine({
    id: "counter",
    context: ({ input }) => input,
    initial: state,
    states: { [state]: { after: { patience: "over" } }, over: { type: "final" } },
    on: { go: { actions: assign({ n: ({ context }) => context.n + 1 }) } }
  })

const common = { input: Schema.Struct({ n: Schema.Int }), events: { go: Schema.Struct({}) } }

/** The first version. */
export const One = fromMachine(counter("waiting"), { ...common, version: "1" })

/** A version that no other one takes over. */
export const Zero = fromMachine(counter("asleep"), { ...common, version: "0" })

/** The second version. */
export const Two = fromMachine(counter("idle"), {
  ...common,
  version: "2",
  migrate: {
    "1": ({ context }) => {
      const { n } = context as unknown as Counted // as the first version has it
      if (n === 13) throw new Error("thirteen stays")
      return { value: "idle" as never, context: n === 14 ? { n, note: "half of \ud83d" } : { n } }
    }
  }
})
