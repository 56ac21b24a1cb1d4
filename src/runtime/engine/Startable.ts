/**
 * What can be started as a process: an engine, a tool, a turn of a child session, or work that an outside system does.
 *
 * Invariant: every start takes one way. The payload is encoded and judged, the environment captured, the registration checked.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Disposition } from "../../../machines/recovery.ts"
import * as Environment from "../../model/Environment.ts"
import type { RegistrationInvalid } from "../../model/errors.ts"
import { InputInvalid } from "../../model/errors.ts"
import { messageOf } from "../../model/Failure.ts"
import type { EnvironmentRef } from "../../model/ids.ts"
import { processId } from "../../model/ids.ts"
import type { Provenance, SessionScope } from "../../model/Provenance.ts"
import type { Parent, ProcessIdentity, ProcessInput, Registered } from "../../model/Registration.ts"
import * as Registration from "../../model/Registration.ts"
import { Limits } from "../../operations/checks.ts"
import * as Arguments from "../arguments.ts"
import type { Outcomes } from "./outcomes.ts"
import { encoderOf, outcomesOf } from "./outcomes.ts"
import type { AnySignal } from "./Signal.ts"

/** Something that can be started with a payload, with the types of its outcomes and of the signals it takes. */
export interface Startable<Payload, Success, Failure, Signals extends AnySignal = never>
  extends Outcomes<Success, Failure> {
  readonly disposition: Disposition
  readonly maxAttempts?: number
  readonly signals: ReadonlyArray<Signals>
  /** What its processes may append, the core types among them. @default the core types alone */
  readonly eventTypes?: Registration.Registration["eventTypes"]
  /** Whether its processes run under a captured environment; sessions and outside systems have their own. */
  readonly hasEnvironment: boolean
  /**
   * Encodes a payload for the process of this id, and judges it.
   *
   * Fails with `InputInvalid`, naming the field that does not fit.
   */
  readonly inputOf: (payload: Payload, id: string) => Effect.Effect<StartInput, InputInvalid>
}

/** What a process will execute, and what people know it by. */
export interface StartInput {
  readonly input: ProcessInput
  /** @default the identity of its input */
  readonly identity?: ProcessIdentity
}

/** How to start a process. */
export interface StartSpec<Payload> {
  readonly id: string
  readonly payload: Payload
  readonly label?: string
  readonly provenance: Provenance
  readonly parent?: Parent
  /** Before this time no body begins. Units: epoch milliseconds, UTC. */
  readonly startAtMs?: number
  readonly wakeTarget?: SessionScope
}

/**
 * Builds the registration of a start and checks it.
 *
 * Fails with `InputInvalid` (the payload does not fit) or `RegistrationInvalid` (the id is blank), naming the field.
 */
export const registrationOf = <Payload, E = never>(
  startable: Pick<
    Startable<Payload, unknown, unknown, AnySignal>,
    "disposition" | "maxAttempts" | "eventTypes" | "hasEnvironment" | "inputOf"
  >,
  spec: StartSpec<Payload>,
  environment: Effect.Effect<EnvironmentRef, E> = Effect.succeed(Environment.emptyRef)
): Effect.Effect<Registered, InputInvalid | RegistrationInvalid | E> =>
  Effect.flatMap(judged(startable, spec), (input) =>
    Effect.flatMap(
      Effect.zip(startable.hasEnvironment ? environment : Effect.succeed(undefined), Limits),
      ([envRef, limits]) => {
        const { disposition, maxAttempts, eventTypes } = startable
        const { id, label, provenance, parent, wakeTarget, startAtMs } = spec
        const draft = Registration.make(processId(id), input.input, disposition, provenance)
        const registration = {
          ...draft,
          identity: { ...(input.identity ?? draft.identity), ...(label === undefined ? {} : { label }) },
          ...(eventTypes === undefined ? {} : { eventTypes }),
          ...(maxAttempts === undefined ? {} : { maxAttempts }),
          ...(envRef === undefined ? {} : { envRef }),
          ...(parent === undefined ? {} : { parent }),
          ...(wakeTarget === undefined ? {} : { wakeTarget }),
          ...(startAtMs === undefined ? {} : { startAtMs })
        }
        return Registration.prepare(registration, limits)
      }
    )
  )

/** What judges a payload is the program's own: what it throws refuses the payload. */
const judged = <Payload>(
  { inputOf }: Pick<Startable<Payload, unknown, unknown, AnySignal>, "inputOf">,
  { payload, id }: StartSpec<Payload>
): Effect.Effect<StartInput, InputInvalid> =>
  Effect.suspend(() => inputOf(payload, id)).pipe(
    Effect.catchAllDefect((defect) =>
      Effect.fail(new InputInvalid({ field: "payload", problem: `could not be judged: ${messageOf(defect)}` }))
    )
  )

/** Checks something that is to be started, whichever copy of the library declared it. */
export const startable = <A extends object>(value: A, field = "startable"): A =>
  Arguments.like(field, "an engine, a tool, a session turn or external work, as their `make` declares them", value, {
    inputOf: "function",
    decodeSuccess: "function",
    decodeFailure: "function",
    disposition: "string"
  })

const taken = encoderOf(["payload", "external work"], Schema.Unknown)

/**
 * Work that an outside system does: no host runs it. Its payload is any JSON, which the outside system is handed; a `label`,
 * `name` or `title` in it is the label of a process that is given none.
 */
export const external: Startable<unknown, unknown, never> = {
  disposition: "externally_owned",
  signals: [],
  hasEnvironment: false,
  inputOf: (given) => Effect.map(taken(given), (metadata) => ({ input: { _tag: "External", metadata } })),
  ...outcomesOf<unknown, unknown, never, never>(Schema.Unknown, undefined)
}
