import { assert, describe, it } from "vitest"
import type { AnyStateMachine } from "xstate"
import {
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  initialTransition,
  log,
  raise,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  transition
} from "xstate"
import { namesOf, structureOf } from "../../machines/chart/definition.ts"
import type { Macrostep, RawEffect } from "../../machines/chart/macrostep.ts"
import * as Macrosteps from "../../machines/chart/macrostep.ts"
import type { ChartState } from "../../machines/chart/state.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"

/** A machine that uses everything that XState resolves into data. */
const everything = setup({
  types: {
    context: {} as { n: number; seen: ReadonlyArray<string> },
    events: {} as { readonly type: string; readonly by?: number }
  },
  actors: { worker: fromDurable<{ readonly n: number }, number>() },
  delays: { soon: ({ context }) => context.n * 10 },
  guards: { isBig: ({ context }) => context.n > 3 },
  actions: { notify: (_, _params: { readonly to: string }) => {}, count: assign({ n: ({ context }) => context.n + 1 }) }
}).createMachine({
  id: "everything",
  context: { n: 0, seen: [] },
  type: "parallel",
  states: {
    work: {
      initial: "idle",
      on: { again: { target: ".past", actions: "count" }, boom: ".broken" },
      states: {
        idle: {
          entry: [{ type: "notify", params: { to: "idle" } }],
          on: { go: "busy", nothing: {} }
        },
        busy: {
          entry: "count",
          exit: [{ type: "notify", params: ({ context }) => ({ to: `left ${context.n}` }) }, cancel("later")],
          invoke: {
            src: "worker",
            id: "w",
            input: ({ context }) => ({ n: context.n }),
            onDone: "idle",
            onError: "broken"
          },
          after: { soon: "idle", 500: { actions: emit({ type: "half" }) } },
          on: {
            poke: { actions: sendTo("w", { type: "poked" }) },
            later: { actions: raise({ type: "go" }, { delay: 20, id: "later" }) },
            call: { actions: [sendTo("w", { type: "called" }, { delay: 30, id: "call" }), log("called")] }
          }
        },
        past: { type: "history", history: "deep", target: "idle" },
        broken: { tags: ["bad"], always: { guard: "isBig", target: "busy" } }
      }
    },
    side: {
      initial: "one",
      states: {
        one: {
          on: {
            spawn: { actions: spawnChild("worker", { id: "s", input: { n: 7 } }) },
            stop: { actions: stopChild("s") },
            go: {
              target: "two",
              actions: enqueueActions(({ enqueue }) => enqueue({ type: "notify", params: { to: "two" } }))
            }
          }
        },
        two: { on: { go: { target: "one", actions: raise({ type: "spawn" }) } } }
      }
    }
  }
})

const place = (revision: number) => ({ processId: "p", revision })

/** What a fold of the effects keeps of the children. */
const childrenAfter = (children: ChartState["children"], effects: ReadonlyArray<RawEffect>): ChartState["children"] => {
  const after = { ...children }
  for (const effect of effects) {
    if (effect.do === "start") after[effect.id] = { process: `p/${effect.id}`, src: effect.src }
    if (effect.do === "stop") delete after[effect.id]
  }
  return after
}

