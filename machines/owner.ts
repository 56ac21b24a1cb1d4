/**
 * The life of a worker's identity: it takes work, lets go of it, gives up what nobody else can go on with, and is gone.
 *
 * ```
 * accepting ─► interrupting ─► draining ─► stopped
 * ```
 *
 * Invariant: owner-bound work is given up only once the bodies were asked to let go, and every wait ends by a deadline.
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
    /** Ask every running body to let go, as a stopping host does. */
    interruptBodies: command(),
    /** Give up the owner-bound work that this owner began, with its own end as evidence. */
    drainOwnerBoundWork: command(),
    /** Say that the owner is gone, and whether it kept its deadlines. */
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
  description: "One incarnation of an owner, from the first process it may take to the last one it gives up.",
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
      description: "It takes nothing more; the bodies were asked to let go and have not all done so.",
      on: {
        "bodies.let_go": { target: "draining", actions: drain },
        "deadline.passed": { target: "draining", actions: [noteLate, drain] }
      }
    },
    draining: {
      description: "Owner-bound work that it began is given up, with evidence.",
      on: {
        "drain.finished": { target: "stopped", actions: announce },
        "deadline.passed": { target: "stopped", actions: [noteLate, announce] }
      }
    },
    stopped: { description: "It is gone; what it left behind is the sweep's.", type: "final" }
  }
})

/** What an owner asks of its runtime. */
export type OwnerCommand = CommandFrom<typeof ownerMachine>
