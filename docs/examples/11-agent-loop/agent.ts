/**
 * An agent's loop as a statechart: think, call tools side by side, ask a person, answer.
 *
 * The machine decides what may come next. Who thinks sends it events as a person does: the events that it accepts are the tools of
 * the model, with their JSON Schemas. So a check of this machine plays every model that there can be.
 */
import * as Console from "effect/Console"
import * as Schema from "effect/Schema"
import { assign, enqueueActions, setup } from "xstate"
import { Engine } from "../../../src/index.ts"
import { callTool, ToolFailed } from "./tools.ts"

const Text = Schema.NonEmptyString

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

/** What a model may do, each with the schema of what it carries. */
export const choices = {
  call: Schema.Struct({ calls: Schema.Array(Call).pipe(Schema.minItems(1), Schema.maxItems(4)) }),
  ask: Schema.Struct({ question: Text }),
  answer: Schema.Struct({ text: Text })
} as const

const reply = Schema.Struct({ text: Text })

/** How often the model may choose before the loop gives up. */
export const mostTurns = 8

interface Context {
  readonly conversation: ReadonlyArray<Message>
  /** The calls of this turn by their actors, and those of them that have no answer yet. */
  readonly calls: Readonly<Record<string, Call>>
  readonly open: ReadonlyArray<string>
  readonly turns: number
}

/** The end of a tool. */
type ToolEnded =
  | { readonly type: `xstate.done.actor.${string}`; readonly actorId: string; readonly output: string }
  | {
      readonly type: `xstate.error.actor.${string}`
      readonly actorId: string
      readonly error: { readonly message?: string }
    }

/** The machine. */
export const agent = setup({
  types: {
    context: {} as Context,
    events: {} as
      | ({ readonly type: "call" } & typeof choices.call.Type)
      | ({ readonly type: "ask" } & typeof choices.ask.Type)
      | ({ readonly type: "answer" } & typeof choices.answer.Type)
      | ({ readonly type: "reply" } & typeof reply.Type)
      | { readonly type: "stop" }
      | ToolEnded,
    input: {} as { readonly task: string },
    output: {} as { readonly answer: string | null }
  },
  actors: { tool: Engine.fromDurable<Call, string>() },
  actions: {
    mail: (_, _params: { readonly question: string }) => {},
    callTools: enqueueActions(({ context, enqueue }) => {
      for (const [id, call] of Object.entries(context.calls)) enqueue.spawnChild("tool", { id, input: call })
    }),
    stopTools: enqueueActions(({ context, enqueue }) => {
      for (const id of Object.keys(context.calls)) enqueue.stopChild(id)
    }),
    note: assign(({ context: { calls, conversation, open }, event }) => {
      if (!("actorId" in event)) return {}
      const call = calls[event.actorId]
      if (call === undefined) return {}
      const text = "output" in event ? event.output : (event.error.message ?? "the tool failed")
      return {
        conversation: [...conversation, { from: "tool" as const, call, text }],
        open: open.filter((id) => id !== event.actorId)
      }
    }),
    giveUpOnTools: assign(({ context: { calls, conversation, open } }) => ({
      conversation: [
        ...conversation,
        ...open.flatMap((id) => {
          const call = calls[id]
          return call === undefined ? [] : [{ from: "tool" as const, call, text: "no answer within a minute" }]
        })
      ],
      open: []
    }))
  },
  guards: {
    isTired: ({ context }) => context.turns >= mostTurns,
    hasEveryAnswer: ({ context }) => context.open.length === 0
  }
}).createMachine({
  id: "agent",
  context: ({ input }) => ({ conversation: [{ from: "person", text: input.task }], calls: {}, open: [], turns: 0 }),
  initial: "thinking",
  on: { stop: ".stopped" },
  states: {
    thinking: {
      description: "The model chooses one of the events that are accepted here.",
      always: { guard: "isTired", target: "stopped" },
      on: {
        call: {
          target: "calling",
          actions: assign(({ context, event }) => {
            const calls = Object.fromEntries(event.calls.map((call, index) => [`${call.tool}-${index + 1}`, call]))
            return { calls, open: Object.keys(calls), turns: context.turns + 1 }
          })
        },
        ask: {
          target: "asking",
          actions: [
            assign(({ context, event }) => ({
              conversation: [...context.conversation, { from: "model" as const, text: event.question }],
              turns: context.turns + 1
            })),
            { type: "mail", params: ({ event }) => ({ question: event.question }) }
          ]
        },
        answer: {
          target: "answered",
          actions: assign(({ context, event }) => ({
            conversation: [...context.conversation, { from: "model" as const, text: event.text }]
          }))
        }
      }
    },
    calling: {
      description: "Each call is a child process; the model goes on when all have an answer, or after a minute.",
      entry: "callTools",
      exit: "stopTools",
      always: { guard: "hasEveryAnswer", target: "thinking" },
      on: {
        "xstate.done.actor.*": { actions: "note" },
        "xstate.error.actor.*": { actions: "note" }
      },
      after: { "1 minute": { target: "thinking", actions: "giveUpOnTools" } }
    },
    asking: {
      description: "A person is asked, and may take days.",
      on: {
        reply: {
          target: "thinking",
          actions: assign(({ context, event }) => ({
            conversation: [...context.conversation, { from: "person" as const, text: event.text }]
          }))
        }
      },
      after: { "3 days": "stopped" }
    },
    answered: { type: "final" },
    stopped: { type: "final" }
  },
  output: ({ context, event }) => ({
    answer: event.type.endsWith(".answered") ? (context.conversation.at(-1)?.text ?? null) : null
  })
})

/** The loop as a durable process. A host puts its own mail and its own tools here. */
export const Agent = Engine.fromMachine(agent, {
  version: "1",
  input: Schema.Struct({ task: Text }),
  output: Schema.Struct({ answer: Schema.NullOr(Schema.String) }),
  context: Schema.Struct({
    conversation: Schema.Array(Message),
    calls: Schema.Record({ key: Schema.String, value: Call }),
    open: Schema.Array(Schema.String),
    turns: Schema.Int
  }),
  events: { ...choices, reply, stop: Schema.Struct({}) },
  actions: { mail: (_, { question }) => Console.log(`to a person: ${question}`) },
  actors: { tool: (call, ctx) => ctx.step(call.tool, callTool(call), { error: ToolFailed }) }
})
