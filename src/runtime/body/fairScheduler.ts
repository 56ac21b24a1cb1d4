/**
 * Runs the fibers of bodies so that they never hold the event loop for long: a body that does thousands of things at once does
 * them in many turns of it.
 *
 * Invariant: tasks run in the order in which they were scheduled, as microtasks while the turn is young, and after the loop has
 * had its turn otherwise. So a body has come to rest when its microtasks are over and none of its own tasks is put off; what
 * others put off is no concern of it.
 */
import type { Scheduler } from "effect/Scheduler"
import { defaultScheduler } from "effect/Scheduler"
import { mustWait } from "./interruption.ts"

/** The scheduler of the fibers of one body. */
export interface FairScheduler extends Scheduler {
  /** How many tasks it was given. */
  readonly given: () => number
  /** Whether a task of its own waits for a later turn of the event loop. */
  readonly hasPutOff: () => boolean
  /** Calls back once none of them does any more; of two, the later one is called. */
  readonly afterwards: (run: () => void) => void
}

/** Makes a scheduler. All of a program share the turns of its event loop, first come, first served. */
export const make = (): FairScheduler => {
  let given = 0
  let waiting = 0
  let then: (() => void) | undefined
  return {
    shouldYield: (fiber) => (mustWait(fiber) ? 0 : defaultScheduler.shouldYield(fiber)),
    // Asked when it would run, and not before: many may be scheduled before the first of them runs.
    scheduleTask: (task) => {
      given++
      queueMicrotask(() => {
        if (!isSpent()) return task()
        waiting++
        putOffTask(() => {
          waiting--
          task()
          if (waiting > 0) return
          const run = then
          then = undefined
          run?.()
        })
      })
    },
    given: () => given,
    hasPutOff: () => waiting > 0,
    afterwards: (run) => {
      then = run
    }
  }
}

/** Makes what has `then` called once the body on a scheduler has come to rest: a body that is called for again is looked at once. */
export const whenAtRest = (scheduler: FairScheduler, then: () => void): (() => void) => {
  let isLooking = false
  const look = (): void => {
    if (scheduler.hasPutOff()) {
      scheduler.afterwards(() => whenMicrotasksAreOver(look))
      return
    }
    isLooking = false
    then()
  }
  return () => {
    if (isLooking) return
    isLooking = true
    whenMicrotasksAreOver(look)
  }
}

/** The scheduler of what is no body's: the effects of steps, whose rest no body waits for, and taking processes over. */
export const workScheduler: Scheduler = make()

/** How long the bodies of a program may run in one turn of the event loop. Units: milliseconds. */
const budgetMs = 4

/** What waits for the next turn, and how much of it has run. */
let putOff: Array<() => void> = []
let isFlushing = false

/** A turn of the event loop: since when bodies run in it, and how often it was looked whether one has come to rest. */
interface LoopTurn {
  readonly beganMs: number
  looks: number
}

let present: LoopTurn | undefined

/** The turn that it is. It begins when it is first asked for. */
const presentTurn = (): LoopTurn => {
  if (present === undefined) {
    present = { beganMs: performance.now(), looks: 0 }
    setImmediate(endTurn)
  }
  return present
}

const endTurn = (): void => {
  present = undefined
}

/** Whether the bodies have had their part of this turn. */
const isSpent = (): boolean => putOff.length > 0 || performance.now() - presentTurn().beganMs > budgetMs

const putOffTask = (task: () => void): void => {
  putOff.push(task)
  if (isFlushing) return
  isFlushing = true
  setImmediate(flush)
}

const flush = (): void => {
  const untilMs = performance.now() + budgetMs
  let ran = 0
  // What a task schedules is put off as well, and keeps its place behind those that wait.
  while (ran < putOff.length && performance.now() < untilMs) (putOff[ran++] as () => void)() // within its length
  putOff = putOff.slice(ran)
  if (putOff.length > 0) setImmediate(flush)
  else isFlushing = false
}

/** How many looks one turn of the event loop may make: the loop is others', too. */
const looksPerTurn = 100

/**
 * Looks once the microtasks are over: what a body does without waiting, it does in microtasks. A tick that a microtask asked for
 * runs once there is none left, and does not wait for the rest of the event loop.
 */
const whenMicrotasksAreOver = (look: () => void): void => {
  if (++presentTurn().looks > looksPerTurn) setImmediate(look)
  else queueMicrotask(() => process.nextTick(look))
}
