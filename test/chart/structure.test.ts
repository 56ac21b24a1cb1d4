/**
 * What a version means: which changes of a machine make it another one, and what an earlier release stored of it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { AnyStateMachine } from "xstate"
import { and, fromTransition, not, or, raise, sendTo, setup, spawnChild, stateIn } from "xstate"
import { acceptedIn, namesOf, structureOf, structureRule } from "../../machines/chart/definition.ts"
import { differences } from "../../machines/chart/difference.ts"
import { Processes } from "../../src/host/Processes.ts"
import { canonicalText, hashOf } from "../../src/model/json.ts"
import { definitionIn } from "../../src/operations/Charts.ts"
import type { Chart } from "../../src/operations/decisions/chartStep.ts"
import type { MachineEngine } from "../../src/runtime/engine/fromMachine.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { hostOn } from "../support/hosts.ts"
import { noFields, noInput, onMemory, stateOf } from "./charts.ts"

/** What one place of a machine may be. `undefined` stands for nothing there. */
interface Parts {
  readonly description?: unknown
  readonly initial?: unknown
  readonly past?: unknown
  readonly guard?: unknown
  readonly actions?: unknown
  readonly systemId?: unknown
  readonly regions?: ReadonlyArray<string>
  readonly tell?: ReturnType<typeof raise>
}

const machineOf = (parts: Parts = {}): AnyStateMachine => {
  const { description, initial, past, guard, actions, systemId, regions = ["z", "a"], tell } = parts
  return setup({
    guards: { isOpen: () => true, isAbove: () => true },
    actors: { count: fromTransition((n: number) => n, 0) },
    actions: { note: () => {}, tell: tell ?? raise({ type: "told" }) }
  } as never).createMachine({
    id: "every",
    description,
    initial: "in",
    states: {
      in: {
        initial: initial ?? "one",
        invoke: { src: "count", id: "count", systemId },
        states: {
          one: { on: { go: { target: "two", guard, actions } } },
          two: { entry: "tell" },
          past: { type: "history", target: past }
        }
      },
      out: { type: "parallel", states: Object.fromEntries(regions.map((name) => [name, {}])) }
    }
  } as never) as unknown as AnyStateMachine // made of parts
}

/** Values of each part that mean something else, the first of which is nothing. */
const variants: { readonly [Part in keyof Parts]: ReadonlyArray<Parts[Part]> } = {
  initial: [undefined, "two", { target: "one", actions: "note" }, { target: "one", actions: ["note", "tell"] }],
  past: [undefined, "one", "two", "#every.in"],
  guard: [
    undefined,
    "isOpen",
    { type: "isAbove", params: { limit: 1 } },
    { type: "isAbove", params: { limit: 2 } },
    not("isOpen"),
    not("isAbove"),
    not(not("isOpen") as never),
    and(["isOpen", "isAbove"]),
    or(["isOpen", "isAbove"]),
    and(["isOpen", { type: "isAbove", params: { limit: 1 } }]),
    stateIn("in"),
    stateIn("out")
  ],
  actions: [undefined, "note", raise({ type: "a" }), raise({ type: "b" }), raise(() => ({ type: "c" }))],
  systemId: [undefined, "first", "second"],
  regions: [
    ["z", "a"],
    ["a", "z"],
    ["z", "a", "b"]
  ]
}

const machines = Object.entries(variants).flatMap(([part, values]) =>
  values.slice(1).map((value) => [`${part} ${canonicalText(value ?? null)}`, machineOf({ [part]: value })] as const)
)

describe("the structure of a machine", () => {
  it("is another one with each change of what a state is and does, and the difference names the state", () => {
    const all = [["as it is", machineOf()] as const, ...machines]
    for (const [one, before] of all) {
      for (const [other, after] of all) {
        const lines = differences(structureOf(before), structureOf(after))
        assert.strictEqual(lines.length > 0, before !== after, `${one} and ${other}`)
        for (const line of lines) assert.match(line, /^state every\S* (has other|is)/)
      }
    }
  })

  it("is the same whatever is said of it for a reader, and in whichever order its text has its keys", () => {
    for (const [name, machine] of machines) {
      const structure = structureOf(machine)
      assert.deepStrictEqual(differences(JSON.parse(canonicalText(structure)), structure), [], name)
    }
    for (const same of [{ description: "one" }, { tell: raise({ type: "other" }) }]) {
      assert.deepStrictEqual(differences(structureOf(machineOf()), structureOf(machineOf(same))), [])
    }
  })
})

