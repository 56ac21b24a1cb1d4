/**
 * Faults that a check of a machine must find, each planted in one machine that is sound without them.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assign, cancel, sendTo, setup } from "xstate"
import { processId } from "../../src/model/ids.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import type { MigratedState } from "../../src/runtime/engine/MachineOptions.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import * as Machines from "../../src/testing/Machines.ts"
import { shorter } from "../../src/testing/machines/script.ts"
import { temporaryFolder } from "../support/folders.ts"
import { isWhole, samples } from "../support/samples.ts"

interface Planted {
  /** Where a failed payment leads. */
  readonly refused?: "waiting" | "hole"
  readonly isAllowed?: (by: string) => boolean
}

/** An expense that is approved or reminded of, and paid. */
const expense = ({ refused = "waiting", isAllowed = (by) => by !== "bo" }: Planted = {}) =>
  setup({
    types: {
      context: {} as { readonly by: string; readonly reminders: number },
      events: {} as { readonly type: "approve"; readonly by: string } | { readonly type: "drop" }
    },
    actors: { pay: fromDurable<{ readonly by: string }, number>() },
    actions: { mail: () => {} },
    guards: { isAllowed: (_, { by }: { readonly by: string }) => isAllowed(by) }
  }).createMachine({
    id: "expense",
    context: { by: "", reminders: 0 },
    initial: "waiting",
    states: {
      waiting: {
        on: {
          approve: {
            guard: { type: "isAllowed", params: ({ event }) => event },
            target: "paying",
            actions: assign({ by: ({ event }) => event.by })
          },
          drop: "dropped"
        },
        after: {
          "2 days": {
            target: "waiting",
            reenter: true,
            actions: [assign({ reminders: ({ context }) => context.reminders + 1 }), "mail"]
          }
        }
      },
      paying: { invoke: { src: "pay", id: "pay", input: ({ context }) => context, onDone: "paid", onError: refused } },
      hole: {},
      paid: { type: "final" },
      dropped: { type: "final" }
    }
  })

const options = {
  version: "1",
  input: Schema.Null,
  events: { approve: Schema.Struct({ by: Schema.Literal("ana", "bo", "chris") }), drop: Schema.Struct({}) },
  actions: { mail: () => Effect.void },
  actors: { pay: () => Effect.succeed(1) }
} as const

const models = {
  actors: {
    pay: (input: unknown) => {
      if ((input as { readonly by: string }).by === "chris") throw new Error("no money") // what the machine gives it
      return 1
    }
  },
  world: [] as ReadonlyArray<string>,
  actions: {
    mail: (sent: ReadonlyArray<string>, { idempotencyKey }: { readonly idempotencyKey: string }) => [
      ...new Set([...sent, idempotencyKey])
    ]
  }
}

const engineOf = (planted: Planted = {}) => fromMachine(expense(planted), options)

const within = 1_000
const runs = samples(8, within)

const found = (checked: Effect.Effect<unknown, Machines.Counterexample>) => Effect.runPromise(Effect.flip(checked))

