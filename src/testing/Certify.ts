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
import * as ActivationLaws from "./ActivationLaws.ts"
import * as AppendLaws from "./AppendLaws.ts"
import * as AuthorityLaws from "./AuthorityLaws.ts"
import * as ChangeFeedLaws from "./ChangeFeedLaws.ts"
import * as ChildrenLaws from "./ChildrenLaws.ts"
import * as CompletionLaws from "./CompletionLaws.ts"
import * as DebtLaws from "./DebtLaws.ts"
import * as DeliveryLaws from "./DeliveryLaws.ts"
import * as EnvironmentLaws from "./EnvironmentLaws.ts"
import * as ExecutionLaws from "./ExecutionLaws.ts"
import * as FoldLaws from "./FoldLaws.ts"
import * as GrantLaws from "./GrantLaws.ts"
import * as KeeperLaws from "./KeeperLaws.ts"
import type { Law } from "./Law.ts"
import type { LawEnvOptions } from "./LawEnv.ts"
import * as LawEnv from "./LawEnv.ts"
import * as LeaseLaws from "./LeaseLaws.ts"
import * as ListLaws from "./ListLaws.ts"
import * as OrderingLaws from "./OrderingLaws.ts"
import * as OutboxLaws from "./OutboxLaws.ts"
import * as OutboxReportLaws from "./OutboxReportLaws.ts"
import * as PassivationLaws from "./PassivationLaws.ts"
import * as PromiseLaws from "./PromiseLaws.ts"
import * as ReclaimLaws from "./ReclaimLaws.ts"
import * as RecordLaws from "./RecordLaws.ts"
import * as RecoveryLaws from "./RecoveryLaws.ts"
import * as RegistrationLaws from "./RegistrationLaws.ts"
import * as ReplayLaws from "./ReplayLaws.ts"
import * as RequestLaws from "./RequestLaws.ts"
import * as RetentionLaws from "./RetentionLaws.ts"
import * as SessionLaws from "./SessionLaws.ts"
import * as SignalLaws from "./SignalLaws.ts"
import * as StartLaws from "./StartLaws.ts"
import * as TombstoneLaws from "./TombstoneLaws.ts"
import * as VerdictLaws from "./VerdictLaws.ts"
import * as WaitLaws from "./WaitLaws.ts"
import * as WakeLaws from "./WakeLaws.ts"

export { type Law, LawBroken } from "./Law.ts"
export {
  clockOfRealTime,
  controlledClock,
  LawClock,
  type LawEnv,
  type LawEnvOptions,
  layer as lawEnv
} from "./LawEnv.ts"

/** Every law a store must obey, grouped by what it is about. */
export const lawsBySubject: Readonly<Record<string, ReadonlyArray<Law>>> = {
  registration: RegistrationLaws.laws,
  append: AppendLaws.laws,
  replay: ReplayLaws.laws,
  lease: LeaseLaws.laws,
  keeper: KeeperLaws.laws,
  reclaim: ReclaimLaws.laws,
  activation: ActivationLaws.laws,
  start: StartLaws.laws,
  completion: CompletionLaws.laws,
  request: RequestLaws.laws,
  verdict: VerdictLaws.laws,
  recovery: RecoveryLaws.laws,
  authority: AuthorityLaws.laws,
  fold: FoldLaws.laws,
  ordering: OrderingLaws.laws,
  grant: GrantLaws.laws,
  session: SessionLaws.laws,
  wait: WaitLaws.laws,
  signal: SignalLaws.laws,
  execution: ExecutionLaws.laws,
  passivation: PassivationLaws.laws,
  wake: WakeLaws.laws,
  outbox: OutboxLaws.laws,
  delivery: DeliveryLaws.laws,
  "outbox report": OutboxReportLaws.laws,
  environment: EnvironmentLaws.laws,
  promise: PromiseLaws.laws,
  record: RecordLaws.laws,
  list: ListLaws.laws,
  retention: RetentionLaws.laws,
  tombstone: TombstoneLaws.laws,
  feed: ChangeFeedLaws.laws,
  children: [...ChildrenLaws.laws, ...DebtLaws.laws]
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
