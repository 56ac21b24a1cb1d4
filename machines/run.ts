/**
 * One activation, from the claim of its lease to the write that ends it.
 *
 * ```
 * claimed ─► ready ─► running ──► completing ─► completed | deferred
 *    └─────────┴─ lease lost, ended ─► zombie ◄────┘
 * ```
 *
 * Each of the four in the upper row is divided by what disturbs the activation: nothing, a request to cancel, a stopping
 * host, a passivation; a body that has begun may also have lost its lease (fenced) or its process (superseded), and these two outrank the
 * rest. Invariant: the state says everything. There is no context and no payload, so that a step can be remembered.
 */
import { setup } from "xstate"
import type { CommandFrom } from "./xstate/step.ts"
import { command } from "./xstate/step.ts"

/** Empty: what an activation knows is its state. */
export type RunContext = Readonly<Record<string, never>>

/** What happens to an activation. */
export type RunEvent = {
  readonly type: /** The engine, the payload and a slot are there. */
    | "run.ready"
    /** The commit that says that the body begins is durable. */
    | "run.begun"
    | "cancel.requested"
    | "host.stopping"
    /** All the body does is wait, and for long enough. */
    | "passivation.due"
    | "lease.lost"
    /** The process ended, and not by this activation. */
    | "process.ended"
    /** The body's fiber is over, however it ended. */
    | "body.exited"
    /** The end is in the log. */
    | "conclusion.written"
    /** The process was handed back, for another activation to go on. */
    | "conclusion.deferred"
    /** The store says that somebody else owns the process: nothing was written. */
    | "conclusion.refused"
}

/** Why a body is interrupted. */
export type Disturbance = "cancel" | "host_stop" | "passivated" | "lease_lost" | "superseded"

const interrupt = <Cause extends Disturbance>(cause: Cause) => ({ type: "interruptBody" as const, params: { cause } })

const concluding = <State extends string, Cause extends Disturbance | "none">(state: State, cause: Cause) => ({
  "body.exited": {
    target: `#run.completing.${state}` as const,
    actions: { type: "conclude" as const, params: { cause } }
  }
})

const beginning = { type: "runBody", params: {} } as const

/** What takes the right to write away from a running body, whatever disturbed it before. */
const outranked = {
  "lease.lost": { target: "fenced", actions: interrupt("lease_lost") },
  "process.ended": { target: "superseded", actions: interrupt("superseded") }
} as const

const outrankedLate = { "lease.lost": "fenced", "process.ended": "superseded" } as const

const withoutRight = {
  "conclusion.written": "#run.zombie",
  "conclusion.deferred": "#run.zombie",
  "conclusion.refused": "#run.zombie"
} as const

/** The activation statechart. It is never stored: a runtime that dies leaves a lease, and the sweep decides from there. */
export const runMachine = setup({
  types: { context: {} as RunContext, events: {} as RunEvent },
  actions: {
    /** Start the body. */
    runBody: command(),
    /** Interrupt the body: it has begun and is disturbed. */
    interruptBody: command<{ readonly cause: Disturbance }>(),
    /** Write how the activation ended; the cause says what an interrupted body means. */
    conclude: command<{ readonly cause: Disturbance | "none" }>()
  }
}).createMachine({
  id: "run",
  version: "1",
  description: "One activation of a process under one lease, from its claim to the answer to its last write.",
  context: {},
  initial: "claimed",
  states: {
    claimed: {
      description: "The lease is held; the engine, the payload or a slot is still missing.",
      initial: "undisturbed",
      on: { "lease.lost": "zombie", "process.ended": "zombie" },
      states: {
        undisturbed: {
          description: "Nothing speaks against running the body.",
          on: {
            "run.ready": "#run.ready.undisturbed",
            "cancel.requested": "cancelling",
            "host.stopping": "stopping"
          }
        },
        cancelling: {
          description: "Cancellation was asked for first: the body will be interrupted as soon as it has begun.",
          on: { "run.ready": "#run.ready.cancelling" }
        },
        stopping: {
          description: "The host stopped first: the body will be interrupted as soon as it has begun.",
          on: { "run.ready": "#run.ready.stopping" }
        }
      }
    },
    ready: {
      description: "Everything is there; the commit that says that the body begins is not yet durable.",
      initial: "undisturbed",
      on: { "lease.lost": "zombie", "process.ended": "zombie" },
      states: {
        undisturbed: {
          description: "Nothing speaks against beginning.",
          on: {
            "run.begun": { target: "#run.running.undisturbed", actions: beginning },
            "cancel.requested": "cancelling",
            "host.stopping": "stopping"
          }
        },
        cancelling: {
          description: "Cancellation was asked for before the beginning was durable.",
          on: { "run.begun": { target: "#run.running.cancelling", actions: [beginning, interrupt("cancel")] } }
        },
        stopping: {
          description: "The host stopped before the beginning was durable.",
          on: { "run.begun": { target: "#run.running.stopping", actions: [beginning, interrupt("host_stop")] } }
        }
      }
    },
    running: {
      description: "The body has begun and has not exited.",
      initial: "undisturbed",
      states: {
        undisturbed: {
          description: "Nothing asked the body to end.",
          on: {
            ...outranked,
            ...concluding("undisturbed", "none"),
            "cancel.requested": { target: "cancelling", actions: interrupt("cancel") },
            "host.stopping": { target: "stopping", actions: interrupt("host_stop") },
            "passivation.due": { target: "passivating", actions: interrupt("passivated") }
          }
        },
        passivating: {
          description: "The body was interrupted because all it did was wait: it leaves memory.",
          on: { ...outranked, ...concluding("passivating", "passivated") }
        },
        cancelling: {
          description: "The body was interrupted because its cancellation was asked for.",
          on: { ...outranked, ...concluding("cancelling", "cancel") }
        },
        stopping: {
          description: "The body was interrupted because its host stops.",
          on: { ...outranked, ...concluding("stopping", "host_stop") }
        },
        fenced: {
          description: "The lease was lost: the body was interrupted, and may write nothing.",
          on: { ...concluding("fenced", "lease_lost") }
        },
        superseded: {
          description: "The process ended without the body: it was interrupted, and has nothing left to say.",
          on: { ...concluding("superseded", "superseded") }
        }
      }
    },
    completing: {
      description: "The body has exited; the write that says how is not answered yet.",
      initial: "undisturbed",
      on: { "conclusion.written": "completed", "conclusion.deferred": "deferred", "conclusion.refused": "zombie" },
      states: {
        undisturbed: { description: "The body's own end is being written.", on: outrankedLate },
        cancelling: { description: "The end of a body that was cancelled is being written.", on: outrankedLate },
        stopping: { description: "The end of a body whose host stops is being written.", on: outrankedLate },
        passivating: { description: "That the body left memory is being written.", on: outrankedLate },
        fenced: { description: "The lease was lost: whatever the store answers, this is a zombie.", on: withoutRight },
        superseded: {
          description: "The process ended without it: whatever the store answers, this is a zombie.",
          on: withoutRight
        }
      }
    },
    completed: { description: "The end of the process is in the log.", type: "final" },
    deferred: { description: "The process was handed back; another activation will go on.", type: "final" },
    zombie: { description: "Somebody else decides about the process; nothing of this counts.", type: "final" }
  }
})

/** What an activation asks of its runtime. */
export type RunCommand = CommandFrom<typeof runMachine>
