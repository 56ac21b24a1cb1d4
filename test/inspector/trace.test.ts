/**
 * The path of a macrostep, found again without the functions of the machine.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import type { AnyStateMachine } from "xstate"
import { assign, enqueueActions, raise, setup } from "xstate"
import { structureOf } from "../../machines/chart/definition.ts"
import * as Macrosteps from "../../machines/chart/macrostep.ts"
import type { ChartState, ChartTransition } from "../../machines/chart/state.ts"
import { activeStates } from "../../src/inspector/charts/definition.ts"
import { traceOf, tryStep } from "../../src/inspector/charts/trace.ts"
import { canonicalText } from "../../src/model/json.ts"
import type { StoredDefinition } from "../../src/operations/Charts.ts"

/** The definition of a machine as it is read from a store, which sorts what it keeps. */
const definitionOf = (machine: AnyStateMachine): StoredDefinition =>
  JSON.parse(canonicalText({ id: machine.id, version: "1", structure: structureOf(machine), events: {} }))

const place = { processId: "p", revision: 0 }

interface Move {
  readonly from: string
  readonly event: "E" | "F" | "G"
  readonly to: string | undefined
  readonly guard: string | undefined
  readonly action: string
  readonly raise: keyof typeof raising
  readonly reenter: boolean
}

/** The ways in which a machine may raise an event; what G leads to raises nothing, so that each step ends. */
const raising = {
  nothing: [],
  literal: [raise({ type: "G" })],
  name: ["tellG"],
  function: [raise(() => ({ type: "G" }))],
  enqueued: [enqueueActions(({ enqueue }) => enqueue.raise({ type: "G" } as never))]
}

const states = ["a", "b", "b1", "b2", "c", "x", "x1", "x2", "y1", "y2"]
const guards = ["g0", "g1", "g2"]

const move: fc.Arbitrary<Move> = fc.record({
  from: fc.constantFrom(...states),
  event: fc.constantFrom("E", "F", "G"),
  to: fc.option(fc.constantFrom("a", "b", "b1", "b2", "c", "past"), { nil: undefined }),
  guard: fc.option(fc.constantFrom(...guards), { nil: undefined }),
  action: fc.constantFrom("n0", "n1", "n2"),
  raise: fc.constantFrom(...(Object.keys(raising) as ReadonlyArray<keyof typeof raising>)),
  reenter: fc.boolean()
})

/** A machine with nested and parallel states, a history and an eventless transition; its guards say what the event says. */
const machineOf = (moves: ReadonlyArray<Move>): AnyStateMachine => {
  const own = (name: string) => ({
    id: name,
    entry: `in ${name}`,
    exit: `out ${name}`,
    on: Object.fromEntries(
      ["E", "F", "G"].map((event) => [
        event,
        moves
          .filter((each) => each.from === name && each.event === event)
          .map(({ to, guard, action, raise: way, reenter }) => ({
            ...(to === undefined ? {} : { target: `#${to}` }),
            ...(guard === undefined ? {} : { guard }),
            actions: [action, ...(event === "G" ? [] : raising[way])],
            reenter
          }))
      ])
    )
  })
  return setup({
    actions: { tellG: raise({ type: "G" }) },
    guards: Object.fromEntries(
      guards.map((name, bit) => [
        name,
        ({ event }: { readonly event: { readonly type: string; readonly bits?: unknown } }) =>
          (Number(event.bits) & (1 << bit)) !== 0
      ])
    )
  }).createMachine({
    id: "m",
    initial: "a",
    states: {
      a: own("a"),
      b: {
        ...own("b"),
        initial: { target: "b1", actions: "first" },
        states: {
          b1: { ...own("b1"), always: { target: "b2", guard: "g2", actions: "on" } },
          b2: own("b2"),
          past: { id: "past", type: "history", target: "b2" }
        }
      },
      c: {
        ...own("c"),
        type: "parallel",
        states: {
          y: { initial: "y1", states: { y1: own("y1"), y2: own("y2") } },
          x: { ...own("x"), initial: "x1", states: { x1: own("x1"), x2: own("x2") } }
        }
      }
    }
  } as never) as unknown as AnyStateMachine // made of names
}

const event = fc.record({ type: fc.constantFrom("E", "F", "G"), bits: fc.integer({ min: 0, max: 7 }) })

const rest: ChartState = {
  definition: { id: "m", version: "1", hash: "" },
  revision: 0,
  value: {},
  context: {},
  history: {},
  children: {},
  starts: {},
  timers: [],
  actions: [],
  taken: 0,
  inputs: 0
}

