import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { assign, raise, sendTo, setup } from "xstate"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import * as Machines from "../../src/testing/Machines.ts"
import { isWhole, samples } from "../support/samples.ts"
import { approvalNoting, noFields } from "./charts.ts"

const Counted = Schema.Struct({ n: Schema.Int })

/** Everything at once: delays, an actor, actions with params, a history state, regions, own events. */
const busy = setup({
  types: {
    context: {} as { readonly n: number },
    events: {} as { readonly type: "add"; readonly by: number } | { readonly type: "go" | "back" | "own" | "late" },
    input: {} as { readonly n: number }
  },
  actors: { charge: fromDurable<{ readonly n: number }, number>() },
  actions: { tell: (_, _params: { readonly n: number }) => {}, note: () => {} }
}).createMachine({
  id: "busy",
  context: ({ input }) => ({ n: input.n }),
  type: "parallel",
  states: {
    work: {
      initial: "idle",
      states: {
        idle: { on: { go: "paying" }, after: { "2 hours": { target: "paying", actions: "note" } } },
        paying: {
          entry: { type: "tell", params: ({ context }) => ({ n: context.n }) },
          invoke: {
            src: "charge",
            id: "charge",
            input: ({ context }) => ({ n: context.n }),
            onDone: { target: "rest", actions: assign({ n: ({ context, event }) => context.n + event.output }) },
            onError: { target: "idle", actions: "note" }
          },
          on: { back: "idle" }
        },
        rest: {
          entry: [sendTo(({ self }) => self, { type: "own" }), raise({ type: "late" }, { delay: 500, id: "late" })],
          on: { own: { actions: "note" }, go: "idle" }
        }
      }
    },
    count: {
      initial: "low",
      states: {
        low: { always: { guard: ({ context }) => context.n > 20, target: "high" } },
        high: { entry: "note", on: { late: "low" }, exit: assign({ n: 0 }) }
      },
      on: {
        add: {
          actions: [
            assign({ n: ({ context, event }) => context.n + event.by }),
            { type: "tell", params: ({ event }) => ({ n: event.by }) }
          ]
        }
      }
    }
  }
})

const Busy = fromMachine(busy, {
  version: "1",
  input: Schema.Struct({ n: Schema.Int.pipe(Schema.between(0, 5)) }),
  context: Counted,
  events: { add: Schema.Struct({ by: Schema.Int.pipe(Schema.between(0, 9)) }), go: noFields, back: noFields },
  actions: {
    tell: { run: () => Effect.void, retry: Schedule.recurs(1) },
    note: () => Effect.void
  },
  actors: { charge: ({ n }) => Effect.succeed(n) }
})

/** A machine with one action, which `run` performs. */
const letter = setup({
  types: { context: {} as object, events: {} as { readonly type: "write" } },
  actions: { mail: () => {} }
}).createMachine({
  id: "letter",
  context: {},
  initial: "open",
  states: { open: { on: { write: { actions: "mail" } } } }
})

const Letter = fromMachine(letter, {
  version: "1",
  input: Schema.Unknown,
  events: { write: noFields },
  actions: { mail: () => Effect.void }
})

const runs = samples(isWhole ? 10 : 5, 2_000)

describe("a check of a machine", () => {
  it(`finds nothing in a machine with everything, in ${runs} histories`, () =>
    Effect.runPromise(
      Machines.check(Busy, {
        runs,
        actors: {
          charge: ({ n }) => {
            if (n % 3 === 2) throw new Error("refused")
            return 1
          }
        },
        invariants: { "n is never negative": ({ context }) => context.n >= 0 }
      })
    ))

  it("finds an action that is not idempotent: its host dies between what it does and its record; and plays that again", async () => {
    const models = { world: 0, actions: { mail: (sent: number) => sent + 1 } }
    const found = await Effect.runPromise(
      Effect.flip(Machines.check(Letter, { runs: 1_000, seed: 7, input: FastCheck.constant(null), ...models }))
    )
    assert.include(found.message, "another world")
    assert.match(found.message, /"(cut|doom)"/)
    const again = await Effect.runPromise(Effect.flip(Machines.replay(Letter, found.script, models)))
    assert.strictEqual(again.problem, found.problem)
  })

  it("finds nothing where the same action has a key of its own", () =>
    Effect.runPromise(
      Machines.check(Letter, {
        runs,
        input: FastCheck.constant(null),
        world: [] as ReadonlyArray<string>,
        actions: { mail: (sent: ReadonlyArray<string>, { idempotencyKey }) => [...new Set([...sent, idempotencyKey])] }
      })
    ))

  it("finds an impure guard", async () => {
    let asked = 0
    const moody = setup({ guards: { mood: () => ++asked % 3 === 0 } }).createMachine({
      id: "moody",
      context: {},
      initial: "low",
      states: { low: { on: { ask: { guard: "mood", target: "high" } } }, high: { on: { ask: "low" } } }
    })
    const Moody = fromMachine(moody, { version: "1", input: Schema.Unknown, events: { ask: noFields } })
    const found = await Effect.runPromise(
      Effect.flip(Machines.check(Moody, { runs: 1_000, seed: 7, input: FastCheck.constant(null) }))
    )
    assert.match(found.message, /is impure/)
  })
})

