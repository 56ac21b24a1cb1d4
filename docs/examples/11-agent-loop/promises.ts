/**
 * What the agent promises, whatever its model chooses, its tools answer and its hosts do: for `Machines.check` under any test runner.
 */
import * as Schema from "effect/Schema"
import { Machines } from "../../../src/testing/Certify.ts"
import { Agent, mostTurns } from "./agent.ts"
import type { Choice } from "./conversation.ts"
import { Call } from "./conversation.ts"

/** What a model may choose, by how much was said. */
const chosen: ReadonlyArray<Choice> = [
  { type: "call", calls: [{ tool: "price", item: "lamp", count: 2 }] },
  { type: "ask", question: "Order them?" },
  { type: "call", calls: (["stock", "order"] as const).map((tool) => ({ tool, item: "lamp", count: 3 })) },
  { type: "answer", text: "ordered" }
]

/** Checks the agent in random histories. */
export const check = (runs: number) =>
  Machines.check(Agent, {
    runs,
    invariants: {
      "the model thinks when each of its calls has an answer": ({ value, context }) =>
        value !== "thinking" || context.open.length === 0,
      "the model has at most so many turns": ({ context }) => context.turns <= mostTurns,
      "a person is asked before a person replies": ({ context }) =>
        context.conversation.every(
          ({ from }, index, all) => from !== "person" || index === 0 || all[index - 1]?.from === "model"
        ),
      "the last word of an answer is the model's": ({ value, context }) =>
        value !== "answered" || context.conversation.at(-1)?.from === "model"
    },
    actors: {
      think: ({ conversation: { length } }) => {
        const choice = chosen[length % (chosen.length + 1)]
        if (choice === undefined) throw new Error("the model is overloaded")
        return choice
      },
      tool: (call) => {
        const { tool, item, count } = Schema.decodeUnknownSync(Call)(call)
        if (count % 3 === 0) throw new Error(`the shop has no ${item}`)
        return `${tool} of ${item}`
      }
    },
    // A mail that is sent twice under one key arrives once.
    world: [] as ReadonlyArray<string>,
    actions: { mail: (sent, { idempotencyKey }) => [...new Set([...sent, idempotencyKey])] }
  })
