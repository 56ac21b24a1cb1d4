/**
 * What is to be done when a signal is aborted: Node warns of a leak where many waits of one program listen to one signal.
 *
 * Invariant: a signal has one listener while something waits for it here, however many wait, and none afterwards.
 */

/** What waits for each signal, and the one listener that calls it. */
const waiting = new WeakMap<AbortSignal, { readonly calls: Set<() => void>; readonly listener: () => void }>()

/** Calls a function once a signal is aborted, unless it was let go of before; answers what lets go. Nothing is called twice. */
export const onAbort = (signal: AbortSignal, call: () => void): (() => void) => {
  const { calls, listener } = waiting.get(signal) ?? listening(signal)
  // Each wait of its own, should two of them call the same.
  const own = (): void => call()
  calls.add(own)
  return () => {
    if (!calls.delete(own) || calls.size > 0) return
    signal.removeEventListener("abort", listener)
    waiting.delete(signal)
  }
}

const listening = (signal: AbortSignal) => {
  const calls = new Set<() => void>()
  const listener = (): void => {
    for (const call of calls) call()
  }
  const entry = { calls, listener }
  waiting.set(signal, entry)
  signal.addEventListener("abort", listener, { once: true })
  return entry
}
