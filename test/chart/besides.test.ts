/**
 * What the guide "Your statechart, durable" says of XState besides its table.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assign, raise, setup } from "xstate"
import { Processes } from "../../src/host/Processes.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import * as TestHost from "../../src/testing/TestHost.ts"

const machine = setup({
  types: { context: {} as { readonly came: ReadonlyArray<string> }, events: {} as { readonly type: "one" | "two" } }
}).createMachine({
  id: "besides",
  context: { came: [] },
  meta: { title: "for a reader" },
  entry: [raise({ type: "one" }, { delay: 100, id: "same" }), raise({ type: "two" }, { delay: 200, id: "same" })],
  on: {
    "*": { actions: assign({ came: ({ context, event }) => [...context.came, event.type] }) }
  }
})

const Besides = fromMachine(machine, { version: "1", input: Schema.Null })

describe("a machine with what the table has not", () => {
  it.effect("takes the later of two delayed events with one id, and has no meta in its snapshot", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const host = yield* TestHost.make([Besides])
        const handle = yield* host.run(
          Effect.flatMap(Processes, (processes) => processes.start(Besides, { id: "p", payload: null }))
        )
        yield* host.settle
        yield* host.advance("1 second")
        yield* host.settle
        const snapshot = yield* host.run(handle.snapshot)
        assert.deepStrictEqual(snapshot.context, { came: ["two"] })
        assert.notProperty(snapshot, "getMeta")
      })
    )
  )
})
