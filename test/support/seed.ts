/**
 * One seed for every random test of a run, so that the same commit gives the same verdict twice.
 *
 * `HOLDFAST_SEED=n` chooses it; a long run (`HOLDFAST_LONG=1`) without one draws it from the clock and says which it was.
 */
import * as FastCheck from "effect/FastCheck"

const asked = process.env["HOLDFAST_SEED"]
const long = process.env["HOLDFAST_LONG"] !== undefined
const seed = asked === undefined ? (long ? Date.now() % 2 ** 31 : 20_250_601) : Number(asked)
if (!Number.isSafeInteger(seed)) throw new Error(`HOLDFAST_SEED must be an integer, got ${asked}`)
if (long) console.log(`random tests run with HOLDFAST_SEED=${seed}`)

FastCheck.configureGlobal({ ...FastCheck.readConfigureGlobal(), seed })
