import { assert, describe, it } from "@effect/vitest"
import { assign, raise, setup, transition } from "xstate"
import { advance } from "../../machines/process/lifecycle.ts"
import { processMachine } from "../../machines/process/machine.ts"
import { compile } from "../../machines/xstate/compile.ts"
import * as Step from "../../machines/xstate/step.ts"
import { commandsOf, history, input, overJson, visible } from "./histories.ts"

describe("the compiled lifecycle", () => {
  it.prop("every step of every history gives what XState's transition gives", [history], ([events]) => {
    // The second time nothing is new: each step is followed, and none is taken by XState.
    for (const _time of ["kept", "followed"]) {
      let snapshot = Step.begin(processMachine, input).snapshot
      for (const event of events) {
        const ours = advance(snapshot, event)
        const [theirs, actions] = transition(processMachine, snapshot, event)
        assert.deepStrictEqual(visible(ours.snapshot), visible(theirs))
        assert.deepStrictEqual(ours.commands as ReadonlyArray<unknown>, commandsOf(actions))
        assert.strictEqual(ours.snapshot === snapshot, theirs === snapshot)
        snapshot = ours.snapshot
      }
    }
  })

  it.prop("a restored snapshot is advanced like the one that stayed in memory", [history], ([events]) => {
    let snapshot = Step.begin(processMachine, input).snapshot
    for (const event of events) {
      const restored = Step.restore(processMachine, overJson(Step.persist(snapshot)))
      const next = advance(snapshot, event)
      assert.deepStrictEqual(visible(advance(restored, event).snapshot), visible(next.snapshot))
      snapshot = next.snapshot
    }
  })
})

describe("compile", () => {
  const agrees = (machine: Parameters<typeof compile>[0], types: ReadonlyArray<string>): void => {
    const compiled = compile(machine)
    for (const _time of ["kept", "followed"]) {
      let snapshot = Step.begin(machine, undefined).snapshot
      for (const type of types) {
        const ours = compiled.advance(snapshot, { type })
        const [theirs, actions] = transition(machine, snapshot, { type })
        assert.deepStrictEqual(Step.persist(ours.snapshot), Step.persist(theirs))
        assert.strictEqual(ours.snapshot.status, theirs.status)
        assert.deepStrictEqual(ours.commands as ReadonlyArray<unknown>, commandsOf(actions))
        snapshot = ours.snapshot
      }
    }
  }

  it("computes what depends on the context each time", () => {
    const counter = setup({
      types: { context: {} as { readonly n: number } },
      actions: { tell: Step.command<{ readonly n: number }>() }
    }).createMachine({
      context: { n: 0 },
      on: {
        add: {
          actions: [
            { type: "tell", params: ({ context }) => ({ n: context.n }) },
            assign({ n: ({ context }) => context.n + 1 }),
            assign(({ context }) => ({ n: context.n * 2 })),
            { type: "tell", params: ({ context }) => ({ n: context.n }) }
          ]
        }
      }
    })
    agrees(counter, ["add", "add", "add"])
  })

  it("asks a guard each time, wherever among the states it is, and by whatever name it takes the event", () => {
    const add = assign(({ context }: { readonly context: { readonly n: number } }) => ({ n: context.n + 1 }))
    const odd = ({ context }: { readonly context: { readonly n: number } }): boolean => context.n % 2 === 1
    for (const on of [
      { go: [{ guard: odd, target: ".b", actions: add }, { actions: add }] },
      { "*": { guard: odd, target: ".b", actions: add } },
      { "g.*": { guard: odd, target: ".b", actions: add }, "g.o": { guard: odd, actions: add } }
    ]) {
      const guarded = setup({ types: { context: {} as { readonly n: number } } }).createMachine({
        context: { n: 0 },
        initial: "a",
        on: { ...on, add: { actions: add } } as never,
        states: { a: { on: { stay: "a" } }, b: { on: { go: "a", "g.o": "a" } } }
      })
      agrees(guarded, [
        "go",
        "g.o",
        "add",
        "go",
        "g.o",
        "stay",
        "add",
        "go",
        "g.o",
        "go",
        "other",
        "add",
        "add",
        "other"
      ])
    }
  })

  it("leaves to XState what cannot be followed: an action that raises an event", () => {
    const chain = setup({}).createMachine({
      initial: "a",
      states: { a: { on: { go: { target: "b", actions: raise({ type: "on" }) } } }, b: { on: { on: "c" } }, c: {} }
    })
    agrees(chain, ["go"])
  })

  it("leaves to XState transitions of which one excludes the other", () => {
    const torn = setup({ actions: { first: Step.command(), second: Step.command() } }).createMachine({
      initial: "both",
      states: {
        both: {
          type: "parallel",
          states: {
            left: {
              initial: "l",
              states: { l: { on: { go: { target: "#out", actions: { type: "first", params: {} } } } } }
            },
            right: {
              initial: "r",
              states: { r: { on: { go: { target: "s", actions: { type: "second", params: {} } } } }, s: {} }
            }
          }
        },
        out: { id: "out", type: "final" }
      }
    })
    agrees(torn, ["go", "go"])
  })

  const own: ReadonlyArray<readonly [string, object]> = [
    ["entry", { entry: "note" }],
    ["exit", { exit: "note" }],
    ["always", { always: { guard: () => false, target: "b" } }],
    ["after", { after: { 10: "b" } }],
    ["invoke", { invoke: { src: "work" } }]
  ]
  for (const [what, state] of own) {
    it(`refuses a machine with a state that has \`${what}\``, () => {
      const machine = setup({}).createMachine({ id: "busy", initial: "a", states: { a: state as never, b: {} } })
      assert.throws(
        () => compile(machine),
        new RegExp(`machine busy cannot be compiled: busy\\.a has \`(entry|${what})\``)
      )
    })
  }
})
