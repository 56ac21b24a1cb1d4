/**
 * Who thinks. A real model would be sent the turn as it is; this one follows four rules, so that the example needs no network and
 * always goes the same way.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Engine } from "../../../src/index.ts"
import type { Call } from "./conversation.ts"
import { Choice, Turn } from "./conversation.ts"

/** The model did not answer. */
export class ModelFailed extends Schema.TaggedError<ModelFailed>()("ModelFailed", { message: Schema.String }) {}

/** A turn of the model, as a process: its answer is paid for, so it is recorded. A host asks its own model here. */
export const Think = Engine.make("think", {
  version: "1",
  payload: Turn,
  success: Choice,
  error: ModelFailed,
  disposition: "rerunnable",
  run: (turn, ctx) =>
    ctx.step(
      "ask the model",
      Effect.try({ try: () => model(turn), catch: (cause) => new ModelFailed({ message: String(cause) }) }).pipe(
        Effect.tap(({ type }) => Console.log(`the model chose ${type}`))
      ),
      { error: ModelFailed, retry: Schedule.intersect(Schedule.exponential("1 second"), Schedule.recurs(3)) }
    )
})

const model = ({ conversation, tools }: Turn): Choice => {
  const offered = tools.map(({ name }) => name)
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
