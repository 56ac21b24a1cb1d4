/**
 * The registry on any store: each operation is its input check, one decision, one transaction.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { RegistrationInvalid } from "../model/errors.ts"
import * as Facts from "../model/facts.ts"
import { ProcessId as ProcessIdSchema } from "../model/ids.ts"
import { optional } from "../model/json.ts"
import { LeaseOwner } from "../model/Lease.ts"
import * as Filter from "../model/ListFilter.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import * as Record from "../model/ProcessRecord.ts"
import * as Registration from "../model/Registration.ts"
import * as Activation from "./decisions/activation.ts"
import * as Append from "./decisions/append.ts"
import * as Completion from "./decisions/completion.ts"
import * as Records from "./decisions/records.ts"
import * as Register from "./decisions/register.ts"
import * as Inputs from "./inputs.ts"
import { onKnown, readingKnown } from "./known.ts"
import { ProcessRegistry } from "./ProcessRegistry.ts"
import type { ProcessRow } from "./ProcessStore.ts"
import { ProcessStore } from "./ProcessStore.ts"

/** Builds the registry on a store. */
export const make: Effect.Effect<typeof ProcessRegistry.Service, never, ProcessStore> = Effect.map(
  Effect.all([ProcessStore, Inputs.make]),
  ([store, inputs]) => {
    const known = onKnown(store)
    const reading = readingKnown(store)

    return ProcessRegistry.of({
      registerProcess: Effect.fnUntraced(function* (registration) {
        const shaped = yield* Either.mapLeft(
          Inputs.fitting("", Registration.Registration, registration),
          ({ field, problem }) =>
            new RegistrationInvalid({
              processId: idOf(registration),
              field: field.slice(1) || "registration",
              problem
            })
        )
        const registered = yield* Registration.prepare(shaped, inputs.maxLength)
        return recordOf(
          yield* store.transact(Register.registerPlan(registered.registration), Register.register(registered))
        )
      }),
      appendEvent: Effect.fnUntraced(function* (id, request, authority) {
        yield* Inputs.id(id)
        yield* Inputs.authority(authority)
        const checked = yield* inputs.appendRequest(request)
        return yield* known(id, Append.appendPlan(id, checked, authority), Append.append(id, checked, authority))
      }),
      recordFirstStarted: Effect.fnUntraced(function* (id, started) {
        yield* Inputs.id(id)
        const checked = yield* inputs.shape("started", FirstStarted, started)
        return recordOf(yield* known(id, { lock: [id] }, Activation.recordFirstStarted(id, checked)))
      }),
      completeProcessWithLease: Effect.fnUntraced(function* (lease, output) {
        const { processId } = yield* Inputs.lease("lease", lease)
        const checked = yield* inputs.output(output)
        const plan = Completion.completionPlan(processId, checked)
        return recordOf(yield* known(processId, plan, Completion.completeWithLease(lease, checked)))
      }),
      completeProcess: Effect.fnUntraced(function* (id, output, authority) {
        yield* Inputs.id(id)
        yield* inputs.shape("authority", CompletionAuthority, authority)
        const checked = yield* inputs.output(output)
        const plan = Completion.completionPlan(id, checked)
        return recordOf(yield* known(id, plan, Completion.completeWithAuthority(id, checked, authority)))
      }),
      requestProcessCancel: Effect.fnUntraced(function* (id, reason, authority) {
        yield* Inputs.id(id)
        yield* Inputs.authority(authority)
        const checked = yield* inputs.shape("reason", Schema.NullOr(Schema.String), reason)
        const plan = Completion.cancelPlan(id, checked, authority)
        return recordOf(yield* known(id, plan, Completion.requestCancel(id, checked, authority)))
      }),
      requestProcessAbandon: Effect.fnUntraced(function* (id, request, authority) {
        yield* Inputs.id(id)
        yield* Inputs.authority(authority)
        const checked = yield* inputs.shape("request", Facts.AbandonRequest, request)
        return recordOf(
          yield* known(id, Completion.abandonPlan(id, authority), Completion.requestAbandon(id, checked, authority))
        )
      }),
      setExternalRef: Effect.fnUntraced(function* (id, externalRef, authority) {
        yield* Inputs.id(id)
        yield* Inputs.authority(authority)
        const checked = yield* inputs.shape("external_ref", Facts.ExternalRef, externalRef)
        const lock = "lease" in authority ? [id, authority.lease.processId] : [id]
        return recordOf(yield* known(id, { lock }, Records.setExternalRef(id, checked, authority)))
      }),
      ackWake: Effect.fnUntraced(function* (id, sequence) {
        yield* Inputs.id(id)
        const checked = yield* Inputs.count("sequence", sequence)
        yield* known(id, { lock: [id] }, Records.ackWake(id, checked))
      }),
      getProcess: (id) =>
        Effect.flatMap(store.find(id), (found) => {
          switch (found._tag) {
            case "Present":
              return Effect.succeed(recordOf(found.row))
            case "Pruned":
              return Effect.fail(Register.prunedError(found.tombstone))
            case "Absent":
              return Effect.succeed(undefined)
          }
        }),
      eventsAfter: Effect.fnUntraced(function* (id, sequence, limit) {
        yield* Inputs.id(id)
        const page = yield* Inputs.page(sequence, limit)
        return yield* reading(id, store.eventsAfter(id, page.sequence, page.limit))
      }),
      countEventsThrough: Effect.fnUntraced(function* (id, eventType, upto) {
        yield* Inputs.id(id)
        yield* Inputs.text("event_type", eventType)
        return yield* reading(id, store.countEvents(id, eventType, yield* Inputs.count("upto", upto)))
      }),
      recentEvents: Effect.fnUntraced(function* (id, limit) {
        yield* Inputs.id(id)
        return yield* reading(id, store.recentEvents(id, yield* Inputs.count("limit", limit)))
      }),
      wakeEventsAfter: Effect.fnUntraced(function* (id, sequence) {
        yield* Inputs.id(id)
        return yield* reading(id, store.wakeEventsAfter(id, yield* Inputs.count("sequence", sequence)))
      }),
      listProcesses: Effect.fnUntraced(function* (filter, page = {}) {
        const checked = yield* Filter.check(filter)
        const { after, limit = 100 } = yield* inputs.shape("page", Page, page)
        const most = yield* Inputs.count("page/limit", limit)
        const rows = yield* store.list({ filter: checked, limit: most, ...(after === undefined ? {} : { after }) })
        return rows.map(recordOf)
      }),
      listNonTerminal: Effect.map(store.listNonTerminal, (rows) => rows.map(recordOf))
    })
  }
)

/** The registry on the store in context. */
export const layer: Layer.Layer<ProcessRegistry, never, ProcessStore> = Layer.effect(ProcessRegistry, make)

/** The record of a row. */
export const recordOf = (row: ProcessRow): ProcessRecord => Record.make(row.base, row.snapshot)

const idOf = (registration: unknown): string =>
  typeof registration === "object" && registration !== null && "id" in registration ? String(registration.id) : ""

const FirstStarted = Schema.Struct({ owner: LeaseOwner, startedAtMs: Schema.Int })

const Page = Schema.Struct({ after: optional(ProcessIdSchema), limit: optional(Schema.Number) })

const CompletionAuthority = Schema.Union(
  Schema.Struct({ _tag: Schema.Literal("ExternalOwner", "ReconciledAbandon") }),
  Schema.Struct({ _tag: Schema.Literal("WorkflowKey"), workflowKey: Schema.String })
)
