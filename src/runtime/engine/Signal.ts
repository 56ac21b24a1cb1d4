/**
 * Typed signals and events: each is declared once, from one schema, and checked where it is sent and where it is read.
 *
 * What is stored with a process is the JSON Schema, so that a program in any language can check a payload.
 */
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { EventSemantics, EventType } from "../../model/EventType.ts"
import { schemaProblem } from "../../model/EventType.ts"
import { InputInvalid } from "../../model/errors.ts"
import { signalEventType, signalNameProblem } from "../../model/ids.ts"
import * as Arguments from "../arguments.ts"
import { jsonSchemaOf } from "./dialect.ts"
import { decoderOf, encoderOf } from "./outcomes.ts"

/** A declared type of event with its payload, as code knows it. */
export interface EventDefinition<Payload> {
  readonly name: string
  /** The event type as it is stored with a process. */
  readonly type: EventType
  /** Fails with `InputInvalid`, naming the field that does not fit. */
  readonly encode: (payload: Payload) => Effect.Effect<unknown, InputInvalid>
  /** Fails with `InputInvalid` when what is stored does not fit the schema that code has by now. */
  readonly decode: (payload: unknown) => Effect.Effect<Payload, InputInvalid>
}

/** A signal: an event that is sent to a process, and that its body waits for. */
export interface Signal<Name extends string, Payload> extends EventDefinition<Payload> {
  readonly _tag: "Signal"
  readonly signal: Name
}

/** Any signal, its payload aside. */
export type AnySignal = Pick<Signal<string, never>, "_tag" | "signal" | "name" | "type">

/** The payload of a signal. */
export type PayloadOf<S extends AnySignal> = S extends Signal<string, infer Payload> ? Payload : never

/** Declares a signal. Throws `InputInvalid` when its name is none: letters, digits, `_` and `-` make one. */
export const make = <const Name extends string, Payload, Wire>(
  name: Name,
  options: { readonly payload: Schema.Schema<Payload, Wire> }
): Signal<Name, Payload> => {
  const problem = signalNameProblem(Arguments.text("name of a signal", name))
  if (problem !== undefined) throw new InputInvalid({ field: "name of a signal", problem })
  return { ...define(signalEventType(name), options), _tag: "Signal", signal: name }
}

/**
 * Declares a type of event that a body appends.
 *
 * `semantics` may say that it wakes a session. @default none
 */
export const event = <Payload, Wire>(
  name: string,
  options: { readonly payload: Schema.Schema<Payload, Wire>; readonly semantics?: EventSemantics }
): EventDefinition<Payload> => define(Arguments.text("name of an event", name), options)

/** Checks a signal, whichever copy of the library declared it. */
export const known = <A extends object>(field: string, signal: A): A =>
  Arguments.like(field, "a signal, as Signal.make declares it", signal, {
    encode: "function",
    decode: "function",
    name: "string",
    signal: "string"
  })

/** Checks a type of event, whichever copy of the library declared it. */
export const knownEvent = <A extends object>(field: string, event: A): A =>
  Arguments.like(field, "an event, as Signal.event declares it", event, { encode: "function", name: "string" })

const define = <Payload, Wire>(
  name: string,
  options: { readonly payload: Schema.Schema<Payload, Wire>; readonly semantics?: EventSemantics }
): EventDefinition<Payload> => {
  const known = { payload: true, semantics: true } as const
  const { payload: schema, semantics = {} } = Arguments.options(`options of \`${name}\``, known, options)
  Arguments.schema(`payload of \`${name}\``, schema)
  const field = ["payload", `\`${name}\``] as const
  const type = { name, payloadSchema: { schema: jsonSchemaOf(schema) }, semantics }
  const problem = schemaProblem(type)
  if (problem !== undefined) throw new InputInvalid({ field: `payload of \`${name}\``, problem })
  return { name, type, encode: encoderOf(field, schema), decode: decoderOf(field, schema) }
}
