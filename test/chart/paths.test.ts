import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { createMachine, initialTransition, raise, setup, transition } from "xstate"
import { getSimplePaths } from "xstate/graph"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import * as Machines from "../../src/testing/Machines.ts"
import { samples } from "../support/samples.ts"

const names = ["a", "b", "c", "d", "e"] as const

/** Transitions between some states, without guards: each has an event of its own, so that a path says which way it took. */
const graphs = FastCheck.uniqueArray(
  FastCheck.tuple(FastCheck.constantFrom(...names), FastCheck.constantFrom(...names)),
  {
    selector: ([from, to]) => `${from}${to}`
  }
)

const flat = (graph: ReadonlyArray<readonly [string, string]>) =>
  createMachine({
    id: "m",
    initial: "a",
    states: Object.fromEntries(
      names.map((name) => [
        name,
        { on: Object.fromEntries(graph.flatMap(([from, to]) => (from === name ? [[`${from}${to}`, to]] : []))) }
      ])
    )
  })

const sorted = (paths: ReadonlyArray<ReadonlyArray<string>>) => paths.map((path) => path.join(" ")).sort()

describe("the simple paths of a machine", () => {
  it("are those that XState walks, in a machine without guards", () => {
    FastCheck.assert(
      FastCheck.property(graphs, (graph) => {
        const machine = flat(graph)
        const { simple, isCut } = Machines.paths(machine)
        const walked = getSimplePaths(machine, { events: graph.map(([from, to]) => ({ type: `${from}${to}` })) })
        assert.isFalse(isCut)
        for (const name of names) {
          const ways = walked
            .filter(({ state }) => state.value === name)
            .map(({ steps }) => steps.map(({ event }) => event.type))
          assert.deepStrictEqual(
            sorted(simple[`m.${name}`] ?? []),
            sorted(ways.map((steps) => steps.filter((type) => type !== "xstate.init")))
          )
        }
      }),
      { numRuns: samples(100, 2_000) }
    )
  })

  it("lead through states in states, and enter none twice", () => {
    const machine = createMachine({
      id: "m",
      initial: "out",
      states: {
        out: { on: { enter: "in", jump: "in.deep" } },
        in: {
          initial: "shallow",
          on: { leave: "out" },
          states: { shallow: { on: { dive: "deep" } }, deep: { always: "bottom" }, bottom: { type: "final" } }
        }
      }
    })
    const { simple, text } = Machines.paths(machine)
    assert.deepStrictEqual(simple, {
      m: [[]],
      "m.out": [[]],
      "m.in": [["enter"], ["jump"]],
      "m.in.shallow": [["enter"]],
      "m.in.deep": [["jump"], ["enter", "dive"]],
      "m.in.bottom": [["jump"], ["enter", "dive"]]
    })
    assert.include(text, "m.in.deep: jump (and 1 other way)")
  })

  it("are cut where there are too many, and say so", () => {
    const all = names.flatMap((from) => names.map((to) => [from, to] as const))
    const { simple, isCut, text } = Machines.paths(flat(all), [], { mostSteps: 20 })
    assert.isTrue(isCut)
    assert.isAtMost(Object.values(simple).flat().length, 22)
    assert.include(text, "there are more ways than were walked")
  })
})

const regionNames = ["l", "m", "r"] as const

/** Regions of two or three states, some of which begin over a history state, in a state that ends with them or is the machine. */
const shapes = FastCheck.record({
  regions: FastCheck.array(
    FastCheck.record({ states: FastCheck.integer({ min: 1, max: 3 }), isPast: FastCheck.boolean() }),
    {
      minLength: 1,
      maxLength: 3
    }
  ),
  isRoot: FastCheck.boolean()
})

const regionsOf = (regions: ReadonlyArray<{ readonly states: number; readonly isPast: boolean }>) =>
  Object.fromEntries(
    regions.map(({ states, isPast }, index) => {
      const last = `s${states - 1}`
      return [
        regionNames[index],
        {
          initial: isPast ? "past" : "s0",
          states: {
            ...Object.fromEntries(
              Array.from({ length: states }, (_none, nth) => [
                `s${nth}`,
                nth === states - 1 ? { type: "final" } : { on: { [`go ${index}.${nth}`]: `s${nth + 1}` } }
              ])
            ),
            past: { type: "history", target: isPast ? last : "s0" }
          }
        }
      ]
    })
  )

/** Ways that XState itself takes from the beginning. */
const valueAfter = (machine: ReturnType<typeof createMachine>, path: ReadonlyArray<string>) =>
  path.reduce((snapshot, type) => transition(machine, snapshot, { type })[0], initialTransition(machine)[0])

