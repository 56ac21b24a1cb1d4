/**
 * The tools of the agent: a small shop. A host puts its own here.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Call } from "./conversation.ts"

const prices: Readonly<Record<string, number>> = { lamp: 40, desk: 300 }
const stock: Readonly<Record<string, number>> = { lamp: 12, desk: 1 }

/** A tool could not do what it was called for. The model reads why. */
export class ToolFailed extends Schema.TaggedError<ToolFailed>()("ToolFailed", { message: Schema.String }) {}

/** Calls a tool. */
export const callTool = ({ tool, item, count }: Call): Effect.Effect<string, ToolFailed> =>
  Effect.gen(function* () {
    const price = prices[item]
    if (price === undefined) return yield* new ToolFailed({ message: `the shop has no ${item}` })
    yield* Console.log(`${tool} ${count} ${item}`)
    switch (tool) {
      case "price":
        return `${count * price} euros`
      case "stock":
        // A slow system: the price is there long before.
        yield* Effect.sleep("250 millis")
        return count <= (stock[item] ?? 0) ? "there are enough" : "there are too few"
      case "order":
        return `${count} ${item} ordered`
    }
  })
