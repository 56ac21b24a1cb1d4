/**
 * How a host runs processes: timings and bounds, checked once when the host is built.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { InputInvalid } from "../model/errors.ts"

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
  /** @default "10 seconds" */
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

/** Checks options. Fails with `InputInvalid`, naming the option. A sweep that is off has an interval of 0. */
export const check = (options: RuntimeOptions): Effect.Effect<Timings, InputInvalid> =>
  Effect.gen(function* () {
    const timings: Timings = {
      leaseTtlMs: millis(options.leaseTtl, defaults.leaseTtlMs),
      leaseRenewalMs: millis(options.leaseRenewal, defaults.leaseRenewalMs),
      sweepIntervalMs: options.sweepInterval === false ? 0 : millis(options.sweepInterval, defaults.sweepIntervalMs),
      shutdownMs: millis(options.shutdown, defaults.shutdownMs),
      maxConcurrent: options.maxConcurrent ?? defaults.maxConcurrent
    }
    if (!(timings.leaseRenewalMs >= 1)) return yield* invalid("leaseRenewal", "must be at least 1 ms")
    if (!(timings.leaseTtlMs >= 3 * timings.leaseRenewalMs)) {
      return yield* invalid(
        "leaseTtl",
        `is ${timings.leaseTtlMs} ms and must be at least three times leaseRenewal (${timings.leaseRenewalMs} ms)`
      )
    }
    if (!Number.isFinite(timings.shutdownMs)) return yield* invalid("shutdown", "must have an end")
    if (options.sweepInterval !== false && !(timings.sweepIntervalMs >= 1)) {
      return yield* invalid("sweepInterval", "must be at least 1 ms, or false")
    }
    if (!(Number.isSafeInteger(timings.maxConcurrent) && timings.maxConcurrent >= 1)) {
      return yield* invalid("maxConcurrent", "must be a whole number of at least 1")
    }
    return timings
  })

/** The checked options as a service. */
export const layer = (options: RuntimeOptions): Layer.Layer<RuntimeConfig, InputInvalid> =>
  Layer.effect(RuntimeConfig, check(options))

const millis = (input: Duration.DurationInput | undefined, fallback: number): number =>
  input === undefined ? fallback : Duration.toMillis(input)

const invalid = (field: string, problem: string) => new InputInvalid({ field, problem })
