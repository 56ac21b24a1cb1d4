/**
 * Carries requests about processes out, as data in and data out: for effect controllers that journal what they ask for.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import type {
  EngineMissing,
  GrantMissing,
  InputInvalid,
  LeaseLost,
  ParentClosing,
  ProcessIdConflict,
  RegistrationInvalid
} from "../model/errors.ts"
import { EventRejected } from "../model/errors.ts"
import type { GrantPage, SessionDeleteReport } from "../model/Handle.ts"
import { causalRefOf } from "../model/Invocation.ts"
import { signalEventType } from "../model/ids.ts"
import type { ProcessEffect } from "../model/ProcessEffect.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import * as Checks from "../operations/checks.ts"
import type { AppendRefusal } from "../operations/decisions/append.ts"
import * as Authority from "../operations/decisions/authority.ts"
import type { Lookup } from "../operations/existing.ts"
import { grantOf, HandleGrants } from "../operations/HandleGrants.ts"
import { ProcessRegistry, readProcess } from "../operations/ProcessRegistry.ts"
import { hostServices, recordingOccurrence } from "../runtime/HostServices.ts"
import { Worker } from "../runtime/worker/Worker.ts"
import { WorkDriver } from "../supervision/WorkDriver.ts"

/** What became of a request. */
export type EffectOutcome =
  | { readonly _tag: "Started" | "Cancelled"; readonly record: ProcessRecord }
  | ({ readonly _tag: "Listed" } & GrantPage)
  | { readonly _tag: "Transferred" }
  | { readonly _tag: "SessionDeleted"; readonly report: SessionDeleteReport }
  | { readonly _tag: "Awaited"; readonly output: AwaitOutput }
  | { readonly _tag: "Signalled"; readonly event: ProcessEvent }

/** Why a request could not be carried out. */
export type EffectError =
  | RegistrationInvalid
  | ProcessIdConflict
  | ParentClosing
  | EngineMissing
  | GrantMissing
  | AppendRefusal
  | LeaseLost
  | InputInvalid
  | Lookup
  | Effect.Effect.Error<ReturnType<typeof WorkDriver.Service.awaitTerminal>>

/** Carries requests about processes out. */
export class ProcessEffects extends Context.Tag("holdfast/host/ProcessEffects")<
  ProcessEffects,
  {
    /** Carries one request out. Asking again for the same is safe: every one of them is idempotent. */
    readonly perform: (effect: ProcessEffect) => Effect.Effect<EffectOutcome, EffectError>
  }
>() {}

/** Carries requests out on the worker, store and driver in context. */
export const layer: Layer.Layer<ProcessEffects, never, Required> = Layer.effect(
  ProcessEffects,
  Effect.map(Effect.context<Required>(), (context) => ({
    perform: (effect) => Effect.provide(perform(effect), context)
  }))
)

type Required = Worker | ProcessRegistry | HandleGrants | WorkDriver

const perform = (effect: ProcessEffect): Effect.Effect<EffectOutcome, EffectError, Required> =>
  Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    const grants = yield* HandleGrants
    switch (effect._tag) {
      case "Start":
        return { _tag: "Started", record: yield* recorded(effect) }
      case "List": {
        const list = effect.mode === "live" ? grants.listLiveHandleGrants : grants.listHandleGrants
        const { _tag, mode: _mode, sessionScope, ...page } = effect
        return { _tag: "Listed", ...(yield* list(sessionScope, page)) }
      }
      case "Transfer":
        yield* grants.transferHandleGrants(effect.from, effect.to, effect.ids)
        return { _tag: "Transferred" }
      case "DeleteSession":
        return { _tag: "SessionDeleted", report: yield* grants.deleteSessionProcessState(effect.sessionId) }
      case "Await":
        return { _tag: "Awaited", output: yield* (yield* WorkDriver).awaitTerminal(effect.processId) }
      case "Cancel": {
        const { processId, reason = null } = effect
        return { _tag: "Cancelled", record: yield* registry.requestProcessCancel(processId, reason, Authority.host) }
      }
      case "Signal":
        return { _tag: "Signalled", event: yield* signalled(effect) }
    }
  })

type Of<Tag extends ProcessEffect["_tag"]> = Extract<ProcessEffect, { readonly _tag: Tag }>

/** What the occurrence of a trigger starts is recorded as that. */
const recorded = (effect: Of<"Start">) =>
  Effect.flatMap(hostServices, ({ triggers }) => {
    const cause = effect.executionContext?.causalInvocation
    return recordingOccurrence(triggers, cause && causalRefOf(cause), started(effect))
  })

/** Registered, granted, then run: what a crash leaves undone in between, the same request again repairs. */
const started = ({ registration, grant, executionContext }: Of<"Start">) =>
  Effect.gen(function* () {
    const worker = yield* Worker
    const registry = yield* ProcessRegistry
    const cause = executionContext?.causalInvocation
    const provenance =
      cause === undefined || registration.provenance.causedBy !== undefined
        ? registration.provenance
        : { ...registration.provenance, causedBy: causalRefOf(cause) }
    const checks = yield* Checks.make
    if (grant !== undefined) yield* grantOf(checks, grant.sessionScope, registration.id, grant.descriptor)
    const registered = yield* Checks.registration({ ...registration, provenance }, checks.taking)
    yield* worker.start(registered, Authority.host)
    if (grant !== undefined) {
      yield* Effect.flatMap(HandleGrants, (grants) =>
        grants.grantHandle(grant.sessionScope, registration.id, grant.descriptor)
      )
    }
    return yield* readProcess(registry, registration.id)
  })

/** The request must be the signal that the effect names: its event type and its replay key follow from that. */
const signalled = ({ processId, signalName, signalId, request }: Of<"Signal">) =>
  Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    const eventType = signalEventType(signalName)
    if (request.eventType !== eventType) {
      const detail = `the request's event type is \`${request.eventType}\`, and the signal's is \`${eventType}\``
      return yield* new EventRejected({ processId, eventType: request.eventType, reason: "undeclared", detail })
    }
    const { payload, wakeTargetScope } = request
    const signal = {
      name: signalName,
      payload,
      signalId,
      ...(wakeTargetScope === undefined ? {} : { wakeTargetScope })
    }
    return (yield* registry.signal(processId, signal, Authority.external)).event
  })