describe("the paths of a machine with regions", () => {
  it("are ways on which XState comes to rest in the state, and what they do not reach nothing reaches", () => {
    FastCheck.assert(
      FastCheck.property(shapes, ({ regions, isRoot }) => {
        const parallel = { type: "parallel", states: regionsOf(regions) }
        const config = isRoot
          ? { id: "m", ...parallel }
          : {
              id: "m",
              initial: "out",
              states: { out: { on: { in: "p" } }, p: { ...parallel, onDone: "over" }, over: { type: "final" } }
            }
        const machine = createMachine(config as never)
        const { shortest, unreachable, isCut } = Machines.paths(machine)
        assert.isFalse(isCut)
        const prefix = isRoot ? "m." : "m.p."
        regions.forEach(({ states, isPast }, index) => {
          const name = regionNames[index] ?? ""
          Array.from({ length: states }, (_none, nth) => nth).forEach((nth) => {
            const id = `${prefix}${name}.s${nth}`
            if (isPast && nth < states - 1) return assert.include(unreachable, id)
            const path = shortest[id]
            assert.isDefined(path, id)
            const { value } = valueAfter(machine, path ?? [])
            const inner = isRoot ? value : (value as { readonly p?: unknown }).p
            const isLast = !isRoot && inner === undefined
            assert.isTrue(isLast || (inner as Readonly<Record<string, unknown>>)[name] === `s${nth}`, id)
          })
        })
        if (!isRoot) assert.strictEqual(valueAfter(machine, shortest["m.over"] ?? []).value, "over")
      }),
      { numRuns: samples(60, 500) }
    )
  })

  it("lead to a history state where it remembers nothing, and back to what it remembers", () => {
    const machine = createMachine({
      id: "m",
      initial: "a",
      states: {
        a: { on: { back: "h.past", jump: "h.z" } },
        h: {
          initial: "x",
          on: { out: "a" },
          states: { x: {}, y: {}, z: { on: { end: "#m.end" } }, past: { type: "history", target: "y" } }
        },
        end: { type: "final" }
      }
    })
    const { shortest, unreachable, deadEnds } = Machines.paths(machine)
    assert.deepStrictEqual(shortest["m.h.y"], ["back"])
    assert.deepStrictEqual([unreachable, deadEnds], [["m.h.x"], []])
  })

  it("go on with what a step raises, and take an event under a wildcard as one that is taken", () => {
    const machine = createMachine({
      id: "m",
      initial: "a",
      states: {
        a: { on: { "error.*": "b", go: { actions: raise({ type: "error.own" }) } } },
        b: { on: { "done.x": "c" } },
        c: { type: "final" }
      }
    })
    const report = Machines.paths(machine, ["error.x", "error", "errors", "done.x", "go"])
    assert.deepStrictEqual(report.unhandled, ["errors"])
    assert.deepStrictEqual(report.simple["m.b"], [["error.x"], ["error"], ["go"]])
    assert.deepStrictEqual(report.stuck, [])
  })
})

/** An order that is paid or given up; `isAllowed` is in the way of those who are not ana. */
const order = (allowed: string) =>
  fromMachine(
    setup({
      types: { events: {} as { readonly type: "order"; readonly by: string } | { readonly type: "drop" } },
      actors: { pay: fromDurable<undefined, number>() },
      guards: { isAllowed: ({ event }) => event.type === "order" && event.by === allowed }
    }).createMachine({
      id: "order",
      initial: "waiting",
      states: {
        waiting: {
          on: { order: { target: "paying", guard: "isAllowed" }, drop: "dropped" },
          after: { "2 days": "late" }
        },
        paying: { invoke: { src: "pay", id: "pay", onDone: "paid", onError: "refused" } },
        refused: { always: "waiting again" },
        "waiting again": { on: { order: { target: "paying", guard: "isAllowed" } } },
        late: { type: "final" },
        paid: { type: "final" },
        dropped: { type: "final" },
        never: {}
      }
    }),
    {
      version: "1",
      input: Schema.Null,
      events: { order: Schema.Struct({ by: Schema.Literal("ana") }), drop: Schema.Struct({}) },
      actors: { pay: () => Effect.succeed(1) }
    }
  )

const ended = (effect: Effect.Effect<void, Machines.Counterexample>) => Effect.runPromise(Effect.either(effect))

describe("the cases of a machine", () => {
  it("are one for each state in which it may rest, and each is a history that leads there", async () => {
    const cases = Machines.cases(order("ana"))
    assert.deepStrictEqual(
      cases.map(({ name }) => name),
      [
        "order: at the beginning",
        "order.waiting: at the beginning",
        "order.paying: order",
        "order.waiting again: order, xstate.error.actor.pay",
        "order.late: xstate.after.2 days.order.waiting",
        "order.paid: order, xstate.done.actor.pay",
        "order.dropped: drop"
      ]
    )
    for (const { name, run } of cases) assert.strictEqual((await ended(run))._tag, "Right", name)
  })

  it("fail where a guard is in the way, with what was played and where it led", async () => {
    const [, , paying] = Machines.cases(order("bo"))
    const failed = await ended(paying?.run ?? Effect.void)
    assert.include(
      String(failed._tag === "Left" ? failed.left.message : ""),
      'the process did not come into order.paying by order: it was in "waiting"'
    )
  })
})
