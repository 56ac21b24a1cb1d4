/**
 * What agent sessions do with processes: start them with a handle, and wait for, stop and signal what they may address.
 *
 * Invariant: a session addresses what its scope was granted, and what its own run has started. Who it is comes from its
 * scope, never from what it asks for.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import * as Output from "../model/AwaitOutput.ts"
import type { EngineMissing, EnvironmentUnusable, LeaseLost } from "../model/errors.ts"
import { CancelRefused, CompletionRefused, InputInvalid, ProcessNotVisible } from "../model/errors.ts"
import type { StartError } from "../model/failures.ts"
import type { CancelSummary, Handle, HandleDescriptor } from "../model/Handle.ts"
import { cancelSummaryOf, wire as handleWire } from "../model/Handle.ts"
import type { ProcessId } from "../model/ids.ts"
import * as Ids from "../model/ids.ts"
import { processId } from "../model/ids.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import { isTerminal } from "../model/ProcessRecord.ts"
import type { SessionScope } from "../model/Provenance.ts"
import { scopeId } from "../model/Provenance.ts"
import type { PreparedToolCall, Registration } from "../model/Registration.ts"
import * as Registrations from "../model/Registration.ts"
import type { StartRequest } from "../model/StartRequest.ts"
import { registrationOf } from "../model/StartRequest.ts"
import type { ToolOutput } from "../model/ToolOutput.ts"
import { fromAwaitOutput, runtimeFailure } from "../model/ToolOutput.ts"
import { Activations } from "../operations/Activations.ts"
import * as Checks from "../operations/checks.ts"
import * as Authority from "../operations/decisions/authority.ts"
import type { CompletionRefusal } from "../operations/decisions/completion.ts"
import { Environments } from "../operations/Environments.ts"
import type { Lookup } from "../operations/existing.ts"
import { grantOf, HandleGrants } from "../operations/HandleGrants.ts"
import { ProcessRegistry, readProcess } from "../operations/ProcessRegistry.ts"
import { everyGrant } from "../operations/pages.ts"
import type { Origin } from "../runtime/body/Origin.ts"
import * as Origins from "../runtime/body/Origin.ts"
import { sessionScopeOf } from "../runtime/body/Origin.ts"
import { Awaiter } from "../runtime/client/Awaiter.ts"
import { Engines } from "../runtime/engine/EngineRegistry.ts"
import { HostEnvironment } from "../runtime/HostEnvironment.ts"
import type { CancelAbilityService } from "../runtime/HostServices.ts"
import { hostServices, recordingOccurrence } from "../runtime/HostServices.ts"
import { Worker } from "../runtime/worker/Worker.ts"

/** Who asks: a session's scope, perhaps within a body. */
export interface Caller extends Origin {
  /** Other sessions in whose name it may start processes. @default none */
  readonly managed?: ReadonlyArray<string>
  /** Under which right it writes; a body presents its lease. @default the host's */
  readonly authority?: Authority.Authority
  /** Answers with the reason once the caller's run is asked to stop. @default it never is */
  readonly stopping?: Effect.Effect<string | null>
}

/** Why a session could not start a process. */
export type SessionStartError = StartError | EngineMissing | EnvironmentUnusable | Lookup

