/**
 * When a body has come to rest: when the microtasks are over that the last thing it learned has caused.
 */

/** How many looks one turn of the event loop may make: the loop is others', too. */
const looksPerTurn = 100
let looks = 0

/**
 * Looks once the microtasks are over: what a body does without waiting, it does in microtasks. A tick that a microtask asked for
 * runs once there is none left, and does not wait for the rest of the event loop.
 */
export const whenMicrotasksAreOver = (look: () => void): void => {
  if (looks++ === 0) setImmediate(resetLooks)
  if (looks > looksPerTurn) setImmediate(look)
  else queueMicrotask(() => process.nextTick(look))
}

const resetLooks = (): void => {
  looks = 0
}
