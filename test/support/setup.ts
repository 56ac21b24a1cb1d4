/**
 * What every test file begins with.
 *
 * One seed for every random test of a run, so that the same commit gives the same verdict twice. `HOLDFAST_SEED=n` chooses it;
 * a long run without one draws it from the clock and says which it was.
 *
 * The testers of `it` as they come: a suite in a layer leaves its own in their place, which the next file of the same worker
 * would run on, in that suite's time.
 *
 * A turn of the event loop after every test: a long row of tests that only computes would keep the runner from hearing of
 * its worker until it gives it up.
 */
import { afterEach, effect, it, live, scoped, scopedLive } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { isLong } from "./samples.ts"

const asked = process.env["HOLDFAST_SEED"]
const seed = asked === undefined ? (isLong ? Date.now() % 2 ** 31 : 20_250_601) : Number(asked)
if (!Number.isSafeInteger(seed)) throw new Error(`HOLDFAST_SEED must be an integer, got ${asked}`)
if (isLong) console.log(`random tests run with HOLDFAST_SEED=${seed}`)

FastCheck.configureGlobal({ ...FastCheck.readConfigureGlobal(), seed })

Object.assign(it, { effect, scoped, live, scopedLive })

afterEach(() => new Promise<void>((resolve) => setImmediate(resolve)))
