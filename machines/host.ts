/**
 * The life of a host: it starts its supervision tree, runs, and takes it down, because it was asked to or because the tree
 * gave up.
 *
 * ```
 * starting ─► running ─► stopping ─► stopped
 *     └──────────┴─────► failing ──► failed
 * ```
 *
 * Invariant: a host is stopped or failed only once its tree is down, and its failure is announced exactly once, after that.
 */
import { setup } from "xstate"
import type { CommandFrom } from "./xstate/step.ts"
import { command } from "./xstate/step.ts"

/** Why a tree gave up: the child that kept failing, and its last problem in words. */
export interface HostFailure {
  readonly child: string
  readonly problem: string
}

/** What is remembered of a host. */
export interface HostContext {
  readonly failure?: HostFailure
}

/** What happens to a host. */
export type HostEvent =
  | { readonly type: "host.started" }
  | { readonly type: "supervisor.escalated"; readonly child: string; readonly problem: string }
  | { readonly type: "host.stop_requested" }
  /** Every part of the tree is down. */
  | { readonly type: "tree.stopped" }

const host = setup({
  types: { context: {} as HostContext, events: {} as HostEvent },
  actions: {
    /** Start the supervision tree. */
    startTree: command(),
    /** Stop the supervision tree. */
    stopTree: command(),
    /** Report to the program around the host that it failed, and why. */
    announceFailure: command<{ readonly child: string; readonly problem: string }>()
  }
})

const noteFailure = host.assign(({ event }) =>
  event.type === "supervisor.escalated" ? { failure: { child: event.child, problem: event.problem } } : {}
)

const takeDown = { type: "stopTree", params: {} } as const

const endings = {
  "host.stop_requested": { target: "stopping", actions: takeDown },
  "supervisor.escalated": { target: "failing", actions: [noteFailure, takeDown] }
} as const

const announce = {
  type: "announceFailure" as const,
  params: ({ context }: { readonly context: HostContext }) => ({
    child: context.failure?.child ?? "",
    problem: context.failure?.problem ?? ""
  })
}

/** The host statechart. */
export const hostMachine = host.createMachine({
  id: "host",
  version: "1",
  description: "One life of a host, from the start of its supervision tree until the tree is down.",
  context: {},
  initial: "starting",
  states: {
    starting: {
      description: "The tree is being started.",
      entry: { type: "startTree", params: {} },
      on: { ...endings, "host.started": "running" }
    },
    running: { description: "Everything of the tree was started.", on: endings },
    stopping: {
      description: "The tree is taken down on request; a failure on the way changes nothing.",
      on: { "tree.stopped": "stopped" }
    },
    failing: {
      description: "The tree is taken down because it gave up.",
      on: { "tree.stopped": { target: "failed", actions: announce } }
    },
    stopped: { description: "The tree is down, as asked.", type: "final" },
    failed: { description: "The tree is down, after it gave up.", type: "final" }
  }
})

/** What a host asks of its runtime. */
export type HostCommand = CommandFrom<typeof hostMachine>
