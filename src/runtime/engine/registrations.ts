/**
 * From what a caller wants to run to a registration: an engine with its payload, a tool call, a session's turn, or work that
 * an outside system does.
 */
import * as Effect from "effect/Effect"
import * as Environment from "../../model/Environment.ts"
import { coreEventTypes, fixed } from "../../model/EventType.ts"
import type { InputInvalid, RegistrationInvalid } from "../../model/errors.ts"
import type { EnvironmentRef } from "../../model/ids.ts"
import { processId } from "../../model/ids.ts"
import type { Provenance, SessionScope } from "../../model/Provenance.ts"
import type { Parent, PreparedToolCall, ProcessInput, Registered } from "../../model/Registration.ts"
import * as Registration from "../../model/Registration.ts"
import type { Engine } from "./Engine.ts"
import type { TurnSpec } from "./SessionTurn.ts"
import type { AnySignal } from "./Signal.ts"
import type { Tool } from "./Tool.ts"

/** What every start says. */
export interface StartFacts {
  readonly id: string
  readonly label?: string
  readonly provenance: Provenance
  readonly parent?: Parent
  /** Before this time no body begins. Units: epoch milliseconds, UTC. */
  readonly startAtMs?: number
  readonly wakeTarget?: SessionScope
}

/** How to start a process of an engine. */
export interface StartSpec<Payload> extends StartFacts {
  readonly payload: Payload
  /** @default the empty environment */
  readonly envRef?: EnvironmentRef
}

/** The environment of a host that captures none: no plugin options, no policy. */
export const emptyEnvironment: EnvironmentRef = Environment.emptyRef

/**
 * Encodes the payload, lets the engine judge it, builds the registration and checks it.
 *
 * Fails with `InputInvalid` (the payload does not fit) or `RegistrationInvalid` (the id is blank), naming the field.
 */
export const registrationOf = <Payload, Success, Failure, R, Signals extends AnySignal>(
  engine: Engine<Payload, Success, Failure, R, Signals>,
  spec: StartSpec<Payload>
): Effect.Effect<Registered, InputInvalid | RegistrationInvalid> =>
  Effect.flatMap(engine.encodePayload(spec.payload), (encoded) => {
    const payload = encoded === undefined ? null : encoded
    const { kind, disposition, maxAttempts } = engine
    const input = { _tag: "Engine", kind, payload } as const
    return Effect.flatMap(engine.admit(payload), (identity) =>
      Registration.prepare({
        ...drafted(input, disposition, spec),
        identity: { ...identity, ...labelOf(spec) },
        envRef: spec.envRef ?? emptyEnvironment,
        eventTypes: engine.eventTypes,
        ...(maxAttempts === undefined ? {} : { maxAttempts })
      })
    )
  })

/** The registration of a tool call; the id of the call is the process's, unless the facts name another. */
export const toolRegistrationOf = <Args, Success, Failure, R>(
  tool: Tool<Args, Success, Failure, R>,
  call: PreparedToolCall,
  envRef: EnvironmentRef,
  facts: Omit<StartFacts, "id"> & { readonly id?: string }
): Effect.Effect<Registered, RegistrationInvalid> => {
  const { disposition, maxAttempts } = tool
  return Registration.prepare({
    ...plain({ _tag: "ToolCall", call }, disposition, { ...facts, id: facts.id ?? call.callId }),
    envRef,
    ...(maxAttempts === undefined ? {} : { maxAttempts })
  })
}

/** The registration of a session's turn: it captures no environment, since its session has one of its own. */
export const turnRegistrationOf = (
  { createRequest, turnInput, outputContract, disposition, events = [] }: TurnSpec,
  facts: StartFacts
): Effect.Effect<Registered, RegistrationInvalid> => {
  const draft = plain({ _tag: "SessionTurn", createRequest, turnInput, outputContract }, disposition, facts)
  return Registration.prepare(
    events.length === 0
      ? draft
      : { ...draft, eventTypes: fixed([...events.map(({ type }) => type), ...coreEventTypes]) }
  )
}

/** The registration of external work, whose environment is no concern of a host. */
export const externalRegistrationOf = (
  metadata: unknown,
  facts: StartFacts
): Effect.Effect<Registered, RegistrationInvalid> =>
  Registration.prepare(plain({ _tag: "External", metadata }, "externally_owned", facts))

/** A draft whose identity is its input's, under the label that the start gives it. */
const plain = (
  input: ProcessInput,
  disposition: Registration.Registration["disposition"],
  facts: StartFacts
): Registration.Registration => {
  const draft = drafted(input, disposition, facts)
  return { ...draft, identity: { ...draft.identity, ...labelOf(facts) } }
}

const drafted = (
  input: ProcessInput,
  disposition: Registration.Registration["disposition"],
  { id, provenance, parent, wakeTarget, startAtMs }: StartFacts
): Registration.Registration => ({
  ...Registration.make(processId(id), input, disposition, provenance),
  ...(parent === undefined ? {} : { parent }),
  ...(wakeTarget === undefined ? {} : { wakeTarget }),
  ...(startAtMs === undefined ? {} : { startAtMs })
})

const labelOf = ({ label }: Pick<StartFacts, "label">): { readonly label?: string } =>
  label === undefined ? {} : { label }
