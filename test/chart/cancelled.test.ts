/**
 * What a transition cancels has no effect any more, however late it is taken: timers that were due already, actors that run.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AnyStateMachine } from "xstate"
import { assign, cancel, raise, sendTo, setup, spawnChild } from "xstate"
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import { Processes } from "../../src/host/Processes.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import * as TestHost from "../../src/testing/TestHost.ts"
import { noFields } from "./charts.ts"

/** An engine of a machine whose parts may be of any type. */
const engineOf = (machine: AnyStateMachine, parts: object = {}) =>
  fromMachine(machine, { version: "1", input: Schema.Undefined, events: {}, ...parts } as never)

const started = (host: TestHost.TestHost, engine: ReturnType<typeof engineOf>) =>
  Effect.zipRight(
    host.run(
      Effect.flatMap(Processes, (processes) => processes.start(engine, { id: "p", payload: undefined } as never))
    ),
    host.settle
  )

const sent = (host: TestHost.TestHost, engine: ReturnType<typeof engineOf>, type: string) =>
  Effect.zipRight(
    host.run(Effect.flatMap(Processes, (processes) => processes.handle(engine, "p").send({ type } as never))),
    host.settle
  )

const chartOf = (host: TestHost.TestHost) =>
  Effect.map(host.row("p"), (row) => row?.snapshot.context.chart ?? assert.fail("there is no chart"))

const late = assign({ late: ({ context }: { context: { readonly late: number } }) => context.late + 1 }) as never // of any machine

const counting = (states: object) =>
  setup({ actions: { slow: () => {} } }).createMachine({
    id: "m",
    context: { late: 0 },
    initial: "a",
    on: { LATE: { actions: late } },
    states
  } as never) as unknown as AnyStateMachine

const lateAfter = (delay: number) => raise({ type: "LATE" }, { delay, id: "late" })

describe("a timer that was due already", () => {
  for (const delayMs of [501, 2_000]) {
    it.scoped(`after ${delayMs} ms is cancelled by the one after 500, after a time without a host`, () =>
      Effect.gen(function* () {
        const engine = engineOf(
          counting({ a: { entry: lateAfter(delayMs), after: { 500: "b" }, exit: cancel("late") }, b: {} })
        )
        const host = yield* TestHost.make([engine])
        yield* started(host, engine)
        yield* host.crash
        yield* host.advance("5 seconds")
        yield* host.restart()
        yield* host.settle
        const { value, context, timers, fired } = yield* chartOf(host)
        assert.deepEqual(
          { value, context, timers, fired },
          { value: "b", context: { late: 0 }, timers: [], fired: undefined }
        )
      })
    )
  }

  it.scoped("is cancelled by what is taken before it while an action is performed", () =>
    Effect.gen(function* () {
      const machine = counting({
        a: { entry: ["slow", lateAfter(2_000)], after: { 1000: "b" }, exit: cancel("late") },
        b: {}
      })
      const engine = engineOf(machine, { actions: { slow: () => Effect.sleep("3 seconds") } })
      const host = yield* TestHost.make([engine])
      yield* started(host, engine)
      yield* host.advance("10 seconds")
      const { value, context } = yield* chartOf(host)
      assert.deepEqual({ value, context }, { value: "b", context: { late: 0 } })
      const log = yield* host.log("p")
      assert.lengthOf(
        log.filter(({ eventType }) => eventType === "machine.input"),
        2,
        "both have fired"
      )
    })
  )

  it.scoped("does not stop the one that its state arms anew", () =>
    Effect.gen(function* () {
      const again = {
        guard: ({ context }: { context: { readonly late: number } }) => context.late < 1,
        target: "a",
        reenter: true,
        actions: late
      }
      const engine = engineOf(counting({ a: { after: { 1000: again, 2000: "expired" } }, expired: {} }))
      const host = yield* TestHost.make([engine])
      yield* started(host, engine)
      yield* host.crash
      yield* host.advance("2500 millis")
      yield* host.restart()
      yield* host.settle
      const { value, timers } = yield* chartOf(host)
      assert.deepEqual([value, timers.length], ["a", 2])
      yield* host.advance("3 seconds")
      assert.equal((yield* chartOf(host)).value, "expired")
    })
  )

  it.scoped("sends nothing to another process, and one that sends says who refused it", () =>
    Effect.gen(function* () {
      const to = sendTo(({ system }) => system.get("other"), { type: "LATE" }, { delay: 2_000, id: "late" })
      const cancelling = engineOf(counting({ a: { entry: to, after: { 1000: "b" }, exit: cancel("late") }, b: {} }))
      const host = yield* TestHost.make([cancelling])
      yield* started(host, cancelling)
      yield* host.crash
      yield* host.advance("5 seconds")
      yield* host.restart()
      yield* host.settle
      assert.notInclude(
        (yield* host.log("p")).map(({ eventType }) => eventType),
        "machine.sent"
      )

      const sending = engineOf(counting({ a: { entry: to } }))
      const other = yield* TestHost.make([sending])
      yield* started(other, sending)
      yield* other.advance("5 seconds")
      const message = (yield* other.log("p")).find(({ eventType }) => eventType === "machine.sent")
      assert.include(message?.payload, { to: "other" })
      assert.property(message?.payload, "refused")
    })
  )
})

/** A machine with an actor `work`, whose events count. */
const acting = (config: object) =>
  setup({ actors: { work: fromDurable<unknown, number>() } }).createMachine({
    id: "m",
    context: { late: 0 },
    ...config
  } as never) as unknown as AnyStateMachine

const events = { go: noFields }
const forever = { work: () => Effect.never }

describe("an actor", () => {
  it.scoped("is stopped with its own state, where another one had its id before", () =>
    Effect.gen(function* () {
      const machine = acting({
        initial: "a",
        states: {
          a: { invoke: { src: "work", id: "x" }, on: { go: "b" } },
          b: { invoke: { src: "work", id: "x" }, always: "c" },
          c: {}
        }
      })
      const engine = engineOf(machine, { events, actors: forever })
      const host = yield* TestHost.make([engine])
      yield* started(host, engine)
      yield* sent(host, engine, "go")
      yield* host.advance("1 minute")
      for (const child of ["p/x:1", "p/x:2"]) {
        const row = yield* host.row(child)
        assert.equal(row && lifecycleOf(row.snapshot), "cancelled", child)
      }
    })
  )

  it.scoped("without an id is one process", () =>
    Effect.gen(function* () {
      let runs = 0
      const machine = acting({
        on: { go: { actions: spawnChild("work") }, "xstate.done.actor.*": { actions: late } }
      })
      const engine = engineOf(machine, { events, actors: { work: () => Effect.sync(() => ++runs) } })
      const host = yield* TestHost.make([engine])
      yield* started(host, engine)
      yield* sent(host, engine, "go")
      yield* sent(host, engine, "go")
      assert.equal(runs, 2)
      assert.deepEqual((yield* chartOf(host)).context, { late: 2 })
    })
  )

  it.scoped("that was left is no event for a wildcard", () =>
    Effect.gen(function* () {
      const machine = acting({
        initial: "a",
        on: { "*": { actions: late } },
        states: { a: { invoke: { src: "work", id: "x" }, on: { go: "b" } }, b: {} }
      })
      const engine = engineOf(machine, { events, actors: forever })
      const host = yield* TestHost.make([engine])
      yield* started(host, engine)
      yield* sent(host, engine, "go")
      yield* host.advance("1 minute")
      const { context, inputs } = yield* chartOf(host)
      assert.deepEqual({ context, inputs }, { context: { late: 0 }, inputs: 0 })
    })
  )
})
