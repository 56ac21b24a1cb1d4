/**
 * How much of what is endless is tried: a sample in every run, far more in the long one (`npm run test:long`).
 */

/** Whether this is the long run. */
export const isLong: boolean = process.env["HOLDFAST_LONG"] !== undefined

/** The number of samples of this run. */
export const samples = (here: number, long: number): number => (isLong ? long : here)
