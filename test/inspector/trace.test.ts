/**
 * The path of a macrostep, found again without the functions of the machine.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import type { AnyStateMachine } from "xstate"
import { assign, raise, setup } from "xstate"
import { structureOf } from "../../machines/chart/definition.ts"
import * as Macrosteps from "../../machines/chart/macrostep.ts"
import type { ChartState, ChartTransition } from "../../machines/chart/state.ts"
import { activeStates } from "../../src/inspector/charts/definition.ts"
import { traceOf, tryStep } from "../../src/inspector/charts/trace.ts"

const definitionOf = (machine: AnyStateMachine) => ({
  id: machine.id,
  version: "1",
  structure: structureOf(machine),
  events: {}
})

const place = { processId: "p", revision: 0 }

interface Move {
  readonly from: string
  readonly event: "E" | "F"
  readonly to: string | undefined
  readonly guard: string | undefined
  readonly action: string
  readonly reenter: boolean
}

const states = ["a", "b", "b1", "b2", "c", "x", "x1", "x2", "y1", "y2"]
const guards = ["g0", "g1", "g2"]

const move: fc.Arbitrary<Move> = fc.record({
  from: fc.constantFrom(...states),
  event: fc.constantFrom("E", "F"),
  to: fc.option(fc.constantFrom("a", "b", "b1", "b2", "c", "past"), { nil: undefined }),
  guard: fc.option(fc.constantFrom(...guards), { nil: undefined }),
  action: fc.constantFrom("n0", "n1", "n2"),
  reenter: fc.boolean()
})

/** A machine with nested and parallel states, a history and an eventless transition; its guards say what the event says. */
const machineOf = (moves: ReadonlyArray<Move>): AnyStateMachine => {
  const own = (name: string) => ({
    id: name,
    entry: `in ${name}`,
    exit: `out ${name}`,
    on: Object.fromEntries(
      ["E", "F"].map((event) => [
        event,
        moves
          .filter((each) => each.from === name && each.event === event)
          .map(({ to, guard, action, reenter }) => ({
            ...(to === undefined ? {} : { target: `#${to}` }),
            ...(guard === undefined ? {} : { guard }),
            actions: action,
            reenter
          }))
      ])
    )
  })
  return setup({
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
        initial: "b1",
        states: {
          b1: { ...own("b1"), always: { target: "b2", guard: "g2", actions: "on" } },
          b2: own("b2"),
          past: { id: "past", type: "history" }
        }
      },
      c: {
        ...own("c"),
        type: "parallel",
        states: {
          x: { ...own("x"), initial: "x1", states: { x1: own("x1"), x2: own("x2") } },
          y: { initial: "y1", states: { y1: own("y1"), y2: own("y2") } }
        }
      }
    }
  } as never) as unknown as AnyStateMachine // made of names
}

const event = fc.record({ type: fc.constantFrom("E", "F"), bits: fc.integer({ min: 0, max: 7 }) })

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
    types: { events: {} as { readonly type: "plain" | "guarded" | "raising" | "counting" } },
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
          counting: { actions: assign({ n: 1 }), target: "b" }
        },
        after: { 500: "b" }
      },
      b: { entry: "tell" }
    }
  })
  const tried = (type: string) => tryStep(definitionOf(machine), { value: "a", history: {} }, { type })

  it("is taken where the definition alone says what comes of it", () => {
    for (const type of ["plain", "counting", "xstate.after.500.m.a"]) {
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
    assert.strictEqual(why("raising"), "raise decides that, and a stored definition has no functions")
  })
})
