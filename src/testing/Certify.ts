/**
 * Certification of a store: every law is checked on it, and the report names the broken ones with what was found.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type { ProcessStore } from "../store/ProcessStore.ts"
import type { Law, LawEnvOptions } from "./Law.ts"
import * as LawEnv from "./Law.ts"
import * as ActivationLaws from "./laws/ActivationLaws.ts"
import * as AppendLaws from "./laws/AppendLaws.ts"
import * as ChildrenLaws from "./laws/ChildrenLaws.ts"
import * as CompletionLaws from "./laws/CompletionLaws.ts"
import * as DeliveryLaws from "./laws/DeliveryLaws.ts"
import * as ExecutionLaws from "./laws/ExecutionLaws.ts"
import * as ForkLaws from "./laws/ForkLaws.ts"
import * as GrantLaws from "./laws/GrantLaws.ts"
import * as LeaseLaws from "./laws/LeaseLaws.ts"
import * as ListLaws from "./laws/ListLaws.ts"
import * as OrderingLaws from "./laws/OrderingLaws.ts"
import * as PrunedLaws from "./laws/PrunedLaws.ts"
import * as ReadLaws from "./laws/ReadLaws.ts"
import * as RecordLaws from "./laws/RecordLaws.ts"
import * as RegistrationLaws from "./laws/RegistrationLaws.ts"
import * as RenewalLaws from "./laws/RenewalLaws.ts"
import * as ReplayLaws from "./laws/ReplayLaws.ts"
import * as RetentionLaws from "./laws/RetentionLaws.ts"
import * as VerdictLaws from "./laws/VerdictLaws.ts"
import * as WaitLaws from "./laws/WaitLaws.ts"
import * as WakeLaws from "./laws/WakeLaws.ts"

export { type RandomBodiesOptions, tryRandomBodies } from "./bodies/RandomBodies.ts"
export {
  type CheckedReplay,
  type CheckReplayOptions,
  checkReplay,
  type Input,
  type SignalInput
} from "./bodies/ReplayLaw.ts"
export { ReplayBroken } from "./bodies/verdict.ts"
export { type Database, sharing } from "./bodies/World.ts"
export {
  clockOfRealTime,
  controlledClock,
  type Law,
  LawBroken,
  LawClock,
  type LawEnv,
  type LawEnvOptions,
  layer as lawEnv
} from "./Law.ts"
export * as Machines from "./Machines.ts"
export * as TestHost from "./TestHost.ts"

/** Every law a store must obey, grouped by what it is about. */
export const lawsBySubject: Readonly<Record<string, ReadonlyArray<Law>>> = {
  registration: RegistrationLaws.laws,
  append: AppendLaws.laws,
  lease: LeaseLaws.laws,
  renewal: RenewalLaws.laws,
  activation: ActivationLaws.laws,
  completion: CompletionLaws.laws,
  verdict: VerdictLaws.laws,
  record: RecordLaws.laws,
  ordering: OrderingLaws.laws,
  reading: ReadLaws.laws,
  grant: GrantLaws.laws,
  wait: WaitLaws.laws,
  execution: ExecutionLaws.laws,
  replay: [...ReplayLaws.laws, ...ForkLaws.laws],
  wake: WakeLaws.laws,
  delivery: DeliveryLaws.laws,
  list: ListLaws.laws,
  retention: [...RetentionLaws.laws, ...PrunedLaws.laws],
  children: ChildrenLaws.laws
}

/** Every law a store must obey. */
export const allLaws: ReadonlyArray<Law> = Object.values(lawsBySubject).flat()

/** Which laws a store obeys, and what is wrong where it does not. */
export interface Report {
  readonly passed: ReadonlyArray<string>
  readonly failed: ReadonlyArray<{ readonly law: string; readonly problem: string }>
}

/** How a certification is carried out. */
export interface CertifyOptions extends LawEnvOptions {
  /** @default allLaws */
  readonly laws?: ReadonlyArray<Law>
  /** How long one law may take before it counts as broken. @default 10 seconds */
  readonly patience?: Duration.DurationInput
}

/**
 * Checks the laws on a store, one after the other, in one fresh instance of it.
 *
 * A law that does not end in time, or dies, is broken. Fails only when the store cannot be built.
 */
export const certify = <E>(
  store: Layer.Layer<ProcessStore, E>,
  options: CertifyOptions = {}
): Effect.Effect<Report, E> =>
  Effect.forEach(options.laws ?? allLaws, (law) =>
    Effect.map(outcomeOf(law, options.patience ?? "10 seconds"), (problem) => ({ law: law.name, problem }))
  ).pipe(
    Effect.map((outcomes) => ({
      passed: outcomes.flatMap(({ law, problem }) => (problem === undefined ? [law] : [])),
      failed: outcomes.flatMap(({ law, problem }) => (problem === undefined ? [] : [{ law, problem }]))
    })),
    Effect.provide(LawEnv.layer(store, options))
  )

/** The report as text: the totals, then every broken law with what was found. */
export const render = ({ passed, failed }: Report): string =>
  [
    `${passed.length} of ${passed.length + failed.length} laws are kept`,
    ...failed.map(({ law, problem }) => `✗ ${law}\n    ${problem}`)
  ].join("\n")

const outcomeOf = (
  law: Law,
  patience: Duration.DurationInput
): Effect.Effect<string | undefined, never, LawEnv.LawEnv> =>
  law.check.pipe(
    Effect.timeoutFail({
      duration: patience,
      onTimeout: () => ({ message: `it did not end within ${Duration.format(patience)}` })
    }),
    Effect.withClock(Clock.make()),
    Effect.exit,
    Effect.map((exit) => (Exit.isSuccess(exit) ? undefined : problemOf(exit.cause)))
  )

const problemOf = (cause: Cause.Cause<{ readonly message: string }>): string =>
  Cause.isFailType(cause) ? cause.error.message : Cause.pretty(cause)
