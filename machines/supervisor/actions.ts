/**
 * The guards, commands and folds of the supervisor machine.
 *
 * Kept apart from the chart so that `machine.ts` reads as the picture. Invariant: which child is next to start or stop is
 * never stored. It follows from the statuses, so a restored supervisor goes on where it was.
 */
import { setup } from "xstate"
import * as BackOff from "../backOff.ts"
import { command } from "../xstate/step.ts"
import type {
  ChildExit,
  SupervisedChild,
  SupervisorContext,
  SupervisorEvent,
  SupervisorFailure,
  SupervisorInput
} from "./types.ts"

type Args = { readonly context: SupervisorContext }

const named = ({ children }: SupervisorContext, name: string): SupervisedChild | undefined =>
  children.find((child) => child.name === name)

/** Whether a child is up, or on its way up or down. */
const isUp = ({ status }: SupervisedChild): boolean =>
  status === "starting" || status === "running" || status === "stopping"

/** Whether an unrequested end makes the supervisor restart the child. */
const comesBack = (child: SupervisedChild, exit: "normal" | "failure"): boolean =>
  child.restart === "permanent" || (child.restart === "transient" && exit === "failure")

/** A time exactly one period ago still counts, as it does for OTP. */
const withinPeriod = ({ intensity, restartTimesMs }: SupervisorContext, nowMs: number): ReadonlyArray<number> =>
  restartTimesMs.filter((atMs) => nowMs - atMs <= intensity.periodMs)

/**
 * The children that go down with the one that backs off, which is the only one that does so whenever a group restarts.
 */
const groupOf = ({ children, strategy }: SupervisorContext): ReadonlyArray<SupervisedChild> => {
  const leader = children.findIndex(({ status }) => status === "backing_off")
  return strategy === "one_for_one" || leader === -1
    ? []
    : strategy === "one_for_all"
      ? children
      : children.slice(leader)
}

/** The child to start next: the first that is down, unless one is on its way, or one before it backs off. */
const nextToStart = ({ children }: SupervisorContext): SupervisedChild | undefined => {
  if (children.some(({ status }) => status === "starting")) return undefined
  const first = children.find(({ status, wanted }) => status === "backing_off" || (status === "stopped" && wanted))
  return first?.status === "stopped" ? first : undefined
}

/** The child to stop next, of those given: the last that is up, unless one is on its way down. */
const nextToStop = (children: ReadonlyArray<SupervisedChild>): SupervisedChild | undefined =>
  children.some(({ status }) => status === "stopping") ? undefined : children.findLast(isUp)

/** Types, guards and commands of the supervisor. */
export const supervision = setup({
  types: {
    context: {} as SupervisorContext,
    events: {} as SupervisorEvent,
    input: {} as SupervisorInput
  },
  guards: {
    hasNextToStart: ({ context }) => nextToStart(context) !== undefined,
    areAllStarted: ({ context }) =>
      context.children.every(({ status, wanted }) => status === "running" || (status === "stopped" && !wanted)),
    hasNextToClear: ({ context }) => nextToStop(groupOf(context)) !== undefined,
    isGroupDown: ({ context }) => !groupOf(context).some(isUp),
    hasNextToStop: ({ context }) => nextToStop(context.children) !== undefined,
    areAllDown: ({ context }) => !context.children.some(isUp),
    isStarting: ({ context }, { name }: { readonly name: string }) => named(context, name)?.status === "starting",
    isStopping: ({ context }, { name }: { readonly name: string }) => named(context, name)?.status === "stopping",
    isBackingOff: ({ context }, { name }: { readonly name: string }) => named(context, name)?.status === "backing_off",
    isUp: ({ context }, { name }: { readonly name: string }) => {
      const child = named(context, name)
      return child !== undefined && isUp(child)
    },
    isRestart: ({ context }, params: ChildExit) => isRestart(context, params),
    isGroupRestart: ({ context }, params: ChildExit) =>
      context.strategy !== "one_for_one" && isRestart(context, params),
    isBeyondIntensity: ({ context }, params: ChildExit) =>
      isRestart(context, params) && withinPeriod(context, params.atMs).length >= context.intensity.maxRestarts
  },
  actions: {
    /** Start a child; `child.started` or `child.exited` answers. */
    startChild: command<{ readonly name: string }>(),
    /** Stop a child, by force once the time is over; `child.stopped` answers in any case. */
    stopChild: command<{ readonly name: string; readonly shutdownMs: number }>(),
    /** Have `restart.due` happen after the delay. */
    scheduleRestart: command<{ readonly name: string; readonly delayMs: number }>(),
    /** Report to the supervisor above that this one gave up; all its children are down. */
    escalate: command<{ readonly child: string; readonly problem: string }>(),
    /** Report that all children are down, as requested. */
    announceStopped: command()
  }
})

/** Whether an exit makes the supervisor start the child again. One that goes down with its group anyway does not. */
const isRestart = (context: SupervisorContext, { name, exit }: ChildExit): boolean => {
  const child = named(context, name)
  if (child === undefined || !isUp(child) || child.status === "stopping") return false
  return comesBack(child, exit) && !groupOf(context).includes(child)
}

const withChild = (
  { children }: SupervisorContext,
  name: string | undefined,
  change: (child: SupervisedChild) => Partial<SupervisedChild>
): { readonly children: ReadonlyArray<SupervisedChild> } => ({
  children: children.map((child) => (child.name === name ? { ...child, ...change(child) } : child))
})

