/**
 * The lifecycle of one process: the statechart whose fold over the event log is the record.
 *
 * ```
 * running ┬ execution  unstarted ─► started (active ⇄ suspended, dormant)
 *         ├ wait       clear ⇄ waiting
 *         ├ cancel     open ─► requested
 *         └ abandon    open ─► requested
 * completed | failed | cancelled | abandoned        final; facts are still noted, nothing else moves
 * ```
 *
 * Invariant: the context is exactly the mutable part of the record. Every change of it is the projection of one stored event.
 */
import type { CommandFrom } from "../xstate/step.ts"
import {
  beginActivation,
  clearWakeTarget,
  closeWait,
  end,
  forkJournal,
  lifecycle,
  note,
  noteAbandonRequest,
  noteAction,
  noteCancelRequest,
  noteChildEnd,
  noteExternalRef,
  noteFirstStart,
  noteInput,
  noteSent,
  noteTransition,
  openWait,
  returnSignal,
  touch
} from "./actions.ts"
import type { EndState } from "./types.ts"

const lookHere = { type: "requestSweep" as const, params: {} }

const ending = <State extends EndState>(state: State) => ({
  target: `#process.${state}` as const,
  actions: [end, { type: "announceEnd" as const, params: { state } }]
})

/** The lifecycle statechart. Bump `version` whenever stored context changes its meaning: older snapshots are then refolded. */
export const processMachine = lifecycle.createMachine({
  id: "process",
  version: "1",
  description: "One durable unit of work, from its registration to the one terminal it will ever have.",
  context: ({ input }) => ({
    updatedAtMs: input.createdAtMs,
    activations: 0,
    attempts: 0,
    wakeTarget: input.wakeTarget,
    waits: [],
    waitCounts: {},
    consumedSignals: {}
  }),
  initial: "running",
  on: {
    "process.started": { actions: noteFirstStart },
    "process.external_ref_set": { actions: noteExternalRef },
    "process.wake_target_cleared": {
      guard: { type: "pointsToSession", params: ({ event }) => ({ sessionId: event.sessionId }) },
      actions: clearWakeTarget
    },
    "process.cancel_requested": { actions: touch },
    "process.signal_returned": { actions: returnSignal },
    "process.journal_forked": { actions: touch },
    "process.child_ended": { actions: noteChildEnd },
    "process.noted": { actions: note },
    "machine.transitioned": [
      {
        guard: {
          type: "asksForWork",
          params: ({ event: { step } }) => ({ effects: step.effects, end: step.end !== undefined })
        },
        actions: [noteTransition, lookHere]
      },
      { actions: noteTransition }
    ],
    "machine.input": { actions: noteInput },
    "machine.sent": { actions: noteSent },
    "machine.acted": { actions: noteAction }
  },
  states: {
    running: {
      description: "Not ended. The regions say whether anything runs it, waits, or was asked to stop.",
      type: "parallel",
      on: {
        "process.completed": ending("completed"),
        "process.failed": ending("failed"),
        "process.cancelled": ending("cancelled"),
        "process.abandoned": ending("abandoned")
      },
      states: {
        execution: {
          description: "Whether an activation of the body has begun, and whether it is in progress.",
          initial: "unstarted",
          states: {
            unstarted: {
              description: "Registered; no body has ever begun.",
              on: {
                "process.started": { target: "started", actions: beginActivation },
                "process.cancel_requested": { actions: lookHere }
              }
            },
            started: {
              description: "At least one activation has begun. Owner-bound work in here is never started again.",
              initial: "active",
              on: {
                "process.started": { target: ".active", actions: beginActivation },
                "process.journal_forked": { actions: [forkJournal, lookHere] }
              },
              states: {
                active: {
                  description: "An activation began and has left no fact of its end: its lease says whether it lives.",
                  on: {
                    "process.suspended": [
                      {
                        guard: { type: "isPassivated", params: ({ event }) => ({ reason: event.reason }) },
                        target: "dormant",
                        actions: touch
                      },
                      { target: "suspended", actions: touch }
                    ],
                    "process.cancel_requested": {
                      actions: { type: "interruptBody", params: { cause: "cancel" } }
                    }
                  }
                },
                suspended: {
                  description:
                    "The last activation handed the process back on purpose; the next one is no new attempt.",
                  on: { "process.cancel_requested": { actions: lookHere } }
                },
                dormant: {
                  description:
                    "It left memory because all it does is wait; the end of a wait or of a child makes it work again.",
                  on: {
                    "process.resumed": { target: "suspended", actions: [touch, lookHere] },
                    "process.child_ended": { target: "suspended", actions: [noteChildEnd, lookHere] },
                    "process.journal_forked": { target: "suspended", actions: [forkJournal, lookHere] },
                    "process.cancel_requested": { actions: lookHere }
                  }
                }
              }
            }
          }
        },
        wait: {
          description: "Whether the body waits for an event in the log.",
          initial: "clear",
          states: {
            clear: {
              description: "No wait is open.",
              on: { "process.waiting": { target: "waiting", actions: openWait } }
            },
            waiting: {
              description: "At least one wait is open.",
              on: {
                "process.waiting": { actions: openWait },
                "process.resumed": [
                  {
                    guard: { type: "isLastOpenWait", params: ({ event }) => ({ waitKey: event.waitKey }) },
                    target: "clear",
                    actions: closeWait
                  },
                  {
                    guard: { type: "isOpenWait", params: ({ event }) => ({ waitKey: event.waitKey }) },
                    actions: closeWait
                  }
                ]
              }
            }
          }
        },
        cancel: {
          description: "Whether a cancellation of this process was requested.",
          initial: "open",
          states: {
            open: {
              description: "No cancellation was requested.",
              on: { "process.cancel_requested": { target: "requested", actions: noteCancelRequest } }
            },
            requested: {
              description: "Cancellation was requested; a body that still completes stays completed.",
              on: { "process.cancel_requested": { actions: touch } }
            }
          }
        },
        abandon: {
          description: "Whether an operator allowed this process to be abandoned, its outcome unknown.",
          initial: "open",
          states: {
            open: {
              description: "Abandonment was not requested.",
              on: {
                "process.abandon_requested": {
                  target: "requested",
                  actions: [noteAbandonRequest, lookHere]
                }
              }
            },
            requested: { description: "Abandonment was requested; a sweep acts on it once no lease is live." }
          }
        }
      }
    },
    completed: { description: "The body's success is recorded.", type: "final" },
    failed: { description: "The body's failure is recorded.", type: "final" },
    cancelled: { description: "It stopped because it was asked to.", type: "final" },
    abandoned: {
      description: "Its outcome is unknown and, by evidence or on authority, will stay so.",
      type: "final"
    }
  }
})

/** What the lifecycle asks of its runtime. All of these are hints: `resume` derives them again from the snapshot. */
export type ProcessCommand = CommandFrom<typeof processMachine>