describe("the path of a macrostep", () => {
  it("leads from the states before to the states after, through the actions of the log, whatever guards said", () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 14 }), fc.array(event, { maxLength: 5 }), (moves, events) => {
        const machine = machineOf(moves)
        const definition = definitionOf(machine)
        let before: ChartState | undefined
        for (const taken of [{ type: "xstate.init" }, ...events]) {
          const step =
            before === undefined
              ? Macrosteps.begin(machine, undefined, place)
              : Macrosteps.take(machine, before, {}, taken, place)
          const acts = step.effects.flatMap((effect) => (effect.do === "act" ? [effect.name] : []))
          const logged = {
            revision: 0,
            event: taken,
            to: step.value,
            handled: step.handled,
            effects: acts.map((name) => ({ do: "act", name }) as const)
          } satisfies ChartTransition
          const trace = traceOf(definition, before, logged)
          if (trace === undefined) throw new Error("no path was found")
          const active = new Set(before === undefined ? [] : activeStates(machine, before.value))
          for (const { did, name } of trace) {
            if (did === "enter") {
              assert.isFalse(active.has(name), `${name} is entered twice`)
              active.add(name)
            }
            if (did === "leave") assert.isTrue(active.delete(name), `${name} is left and was not active`)
          }
          assert.sameMembers([...active], [...activeStates(machine, step.value)])
          assert.deepStrictEqual(
            trace.flatMap(({ did, name }) => (did === "act" ? [name] : [])),
            acts
          )
          before = { ...rest, value: step.value, history: step.history }
        }
      }),
      { numRuns: 200 }
    )
  })

  it("is not known where a step came to what the definition does not lead to", () => {
    const machine = machineOf([])
    const impossible = { revision: 1, event: { type: "E" }, to: "c", handled: true, effects: [] }
    assert.isUndefined(traceOf(definitionOf(machine), { ...rest, value: "a" }, impossible))
  })
})

describe("a step that has not happened", () => {
  const machine = setup({
    types: { events: {} as { readonly type: "plain" | "guarded" | "raising" | "guessing" | "counting" } },
    guards: { isRich: () => true },
    actions: { tell: () => {} }
  }).createMachine({
    id: "m",
    context: { n: 0 },
    initial: "a",
    states: {
      a: {
        on: {
          plain: { target: "b", actions: "tell" },
          guarded: { target: "b", guard: "isRich" },
          raising: { actions: raise({ type: "plain" }) },
          guessing: { actions: raise(() => ({ type: "plain" }) as const) },
          counting: { actions: assign({ n: 1 }), target: "b" }
        },
        after: { 500: "b" }
      },
      b: { entry: "tell" }
    }
  })
  const tried = (type: string) => tryStep(definitionOf(machine), { value: "a", history: {} }, { type })

  it("is taken where the definition alone says what comes of it", () => {
    for (const type of ["plain", "counting", "raising", "xstate.after.500.m.a"]) {
      const result = tried(type)
      if (!result.possible) throw new Error(result.why)
      assert.strictEqual(result.step.value, "b", type)
    }
    const plain = tried("plain")
    assert.deepStrictEqual(plain.possible && plain.trace, [
      { did: "leave", name: "m.a" },
      { did: "take", name: "m.a plain 0" },
      { did: "act", name: "tell" },
      { did: "enter", name: "m.b" },
      { did: "act", name: "tell" }
    ])
  })

  it("is refused where a function has a say, which is named", () => {
    const why = (type: string) => {
      const result = tried(type)
      return result.possible ? "possible" : result.why
    }
    assert.strictEqual(why("guarded"), "the guard isRich decides that, and a stored definition has no functions")
    assert.strictEqual(why("guessing"), "raise decides that, and a stored definition has no functions")
  })

  it("leads to the default of a history state, and enters regions in the order in which they are written", () => {
    const regions = setup({ actions: { tell: () => {} } }).createMachine({
      id: "m",
      initial: "a",
      states: {
        a: { on: { back: "b.past", both: "p" } },
        b: { initial: "one", states: { one: {}, two: {}, past: { type: "history", target: "two" } } },
        p: { type: "parallel", states: { z: {}, y: { entry: "tell" }, x: {} } }
      }
    })
    const tried = (type: string) => tryStep(definitionOf(regions), { value: "a", history: {} }, { type })
    const back = tried("back")
    assert.deepStrictEqual(back.possible && back.step.value, { b: "two" })
    const both = tried("both")
    assert.deepStrictEqual(both.possible && both.trace.flatMap(({ did, name }) => (did === "enter" ? [name] : [])), [
      "m.p",
      "m.p.z",
      "m.p.y",
      "m.p.x"
    ])
  })
})
