/**
 * What a process of an earlier version is in a later one: it takes the later one's events, and rests where that has no place for it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AnyStateMachine } from "xstate"
import { assign, setup } from "xstate"
import { Processes } from "../../src/host/Processes.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import type { MachineEngine } from "../../src/runtime/engine/fromMachine.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { hostOn, until } from "../support/hosts.ts"
import { noFields, onMemory } from "./charts.ts"

/** An engine of a machine whose parts may be of any type. */
const engineOf = (version: string, states: object, parts: object = {}, names: object = {}) =>
  fromMachine(
    setup({ actions: { mail: () => {} }, actors: { work: fromDurable<unknown, number>() }, ...names }).createMachine({
      id: "m",
      context: { n: 0 },
      initial: "a",
      states
    } as never) as unknown as AnyStateMachine,
    {
      version,
      input: Schema.Undefined,
      events: { go: noFields },
      actions: { mail: () => Effect.void },
      actors: { work: () => Effect.succeed(1) },
      ...parts
    } as never
  ) as unknown as MachineEngine<AnyStateMachine, never>

const as = (value: unknown) => ({ "1": () => ({ value, context: { n: 0 } }) })

type Sent = never

/** Uses the processes of a host that has one engine, on the store of the test. */
const on = <A, E>(engine: MachineEngine<AnyStateMachine, never>, use: Effect.Effect<A, E, Processes>) =>
  Effect.flatMap(ProcessStore, (store) => Effect.provide(use, hostOn(store, [engine])))

const started = (engine: MachineEngine<AnyStateMachine, never>) =>
  on(
    engine,
    Effect.flatMap(Processes, (processes) => processes.start(engine, { id: "p", payload: undefined } as never))
  )

const row = Effect.flatMap(ProcessStore, (store) =>
  Effect.map(store.find("p" as never), (found) => (found._tag === "Present" ? found.row : assert.fail("it is there")))
)

const One = engineOf("1", { a: { on: { go: "b" } }, b: {} })

describe("a process in a later version of its machine", () => {
  it.live("takes the events that the later version declares, and as it declares them", () =>
    onMemory(
      Effect.gen(function* () {
        yield* started(One)
        const states = {
          a: { on: { pause: "b", go: { actions: assign({ n: ({ event }: { event: { by: number } }) => event.by }) } } },
          b: {}
        }
        const events = { go: Schema.Struct({ by: Schema.Number }), pause: noFields }
        const Two = engineOf("2", states, { events, migrate: as("a") })
        yield* on(
          Two,
          Effect.gen(function* () {
            const handle = (yield* Processes).handle(Two, "p")
            // The first of them is the one with which it is taken over.
            const after = yield* handle.ask({ type: "go", by: 7 } as Sent)
            assert.deepEqual([after.context, after.accepts.map(({ type }) => type)], [{ n: 7 }, ["go", "pause"]])
            const refusal = yield* Effect.flip(handle.send({ type: "go" } as Sent))
            assert.include(String(refusal), "by")
            assert.equal((yield* handle.ask({ type: "pause" } as Sent)).value, "b")
          })
        )
        const { declares } = (yield* row).snapshot.context.chart ?? {}
        assert.deepEqual(declares?.map(({ name }) => name).sort(), ["signal.go", "signal.pause"])
      })
    )
  )

  it.live("rests with an action that only the earlier one has, and says so", () =>
    onMemory(
      Effect.gen(function* () {
        // Its host stops while it is performed.
        const Old = engineOf(
          "1",
          { a: { entry: "old", on: { go: "b" } }, b: {} },
          { actions: { old: () => Effect.never, mail: () => Effect.void } },
          { actions: { old: () => {}, mail: () => {} } }
        )
        yield* started(Old)
        const Two = engineOf("2", { a: { on: { go: "b" } }, b: {} }, { migrate: as("a") })
        const store = yield* ProcessStore
        const present = Effect.provideService(row, ProcessStore, store)
        yield* on(
          Two,
          until(Effect.map(present, ({ backOff }) => backOff?.problem.includes("has no action `old`") === true))
        )
        assert.equal((yield* row).snapshot.status, "active")
      })
    )
  )

  it.live("keeps the actor that runs: the later version runs it, too", () =>
    onMemory(
      Effect.gen(function* () {
        const states = { a: { invoke: { src: "work", id: "k", onDone: "b" }, on: { go: {} } }, b: {} }
        const Stuck = engineOf("1", states, { actors: { work: () => Effect.never } })
        yield* started(Stuck)
        const Two = engineOf("2", { ...states, c: {} }, { migrate: as("a") })
        const after = yield* on(
          Two,
          Effect.gen(function* () {
            const handle = (yield* Processes).handle(Two, "p")
            yield* handle.send({ type: "go" } as Sent)
            return yield* handle.waitFor((snapshot) => snapshot.value === "b", { timeout: "20 seconds" })
          })
        )
        assert.equal(after.value, "b")
      })
    )
  )

  for (const [what, states, value] of [
    ["where the machine ends", { a: {}, end: { type: "final" } }, "end"],
    ["that it leaves at once", { a: {}, b: { always: "a" } }, "b"],
    [
      "whose inner machine has ended",
      { a: {}, b: { initial: "x", onDone: "a", states: { x: { type: "final" } } } },
      { b: "x" }
    ]
  ] as const) {
    it.live(`stays in the earlier one where it would come to a state ${what}`, () =>
      onMemory(
        Effect.gen(function* () {
          yield* started(One)
          const Two = engineOf("2", states, { migrate: as(value) })
          const report = yield* on(
            Two,
            Effect.flatMap(Processes, (processes) => processes.migrate(Two))
          )
          assert.deepEqual(report.moved, [])
          assert.lengthOf(report.kept, 1)
          assert.equal((yield* row).snapshot.context.chart?.definition.version, "1")
        })
      )
    )
  }
})

