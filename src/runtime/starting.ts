/**
 * From an engine and a payload to a registration.
 */
import * as Effect from "effect/Effect"
import { hashOf } from "../model/canonical.ts"
import type { InputInvalid, RegistrationInvalid } from "../model/errors.ts"
import type { EnvironmentRef } from "../model/ids.ts"
import { processId } from "../model/ids.ts"
import type { Provenance } from "../model/Provenance.ts"
import type { Parent, Registered } from "../model/Registration.ts"
import * as Registration from "../model/Registration.ts"
import type { Engine } from "./Engine.ts"
import type { AnySignal } from "./Signal.ts"

/** How to start a process. */
export interface StartSpec<Payload> {
  readonly id: string
  readonly payload: Payload
  readonly label?: string
  readonly provenance: Provenance
  readonly parent?: Parent
  /** Before this time no body begins. Units: epoch milliseconds, UTC. */
  readonly startAtMs?: number
}

/** The environment of a host that captures none: no plugin options, no policy. */
export const emptyEnvironment: EnvironmentRef =
  `process-env:sha256:${hashOf({ plugin_options: {}, policy: {} })}` as EnvironmentRef // the one constructor of this ref

/**
 * Encodes the payload, builds the registration and checks it.
 *
 * Fails with `InputInvalid` (the payload does not fit) or `RegistrationInvalid` (the id is blank), naming the field.
 */
export const registrationOf = <Payload, Success, Failure, R, Signals extends AnySignal>(
  engine: Engine<Payload, Success, Failure, R, Signals>,
  spec: StartSpec<Payload>
): Effect.Effect<Registered, InputInvalid | RegistrationInvalid> =>
  Effect.flatMap(engine.encodePayload(spec.payload), (payload) => {
    const { kind, version, disposition, maxAttempts } = engine
    const input = { _tag: "Engine", kind, payload: payload === undefined ? null : payload } as const
    return Registration.prepare({
      ...Registration.make(processId(spec.id), input, disposition, spec.provenance),
      identity: { kind, ...(spec.label === undefined ? {} : { label: spec.label }), definition: { kind, version } },
      eventTypes: engine.eventTypes,
      envRef: emptyEnvironment,
      ...(spec.parent === undefined ? {} : { parent: spec.parent }),
      ...(spec.startAtMs === undefined ? {} : { startAtMs: spec.startAtMs }),
      ...(maxAttempts === undefined ? {} : { maxAttempts })
    })
  })
