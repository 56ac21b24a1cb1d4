/**
 * Who thinks. A real model would be sent the conversation, and the tools as `{ name: type, input_schema: schema }`; this one follows
 * four rules, so that the example needs no network and always goes the same way.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Engine } from "../../../src/index.ts"
import type { Call } from "./agent.ts"
import { choices, Message } from "./agent.ts"

/** What the model chose: one of the events that it was offered. */
const Choice = Schema.Union(
  Schema.Struct({ type: Schema.Literal("call"), ...choices.call.fields }),
  Schema.Struct({ type: Schema.Literal("ask"), ...choices.ask.fields }),
  Schema.Struct({ type: Schema.Literal("answer"), ...choices.answer.fields })
)
type Choice = typeof Choice.Type

const Turn = Schema.Struct({
  conversation: Schema.Array(Message),
  tools: Schema.Array(Schema.Struct({ type: Schema.String, schema: Schema.Unknown }))
})

/** A turn of the model, as a process: its answer is paid for, so it is recorded. A host asks its own model here. */
export const Think = Engine.make("think", {
  version: "1",
  payload: Turn,
  success: Choice,
  disposition: "rerunnable",
  run: (turn, ctx) =>
    ctx.step(
      "ask the model",
      Effect.sync(() => model(turn))
    )
})

const model = ({ conversation, tools }: typeof Turn.Type): Choice => {
  const offered = tools.map(({ type }) => type)
  const task = /(\d+) (\w+?)s?\b/.exec(conversation[0]?.text ?? "")
  if (task === null || !offered.includes("call")) return { type: "answer", text: "I can only order things." }
  const [count, item] = [Number(task[1]), task[2] ?? ""]
  const found = (tool: Call["tool"]) =>
    conversation.find((message) => message.from === "tool" && message.call.tool === tool)?.text
  const [price, stock, order] = [found("price"), found("stock"), found("order")]
  if (price === undefined || stock === undefined) {
    return { type: "call", calls: (["stock", "price"] as const).map((tool) => ({ tool, item, count })) }
  }
  if (order !== undefined) return { type: "answer", text: `${order} for ${price}` }
  if (stock !== "there are enough") return { type: "answer", text: `Not ordered: ${stock}.` }
  const said = conversation.filter(({ from }) => from === "person").at(1)?.text
  if (said === undefined) return { type: "ask", question: `${count} ${item} cost ${price}. Order them?` }
  return said === "yes"
    ? { type: "call", calls: [{ tool: "order", item, count }] }
    : { type: "answer", text: "Not ordered." }
}