/** What agent sessions do with processes. */
export class SessionProcesses extends Context.Tag("holdfast/host/SessionProcesses")<
  SessionProcesses,
  {
    /**
     * Starts a process in a session's name: registers it, grants it to whom it wakes when a descriptor is given, and runs it.
     *
     * The registration's own provenance and wake target are replaced. Fails with `InputInvalid` for a session that is
     * neither the caller's nor managed by it, with `EngineMissing` for an engine that is not configured here. What the
     * occurrence of a trigger starts, or cannot start, is recorded with the host's trigger store.
     */
    readonly start: (
      sessionId: string,
      registration: Registration,
      caller: Caller,
      descriptor?: HandleDescriptor
    ) => Effect.Effect<ProcessRecord, SessionStartError>

    /** Starts what a request asks for; its originator, wake target and grant scope yield to the session's. */
    readonly startFromRequest: (
      sessionId: string,
      request: StartRequest,
      caller: Caller
    ) => Effect.Effect<ProcessRecord, SessionStartError>

    /** Starts a tool call as a process: the id is the call's, and it may run again after a crash. */
    readonly startToolCall: (
      sessionId: string,
      call: PreparedToolCall,
      caller: Caller
    ) => Effect.Effect<ProcessRecord, SessionStartError>

    /** Starts what a request asks for in the host's own name: originator, wake target and grant are taken as they are. */
    readonly startVerbatim: (request: StartRequest) => Effect.Effect<ProcessRecord, SessionStartError>

    /** Waits for the process of a handle, as a tool's output. A handle that is none, or not visible, is a failure in it. */
    readonly awaitHandle: (handle: unknown, caller: Caller) => Effect.Effect<ToolOutput>

    /** Asks the process of a handle to stop; answers its id and status, or why not. */
    readonly cancelHandle: (handle: unknown, caller: Caller) => Effect.Effect<ToolOutput>

    /** Sends a signal to the process of a handle, once for each call; answers its id and the event's sequence, or why not. */
    readonly signalHandle: (handle: unknown, signal: HandleSignal, caller: Caller) => Effect.Effect<ToolOutput>

    /** Checks that a scope may address each of these, ended ones included. */
    readonly validateVisible: (
      scope: SessionScope,
      ids: ReadonlyArray<ProcessId>
    ) => Effect.Effect<void, ProcessNotVisible | HandleError>

    /**
     * Asks everything that a scope may address and that still runs to stop, in the order of its list.
     *
     * Fails with `CancelRefused` for the first that the host's `CancelAbility` refuses, once the others were asked to stop.
     */
    readonly cancelAllVisible: (
      scope: SessionScope
    ) => Effect.Effect<ReadonlyArray<CancelSummary>, CancelRefused | ProcessNotVisible | HandleError>

    /** Takes back every grant but those to keep; a process that no session may address any more and that still runs is asked to stop. */
    readonly cancelUnreferenced: (
      scope: SessionScope,
      keep: ReadonlyArray<ProcessId>
    ) => Effect.Effect<ReadonlyArray<ProcessRecord>, HandleError>

    /** Ends external work in the name of a session that may address it. */
    readonly completeExternal: (
      scope: SessionScope,
      id: ProcessId,
      output: AwaitOutput
    ) => Effect.Effect<ProcessRecord, ProcessNotVisible | CompletionRefusal | CompletionRefused | HandleError>
  }
>() {}

/** What sessions do with processes, on the worker and store in context. */
export const layer: Layer.Layer<
  SessionProcesses,
  never,
  Worker | Engines | HostEnvironment | Environments | Activations | ProcessRegistry | HandleGrants | Awaiter
> = Layer.effect(
  SessionProcesses,
  Effect.gen(function* () {
    const worker = yield* Worker
    const engines = yield* Engines
    const host = yield* HostEnvironment
    const environments = yield* Environments
    const activations = yield* Activations
    const registry = yield* ProcessRegistry
    const grants = yield* HandleGrants
    const { triggers, cancels } = yield* hostServices
    const checks = yield* Checks.make
    const handles = handlesOf(registry, grants, yield* Awaiter, cancels)

    /** Registers first, then grants, then runs: what a crash leaves undone in between, the same start again repairs. */
    const launch = (
      registration: Registration,
      authority: Authority.Authority,
      grant: { readonly scope: SessionScope; readonly descriptor: HandleDescriptor } | undefined
    ) =>
      Effect.gen(function* () {
        if (grant !== undefined) yield* grantOf(checks, grant.scope, registration.id, grant.descriptor)
        if (registration.envRef !== undefined) yield* environments.load(registration.envRef)
        const identity = yield* engines.admit(registration)
        const registered = yield* Checks.registration({ ...registration, identity }, checks.taking)
        yield* activations.start(registered, authority)
        if (grant !== undefined) yield* grants.grantHandle(grant.scope, registration.id, grant.descriptor)
        yield* worker.recover(registration.id, [])
        return yield* readProcess(registry, registration.id)
      })

    const start: typeof SessionProcesses.Service.start = (sessionId, registration, caller, descriptor) =>
      Effect.gen(function* () {
        if (sessionId !== caller.sessionId && caller.managed?.includes(sessionId) !== true) {
          return yield* new InputInvalid({ field: "session", problem: `names an unknown session \`${sessionId}\`` })
        }
        const { originator, wakeTarget } = Origins.spawnProvenanceOf({ ...caller, sessionId })
        const cause = Origins.causedBy(caller)
        const { wakeTarget: _own, ...rest } = registration
        const started = launch(
          {
            ...rest,
            ...(yield* captured(registration, caller)),
            provenance: { originator, ...(cause === undefined ? {} : { causedBy: cause }) },
            ...(wakeTarget === undefined ? {} : { wakeTarget })
          },
          caller.authority ?? Authority.host,
          descriptor === undefined || wakeTarget === undefined ? undefined : { scope: wakeTarget, descriptor }
        )
        const record = yield* recordingOccurrence(triggers, cause, started)
        caller.runLocal.add(record.id)
        return record
      })

    /** The environment that a registration has, or else its caller's; sessions and outside systems have their own. */
    const captured = ({ envRef, input }: Registration, caller: Pick<Caller, "envRef">) =>
      envRef !== undefined || input._tag === "External" || input._tag === "SessionTurn"
        ? Effect.succeed({})
        : Effect.map(caller.envRef === undefined ? host.capture : Effect.succeed(caller.envRef), (ref) => ({
            envRef: ref
          }))

    const persisted = ({ envSpec }: StartRequest) =>
      envSpec === undefined ? Effect.succeed(undefined) : environments.persist(envSpec)

    return SessionProcesses.of({
      start,
      startFromRequest: (sessionId, request, caller) =>
        Effect.gen(function* () {
          const registration = registrationOf(request, yield* persisted(request))
          return yield* start(sessionId, registration, caller, request.grant?.descriptor ?? {})
        }),
      startToolCall: (sessionId, call, caller) => {
        const provenance = { originator: Origins.spawnProvenanceOf(caller).originator }
        const input = { _tag: "ToolCall", call } as const
        const eventTypes = engines.eventTypesOf(call)
        const registration = {
          ...Registrations.make(processId(call.callId), input, "rerunnable", provenance),
          ...(eventTypes === undefined ? {} : { eventTypes })
        }
        return start(sessionId, registration, caller, { kind: "tool", label: call.toolName })
      },
      startVerbatim: (request) =>
        Effect.gen(function* () {
          const registration = registrationOf(request, yield* persisted(request))
          const { grant } = request
          return yield* launch(
            { ...registration, ...(yield* captured(registration, {})) },
            Authority.host,
            grant && { scope: grant.sessionScope, descriptor: grant.descriptor }
          )
        }),
      ...handles
    })
  })
)

