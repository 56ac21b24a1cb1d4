/**
 * The wake outbox on any store: each operation is its input check, one decision, one transaction.
 */

import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { StoreError } from "../model/errors.ts"
import { InputInvalid } from "../model/errors.ts"
import type {
  ClaimReport,
  RedriveOutcome,
  Settlement,
  SettleOutcome,
  WakeClaim,
  WakeQuery,
  WakeReport,
  WakeRow
} from "../store/Outbox.ts"
import { maxClaims, maxListed, WakeTimings } from "../store/Outbox.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Inputs from "./checks.ts"
import * as Decisions from "./decisions/outbox.ts"

/** The wake outbox. */
export class WakeOutbox extends Context.Tag("holdfast/store/WakeOutbox")<
  WakeOutbox,
  {
    /**
     * Claims at most `limit` wakes that are due, in one transaction. Stale claims return to pending first.
     *
     * Fails with `InputInvalid` for a limit that is not from 1 to {@link maxClaims}, with `StoreError`: claim again; what was
     * claimed unheard is stale in a while.
     */
    readonly claim: (limit: number) => Effect.Effect<ClaimReport, InputInvalid | StoreError>
    /** Says how a delivery went. Fails with `InputInvalid`, or with `StoreError`: settle again, which is safe. */
    readonly settle: (
      claim: Pick<WakeClaim, "number" | "token">,
      settlement: Settlement
    ) => Effect.Effect<SettleOutcome, InputInvalid | StoreError>
    /** Makes the discarded wakes of an id due again, as if they were fresh. */
    readonly redrive: (wakeId: string) => Effect.Effect<RedriveOutcome, InputInvalid | StoreError>
    /** Whether a claim would find something now. */
    readonly isDue: Effect.Effect<boolean, StoreError>
    /** Every wake that was owed under an id and has not been pruned, oldest first. */
    readonly rowsOf: (wakeId: string) => Effect.Effect<ReadonlyArray<WakeRow>, InputInvalid | StoreError>
    /** Lists wakes, the newest first. Fails with `InputInvalid` for a limit that is not from 1 to {@link maxListed}. */
    readonly list: (query: WakeQuery) => Effect.Effect<ReadonlyArray<WakeRow>, InputInvalid | StoreError>
    readonly report: Effect.Effect<WakeReport, StoreError>
  }
>() {}

/** Builds the outbox on a store. */
export const make: Effect.Effect<typeof WakeOutbox.Service, never, ProcessStore> = Effect.map(
  Effect.all([ProcessStore, Inputs.make, WakeTimings]),
  ([store, inputs, times]) =>
    WakeOutbox.of({
      claim: (limit) =>
        Effect.flatMap(upTo(maxClaims, limit), () =>
          store.transact({ lock: [] }, Decisions.claim({ limit, token: randomUUID() }, times))
        ),
      settle: Effect.fnUntraced(function* (claim, settlement) {
        yield* Inputs.count("number", claim.number)
        yield* Inputs.text("token", claim.token)
        const checked = yield* inputs.shape("settlement", SettlementShape, settlement)
        return yield* store.transact({ lock: [] }, Decisions.settle(claim, checked))
      }),
      redrive: (wakeId) =>
        Effect.flatMap(Inputs.text("wake_id", wakeId), (id) =>
          store.transact({ lock: [] }, Decisions.redrive(id, times))
        ),
      isDue: Effect.flatMap(Clock.currentTimeMillis, store.outbox.isDue),
      rowsOf: (wakeId) => Effect.flatMap(Inputs.text("wake_id", wakeId), store.outbox.rowsOf),
      list: (query) => Effect.flatMap(upTo(maxListed, query.limit), () => store.outbox.list(query)),
      report: store.outbox.report
    })
)

/** The outbox of the store in context. */
export const layer: Layer.Layer<WakeOutbox, never, ProcessStore> = Layer.effect(WakeOutbox, make)

const upTo = (most: number, limit: number): Effect.Effect<void, InputInvalid> =>
  Number.isSafeInteger(limit) && limit >= 1 && limit <= most
    ? Effect.void
    : Effect.fail(
        new InputInvalid({ field: "limit", problem: `is ${limit}; it must be a whole number from 1 to ${most}` })
      )

const SettlementShape = Schema.Union(
  Schema.Struct({ _tag: Schema.Literal("Enqueued") }),
  Schema.Struct({
    _tag: Schema.Literal("Defer"),
    delayMs: Schema.NonNegativeInt,
    seen: Schema.Literal("no", "unknown")
  }),
  Schema.Struct({ _tag: Schema.Literal("Discard"), reason: Schema.Literal("expired", "target_gone", "retargeted") })
)
