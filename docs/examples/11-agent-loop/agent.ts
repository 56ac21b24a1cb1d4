/**
 * An agent's loop as a statechart: think, call tools side by side, ask a person, answer.
 *
 * The machine decides what may come next. The events that are open while the model thinks are its tools, with their JSON Schemas,
 * and what it chooses is taken as such an event. A person may choose in its place: so a check of this machine plays every model that
 * there can be.
 */
import * as Console from "effect/Console"
import * as Schema from "effect/Schema"
import { assign, enqueueActions, raise, setup } from "xstate"
import { Engine } from "../../../src/index.ts"
import type { Choice, Turn } from "./conversation.ts"
import { Call, choices, Message, Text, tools } from "./conversation.ts"
import { Think } from "./model.ts"
import { callTool, ToolFailed } from "./tools.ts"

const reply = Schema.Struct({ text: Text })

/** How often the model may think before the loop gives up. */
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
    events: {} as Choice | ({ readonly type: "reply" } & typeof reply.Type) | { readonly type: "stop" } | ToolEnded,
    input: {} as { readonly task: string },
    output: {} as { readonly answer: string | null }
  },
  actors: { think: Engine.fromDurable<Turn, Choice>(), tool: Engine.fromDurable<Call, string>() },
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
  initial: "turn",
  on: { stop: ".stopped" },
  states: {
    turn: {
      description: "The loop does not go on without end.",
      always: [{ guard: "isTired", target: "stopped" }, { target: "thinking" }]
    },
    thinking: {
      description: "The model chooses one of the events that are open here.",
      entry: assign({ turns: ({ context }) => context.turns + 1 }),
      invoke: {
        src: "think",
        id: "think",
        input: ({ context }) => ({ conversation: context.conversation, tools }),
        onDone: { actions: raise(({ event }) => event.output) },
        onError: "resting"
      },
      on: {
        call: {
          target: "calling",
          actions: assign(({ event }) => {
            const calls = Object.fromEntries(event.calls.map((call, index) => [`${call.tool}-${index + 1}`, call]))
            return { calls, open: Object.keys(calls) }
          })
        },
        ask: {
          target: "asking",
          actions: [
            assign(({ context, event }) => ({
              conversation: [...context.conversation, { from: "model" as const, text: event.question }]
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
    resting: {
      description: "The model did not answer, however often it was asked.",
      after: { "1 minute": "turn" }
    },
    calling: {
      description: "Each call is a child process; the model goes on when all have an answer, or after a minute.",
      entry: "callTools",
      exit: "stopTools",
      always: { guard: "hasEveryAnswer", target: "turn" },
      on: {
        "xstate.done.actor.*": { actions: "note" },
        "xstate.error.actor.*": { actions: "note" }
      },
      after: { "1 minute": { target: "turn", actions: "giveUpOnTools" } }
    },
    asking: {
      description: "A person is asked, and may take days.",
      on: {
        reply: {
          target: "turn",
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
  actors: { think: Think, tool: (call, ctx) => ctx.step(call.tool, callTool(call), { error: ToolFailed }) }
})
