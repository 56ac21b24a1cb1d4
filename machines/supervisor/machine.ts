/**
 * A supervisor as OTP knows it: it starts its children in order, starts again those that fail, and stops them in reverse.
 *
 * ```
 * idle ─► starting ⇄ running                    starting: launching ─► clearing ─► waiting ─► launching
 *             └─────────┴─► stopping ─► stopped | escalated
 * ```
 *
 * A lone restart (one_for_one) happens within `running`. A group restart goes back to `starting`: the group is cleared in
 * reverse, waits out the back-off of the child that failed, and is launched in order.
 *
 * Invariant: while children are launched, cleared or stopped, at most one start and one stop is on its way.
 * @see https://www.erlang.org/doc/system/sup_princ.html
 */
import type { CommandFrom } from "../xstate/step.ts"
import {
  clearNext,
  dropBackOffs,
  noteDue,
  noteExit,
  noteFailure,
  noteNextClearing,
  noteNextStarting,
  noteNextStopping,
  noteRestart,
  noteStarted,
  noteStarting,
  noteStopped,
  scheduleGroup,
  scheduleOwn,
  startNext,
  stopNext,
  supervision
} from "./actions.ts"
import type { ChildExit } from "./types.ts"

type About = { readonly event: { readonly name: string } }

type Exited = { readonly event: ChildExit }

const about = <Guard extends "isStarting" | "isStopping" | "isBackingOff" | "isUp">(type: Guard) => ({
  type,
  params: ({ event }: About) => ({ name: event.name })
})

const exiting = <Guard extends "isBeyondIntensity" | "isGroupRestart" | "isRestart">(type: Guard) => ({
  type,
  params: ({ event }: Exited) => event
})

const started = { guard: about("isStarting"), actions: noteStarted }

const wentDown = { guard: about("isUp"), actions: noteExit }

const stopped = { guard: about("isStopping"), actions: noteStopped }

const beyond = {
  guard: exiting("isBeyondIntensity"),
  target: "#supervisor.stopping.escalating" as const,
  actions: [noteExit, noteFailure, dropBackOffs]
}

const regroup = {
  guard: exiting("isGroupRestart"),
  target: "#supervisor.starting.clearing" as const,
  actions: noteRestart
}

const comeBack = { guard: exiting("isRestart"), actions: [noteRestart, scheduleOwn] }

const stopNextChild = { guard: "hasNextToStop" as const, actions: [stopNext, noteNextStopping] }

/** The supervisor statechart. */
export const supervisorMachine = supervision.createMachine({
  id: "supervisor",
  version: "1",
  description: "A group of children that are started in order, started again when they fail, and stopped in reverse.",
  context: ({ input }) => ({
    ...input,
    children: input.children.map((child) => ({ ...child, status: "stopped", wanted: true, restarts: 0 })),
    restartTimesMs: []
  }),
  initial: "idle",
  states: {
    idle: {
      description: "Nothing was started yet.",
      on: { "supervisor.start_requested": "starting", "supervisor.stop_requested": "stopping" }
    },
    starting: {
      description: "Children are brought up one by one, for the first time or as a group that restarts.",
      initial: "launching",
      on: {
        "supervisor.stop_requested": { target: "stopping", actions: dropBackOffs },
        "child.started": started,
        "child.exited": [beyond, regroup, comeBack, wentDown]
      },
      states: {
        launching: {
          description: "Each child is started once the one before it has reported its start.",
          always: [
            { guard: "areAllStarted", target: "#supervisor.running" },
            { guard: "hasNextToStart", actions: [startNext, noteNextStarting] }
          ],
          on: { "restart.due": { guard: about("isBackingOff"), actions: noteDue } }
        },
        clearing: {
          description: "The children that go down with the one that failed are stopped one by one, the last one first.",
          always: [
            { guard: "isGroupDown", target: "waiting", actions: scheduleGroup },
            { guard: "hasNextToClear", actions: [clearNext, noteNextClearing] }
          ],
          on: { "child.stopped": stopped }
        },
        waiting: {
          description: "The group is down until the back-off of the child that failed is over.",
          on: { "restart.due": { guard: about("isBackingOff"), target: "launching", actions: noteDue } }
        }
      }
    },
    running: {
      description: "Every child was brought up; one that failed alone may be backing off or coming back.",
      on: {
        "supervisor.stop_requested": { target: "stopping", actions: dropBackOffs },
        "child.started": started,
        "child.exited": [beyond, regroup, comeBack, wentDown],
        "restart.due": {
          guard: about("isBackingOff"),
          actions: [{ type: "startChild", params: ({ event }) => ({ name: event.name }) }, noteStarting]
        }
      }
    },
    stopping: {
      description: "Children are taken down one by one, the last one first.",
      initial: "orderly",
      on: { "child.stopped": stopped, "child.exited": wentDown },
      states: {
        orderly: {
          description: "A stop was requested.",
          always: [
            {
              guard: "areAllDown",
              target: "#supervisor.stopped",
              actions: { type: "announceStopped", params: {} }
            },
            stopNextChild
          ]
        },
        escalating: {
          description: "More restarts were called for than the intensity allows.",
          always: [
            {
              guard: "areAllDown",
              target: "#supervisor.escalated",
              actions: {
                type: "escalate",
                params: ({ context }) => ({
                  child: context.failure?.child ?? "",
                  problem: context.failure?.problem ?? ""
                })
              }
            },
            stopNextChild
          ]
        }
      }
    },
    stopped: { description: "All children are down, as asked.", type: "final" },
    escalated: {
      description: "All children are down, and the failure was reported to the supervisor above.",
      type: "final"
    }
  }
})

/** What a supervisor asks of its runtime. */
export type SupervisorCommand = CommandFrom<typeof supervisorMachine>
