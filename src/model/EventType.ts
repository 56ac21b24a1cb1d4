/**
 * Event types: what a producer may append, the schema of its payload, and what an event of that type means.
 *
 * Types are declared at registration and immutable from then on, so every store can judge an append on its own.
 */

import { createRequire } from "node:module"
import type { ErrorObject, Options, ValidateFunction } from "ajv"
import type { Ajv2020 } from "ajv/dist/2020.js"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { EndState } from "../../machines/process/types.ts"
import { AnyJson, freeze, optional, renamed, renamedOptional } from "./json.ts"

/** Picks a value out of a payload. See `selectors.ts` for the evaluation. */
export type Selector =
  | "payload"
  | { readonly pointer: string }
  | { readonly const: unknown }
  | { readonly template: { readonly template: string; readonly fields: Readonly<Record<string, Selector>> } }
  | { readonly present: string }

type SelectorWire =
  | "payload"
  | { readonly pointer: string }
  | { readonly const: unknown }
  | {
      readonly template: {
        readonly template: string
        readonly fields?: Readonly<Record<string, SelectorWire>> | undefined
      }
    }
  | { readonly present: string }

/** Picks a value out of a payload. */
export const Selector: Schema.Schema<Selector, SelectorWire> = Schema.Union(
  Schema.Literal("payload"),
  Schema.Struct({ pointer: Schema.String }),
  Schema.Struct({ const: AnyJson }),
  Schema.Struct({
    template: Schema.Struct({
      template: Schema.String,
      fields: Schema.optionalWith(
        Schema.Record({
          key: Schema.String,
          value: Schema.suspend((): Schema.Schema<Selector, SelectorWire> => Selector)
        }),
        { default: () => ({}) }
      )
    })
  }),
  Schema.Struct({ present: Schema.String })
)

/** The four terminal states, as the wire spells them. */
export const TerminalState: Schema.Schema<EndState> = Schema.Literal("completed", "failed", "cancelled", "abandoned")

/** How wakes of different events are distinguished, or merged. */
export const DedupeKey = Schema.Union(
  Schema.Literal("event_identity"),
  Schema.Struct({ selector: Selector }),
  Schema.Struct({ const: Schema.String })
)
/** How wakes of different events are distinguished, or merged. */
export type DedupeKey = typeof DedupeKey.Type

/** What an event of a type means: that the process ends, or that a session must be woken, or nothing. */
export const EventSemantics = Schema.Struct({
  terminal: optional(Schema.Struct({ state: TerminalState, awaitOutput: renamedOptional("await_output", Selector) })),
  wake: optional(
    Schema.Struct({
      when: optional(Selector),
      input: Selector,
      dedupeKey: Schema.optionalWith(DedupeKey, { default: () => "event_identity" as const }).pipe(
        Schema.fromKey("dedupe_key")
      )
    })
  )
})
/** What an event of a type means. */
export type EventSemantics = typeof EventSemantics.Type

/** A declared event type. The payload schema is JSON Schema 2020-12; `{}` takes anything. */
export const EventType = Schema.Struct({
  name: Schema.String,
  payloadSchema: renamed("payload_schema", Schema.Struct({ schema: AnyJson })),
  semantics: EventSemantics
})
/** A declared event type. */
export type EventType = typeof EventType.Type

/** A type without meaning of its own. */
export const plain = (name: string, schema: unknown = {}): EventType => ({
  name,
  payloadSchema: { schema },
  semantics: {}
})

const ends = (state: EndState): EventType => ({
  name: `process.${state}`,
  payloadSchema: { schema: {} },
  semantics: { terminal: { state, awaitOutput: { pointer: "/await_output" } } }
})

/** Freezes a list of event types through and through, so that what was learnt about it stays true. */
export const fixed = (types: ReadonlyArray<EventType>): ReadonlyArray<EventType> => {
  freeze(types)
  fixedLists.add(types)
  return types
}

/** Whether a list can never change again. */
export const isFixed = (types: ReadonlyArray<EventType>): boolean => fixedLists.has(types)

const fixedLists = new WeakSet<object>()

