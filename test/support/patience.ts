/**
 * How long a test waits before it counts as hanging: a bound for what should have ended, never a length of time that a test
 * is about. It grows with the time that this machine takes, at the start of a run, for work of a known size; other programs may begin later.
 */
import { performance } from "node:perf_hooks"

/** What {@link work} takes on a quiet machine of the slowest kind that the suite is run on. Units: milliseconds. */
const usualMs = 60

/** Plain arithmetic that no compiler leaves out. */
const work = (): number => {
  let state = 1
  for (let step = 0; step < 30_000_000; step++) state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
  return state
}

const measured = (): number => {
  const startMs = performance.now()
  const state = work()
  return Number.isNaN(state) ? 1 : Math.max(1, (performance.now() - startMs) / usualMs)
}

/** How much slower than usual this machine is; at least 1. A run measures it once and passes it on to its workers. */
export const slowness: number = Number(process.env["HOLDFAST_SLOWNESS"] ?? measured())

/** The bound of one wait. Units: milliseconds. */
export const patienceMs: number = Math.round(120_000 * slowness)
