import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { createMachine } from "xstate"
import { getSimplePaths } from "xstate/graph"
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