/** Why an operation on a handle could not be carried out, besides not being allowed. */
export type HandleError = InputInvalid | LeaseLost | Lookup

/** A signal by handle. `callId` is the tool call that sends it: sent again by the same call, it is the same signal. */
export interface HandleSignal {
  readonly name: string
  readonly payload: unknown
  readonly callId: string
}

/** Why a handle's process is asked to stop. */
export const cancelReason = "requested by process handle"

/** The operations on handles. */
const handlesOf = (
  registry: typeof ProcessRegistry.Service,
  grants: typeof HandleGrants.Service,
  awaiter: typeof Awaiter.Service,
  cancels: CancelAbilityService
): Omit<typeof SessionProcesses.Service, "start" | "startFromRequest" | "startToolCall" | "startVerbatim"> => {
  const visible = (scope: SessionScope, id: ProcessId) =>
    Effect.flatMap(grants.hasHandleGrant(scope, id), (has) =>
      has ? Effect.void : Effect.fail(new ProcessNotVisible({ processId: id, scopeId: scopeId(scope), needed: "any" }))
    )

  const cancel = (id: ProcessId, authority: Authority.Authority = Authority.host) =>
    registry.requestProcessCancel(id, cancelReason, authority)

  /** Fails where the host refuses. A host that cannot judge does not allow. */
  const judged = (scope: SessionScope, id: ProcessId) =>
    Effect.suspend(() => cancels.judge({ processId: id, scope, source: "process", reason: cancelReason })).pipe(
      Effect.catchAllDefect((defect) =>
        Effect.as(Effect.logWarning("the cancel ability of this host broke", defect), {
          _tag: "Refused" as const,
          problem: "it could not judge the request"
        })
      ),
      Effect.flatMap((verdict) =>
        verdict._tag === "Allowed"
          ? Effect.void
          : Effect.fail(new CancelRefused({ processId: id, problem: verdict.problem }))
      )
    )

  /** Stops what the scope may address, if the host allows it. */
  const cancelVisible = (scope: SessionScope, id: ProcessId, authority?: Authority.Authority) =>
    visible(scope, id).pipe(Effect.zipRight(judged(scope, id)), Effect.zipRight(cancel(id, authority)))

  /** Waits; a caller that is asked to stop meanwhile stops the child, and still waits for its end. */
  const awaited = (id: ProcessId, caller: Caller) => {
    const { stopping } = caller
    const end = awaiter.awaitProcess(id)
    if (stopping === undefined) return end
    return Effect.raceFirst(
      end,
      Effect.flatMap(stopping, (reason) =>
        Effect.flatMap(cancel(id, caller.authority), (record) =>
          // Only the outside system can end external work: its caller must not wait for that.
          record.disposition === "externally_owned" && !isTerminal(record)
            ? Effect.succeed(Output.cancelled(reason ?? "cancelled"))
            : end
        )
      )
    )
  }

  return {
    awaitHandle: (handle, caller) =>
      replying("process_await_failed", "", (id) =>
        Effect.gen(function* () {
          if (!caller.runLocal.has(id)) yield* visible(sessionScopeOf(caller), id)
          return fromAwaitOutput(yield* awaited(id, caller))
        })
      )(handle),
    cancelHandle: (handle, caller) =>
      replying("process_cancel_failed", "cancel failed: ", (id) =>
        Effect.map(
          caller.runLocal.has(id)
            ? cancel(id, caller.authority)
            : cancelVisible(sessionScopeOf(caller), id, caller.authority),
          (record) => answered(handleWire.cancelSummary.encode(cancelSummaryOf(record)))
        )
      )(handle),
    signalHandle: (handle, { name, payload, callId }, caller) =>
      replying("process_signal_failed", "signal failed: ", (id) =>
        Effect.gen(function* () {
          const problem = Ids.signalNameProblem(name)
          if (problem !== undefined) return yield* new InputInvalid({ field: "process", problem })
          const scope = sessionScopeOf(caller)
          const notLive = new ProcessNotVisible({ processId: id, scopeId: scopeId(scope), needed: "live" })
          if (!(yield* grants.hasHandleGrant(scope, id))) return yield* notLive
          const { event } = yield* registry
            .signal(id, { name, payload, signalId: `process-${callId}` }, caller.authority ?? Authority.external)
            .pipe(Effect.catchTag("ProcessAlreadyTerminal", "ProcessUnknown", () => notLive))
          return answered({ process_id: id, sequence: event.sequence })
        })
      )(handle),
    validateVisible: (scope, ids) => Effect.forEach(ids, (id) => visible(scope, id), { discard: true }),
    cancelAllVisible: (scope) =>
      Effect.gen(function* () {
        const summaries: Array<CancelSummary> = []
        let refused: CancelRefused | undefined
        for (const { record } of yield* everyGrant((page) => grants.listLiveHandleGrants(scope, page))) {
          const outcome = yield* cancelVisible(scope, record.id).pipe(
            Effect.map(cancelSummaryOf),
            Effect.catchTag("CancelRefused", Effect.succeed)
          )
          if (outcome instanceof CancelRefused) refused ??= outcome
          else summaries.push(outcome)
        }
        return refused === undefined ? summaries : yield* refused
      }),
    cancelUnreferenced: (scope, keep) =>
      Effect.gen(function* () {
        const kept = new Set(keep)
        const cancelled: Array<ProcessRecord> = []
        for (const { record } of yield* everyGrant((page) => grants.listHandleGrants(scope, page))) {
          if (kept.has(record.id)) continue
          yield* grants.revokeHandle(scope, record.id)
          if (isTerminal(record)) continue
          if ((yield* grants.handleGrantsForProcess(record.id)).length > 0) continue
          cancelled.push(yield* cancel(record.id))
        }
        return cancelled
      }),
    completeExternal: (scope, id, output: AwaitOutput) =>
      Effect.gen(function* () {
        yield* visible(scope, id)
        const { disposition } = yield* readProcess(registry, id)
        if (disposition !== "externally_owned") {
          const detail = "it is not externally-owned"
          return yield* new CompletionRefused({ processId: id, authority: "external_owner", disposition, detail })
        }
        return yield* registry.completeProcess(id, output, { _tag: "ExternalOwner" })
      })
  }
}

/** Turns an operation on a process into one on a handle, whose refusals are outputs that a model can read. */
const replying =
  <E extends { readonly message: string }>(
    code: string,
    prefix: string,
    perform: (id: ProcessId) => Effect.Effect<ToolOutput, E>
  ): ((handle: unknown) => Effect.Effect<ToolOutput>) =>
  (json) =>
    Effect.suspend((): Effect.Effect<Handle, InputInvalid> => handleWire.handle.decode(json)).pipe(
      Effect.flatMap(({ id }): Effect.Effect<ToolOutput, E | InputInvalid> => perform(id)),
      Effect.catchAll((error) => Effect.succeed(runtimeFailure("invalid_request", code, `${prefix}${error.message}`)))
    )

const answered = (value: unknown): ToolOutput => ({ _tag: "Success", value })
