/**
 * One host's recovery sweep as a loop: it sleeps, looks for rows that no host runs, acts on them, and sleeps again.
 *
 * ```
 * idle (armed) ─► looking ─► acting ─► idle
 * off ──on demand─► looking ─► acting ─► off
 * ```
 *
 * Invariant: a loop that is enabled is either at work or armed; one that is not enabled never arms.
 */
import { setup } from "xstate"
import * as BackOff from "./backOff.ts"
import type { CommandFrom } from "./xstate/step.ts"
import { command } from "./xstate/step.ts"

/** What the loop remembers. */
export interface SweepContext {
  readonly enabled: boolean
  /** The pause between two rounds. */
  readonly intervalMs: number
  /** Rounds that failed since the last one that did not. */
  readonly failures: number
  /** Whether something came up during this round that it may have missed. */
  readonly again: boolean
}

/** How a loop is set up; an interval of 0 leaves it off. */
export interface SweepInput {
  readonly intervalMs: number
}

/** What happens to a sweep. */
export type SweepEvent =
  | { readonly type: "sweep.due" }
  /** There may be something to do before the next round is due. */
  | { readonly type: "sweep.woken" }
  /** How many rows the look brought up. */
  | { readonly type: "rows.found"; readonly count: number }
  | { readonly type: "sweep.finished" }
  | { readonly type: "sweep.failed" }
  | { readonly type: "sweep.disabled" }
  /** A caller requested a round, whether the loop is on or off. */
  | { readonly type: "sweep.requested" }

/** The longest pause after rounds that failed. Units: milliseconds. */
const maxMs = 30_000

const sweep = setup({
  types: { context: {} as SweepContext, events: {} as SweepEvent, input: {} as SweepInput },
  guards: {
    isEnabled: ({ context }) => context.enabled,
    isAskedAgain: ({ context }) => context.again,
    foundAny: (_args, params: { readonly count: number }) => params.count > 0
  },
  actions: {
    /** Look for rows that are due. */
    look: command(),
    /** Act on the rows that the look brought up. */
    act: command(),
    /** Have `sweep.due` happen after the delay. There is one alarm: this replaces the one before it. */
    arm: command<{ readonly delayMs: number }>()
  }
})

const beginRound = sweep.assign({ again: false })
const askAgain = sweep.assign({ again: true })
const disable = sweep.assign({ enabled: false, again: false })
const noteSuccess = sweep.assign({ failures: 0 })
const noteFailure = sweep.assign(({ context }) => ({ failures: context.failures + 1 }))
const settle = sweep.assign({ again: false })

const arm = {
  type: "arm" as const,
  params: ({ context: { again, failures, intervalMs } }: { readonly context: SweepContext }) => ({
    delayMs: again ? 0 : failures === 0 ? intervalMs : BackOff.delayMs({ baseMs: intervalMs, maxMs }, failures + 1)
  })
}

const look = { target: "looking", actions: [beginRound, { type: "look" as const, params: {} }] } as const

/** The ways out of a round: a loop pauses; one that is off looks once more if that was requested, and stays off otherwise. */
const rounds = <Note extends typeof noteSuccess | typeof noteFailure>(note: Note) =>
  [
    { guard: "isEnabled", target: "idle", actions: [note, arm, settle] },
    { guard: "isAskedAgain", target: "looking", actions: [note, beginRound, { type: "look" as const, params: {} }] },
    { target: "off", actions: note }
  ] as const

const duringRound = {
  "sweep.woken": { guard: "isEnabled", actions: askAgain },
  "sweep.requested": { actions: askAgain },
  "sweep.disabled": { actions: disable },
  "sweep.failed": rounds(noteFailure)
} as const

/** The sweep statechart. */
export const sweepMachine = sweep.createMachine({
  id: "sweep",
  version: "1",
  description: "The loop in which one host looks for processes that no host runs.",
  context: ({ input }) => ({
    enabled: input.intervalMs > 0,
    intervalMs: input.intervalMs,
    failures: 0,
    again: false
  }),
  initial: "off",
  states: {
    off: {
      description: "No loop: a round is made on request only.",
      always: { guard: "isEnabled", target: "idle", actions: arm },
      on: { "sweep.requested": look }
    },
    idle: {
      description: "Armed: the next round begins when it is due, or on a wake-up.",
      on: {
        "sweep.due": look,
        "sweep.woken": look,
        "sweep.requested": look,
        "sweep.disabled": { target: "off", actions: disable }
      }
    },
    looking: {
      description: "The rows that are due are being read.",
      on: {
        ...duringRound,
        "rows.found": [
          {
            guard: { type: "foundAny", params: ({ event }) => ({ count: event.count }) },
            target: "acting",
            actions: { type: "act", params: {} }
          },
          ...rounds(noteSuccess)
        ]
      }
    },
    acting: {
      description: "What the verdicts say about the rows found is being done.",
      on: { ...duringRound, "sweep.finished": rounds(noteSuccess) }
    }
  }
})

/** What a sweep asks of its runtime. */
export type SweepCommand = CommandFrom<typeof sweepMachine>
