/**
 * How much is tried: of what is endless a sample in every run, and far more in the long one (`npm run test:long`); all the rest in a
 * whole run (`HOLDFAST_WHOLE=1 npm test`), which is the gate's.
 */

/** Whether this is the long run. */
export const isLong: boolean = process.env["HOLDFAST_LONG"] !== undefined

/**
 * Whether nothing is left out that has an end. Elsewhere some of what needs many programs, much memory or much time is, so that a run
 * takes minutes: one of its kind is there.
 */
export const isWhole: boolean = isLong || process.env["HOLDFAST_WHOLE"] !== undefined

/** The number of samples of this run. */
export const samples = (here: number, long: number): number => (isLong ? long : here)