const Approval = approvalNoting([])

describe("the guide's check of a machine", () => {
  const nothing: ReadonlyArray<string> = []

  it("an approval keeps its promises, whatever happens to its host", () =>
    Effect.runPromise(
      Machines.check(Approval, {
        runs: 20,
        invariants: {
          "nothing is paid unasked": ({ value, context }) => value !== "paying" || context.by !== undefined
        },
        actors: { charge: ({ n }) => ({ receipt: `r-${n}` }) },
        world: nothing,
        actions: {
          notify: (asked, { params, idempotencyKey }) => [...new Set([...asked, `${params.to} ${idempotencyKey}`])]
        }
      })
    ))
})

/** It may leave its actor before it has taken that this one ended. */
const leaving = setup({
  types: { context: {} as { readonly late: number }, events: {} as { readonly type: "go" | "xstate.done.actor.work" } },
  actors: { work: fromDurable<undefined, null>() },
  actions: { mail: () => {} }
}).createMachine({
  id: "leaving",
  context: { late: 0 },
  initial: "idle",
  states: {
    idle: {
      on: {
        go: "working",
        "xstate.done.actor.work": { actions: assign({ late: ({ context }) => context.late + 1 }) }
      }
    },
    working: { entry: "mail", invoke: { src: "work", id: "work" }, on: { go: "idle" } }
  }
})

const Leaving = fromMachine(leaving, {
  version: "1",
  input: Schema.Null,
  events: { go: noFields },
  actions: { mail: () => Effect.void },
  actors: { work: () => Effect.succeed(null) }
})

describe("a machine that has left the state of an actor", () => {
  it("does what XState does with its end, in random histories", () =>
    Effect.runPromise(Machines.check(Leaving, { runs: samples(10, 500) })))

  it("hears of one that had ended before", async () => {
    let late = 0
    const go = (burst: boolean) => ({ do: "send", event: { type: "go" }, burst }) as const
    const steps = [{ do: "doom", commit: 2, lost: false } as const, go(true), go(false)]
    const seen = ({ context }: { readonly context: { readonly late: number } }) => {
      late = Math.max(late, context.late)
      return true
    }
    await Effect.runPromise(Machines.replay(Leaving, { input: null, steps }, { invariants: { seen } }))
    assert.strictEqual(late, 1)
  })
})

describe("the paths of a machine", () => {
  it("name the shortest way to each state, states without a way out, and events that no state takes", () => {
    const trap = setup({ types: { events: {} as { readonly type: "go" | "fall" | "end" } } }).createMachine({
      id: "trap",
      initial: "a",
      states: {
        a: { on: { go: "b", fall: "hole" } },
        b: { on: { end: "done" } },
        hole: {},
        island: { on: { go: "a" } },
        done: { type: "final" }
      }
    })
    const { text, simple: _simple, isCut: _isCut, ...found } = Machines.paths(trap, ["go", "fall", "end", "cry"])
    assert.deepStrictEqual(found, {
      shortest: { trap: [], "trap.a": [], "trap.b": ["go"], "trap.hole": ["fall"], "trap.done": ["go", "end"] },
      unreachable: ["trap.island"],
      stuck: ["trap.hole"],
      deadEnds: ["trap.hole"],
      unhandled: ["cry"]
    })
    assert.include(text, "without a way out: trap.hole")
  })
})

describe("the paths of an approval", () => {
  const paid = { actors: { charge: () => ({ receipt: "r-1" }) } }

  for (const { name, run } of Machines.cases(Approval, paid)) it(name, () => Effect.runPromise(run))
})