/** A machine with all that structures lacked at first. */
const every = (place: "two" | "three" = "two") =>
  setup({
    guards: { isOpen: () => true, isAbove: (_, _params: { readonly limit: number }) => true },
    actors: { count: fromTransition((n: number) => n, 0) },
    actions: { note: () => {}, tell: raise({ type: "told" }) }
  }).createMachine({
    id: "every",
    description: "as it is",
    type: "parallel",
    states: {
      z: {
        initial: { target: "one", actions: "note" },
        states: {
          one: {
            on: { go: { target: "past", guard: not("isOpen") }, tell: { actions: raise({ type: "go" }) } }
          },
          [place]: { entry: "tell", always: { guard: { type: "isAbove", params: { limit: 3 } }, target: "one" } },
          past: { type: "history", target: place }
        }
      },
      a: { invoke: { src: "count", id: "count", systemId: "counter" }, after: { 86400000: { actions: "note" } } }
    }
  })

/** What an earlier release stored of it, but for its version and events. */
const earlier = {
  hash: "e176a5767ad54180cd62f7f90315099f0e9c9c3b27827403e17edf9ded1eca90",
  structure: JSON.parse(
    '{"description":"as it was","id":"every","states":{"a":{"entry":["xstate.raise"],"exit":["xstate.cancel"],"id":"every.a","invoke":[{"id":"count","src":"count"}],"transitions":[{"actions":["note"],"event":"xstate.after.86400000.every.a"}],"type":"atomic"},"z":{"id":"every.z","initial":"every.z.one","states":{"one":{"id":"every.z.one","transitions":[{"event":"go","guard":"(inline)","targets":["every.z.past"]},{"actions":["xstate.raise"],"event":"tell"}],"type":"atomic"},"past":{"history":"false","id":"every.z.past","type":"history"},"two":{"entry":["tell"],"id":"every.z.two","transitions":[{"event":"","guard":"isAbove","targets":["every.z.one"]}],"type":"atomic"}},"type":"compound"}},"type":"parallel"}'
  )
}

const options = {
  version: "1",
  input: noInput,
  events: { go: noFields, tell: noFields },
  actions: { note: () => Effect.void },
  actors: { count: { events: {} } }
} as const

type Every = MachineEngine<ReturnType<typeof every>, never>

const engineOf = (machine: ReturnType<typeof every>): Every => fromMachine(machine, options)

/** An engine whose definition is another one. */
const defined = (engine: Every, { hash, ...body }: { readonly hash: string; readonly structure: object }): Every => {
  const chart = engine.chart as Chart // each engine of a machine has one
  const of = { ...chart.definition, hash }
  const changed: Chart = {
    ...chart,
    definition: of,
    body: canonicalText({ ...of, ...body, events: definitionIn(chart.body).events }),
    under: () => changed
  }
  return { ...engine, chart: changed }
}

/** Begins a process as one engine has it, and answers what becomes of the other one on that store. */
const begunWith = (before: Every, after: Every) =>
  onMemory(
    Effect.gen(function* () {
      const store = yield* ProcessStore
      yield* Effect.flatMap(Processes, (processes) => processes.start(before, { id: "old", payload: undefined })).pipe(
        Effect.provide(hostOn(store, [before]))
      )
      yield* Effect.flatMap(Processes, (processes) => processes.handle(after, "old").ask({ type: "go" })).pipe(
        Effect.provide(hostOn(store, [after]))
      )
      return { state: yield* stateOf("old"), stored: yield* store.definitions.of("every", "1") }
    })
  )

