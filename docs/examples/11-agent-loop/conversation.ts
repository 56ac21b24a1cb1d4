/**
 * What is said in the loop, and what a model may do in its turn.
 */
import * as JSONSchema from "effect/JSONSchema"
import * as Schema from "effect/Schema"

/** A text that says something. */
export const Text = Schema.NonEmptyString

/** A call of a tool. */
export const Call = Schema.Struct({
  tool: Schema.Literal("price", "stock", "order"),
  item: Text,
  count: Schema.Int.pipe(Schema.between(1, 1_000))
})
/** A call of a tool. */
export type Call = typeof Call.Type

/** What was said so far. A failure of a tool is something that the model is to know. */
export const Message = Schema.Union(
  Schema.Struct({ from: Schema.Literal("person", "model"), text: Text }),
  Schema.Struct({ from: Schema.Literal("tool"), call: Call, text: Text })
)
/** What was said so far. */
export type Message = typeof Message.Type

/** What a model may do, each with the schema of what it carries: the events that are open while it thinks. */
export const choices = {
  call: Schema.Struct({ calls: Schema.Array(Call).pipe(Schema.minItems(1), Schema.maxItems(4)) }),
  ask: Schema.Struct({ question: Text }),
  answer: Schema.Struct({ text: Text })
} as const

/** What the model chose: one of the events that it was offered. */
export const Choice = Schema.Union(
  Schema.Struct({ type: Schema.Literal("call"), ...choices.call.fields }),
  Schema.Struct({ type: Schema.Literal("ask"), ...choices.ask.fields }),
  Schema.Struct({ type: Schema.Literal("answer"), ...choices.answer.fields })
)
/** What the model chose: one of the events that it was offered. */
export type Choice = typeof Choice.Type

/** What a model is given: the conversation, and its tools. */
export const Turn = Schema.Struct({
  conversation: Schema.Array(Message),
  tools: Schema.Array(Schema.Struct({ name: Schema.String, input_schema: Schema.Unknown }))
})
/** What a model is given: the conversation, and its tools. */
export type Turn = typeof Turn.Type

const toolOf = <A, I>(name: string, schema: Schema.Schema<A, I>) => ({ name, input_schema: JSONSchema.make(schema) })

/** The open events as a model takes its tools. */
export const tools: Turn["tools"] = [
  toolOf("call", choices.call),
  toolOf("ask", choices.ask),
  toolOf("answer", choices.answer)
]
