/**
 * Each row of the table in the guide "Your statechart, durable" as a machine that is run.
 */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AnyActorLogic, AnyStateMachine } from "xstate"
import {
  assign,
  cancel,
  createMachine,
  emit,
  forwardTo,
  fromCallback,
  fromObservable,
  fromPromise,
  fromTransition,
  log,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild
} from "xstate"
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import { Processes } from "../../src/host/Processes.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import type { Runnable } from "../../src/runtime/engine/Engine.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import type { MachineStartable } from "../../src/runtime/engine/MachineView.ts"
import type { ProcessRow } from "../../src/store/Decision.ts"
import * as TestHost from "../../src/testing/TestHost.ts"
import { root } from "../support/children.ts"
import { noFields } from "./charts.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly because: string }> {
  override get message(): string {
    return this.because
  }
}

const base = { version: "1", input: Schema.Unknown } as const

const endOf = (row: ProcessRow | undefined) => row && lifecycleOf(row.snapshot)

/** A process `p` of an engine on a host in a time of its own. */
const played = (engine: Runnable<never>, more: ReadonlyArray<Runnable<never>> = []) =>
  Effect.gen(function* () {
    const host = yield* TestHost.make([engine, ...more])
    const startable = engine as unknown as MachineStartable<AnyStateMachine> // it is one of a machine
    yield* host.run(Effect.flatMap(Processes, (processes) => processes.start(startable, { id: "p", payload: null })))
    yield* host.settle
    const handle = yield* host.run(Effect.map(Processes, (processes) => processes.handle(startable, "p")))
    return {
      ...host,
      handle,
      send: (...events: ReadonlyArray<{ readonly type: string }>) =>
        Effect.zipRight(
          Effect.forEach(events, (event) => Effect.orDie(host.run(handle.send(event)))),
          host.settle
        ),
      /** The state of the machine, and how the process ended. */
      now: Effect.map(host.row("p"), (row) => [row?.snapshot.context.chart?.value, endOf(row)]),
      of: (id: string) => Effect.map(host.row(id), endOf),
      problem: Effect.map(host.row("p"), (row) => row?.backOff?.problem ?? "")
    }
  })

const types = { events: {} as { readonly type: "go" | "back" | "late" }, context: {} as { readonly n: number } }
const context = { n: 0 }

/** A machine whose one action fails, and what it is performed with. */
const failing = (onFailure: "event" | "fail") => {
  const tries: Array<string> = []
  const machine = setup({
    types: {
      context: {} as { readonly why: string },
      events: {} as { readonly type: "error.action.act"; readonly error: { readonly message: string } }
    },
    actions: { act: () => {} }
  }).createMachine({
    id: "failing",
    context: { why: "" },
    initial: "a",
    states: {
      a: {
        entry: "act",
        on: { "error.action.act": { target: "b", actions: assign({ why: ({ event }) => event.error.message }) } }
      },
      b: {}
    }
  })
  const run = (_: unknown, __: unknown, { idempotencyKey }: { readonly idempotencyKey: string }) =>
    Effect.suspend(() => {
      tries.push(idempotencyKey)
      return Effect.fail(new Refused({ because: "out of order" }))
    })
  return {
    tries,
    engine: fromMachine(machine, { ...base, actions: { act: { run, retry: Schedule.recurs(2), onFailure } } })
  }
}

const kid = setup({ types: { events: {} as { readonly type: "ping"; readonly n: number } } }).createMachine({
  id: "kid",
  on: { ping: { actions: sendParent(({ event }) => ({ type: "pong", n: event.n + 1 })) } }
})
const Kid = fromMachine(kid, { ...base, events: { ping: Schema.Struct({ n: Schema.Int }) } })

const memoryOnly: Readonly<Record<string, AnyActorLogic>> = {
  fromPromise: fromPromise(async () => 1),
  fromCallback: fromCallback(() => {}),
  fromObservable: fromObservable(() => ({ subscribe: () => ({ unsubscribe: () => {} }) })),
  "a machine": createMachine({ id: "inner" })
}

