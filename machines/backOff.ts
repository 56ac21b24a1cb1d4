/**
 * Exponential back-off: the one formula behind every pause that grows, in machines, decisions and loops alike.
 */

/** A first delay that doubles with every attempt, up to the longest. Units: milliseconds. */
export interface BackOffPolicy {
  readonly baseMs: number
  readonly maxMs: number
}

/** The delay after the n-th attempt in a row, counted from 1. Units: milliseconds. */
export const delayMs = ({ baseMs, maxMs }: BackOffPolicy, attempt: number): number =>
  // Past 2^52 the factor only grows towards infinity, and infinity times a base of 0 is no number.
  Math.min(baseMs * 2 ** Math.min(attempt - 1, 52), maxMs)