const failureOf = (event: ChildExit): SupervisorFailure => ({
  child: event.name,
  problem:
    event.exit === "failure" ? (event.problem ?? "failed without a message") : "it ended although it is permanent"
})

/** Begins the start of the next child. */
export const noteNextStarting = supervision.assign(({ context }) =>
  withChild(context, nextToStart(context)?.name, () => ({ status: "starting" }))
)

/** Begins the start of the child whose back-off is over. */
export const noteStarting = supervision.assign(({ context, event }) =>
  event.type === "restart.due" ? withChild(context, event.name, () => ({ status: "starting" })) : {}
)

/** Makes a child that backed off one of those to start. */
export const noteDue = supervision.assign(({ context, event }) =>
  event.type === "restart.due" ? withChild(context, event.name, () => ({ status: "stopped" })) : {}
)

/** Marks a child that reported its start. */
export const noteStarted = supervision.assign(({ context, event }) =>
  event.type === "child.started" ? withChild(context, event.name, () => ({ status: "running" })) : {}
)

/** Begins the stop of the next child of the group. */
export const noteNextClearing = supervision.assign(({ context }) =>
  withChild(context, nextToStop(groupOf(context))?.name, () => ({ status: "stopping" }))
)

/** Begins the stop of the next child of all. */
export const noteNextStopping = supervision.assign(({ context }) =>
  withChild(context, nextToStop(context.children)?.name, () => ({ status: "stopping" }))
)

/** Marks a child that went down on request; a temporary one never comes back. */
export const noteStopped = supervision.assign(({ context, event }) =>
  event.type === "child.stopped"
    ? withChild(context, event.name, ({ restart }) => ({ status: "stopped", wanted: restart !== "temporary" }))
    : {}
)

/** Marks a child that went down by itself, and keeps why it failed. No restart follows from this exit alone. */
export const noteExit = supervision.assign(({ context, event }) => {
  if (event.type !== "child.exited") return {}
  return withChild(context, event.name, (child) => ({
    status: "stopped",
    wanted: child.status === "stopping" ? child.restart !== "temporary" : comesBack(child, event.exit),
    ...(event.exit === "failure" ? { lastFailure: { atMs: event.atMs, problem: failureOf(event).problem } } : {})
  }))
})

/** Counts a restart and has the child back off; in a group it takes the place of one that backed off before. */
export const noteRestart = supervision.assign(({ context, event }) => {
  if (event.type !== "child.exited") return {}
  const isRow = ({ lastFailure }: SupervisedChild): boolean =>
    lastFailure !== undefined && event.atMs - lastFailure.atMs <= context.intensity.periodMs
  return {
    restartTimesMs: [...withinPeriod(context, event.atMs), event.atMs],
    children: context.children.map((child): SupervisedChild => {
      if (child.name !== event.name) {
        const gives = context.strategy !== "one_for_one" && child.status === "backing_off"
        return gives ? { ...child, status: "stopped" } : child
      }
      return {
        ...child,
        status: "backing_off",
        restarts: isRow(child) ? child.restarts + 1 : 1,
        lastFailure: { atMs: event.atMs, problem: failureOf(event).problem }
      }
    })
  }
})

/** Keeps what the supervisor gives up over. */
export const noteFailure = supervision.assign(({ context, event }) =>
  event.type === "child.exited"
    ? { restartTimesMs: [...withinPeriod(context, event.atMs), event.atMs], failure: failureOf(event) }
    : {}
)

/** Lets go of every plan to start a child again. */
export const dropBackOffs = supervision.assign(({ context }) => ({
  children: context.children.map(
    (child): SupervisedChild => (child.status === "backing_off" ? { ...child, status: "stopped" } : child)
  )
}))

const startOf = (child: SupervisedChild | undefined) => ({ name: child?.name ?? "" })
const stopOf = (child: SupervisedChild | undefined) => ({ ...startOf(child), shutdownMs: child?.shutdownMs ?? 0 })

/** Asks for the start of the next child; precedes the fold that notes it. */
export const startNext = { type: "startChild" as const, params: ({ context }: Args) => startOf(nextToStart(context)) }

/** Asks for the stop of the next child of the group; precedes the fold that notes it. */
export const clearNext = {
  type: "stopChild" as const,
  params: ({ context }: Args) => stopOf(nextToStop(groupOf(context)))
}

/** Asks for the stop of the next child of all; precedes the fold that notes it. */
export const stopNext = {
  type: "stopChild" as const,
  params: ({ context }: Args) => stopOf(nextToStop(context.children))
}

/** Asks for the alarm that ends the back-off of the child whose exit is being handled. */
export const scheduleOwn = {
  type: "scheduleRestart" as const,
  params: ({ context, event }: Args & { readonly event: { readonly name: string } }) => ({
    name: event.name,
    delayMs: BackOff.delayMs(context.backOff, named(context, event.name)?.restarts ?? 1)
  })
}

/** Asks for the alarm that ends the back-off of the child for which a group went down. */
export const scheduleGroup = {
  type: "scheduleRestart" as const,
  params: ({ context }: Args) => {
    const leader = context.children.find(({ status }) => status === "backing_off")
    return { name: leader?.name ?? "", delayMs: BackOff.delayMs(context.backOff, leader?.restarts ?? 1) }
  }
}