describe("a check", () => {
  it(`finds nothing in a machine without a fault, in ${runs} histories`, () =>
    Effect.runPromise(Machines.check(engineOf(), { ...models, runs })))

  // With seed 7, fast-check ends at three steps: without the first of them, the second one has another effect.
  it.each(isWhole ? [undefined, 7] : [7])(
    "finds a state without a way out, and the least that leads there, with seed %s",
    async (seed) => {
      const wanted = { ...models, runs: within, ...(seed === undefined ? {} : { seed }) }
      const { problem, script } = await found(Machines.check(engineOf({ refused: "hole" }), wanted))
      assert.include(problem, 'nothing moves it any more in "hole"')
      const event = { type: "approve", by: "chris" }
      assert.deepStrictEqual((script as Machines.Script).steps, [{ do: "send", event, burst: false }])
    }
  )

  it("tries fewer of the steps in every way, the shortest first, and not without end", () => {
    const [one, two, three] = [1, 2, 3].map((ms): Machines.Step => ({ do: "advance", ms })) as [
      Machines.Step,
      Machines.Step,
      Machines.Step
    ] // one for each
    const steps = [one, two, three]
    assert.deepStrictEqual(
      [...shorter({ input: null, steps })].map((script) => script.steps),
      [[], [one], [two], [three], [one, two], [one, three], [two, three]]
    )
    assert.lengthOf([...shorter({ input: null, steps: Array.from({ length: 12 }, () => ({ do: "crash" })) })], 100)
  })

  it("is held against the paths of the machine", () => {
    const { stuck, deadEnds, simple } = Machines.paths(expense({ refused: "hole" }))
    assert.deepStrictEqual([stuck, deadEnds], [["expense.hole"], ["expense.hole"]])
    assert.deepStrictEqual(simple["expense.hole"], [["approve", "xstate.error.actor.pay"]])
  })

  it.skipIf(!isWhole)("finds an action that is not idempotent, and the death that does it twice", async () => {
    const twice = { ...models, world: 0, actions: { mail: (sent: number) => sent + 1 } }
    const engine = engineOf()
    const { problem, script } = await found(Machines.check(engine, { ...twice, runs: within }))
    assert.include(problem, "another world")
    const { steps } = script as Machines.Script // what was played
    assert.isAtMost(steps.length, 4)
    assert.isTrue(steps.some((step) => step.do === "cut" || step.do === "doom"))
    assert.strictEqual((await found(Machines.replay(engine, script as Machines.Script, twice))).problem, problem)
  })

  it.scoped.skipIf(!isWhole)("keeps what it found in a file, which the page and the command line open", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryFolder, "found.db")
      const engine = engineOf({ refused: "hole" })
      const checked = Effect.flip(Machines.check(engine, { ...models, runs: within, seed: 1, file }))
      const { message } = yield* checked
      assert.include(message, 'nothing moves it any more in "hole"')
      assert.include(message, `npx holdfast inspect --db ${file}`)
      const row = yield* Effect.scoped(
        Effect.flatMap(SqliteStore.makeReadOnly({ filename: file }), (store) => store.find(processId("checked")))
      )
      assert.strictEqual(row._tag === "Present" ? row.row.snapshot.context.chart?.value : undefined, "hole")
      const kept = readFileSync(file)
      assert.include((yield* checked).message, `${file} is there already`)
      assert.isTrue(kept.equals(readFileSync(file)))
    })
  )

  it("finds an impure guard", async () => {
    let asked = 0
    const { problem, script } = await found(
      Machines.check(engineOf({ isAllowed: () => ++asked % 5 !== 0 }), { ...models, runs: within })
    )
    assert.match(problem, /impure|another/)
    assert.isTrue((script as Machines.Script).steps.some((step) => step.do === "send"))
  })
})

/** What an actor is when a machine asks. Its session is one of XState's memory: a fault where anything depends on it. */
interface Self {
  readonly self: { readonly sessionId: string }
}

/** It tells another process of each order, a while after it came. */
const teller = (
  message: (seen: Self) => { readonly type: string; readonly from?: string },
  delay: (seen: Self) => number = () => 500
) =>
  fromMachine(
    setup({}).createMachine({
      id: "teller",
      initial: "open",
      states: {
        open: {
          on: { order: { target: "telling" }, cancel: "open" },
          exit: sendTo(({ system }) => system.get("shop"), message, { id: "tell", delay })
        },
        telling: { on: { cancel: { target: "open", actions: cancel("tell") } }, after: { 700: "open" } }
      }
    }),
    { version: "1", input: Schema.Null, events: { order: Schema.Struct({}), cancel: Schema.Struct({}) } }
  )

describe("a check of what is sent to another process after a delay", () => {
  it("finds nothing where it is sent as XState sends it", () =>
    Effect.runPromise(
      Machines.check(
        teller(() => ({ type: "ordered" })),
        { runs: samples(8, 300) }
      )
    ))

  it("finds another message", async () => {
    const engine = teller(({ self }) => ({ type: "ordered", from: self.sessionId }))
    const { problem } = await found(Machines.check(engine, { runs: within }))
    assert.match(problem, /another message that was delayed and is for shop/)
  })

  it("finds another time", async () => {
    const engine = teller(
      () => ({ type: "ordered" }),
      ({ self }) => (self.sessionId === "checked" ? 500 : 550)
    )
    const { problem } = await found(Machines.check(engine, { runs: within }))
    assert.include(problem, "the process sent `ordered` to shop, which XState does not do at this time")
  })
})

/** It cools down for a while once its actor has ended. */
const cooling = setup({ actors: { work: fromDurable<undefined, null>() } }).createMachine({
  id: "cooling",
  initial: "idle",
  states: {
    idle: { on: { go: "working" } },
    working: { invoke: { src: "work", onDone: "cool" } },
    cool: { after: { 500: "idle" } }
  }
})

