/**
 * What the agent promises, whatever its model chooses, its tools answer and its hosts do: for `Machines.check` under any test runner.
 */
import * as Schema from "effect/Schema"
import { Machines } from "../../../src/testing/Certify.ts"
import { Agent, Call, mostTurns } from "./agent.ts"

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
