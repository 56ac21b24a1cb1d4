/**
 * The life of an owner: it takes work, releases it on a stop, abandons the owner-bound work it began, and ends.
 *
 * ```
 * accepting ─► interrupting ─► draining ─► stopped
 * ```
 *
 * Invariant: owner-bound work is abandoned only after the bodies were asked to stop, and every wait ends by a deadline.
 */
import { setup } from "xstate"
import type { CommandFrom } from "./xstate/step.ts"
import { command } from "./xstate/step.ts"

/** What is remembered of a stop. */
export interface OwnerContext {
  /** Whether no deadline has passed so far. */
  readonly inTime: boolean
}

/** What happens to an owner; the deadline is that of the phase it is in. */
export type OwnerEvent = {
  readonly type: "owner.stop_requested" | "bodies.let_go" | "deadline.passed" | "drain.finished"
}

const owner = setup({
  types: { context: {} as OwnerContext, events: {} as OwnerEvent },
  actions: {
    /** Interrupt every running body, as a stopping host does. */
    interruptBodies: command(),
    /** Abandon the owner-bound work that this owner began, with its own end as evidence. */
    drainOwnerBoundWork: command(),
    /** Report that the owner stopped, and whether it kept its deadlines. */
    announceStopped: command<{ readonly inTime: boolean }>()
  }
})

const noteLate = owner.assign({ inTime: false })

const drain = { type: "drainOwnerBoundWork", params: {} } as const

const announce = {
  type: "announceStopped" as const,
  params: ({ context }: { readonly context: OwnerContext }) => ({ inTime: context.inTime })
}

/** The owner statechart. */
export const ownerMachine = owner.createMachine({
  id: "owner",
  version: "1",
  description: "One incarnation of an owner, from the first process it may take to the last one it abandons.",
  context: { inTime: true },
  initial: "accepting",
  states: {
    accepting: {
      description: "It takes work and runs bodies.",
      on: {
        "owner.stop_requested": { target: "interrupting", actions: { type: "interruptBodies", params: {} } }
      }
    },
    interrupting: {
      description: "It takes nothing more; its bodies were interrupted and have not all ended.",
      on: {
        "bodies.let_go": { target: "draining", actions: drain },
        "deadline.passed": { target: "draining", actions: [noteLate, drain] }
      }
    },
    draining: {
      description: "Owner-bound work that it began is being abandoned, with evidence.",
      on: {
        "drain.finished": { target: "stopped", actions: announce },
        "deadline.passed": { target: "stopped", actions: [noteLate, announce] }
      }
    },
    stopped: { description: "It has stopped; a sweep handles what it left behind.", type: "final" }
  }
})

/** What an owner asks of its runtime. */
export type OwnerCommand = CommandFrom<typeof ownerMachine>
