/**
 * How a host runs processes: timings and bounds, checked once when the host is built.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { InputInvalid } from "../model/errors.ts"
import * as Arguments from "./arguments.ts"

/** Checked timings and bounds. Units: milliseconds. */
export interface Timings {
  readonly leaseTtlMs: number
  readonly leaseRenewalMs: number
  readonly sweepIntervalMs: number
  readonly shutdownMs: number
  readonly maxConcurrent: number
}

/** What a host may set. */
export interface RuntimeOptions {
  /** How long a lease lasts without renewal. At least three renewals. @default "30 seconds" */
  readonly leaseTtl?: Duration.DurationInput
  /** @default a third of leaseTtl */
  readonly leaseRenewal?: Duration.DurationInput
  /** How often the host looks for work that no worker runs; `false` turns the sweep off. @default "1 second" */
  readonly sweepInterval?: Duration.DurationInput | false
  /**
   * How long a stopping host waits for its bodies to let go before it says that they did not; a body that cannot be
   * interrupted is still waited for. Their leases are renewed meanwhile, so it may be longer than a lease.
   *
   * @default "10 seconds"
   */
  readonly shutdown?: Duration.DurationInput
  /** How many bodies may work at once. @default 64 */
  readonly maxConcurrent?: number
}

/** The timings and bounds in force. */
export class RuntimeConfig extends Context.Tag("holdfast/runtime/RuntimeConfig")<RuntimeConfig, Timings>() {}

/** The timings a host gets that sets none. */
export const defaults: Timings = {
  leaseTtlMs: 30_000,
  leaseRenewalMs: 10_000,
  sweepIntervalMs: 1_000,
  shutdownMs: 10_000,
  maxConcurrent: 64
}

/** No timing is longer: what takes a month is a durable wait. Units: milliseconds. */
const longestMs = 30 * 24 * 3_600_000

/**
 * Checks options. Fails with `InputInvalid`, naming the option. A sweep that is off has an interval of 0; a lease is renewed three
 * times in its life unless a host says how often.
 */
export const check = (given: RuntimeOptions): Effect.Effect<Timings, InputInvalid> =>
  Arguments.refusing(() => {
    const options = Arguments.record("options", given)
    const { sweepInterval, leaseTtl, leaseRenewal, maxConcurrent = defaults.maxConcurrent } = options
    const leaseTtlMs = timing("leaseTtl", leaseTtl, defaults.leaseTtlMs)
    const timings: Timings = {
      leaseTtlMs,
      leaseRenewalMs: timing(
        "leaseRenewal",
        leaseRenewal,
        leaseTtl === undefined ? defaults.leaseRenewalMs : Math.max(1, Math.floor(leaseTtlMs / 3))
      ),
      sweepIntervalMs: sweepInterval === false ? 0 : timing("sweepInterval", sweepInterval, defaults.sweepIntervalMs),
      shutdownMs: timing("shutdown", options.shutdown, defaults.shutdownMs, 0),
      maxConcurrent: Arguments.whole("maxConcurrent", maxConcurrent)
    }
    return timings.leaseTtlMs >= 3 * timings.leaseRenewalMs
      ? Effect.succeed(timings)
      : Effect.fail(
          invalid(
            "leaseTtl",
            `is ${timings.leaseTtlMs} ms and must be at least three times leaseRenewal (${timings.leaseRenewalMs} ms)`
          )
        )
  })

/** The checked options as a service. */
export const layer = (options: RuntimeOptions): Layer.Layer<RuntimeConfig, InputInvalid> =>
  Layer.effect(RuntimeConfig, check(options))

const timing = (field: string, value: Duration.DurationInput | undefined, otherwise: number, least = 1): number => {
  if (value === undefined) return otherwise
  const ms = Arguments.durationMs(field, value)
  if (Number.isSafeInteger(ms) && ms >= least && ms <= longestMs) return ms
  throw invalid(field, `is ${ms} ms; it must be whole milliseconds, at least ${least} ms and at most 30 days`)
}

const invalid = (field: string, problem: string) => new InputInvalid({ field, problem })