/** The types every process has, in the order in which normalisation appends them. */
export const coreEventTypes: ReadonlyArray<EventType> = fixed([
  plain("process.cancel_requested"),
  ends("completed"),
  ends("failed"),
  ends("cancelled"),
  ends("abandoned")
])

/** The types that only the runtime appends; a registration that declares one is refused. */
export const reservedEventTypes: ReadonlySet<string> = new Set([
  "process.started",
  "process.suspended",
  "process.waiting",
  "process.resumed",
  "process.signal_returned",
  "process.journal_forked",
  "process.child_ended",
  "process.abandon_requested",
  "process.external_ref_set",
  "process.wake_target_cleared",
  "machine.transitioned",
  "machine.input",
  "machine.sent",
  "machine.acted"
])

/**
 * The first problem of a payload under its type's schema, as `path: problem`, or `undefined` when it fits.
 *
 * A schema that does not compile refuses every payload and says so: registration does not judge schemas.
 */
export const payloadProblem = (type: EventType, payload: unknown): string | undefined => {
  const schema = type.payloadSchema.schema
  if (schema === true || isEmptyObject(schema)) return undefined
  const validate = validatorOf(type)
  if (typeof validate === "string") return `: ${validate}`
  return validate(payload) ? undefined : describe(validate.errors?.[0])
}

/** Why the schema of a type can judge nothing, or `undefined` when it can. */
export const schemaProblem = (type: EventType): string | undefined => {
  const validate = validatorOf(type)
  return typeof validate === "string" ? validate : undefined
}

/** Its text is the pattern: the compiler knows equal ones by it. */
interface Matcher {
  readonly test: (text: string) => boolean
  readonly toString: () => string
}

/**
 * A pattern matches as it does with JavaScript's `u` flag, which JSON Schema asks for, or as it does without: most are written in
 * code, where they have none, and some are no patterns at all with it.
 */
const patternOf = (pattern: string): Matcher => {
  const readings = ["u", ""].flatMap((flags) => {
    try {
      return [new RegExp(pattern, flags)]
    } catch {
      return []
    }
  })
  // What is no pattern in any reading throws as one does.
  if (readings.length === 0) return new RegExp(pattern, "u")
  return { test: (text: string) => readings.some((reading) => reading.test(text)), toString: () => pattern }
}

let Judge: (new (options: Options) => Ajv2020) | undefined

/**
 * Loads what judges payloads, which is a fifth of what importing this library costs. A host does when it starts; any other
 * program loads it with the first schema.
 */
export const loadJudge: Effect.Effect<void> = Effect.promise(async () => {
  Judge ??= (await import("ajv/dist/2020.js")).Ajv2020
})

let made: Ajv2020 | undefined

const ajv = (): Ajv2020 => {
  Judge ??= (createRequire(import.meta.url)("ajv/dist/2020.js") as typeof import("ajv/dist/2020.js")).Ajv2020 // the same module
  made ??= new Judge({
    strict: false,
    ownProperties: true,
    validateFormats: false,
    // Decimal fractions are not what they seem: 0.07 / 0.01 is 7.000000000000001.
    multipleOfPrecision: 9,
    code: { regExp: Object.assign(patternOf, { code: "patternOf" }) },
    addUsedSchema: false,
    logger: false
  })
  return made
}

const compiled = new WeakMap<EventType, ValidateFunction | string>()

const validatorOf = (type: EventType): ValidateFunction | string => {
  const known = compiled.get(type)
  if (known !== undefined) return known
  const validator = compile(type.payloadSchema.schema)
  compiled.set(type, validator)
  return validator
}

const compile = (schema: unknown): ValidateFunction | string => {
  if (typeof schema === "object" && schema !== null && "$async" in schema) {
    return "its declared schema is asynchronous ($async), and an append cannot wait"
  }
  try {
    const validate = ajv().compile(schema as object)
    // The validator would keep every schema it ever saw; the type keeps what it needs.
    ajv().removeSchema(schema as object)
    return validate
  } catch (cause) {
    return `its declared schema does not compile (${cause instanceof Error ? cause.message : String(cause)})`
  }
}

const describe = (error: ErrorObject | undefined): string =>
  error === undefined ? ": does not fit" : `${error.instancePath}: ${error.message ?? error.keyword}`

const isEmptyObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
