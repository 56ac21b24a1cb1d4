/**
 * A request to start a process, as a session or a host states it. The grant and the environment's spec are no part of the
 * registration that follows from it.
 */
import * as Schema from "effect/Schema"
import type { Disposition } from "../../machines/recovery.ts"
import { EnvironmentSpec } from "./Environment.ts"
import * as EventType from "./EventType.ts"
import { HandleDescriptor } from "./Handle.ts"
import { type EnvironmentRef, ProcessId } from "./ids.ts"
import { renamed, renamedOptional } from "./json.ts"
import { Originator, SessionScope } from "./Provenance.ts"
import type { Registration } from "./Registration.ts"
import { make, ProcessInput, RecoveryDisposition } from "./Registration.ts"

/** Which scope may address the process from the start, and how it sees it. */
export const StartGrant = Schema.Struct({
  sessionScope: renamed("session_scope", SessionScope),
  descriptor: HandleDescriptor
})

/** Which scope may address the process from the start. */
export type StartGrant = typeof StartGrant.Type

/** A request to start a process. */
export const StartRequest = Schema.Struct({
  id: ProcessId,
  input: ProcessInput,
  disposition: RecoveryDisposition,
  envSpec: renamedOptional("env_spec", EnvironmentSpec),
  originator: Originator,
  wakeTarget: renamedOptional("wake_target", SessionScope),
  grant: Schema.optionalWith(StartGrant, { exact: true }),
  eventTypes: renamed("event_types", Schema.Array(EventType.EventType))
})

/** A request to start a process. */
export type StartRequest = typeof StartRequest.Type

/** A request for work that an outside system does: its input and disposition are given. */
export const external = (id: ProcessId, originator: Originator, metadata: unknown): StartRequest => ({
  id,
  input: { _tag: "External", metadata },
  disposition: "externally_owned" satisfies Disposition,
  originator,
  eventTypes: EventType.coreEventTypes
})

/** The registration of a request, without a cause. */
export const registrationOf = (request: StartRequest, envRef?: EnvironmentRef): Registration => ({
  ...make(request.id, request.input, request.disposition, { originator: request.originator }),
  eventTypes: request.eventTypes,
  ...(request.wakeTarget === undefined ? {} : { wakeTarget: request.wakeTarget }),
  ...(envRef === undefined ? {} : { envRef })
})
