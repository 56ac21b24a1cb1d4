import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AnyStateMachine } from "xstate"
import { and, assign, enqueueActions, not, setup } from "xstate"
import { Processes } from "../../src/host/Processes.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import * as TestHost from "../../src/testing/TestHost.ts"

let asked = 0
const stamp = assign({ n: () => ++asked }) as never
const more = assign({ n: ({ context }: { readonly context: { readonly n: number } }) => context.n + 1 }) as never
const isLucky = () => Math.random() < 0.5
const isAlways = () => true

const machineWith = (config: object): AnyStateMachine =>
  setup({ actions: { stamp, more }, guards: { isLucky, isAlways } }).createMachine({
    id: "moody",
    context: { n: 0 },
    ...config
  } as never) as unknown as AnyStateMachine

/** What is impure, by the name that it is to have. */
const moody: Readonly<Record<string, object>> = {
  "the assignment of `moody` on `go`": { on: { go: { actions: [more, stamp] } } },
  "the assignment `stamp`": { on: { go: { actions: ["more", "stamp"] } } },
  "the guard `isLucky`": { on: { go: { guard: and(["isAlways", not("isLucky")]), actions: "more" } } },
  "the guard of `moody.a` on `go`": {
    initial: "a",
    states: { a: { on: { go: { guard: isLucky, actions: more } } } }
  },
  "the guard of `moody.b`, which is always tried": {
    initial: "a",
    states: {
      a: { on: { go: "b" } },
      b: { on: { go: "a" }, always: { guard: isLucky, target: "c" } },
      c: { on: { go: "b" } }
    }
  },
  "the assignment of `moody.b`, as it is entered": {
    initial: "a",
    states: { a: { on: { go: { target: "b", actions: more } } }, b: { entry: stamp } }
  }
}

/** Why the row of a machine rests that was sent an event. */
const problemOf = (config: object) =>
  Effect.gen(function* () {
    const options = { version: "1", input: Schema.Null, events: { go: Schema.Struct({}) } }
    const engine = fromMachine(machineWith(config), options as never)
    const host = yield* TestHost.make([engine as never])
    yield* host.run(
      Effect.flatMap(Processes, (processes) => processes.start(engine, { id: "p", payload: null as never })) // its input
    )
    const handle = Effect.map(Processes, (processes) => processes.handle(engine, "p"))
    let row = yield* host.row("p")
    // Chance may give the same answer twice.
    for (let times = 0; times < 40 && row?.backOff === undefined; times++) {
      yield* host.run(Effect.flatMap(handle, (process) => process.send({ type: "go" } as never)))
      yield* host.settle
      row = yield* host.row("p")
    }
    return { problem: row?.backOff?.problem ?? "" }
  }).pipe(Effect.scoped)

describe("in development a transition that is not the same twice is refused:", () => {
  for (const [name, config] of Object.entries(moody)) {
    it(`it names ${name}`, async () => {
      const { problem } = await Effect.runPromise(problemOf(config))
      assert.match(problem, /is impure: event `go` taken twice in state .* gave another (value|context|effects)/)
      assert.include(problem, `: ${name} gives another answer each time.`)
    })
  }

  it("it names none where that takes more than the function", async () => {
    const collected = enqueueActions(({ enqueue }) => enqueue.assign({ n: ++asked }))
    const { problem } = await Effect.runPromise(problemOf({ on: { go: { actions: collected } } }))
    assert.include(problem, "gave another context. Take time")
  })
})