describe("the time of a check", () => {
  it("is that at which an actor ended, however late that was", () => {
    const Cooling = fromMachine(cooling, {
      version: "1",
      input: Schema.Null,
      events: { go: Schema.Struct({}) },
      actors: { work: () => Effect.succeed(null) }
    })
    const steps = [
      { do: "doom", commit: 1, lost: false },
      { do: "send", event: { type: "go" }, burst: true },
      { do: "advance", ms: 7_200_001 }
    ] as const
    return Effect.runPromise(Machines.replay(Cooling, { input: null, steps }))
  })
})

/** The next version: it is called off where it was dropped, and waits for two people, one after the other. */
const next = setup({
  types: {
    context: {} as { readonly by: ReadonlyArray<string> },
    events: {} as { readonly type: "approve"; readonly by: string }
  },
  actors: { pay: fromDurable<{ readonly by: ReadonlyArray<string> }, number>() }
}).createMachine({
  id: "expense",
  context: { by: [] },
  initial: "waiting",
  states: {
    waiting: { on: { approve: "second" }, after: { "1 day": "off" } },
    second: { on: { approve: "paying" } },
    paying: { invoke: { src: "pay", id: "pay", input: ({ context }) => context, onDone: "paid", onError: "off" } },
    off: { type: "final" },
    paid: { type: "final" }
  }
})

type Migrate = (stored: { readonly value: unknown; readonly context: object }) => MigratedState<typeof next>

const nextOf = (migrate?: Migrate) =>
  fromMachine(next, {
    version: "2",
    input: Schema.Null,
    context: Schema.Struct({ by: Schema.Array(Schema.NonEmptyString) }),
    events: { approve: Schema.Struct({ by: Schema.String }) },
    actors: { pay: () => Effect.succeed(1) },
    ...(migrate === undefined ? {} : { migrate: { "1": migrate } })
  })

const byOf = ({ context }: Parameters<Migrate>[0]) => {
  const { by } = context as { readonly by: string } // of the earlier version
  return by === "" ? [] : [by]
}

describe("a migration, tried on the states of the earlier version", () => {
  it("takes over each of them, and what it leaves behind is named", async () => {
    const To = nextOf((stored) => ({ value: stored.value as "waiting", context: { by: byOf(stored) } }))
    const report = await Effect.runPromise(
      Machines.migrations(engineOf(), To, { ...models, runs: samples(25, within) })
    )
    assert.deepStrictEqual([...report.reached].sort(), ["expense", "expense.paying", "expense.waiting"])
    assert.deepStrictEqual(report.unreached, ["expense.hole"])
    assert.deepStrictEqual(report.unknown, ["timer xstate.after.2 days.expense.waiting"])
    assert.deepStrictEqual(report.missing, ["timer xstate.after.1 day.expense.waiting"])
  })

  it("is found to drop a state, with what leads there", async () => {
    const To = nextOf((stored) => ({
      value: stored.value === "paying" ? ("charging" as never) : "waiting",
      context: { by: byOf(stored) }
    }))
    const { problem, script } = await found(Machines.migrations(engineOf(), To, { ...models, runs: within }))
    assert.include(problem, 'a process of version 1 is not taken over in state "paying"')
    const { steps } = script as Machines.Script // what was played
    assert.strictEqual(steps.length, 1)
    assert.deepInclude(steps[0] as object, { do: "send" })
    const again = await found(Machines.migrations(engineOf(), To, { ...models, script: script as Machines.Script }))
    assert.strictEqual(again.problem, problem)
  })

  it("is found to make a context that does not fit, to break an invariant, and to be impure", async () => {
    const faults: ReadonlyArray<readonly [Migrate, RegExp]> = [
      [({ context }) => ({ value: "waiting", context: { by: [(context as { readonly by: string }).by] } }), /context/],
      [() => ({ value: "second", context: { by: [] } }), /the invariant "one has approved" does not hold/]
    ]
    let times = 0
    const impure: Migrate = () => ({ value: "waiting", context: { by: [`ana ${++times}`] } })
    for (const [migrate, expected] of [...faults, [impure, /impure/] as const]) {
      const { problem } = await found(
        Machines.migrations(engineOf(), nextOf(migrate), {
          ...models,
          runs: within,
          invariants: { "one has approved": ({ value, context }) => value !== "second" || context.by.length === 1 }
        })
      )
      assert.match(problem, expected)
    }
  })

  it("is missed when there is none", async () => {
    const { problem } = await found(Machines.migrations(engineOf(), nextOf(), { runs: 1 }))
    assert.include(problem, "has no migration from version 1")
  })
})
