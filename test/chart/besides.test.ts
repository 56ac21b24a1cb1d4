/**
 * What the guide "Your statechart, durable" says of XState besides its table.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { AnyStateMachine } from "xstate"
import { assign, log, not, raise, setup } from "xstate"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import { InputInvalid } from "../../src/model/errors.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import * as TestHost from "../../src/testing/TestHost.ts"
import { until } from "../support/hosts.ts"

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

/** An engine of a machine whose parts may be of any type. */
const built =
  (config: object, implementations: object = {}) =>
  () =>
    fromMachine(
      setup({ actors: { work: fromDurable<unknown, number>() }, ...implementations } as object).createMachine({
        id: "m",
        ...config
      } as never) as unknown as AnyStateMachine,
      { version: "1", input: Schema.Null, actors: { work: () => Effect.succeed(1) } } as never
    )

describe("an engine is refused when it is built, by the name of what is wrong:", () => {
  for (const [what, build, name] of [
    ["a guard that is nowhere", built({ on: { go: { guard: "may", actions: [] } } }), "guard `may`"],
    [
      "a guard that is nowhere, within another",
      built({ on: { go: { guard: not("may"), actions: [] } } }),
      "guard `may`"
    ],
    [
      "an action of an initial transition",
      built({ initial: { target: "a", actions: "act" }, states: { a: {} } }),
      "action `act`"
    ],
    [
      "the snapshots of an actor",
      built({ invoke: { src: "work", id: "w", onSnapshot: { actions: [] } } }),
      "actor `w`"
    ],
    ["a delay that is no number", built({ entry: raise({ type: "go" }, { delay: Number.NaN }) }), "NaN"],
    ["a delay before its time", built({ entry: raise({ type: "go" }, { delay: -1 }) }), "-1"],
    ["a word of a negative length", built({}, { delays: { soon: "-5 seconds" } }), "-5 seconds"],
    ["a word that is no duration", built({}, { delays: { soon: "3 moons" } }), "3 moons"]
  ] as const) {
    it(what, () => {
      try {
        build()
      } catch (error) {
        assert.instanceOf(error, InputInvalid)
        assert.include((error as InputInvalid).message, name)
        return
      }
      assert.fail("it was built")
    })
  }
})

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

describe("what a machine logs", () => {
  it.live("is a line of its host's log, with its label and its process", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const logger = Logger.make(({ message, annotations }) => {
        if (HashMap.has(annotations, "process"))
          seen.push([message, Option.getOrNull(HashMap.get(annotations, "process"))])
      })
      const engine = built({ entry: [log("is here"), log(() => ({ n: 1 }), "counted")] })()
      const host = Layer.provide(
        SingleHost.layerMemory({ engines: [engine as never] }),
        Logger.replace(Logger.defaultLogger, logger)
      )
      yield* Effect.provide(
        Effect.gen(function* () {
          const processes = yield* Processes
          yield* processes.start(engine as never, { id: "p", payload: null } as never)
          yield* until(Effect.sync(() => seen.length > 1))
        }),
        host
      )
      assert.deepStrictEqual(seen, [
        [["is here"], "p"],
        [["counted", { n: 1 }], "p"]
      ])
    })
  )
})
