/**
 * When a body has come to rest: when the microtasks are over that the last thing it learned has caused.
 */

import { presentTurn } from "./fairScheduler.ts"

/** How many looks one turn of the event loop may make: the loop is others', too. */
const looksPerTurn = 100

/**
 * Looks once the microtasks are over: what a body does without waiting, it does in microtasks. A tick that a microtask asked for
 * runs once there is none left, and does not wait for the rest of the event loop.
 */
export const whenMicrotasksAreOver = (look: () => void): void => {
  if (++presentTurn().looks > looksPerTurn) setImmediate(look)
  else queueMicrotask(() => process.nextTick(look))
}
