/**
 * One activation, from the start of its body to the write that ends it.
 *
 * ```
 * running ──► completing ─► completed | deferred | zombie
 * ```
 *
 * `running` and `completing` are divided by what disturbs the activation: nothing, a request to cancel, a stopping host, a
 * passivation. A lost lease (fenced) and an end elsewhere (superseded) outrank these.
 * Invariant: the state says everything. There is no context and no payload, so that each step can be tabulated.
 */
import { setup } from "xstate"
import type { CommandFrom } from "./xstate/step.ts"
import { command } from "./xstate/step.ts"

/** Empty: the state says everything. */
export type RunContext = Readonly<Record<string, never>>

/** What happens to an activation. */
export type RunEvent = {
  readonly type:
    | "cancel.requested"
    | "host.stopping"
    /** The body has only waited, and for long enough. */
    | "passivation.due"
    | "lease.lost"
    /** The process ended, and not by this activation. */
    | "process.ended"
    /** The body's fiber ended, with any exit. */
    | "body.exited"
    /** The end is in the log. */
    | "conclusion.written"
    /** The process was handed back, for another activation to go on. */
    | "conclusion.deferred"
    /** The store answered that another owner holds the process: nothing was written. */
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
    /** Start the body: the commit that claimed the lease and began the activation is durable. */
    runBody: command(),
    /** Interrupt the body: it has begun and is disturbed. */
    interruptBody: command<{ readonly cause: Disturbance }>(),
    /** Write how the activation ended; the cause says what an interrupted body means. */
    conclude: command<{ readonly cause: Disturbance | "none" }>()
  }
}).createMachine({
  id: "run",
  version: "1",
  description:
    "One activation of a process under one lease, from the start of its body to the answer to its last write.",
  context: {},
  initial: "running",
  states: {
    running: {
      description: "The body has begun and has not exited.",
      entry: { type: "runBody", params: {} },
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
          description: "The process ended without the body: it was interrupted, and its end is not written.",
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
          description: "The process ended elsewhere: whatever the store answers, this is a zombie.",
          on: withoutRight
        }
      }
    },
    completed: { description: "The end of the process is in the log.", type: "final" },
    deferred: { description: "The process was handed back; another activation will go on.", type: "final" },
    zombie: {
      description: "Another owner decides about the process; this activation's end does not count.",
      type: "final"
    }
  }
})

/** What an activation asks of its runtime. */
export type RunCommand = CommandFrom<typeof runMachine>