describe("a delay", () => {
  const words = { "2 days": 172_800_000, "90 minutes": 5_400_000 }
  for (const [word, ms] of Object.entries(words)) {
    it.live(`of ${word} is that long wherever it is said`, () =>
      onMemory(
        Effect.gen(function* () {
          const named = engineOf("1", { a: { after: { slow: "b" } }, b: {} }, {}, { delays: { slow: word } })
          yield* started(named)
          const { timers = [] } = (yield* row).snapshot.context.chart ?? {}
          const { createdAtMs } = (yield* row).base
          assert.deepEqual(
            timers.map(({ at }) => Math.round((at - createdAtMs - ms) / 60_000)),
            [0]
          )
        })
      )
    )
  }

  for (const computed of [Number.NaN, Number.POSITIVE_INFINITY, "3 days"]) {
    it.live(`that is computed as ${String(computed)} is refused, and nothing fires`, () =>
      onMemory(
        Effect.gen(function* () {
          const delays = { slow: () => computed }
          const engine = engineOf("1", { a: { on: { go: "b" } }, b: { after: { slow: "c" } }, c: {} }, {}, { delays })
          const store = yield* ProcessStore
          const present = Effect.provideService(row, ProcessStore, store)
          yield* on(
            engine,
            Effect.gen(function* () {
              const handle = yield* Effect.flatMap(Processes, (processes) =>
                processes.start(engine, { id: "p", payload: undefined } as never)
              )
              yield* handle.send({ type: "go" } as Sent)
              yield* until(Effect.map(present, ({ backOff }) => backOff !== undefined))
            })
          )
          const { backOff, snapshot } = yield* row
          assert.include(backOff?.problem, "must be a number of milliseconds")
          assert.equal(snapshot.context.chart?.value, "a")
        })
      )
    )
  }
})

describe("a guard that throws", () => {
  it.live("is a typed refusal at the door", () =>
    onMemory(
      Effect.gen(function* () {
        const guard = () => {
          throw new Error("the guard is broken")
        }
        const engine = engineOf("1", { a: { on: { go: { target: "b", guard } } }, b: {} })
        yield* on(
          engine,
          Effect.gen(function* () {
            const handle = yield* Effect.flatMap(Processes, (processes) =>
              processes.start(engine, { id: "p", payload: undefined } as never)
            )
            const judged = yield* Effect.flip(handle.can({ type: "go" } as Sent))
            const sent = yield* Effect.flip(handle.send({ type: "go" } as Sent, { expect: "accepted" }))
            for (const error of [judged, sent]) {
              assert.equal(error._tag, "InputInvalid")
              assert.include(error.message, "the guard is broken")
            }
          })
        )
      })
    )
  )
})