const rows: Readonly<Record<string, () => Effect.Effect<unknown, unknown, Scope.Scope>>> = {
  "`assign`, guards, `raise`, `always`": () =>
    Effect.gen(function* () {
      const machine = setup({ types }).createMachine({
        id: "counting",
        context,
        initial: "a",
        states: {
          a: {
            always: { guard: ({ context: { n } }) => n >= 2, target: "b" },
            on: {
              go: { actions: [assign({ n: ({ context: { n } }) => n + 1 }), raise({ type: "late" })] },
              late: { actions: assign({ n: ({ context: { n } }) => n + 1 }) }
            }
          },
          b: { type: "final" }
        },
        output: ({ context: { n } }) => n
      })
      const { send, handle, run } = yield* played(fromMachine(machine, { ...base, events: { go: noFields } }))
      yield* send({ type: "go" })
      assert.strictEqual(yield* run(handle.await), 2)
    }),
  "`after`, `raise` and `sendTo` with a delay, `cancel`": () =>
    Effect.gen(function* () {
      const machine = createMachine({
        types,
        id: "timed",
        context,
        entry: raise({ type: "late" }, { delay: 60_000, id: "soon" }),
        initial: "a",
        on: { go: { actions: cancel("soon") }, late: ".b" },
        states: { a: { after: { "3 days": "c" } }, b: {}, c: {} }
      })
      const Timed = fromMachine(machine, { ...base, events: { go: noFields } })
      const left = yield* played(Timed)
      yield* left.advance("1 minute")
      assert.deepStrictEqual(yield* left.now, ["b", "running"])
      const stopped = yield* played(Timed)
      yield* stopped.send({ type: "go" })
      yield* stopped.advance("2 days")
      assert.deepStrictEqual(yield* stopped.now, ["a", "running"])
      yield* stopped.advance("1 day")
      assert.deepStrictEqual(yield* stopped.now, ["c", "running"])
    }),
  "actions of your own": () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const machine = setup({ types, actions: { act: () => {} } }).createMachine({
        id: "acting",
        context,
        on: { go: { actions: ["act", assign({ n: 1 }), "act"] } }
      })
      const {
        send,
        restart,
        settle,
        log: logOf
      } = yield* played(
        fromMachine(machine, {
          ...base,
          events: { go: noFields },
          actions: { act: ({ context: { n } }) => Effect.sync(() => seen.push(n)) }
        })
      )
      yield* send({ type: "go" })
      yield* restart()
      yield* settle
      assert.deepStrictEqual(seen, [0, 1])
      const logged = (yield* logOf("p")).flatMap(({ eventType }) =>
        eventType.startsWith("machine.") ? [eventType] : []
      )
      assert.deepStrictEqual(logged.slice(-3), ["machine.transitioned", "machine.acted", "machine.acted"])
    }),
  "`invoke`, `spawnChild`, `spawn`": () =>
    Effect.gen(function* () {
      const machine = setup({ types, actors: { wait: fromDurable() } }).createMachine({
        id: "parent",
        context,
        initial: "a",
        states: { a: { invoke: { src: "wait", id: "i" }, on: { back: "b" } }, b: {} },
        on: {
          go: {
            actions: [
              spawnChild("wait", { id: "s" }),
              assign(({ spawn, context }) => {
                spawn("wait", { id: "w" })
                return context
              })
            ]
          }
        }
      })
      const { send, of } = yield* played(
        fromMachine(machine, {
          ...base,
          events: { go: noFields, back: noFields },
          actors: { wait: () => Effect.never }
        })
      )
      yield* send({ type: "go" }, { type: "back" })
      assert.deepStrictEqual(
        [yield* of("p/i:1"), yield* of("p/s:1"), yield* of("p/w:1")],
        ["cancelled", "running", "running"]
      )
    }),
  "`sendTo`, `sendParent`, `forwardTo`": () =>
    Effect.gen(function* () {
      const machine = setup({
        types: {
          context: {} as { readonly n: number },
          events: {} as
            | { readonly type: "ping"; readonly n: number }
            | { readonly type: "pong"; readonly n: number }
            | { readonly type: "again"; readonly n: number }
        },
        actors: { kid: fromDurable() }
      }).createMachine({
        id: "parent",
        context,
        invoke: { src: "kid", id: "kid" },
        on: {
          ping: { actions: forwardTo("kid") },
          again: { actions: sendTo("kid", ({ event }) => ({ type: "ping", n: event.n })) },
          pong: { actions: assign({ n: ({ context, event }) => context.n + event.n }) }
        }
      })
      const N = Schema.Struct({ n: Schema.Int })
      const { send, row } = yield* played(
        fromMachine(machine, { ...base, events: { ping: N, pong: N, again: N }, actors: { kid: Kid as never } })
      )
      yield* send({ type: "ping", n: 4 } as never, { type: "again", n: 20 } as never)
      assert.deepStrictEqual((yield* row("p"))?.snapshot.context.chart?.context, { n: 26 })
    }),
  "`emit`, `log`": () =>
    Effect.gen(function* () {
      const machine = setup({ types: { ...types, emitted: {} as { readonly type: "said" } } }).createMachine({
        id: "saying",
        context,
        initial: "a",
        states: { a: { entry: [log("a line"), emit({ type: "said" })], on: { go: "b" } }, b: { type: "final" } }
      })
      const {
        send,
        handle,
        run,
        log: logOf
      } = yield* played(fromMachine(machine, { ...base, events: { go: noFields } }))
      yield* send({ type: "go" })
      assert.deepStrictEqual([...(yield* run(Stream.runCollect(handle.emitted)))], [{ type: "said" }])
      assert.include(JSON.stringify(yield* logOf("p")), "a line")
    }),
  "`fromTransition` of JSON": () =>
    Effect.gen(function* () {
      const sum = fromTransition(
        (total: number, { by }: { readonly type: "add"; readonly by: number }) => total + by,
        1
      )
      const machine = setup({ types, actors: { sum } }).createMachine({
        id: "summing",
        context,
        invoke: { src: "sum", id: "sum" },
        on: { go: { actions: sendTo("sum", { type: "add", by: 4 }) } }
      })
      const actors = { sum: { events: { add: Schema.Struct({ by: Schema.Int }) } } }
      const { send, row } = yield* played(fromMachine(machine, { ...base, events: { go: noFields }, actors }))
      yield* send({ type: "go" }, { type: "go" })
      assert.deepStrictEqual((yield* row("p/sum:1"))?.snapshot.context.chart?.context, { state: 9 })
    }),
  "`fromPromise`, `fromCallback`, `fromObservable`, a machine as an actor": () =>
    Effect.sync(() => {
      for (const [of, logic] of Object.entries(memoryOnly)) {
        const named = setup({ actors: { kid: logic } })
        const options = { ...base, actors: { kid: () => Effect.succeed(1) } } as never // the types refuse it, too
        const spawning = assign(({ spawn }: { readonly spawn: (src: "kid") => unknown }) => ({ kid: spawn("kid") }))
        for (const machine of [
          named.createMachine({ id: "m", invoke: { src: "kid" } }),
          named.createMachine({ id: "m", entry: spawnChild("kid") }),
          named.createMachine({ id: "m", entry: spawning as never })
        ]) {
          assert.throws(() => fromMachine(machine, options), /actor `kid` of machine `m`.*`fromDurable`/, of)
        }
        assert.throws(
          () => fromMachine(createMachine({ id: "m", invoke: { src: logic } }), options),
          /name it in `setup/,
          of
        )
      }
    }),
  "a final state, an error that escapes": () =>
    Effect.gen(function* () {
      const machine = setup({ types, actors: { kid: fromDurable() } }).createMachine({
        id: "ending",
        context,
        initial: "a",
        states: { a: { on: { go: "b", back: "c" } }, b: { type: "final" }, c: { invoke: { src: "kid" } } },
        output: 7
      })
      const Ending = fromMachine(machine, {
        ...base,
        events: { go: noFields, back: noFields },
        actors: { kid: () => Effect.fail(new Refused({ because: "no" })) }
      })
      const good = yield* played(Ending)
      yield* good.send({ type: "go" })
      assert.strictEqual(yield* good.run(good.handle.await), 7)
      const bad = yield* played(Ending)
      yield* bad.send({ type: "back" })
      assert.deepStrictEqual(yield* bad.now, ["c", "failed"])
    }),
  "an action that fails": () =>
    Effect.gen(function* () {
      const hard = failing("fail")
      const failed = yield* played(hard.engine)
      assert.deepStrictEqual(yield* failed.now, ["a", "failed"])
      assert.deepStrictEqual(hard.tries, ["p:0:0", "p:0:0", "p:0:0"])
      const soft = failing("event")
      const { now, row } = yield* played(soft.engine)
      assert.deepStrictEqual(yield* now, ["b", "running"])
      assert.deepStrictEqual((yield* row("p"))?.snapshot.context.chart?.context, { why: "out of order" })
      assert.lengthOf(soft.tries, 3)
    }),
  "a guard or assign that throws": () =>
    Effect.gen(function* () {
      const guard = () => {
        throw new Error("the guard broke")
      }
      const machine = setup({ types }).createMachine({
        id: "broken",
        context,
        initial: "a",
        states: { a: { on: { go: { guard, target: "b" } } }, b: {} }
      })
      const { send, now, problem, row } = yield* played(fromMachine(machine, { ...base, events: { go: noFields } }))
      yield* send({ type: "go" })
      assert.deepStrictEqual(yield* now, ["a", "running"])
      assert.match(yield* problem, /the guard broke/)
      assert.strictEqual((yield* row("p"))?.snapshot.context.chart?.inputs, 1)
    }),
  "`systemId`": () =>
    Effect.gen(function* () {
      const machine = setup({
        types: {
          context: {} as { readonly n: number },
          events: {} as { readonly type: "go" } | { readonly type: "pong"; readonly n: number }
        },
        actors: { kid: fromDurable() }
      }).createMachine({
        id: "system",
        context,
        invoke: { src: "kid", id: "child", systemId: "known" },
        on: {
          go: {
            actions: sendTo(
              ({ system }) => system.get("known"),
              () => ({ type: "ping", n: 1 })
            )
          },
          pong: { actions: assign({ n: ({ event }) => event.n }) }
        }
      })
      const { send, row } = yield* played(
        fromMachine(machine, {
          ...base,
          events: { go: noFields, pong: Schema.Struct({ n: Schema.Int }) },
          actors: { kid: Kid as never }
        })
      )
      yield* send({ type: "go" })
      assert.deepStrictEqual((yield* row("p"))?.snapshot.context.chart?.context, { n: 2 })
    }),
  "exit actions when the process is cancelled": () =>
    Effect.gen(function* () {
      let exits = 0
      const machine = setup({ types, actions: { leave: () => {} } }).createMachine({
        id: "leaving",
        context,
        initial: "a",
        states: { a: { exit: "leave", on: { go: "b" } }, b: { exit: "leave" } }
      })
      const actions = { leave: () => Effect.sync(() => ++exits) }
      const { send, run, handle, settle, now } = yield* played(
        fromMachine(machine, { ...base, events: { go: noFields }, actions })
      )
      yield* send({ type: "go" })
      yield* run(handle.cancel("enough"))
      yield* settle
      assert.deepStrictEqual(yield* now, ["b", "cancelled"])
      assert.strictEqual(exits, 1)
    })
}

/** What is not used has nothing to run. */
const unused = "`maxIterations`, `inspect`, clock and logger of an actor"

describe("the table of the guide to statecharts", () => {
  const guide = readFileSync(`${root}docs/guide/your-statechart.md`, "utf8")
  const [, table = ""] = guide.split("| XState | here |\n|---|---|\n")
  const cells = (table.split("\n\n")[0] ?? "").split("\n").map((line) => line.slice(2).split(" | ")[0] ?? "")

  it("has the rows that are run here", () => {
    const named = cells.map((cell) => (cell.startsWith("`assign`") ? "`assign`, guards, `raise`, `always`" : cell))
    assert.deepStrictEqual(named, [...Object.keys(rows), unused])
  })

  for (const [row, run] of Object.entries(rows)) it(`holds: ${row}`, () => Effect.runPromise(Effect.scoped(run())))
})

describe("what the guide to statecharts promises besides", () => {
  it("in development a transition that is not the same twice is refused, and its event stays", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          let asked = 0
          const machine = setup({ types }).createMachine({
            id: "moody",
            context,
            on: { go: { actions: assign({ n: () => ++asked }) } }
          })
          const { send, problem, row } = yield* played(fromMachine(machine, { ...base, events: { go: noFields } }))
          yield* send({ type: "go" })
          assert.match(yield* problem, /is impure: event `go` taken twice in state .* gave another context/)
          assert.strictEqual((yield* row("p"))?.snapshot.context.chart?.inputs, 1)
        })
      )
    ))

  it("what an assign spawns without a name is refused when it does, and its event stays", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const machine = createMachine({
            id: "spawning",
            context: {},
            on: { go: { actions: assign({ kid: ({ spawn }) => spawn(fromPromise(async () => 1)) }) } }
          })
          const { send, problem, now } = yield* played(
            fromMachine(machine, { ...base, events: { go: noFields } } as never)
          )
          yield* send({ type: "go" })
          assert.match(yield* problem, /actor/)
          assert.strictEqual((yield* now)[1], "running")
        })
      )
    ))

  for (const cancels of [false, true]) {
    it(`a migration ${cancels ? "ends the child that it names" : "names a child that it does not know, which goes on"}`, () =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const one = setup({ types, actors: { wait: fromDurable() } }).createMachine({
              id: "m",
              context,
              invoke: { src: "wait", id: "kid" }
            })
            const One = fromMachine(one, { ...base, actors: { wait: () => Effect.never } })
            const two = setup({ types }).createMachine({ id: "m", context, initial: "a", states: { a: {} } })
            const Two = fromMachine(two, {
              version: "2",
              input: Schema.Unknown,
              migrate: { "1": () => ({ value: "a", context, ...(cancels ? { cancel: { children: ["kid"] } } : {}) }) }
            })
            const { run, settle, of, log: logOf } = yield* played(One, [Two])
            yield* run(Effect.flatMap(Processes, (processes) => processes.migrate(Two)))
            yield* settle
            assert.strictEqual(yield* of("p/kid:1"), cancels ? "cancelled" : "running")
            const taken = JSON.stringify(yield* logOf("p"))
            assert.include(taken, `"unknown":{"timers":[],"children":${cancels ? "[]" : '["kid"]'}}`)
          })
        )
      ))
  }
})
