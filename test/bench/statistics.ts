/**
 * The few statistics of a benchmark: medians over runs, quantiles within one.
 */

/** The value below which the share `q` (0 to 1) of the values lies, by nearest rank. NaN when there are none. */
export const quantile = (values: Iterable<number>, q: number): number => {
  const sorted = Float64Array.from(values).sort()
  const rank = Math.max(0, Math.ceil(q * sorted.length) - 1)
  return sorted[rank] ?? Number.NaN
}

/** The middle value; of an even number of values the mean of the two in the middle. NaN when there are none. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = Float64Array.from(values).sort()
  const upper = sorted[sorted.length >> 1] ?? Number.NaN
  const lower = sorted[(sorted.length - 1) >> 1] ?? Number.NaN
  return (lower + upper) / 2
}