describe("what an earlier release stored of a machine", () => {
  it.live("is the same machine, and stays the definition of its version", () =>
    Effect.gen(function* () {
      const { state, stored } = yield* begunWith(defined(engineOf(every()), earlier), engineOf(every()))
      assert.deepStrictEqual([state?.definition.hash, stored.map(({ hash }) => hash)], [earlier.hash, [earlier.hash]])
      assert.strictEqual(state?.revision, 1)
    })
  )

  it.live("is still told from another machine", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(
        begunWith(defined(engineOf(every()), earlier), engineOf(every("three") as never))
      )
      assert.include(String(refused), "state every.z.two is gone; state every.z.three is new")
    })
  )

  it.live("lacks what was added, which is compared where the rule of the structure has it", () =>
    Effect.gen(function* () {
      const { hash, structure } = earlier
      const refused = yield* Effect.flip(
        begunWith(defined(engineOf(every()), { hash, structure, rule: structureRule } as never), engineOf(every()))
      )
      assert.include(String(refused), "is in version 1 another machine")
    })
  )

  it.live("has its hash by its text", () =>
    Effect.sync(() => assert.strictEqual(hashOf(earlier.structure), earlier.hash))
  )
})

const names = (config: object, implemented: object = {}) =>
  namesOf(setup(implemented as never).createMachine(config as never) as unknown as AnyStateMachine) // of any names

describe("the names of a machine", () => {
  it("are also those that entering a first state uses, and those of the implementations", () => {
    const first = { initial: { target: "a", actions: ["mail", spawnChild("worker")] }, states: { a: {} } }
    const { actions, actors } = names(first)
    assert.deepStrictEqual([actions, actors], [["mail"], ["worker"]])
    assert.deepStrictEqual(names({ entry: "k" }, { actions: { k: spawnChild("worker") } }).actors, ["worker"])
  })

  it("are those of the guards that have no implementation, within others as well", () => {
    for (const guard of ["g", { type: "g" }, not("g"), and(["h", or(["h", not({ type: "g" })])])]) {
      assert.deepStrictEqual(names({ on: { go: { guard } } }, { guards: { h: () => true } }).guards, ["g"])
      assert.deepStrictEqual(names({ always: { guard: "own" } }, { guards: { h: () => true, own: guard } }).guards, [
        "g"
      ])
    }
    assert.deepStrictEqual(names({ on: { go: { guard: () => true } }, always: { guard: stateIn("a") } }).guards, [])
  })

  it("are the ids of the actors whose snapshots it takes", () => {
    const invoke = { src: "x", id: "seen", onSnapshot: {} }
    assert.deepStrictEqual(names({ invoke }).observed, ["seen"])
    assert.deepStrictEqual(names({ invoke: { src: "x", id: "seen", onDone: {} } }).observed, [])
  })

  it("are the delays of what is raised and sent, wherever that is given", () => {
    const given = [
      (delay: unknown) => names({ entry: raise({ type: "e" }, { delay } as never) }),
      (delay: unknown) =>
        names({ initial: { target: "a", actions: sendTo("x", { type: "e" }, { delay } as never) }, states: { a: {} } }),
      (delay: unknown) => names({ entry: "k" }, { actions: { k: raise({ type: "e" }, { delay } as never) } })
    ]
    for (const namesWith of given) {
      assert.deepStrictEqual(namesWith("3 days").delays, ["3 days"])
      assert.deepStrictEqual(namesWith("3 days").lengths, [])
      assert.deepStrictEqual(
        namesWith(Number.NaN).lengths.map(({ delay }) => delay),
        [Number.NaN]
      )
    }
    assert.deepStrictEqual(names({}, { delays: { x: "3 days", y: () => 1 } }).lengths, [
      { of: "delay `x`", delay: "3 days" }
    ])
  })
})

describe("the events that a state takes", () => {
  it("are those of its descriptors, of which what says more comes first", () => {
    const machine = setup({}).createMachine({
      id: "m",
      initial: "a",
      states: { a: { on: { "a.*": "b", "a.b.*": {}, "a.b.c": "b" } }, b: {} }
    })
    assert.deepStrictEqual(acceptedIn(structureOf(machine), "a", ["a", "a.x", "a.b", "a.b.d", "a.b.c", "ab"]), [
      "a",
      "a.x",
      "a.b.c"
    ])
  })
})