describe("a macrostep", () => {
  /** Every history of these events is taken by XState's own pure transition too. */
  const histories: ReadonlyArray<ReadonlyArray<string>> = [
    ["go", "poke", "later", "call", "go", "again"],
    ["boom", "again", "go", "boom"],
    ["spawn", "stop", "go", "go", "nothing", "unknown"],
    ["go", "xstate.done.actor.w", "again"],
    ["go", "xstate.error.actor.w", "go", "go", "go"],
    ["go", "go", "xstate.after.soon.everything.work.busy", "again"]
  ]
  for (const history of histories) {
    it(`equals XState's own transition over ${history.join(", ")}`, () => {
      let step: Macrostep = Macrosteps.begin(everything, undefined, place(0))
      let children = childrenAfter({}, step.effects)
      let [own] = initialTransition(everything)
      assert.deepStrictEqual([step.value, step.context], [own.value, own.context])
      history.forEach((type, index) => {
        const event = { type, output: 1, error: "e", actorId: "w" }
        const [next, actions] = transition(everything, own, event)
        step = Macrosteps.take(everything, { ...step, children }, step.context, event, place(index + 1))
        children = childrenAfter(children, step.effects)
        own = next
        assert.deepStrictEqual<unknown>(step.value, own.value)
        assert.deepStrictEqual<unknown>(step.context, own.context)
        assert.deepStrictEqual(
          Object.keys(children).sort(),
          Object.keys(own.children)
            .filter((id) => own.children[id])
            .sort()
        )
        const named = actions.filter((action) => !action.type.startsWith("xstate."))
        assert.deepStrictEqual(
          step.effects.flatMap((effect) => (effect.do === "act" ? [{ type: effect.name, params: effect.params }] : [])),
          named.map(({ type: name, params }) => ({ type: name, params: params as unknown }))
        )
      })
    })
  }

  it("asks for what XState would execute, as data", () => {
    const idle = Macrosteps.begin(everything, undefined, place(0))
    const go = Macrosteps.take(everything, { ...idle, children: {} }, idle.context, { type: "go" }, place(1))
    const own = { at: "self" } as const
    assert.deepStrictEqual(go.effects, [
      { do: "act", name: "notify", params: { to: "two" }, context: { n: 0, seen: [] } },
      {
        do: "arm",
        id: "xstate.after.500.everything.work.busy",
        delayMs: 500,
        event: { type: "xstate.after.500.everything.work.busy" },
        to: own
      },
      {
        do: "arm",
        id: "xstate.after.soon.everything.work.busy",
        delayMs: 10,
        event: { type: "xstate.after.soon.everything.work.busy" },
        to: own
      },
      { do: "start", id: "w", src: "worker", input: { n: 1 } }
    ])
    const children = { w: { process: "p/w:1", src: "worker" } }
    const at = (type: string) =>
      Macrosteps.take(everything, { ...go, children }, go.context, { type }, place(2)).effects
    assert.deepStrictEqual(at("poke"), [{ do: "send", to: { at: "child", id: "w" }, event: { type: "poked" } }])
    assert.deepStrictEqual(at("later"), [
      { do: "arm", id: "later", delayMs: 20, event: { type: "go" }, to: { at: "self" } }
    ])
    assert.deepStrictEqual(at("call"), [
      { do: "arm", id: "call", delayMs: 30, event: { type: "called" }, to: { at: "child", id: "w" } },
      { do: "log", value: "called" }
    ])
    assert.deepStrictEqual(at("xstate.after.500.everything.work.busy"), [{ do: "emit", event: { type: "half" } }])
  })

  it("says of an event that no state takes that it was not handled, and of one that changes nothing that it was", () => {
    const idle = Macrosteps.begin(everything, undefined, place(0))
    const handled = (type: string) =>
      Macrosteps.take(everything, { ...idle, children: {} }, idle.context, { type }, place(1)).handled
    assert.deepStrictEqual([handled("unknown"), handled("nothing"), handled("go")], [false, true, true])
  })

  it("reports a child that an assign spawns, which XState's own transition does not", () => {
    const machine = setup({
      types: { context: {} as { ref?: unknown } },
      actors: { worker: fromDurable<undefined, number>() }
    }).createMachine({
      context: {},
      on: { go: { actions: assign({ ref: ({ spawn }) => spawn("worker", { id: "a" }) }) } }
    }) as AnyStateMachine
    const begun = Macrosteps.begin(machine, undefined, place(0))
    const step = Macrosteps.take(machine, { ...begun, children: {} }, begun.context, { type: "go" }, place(1))
    assert.deepStrictEqual(step.effects, [{ do: "start", id: "a", src: "worker", input: undefined }])
  })

  it("throws what a guard throws, and for a state that the machine does not have", () => {
    const machine = createMachine({
      initial: "a",
      states: {
        a: {
          on: {
            go: {
              guard: () => {
                throw new Error("no guard")
              },
              target: "b"
            }
          }
        },
        b: {}
      }
    })
    const stored = { value: "a", history: {}, children: {} }
    assert.throws(() => Macrosteps.take(machine, stored, {}, { type: "go" }, place(1)), /no guard/)
    assert.throws(() => Macrosteps.take(machine, { ...stored, value: "gone" }, {}, { type: "go" }, place(1)), /gone/)
  })
})

describe("the definition of a machine", () => {
  it("names what the program must implement, and nothing that XState performs", () => {
    const { events, lengths, ...names } = namesOf(everything)
    assert.deepStrictEqual(names, {
      actions: ["notify"],
      actors: ["worker"],
      delays: [],
      guards: [],
      observed: [],
      inline: []
    })
    assert.includeMembers([...events], ["go", "again", "boom", "poke"])
    assert.deepStrictEqual(
      lengths.map(({ delay }) => delay),
      [500, 20, 30]
    )
  })

  it("changes with a state, a target or a name, and not with a function", () => {
    const one = (target: string, run: () => void) =>
      JSON.stringify(
        structureOf(
          setup({ actions: { run } }).createMachine({
            id: "m",
            initial: "a",
            states: { a: { on: { go: { target, actions: "run" } } }, b: {} }
          })
        )
      )
    assert.strictEqual(
      one("a", () => {}),
      one("a", () => void 0)
    )
    assert.notStrictEqual(
      one("a", () => {}),
      one("b", () => {})
    )
  })
})
