/**
 * A statechart of your own as a durable process: an expense that waits for an approval, reminds, escalates after two days, and
 * pays through a child process. The first run leaves it waiting on disk; another program sends it an event at any time.
 *
 * usage: node dist/docs/examples/10-statechart.js [database file]              starts it, or goes on
 *        node dist/docs/examples/10-statechart.js [database file] approve ana  sends the event, whether a host runs or not
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assign, setup } from "xstate"
import { Engine, Processes, SingleHost } from "../../src/index.ts"

const expense = setup({
  types: {
    context: {} as { readonly amount: number; readonly by?: string },
    events: {} as { readonly type: "approve"; readonly by: string } | { readonly type: "reject" },
    input: {} as { readonly amount: number },
    output: {} as { readonly paid: boolean; readonly by?: string | undefined }
  },
  actors: { pay: Engine.fromDurable<{ readonly amount: number }, { readonly receipt: string }>() },
  actions: { ask: (_, _params: { readonly whom: string }) => {} },
  delays: { patience: 2 * 24 * 60 * 60 * 1_000 }
}).createMachine({
  id: "expense",
  context: ({ input }) => ({ amount: input.amount }),
  initial: "waiting",
  states: {
    waiting: {
      initial: "lead",
      on: {
        approve: { target: "paying", actions: assign({ by: ({ event }) => event.by }) },
        reject: "rejected"
      },
      states: {
        lead: { entry: { type: "ask", params: { whom: "the lead" } }, after: { patience: "director" } },
        director: { entry: { type: "ask", params: { whom: "the director" } }, after: { patience: "#expense.rejected" } }
      }
    },
    paying: {
      invoke: { src: "pay", input: ({ context }) => ({ amount: context.amount }), onDone: "paid", onError: "rejected" }
    },
    paid: { type: "final" },
    rejected: { type: "final" }
  },
  output: ({ context, event }) => ({ paid: event.type.endsWith(".paid"), by: context.by })
})

/** The machine decides; what touches the world is given here. */
const Expense = Engine.fromMachine(expense, {
  version: "1",
  input: Schema.Struct({ amount: Schema.Int }),
  events: { approve: Schema.Struct({ by: Schema.NonEmptyString }), reject: Schema.Struct({}) },
  actions: { ask: ({ context }, { whom }) => Console.log(`asking ${whom} about ${context.amount}`) },
  actors: { pay: ({ amount }, ctx) => ctx.step("pay", Effect.succeed({ receipt: `receipt for ${amount}` })) }
})

const id = "expense-7"

const start = Effect.gen(function* () {
  const processes = yield* Processes
  const handle = yield* processes.start(Expense, { id, payload: { amount: 120 } })
  // A program with nothing else to do may end while its machine waits for a person: it is on disk.
  const { status, value } = yield* handle.waitFor(
    (now) => now.status !== "active" || (now.isAtRest && now.matches("waiting"))
  )
  yield* status === "active"
    ? Console.log(`it waits in ${JSON.stringify(value)}`)
    : Effect.flatMap(handle.await, ({ paid, by }) => Console.log(paid ? `paid, approved by ${by}` : "rejected"))
})

const approve = (by: string) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    yield* processes.handle(Expense, id).send({ type: "approve", by }, { id: `approval of ${by}` })
    yield* Console.log(`approved by ${by}`)
  })

const [filename = ".holdfast/expense.db", command, by = "ana"] = process.argv.slice(2)

await (command === "approve"
  ? Effect.runPromise(
      Effect.provide(approve(by), SingleHost.layerSqlite({ filename, engines: [], sweepInterval: false }))
    )
  : Effect.runPromise(Effect.provide(start, SingleHost.layerSqlite({ filename, engines: [Expense] }))))
