/**
 * Validation of event payloads against their declared JSON Schema (2020-12).
 *
 * The validator is Ajv's. Event types are immutable, so a compiled schema is kept for as long as its type is reachable.
 */
import type { ErrorObject, ValidateFunction } from "ajv"
import { Ajv2020 } from "ajv/dist/2020.js"
import type { EventType } from "./EventType.ts"

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

const ajv = new Ajv2020({
  strict: false,
  ownProperties: true,
  validateFormats: false,
  addUsedSchema: false,
  logger: false
})

const compiled = new WeakMap<EventType, ValidateFunction | string>()

const validatorOf = (type: EventType): ValidateFunction | string => {
  const known = compiled.get(type)
  if (known !== undefined) return known
  const made = compile(type.payloadSchema.schema)
  compiled.set(type, made)
  return made
}

const compile = (schema: unknown): ValidateFunction | string => {
  if (typeof schema === "object" && schema !== null && "$async" in schema) {
    return "its declared schema is asynchronous ($async), and an append cannot wait"
  }
  try {
    const validate = ajv.compile(schema as object)
    // The validator would keep every schema it ever saw; the type keeps what it needs.
    ajv.removeSchema(schema as object)
    return validate
  } catch (cause) {
    return `its declared schema does not compile (${cause instanceof Error ? cause.message : String(cause)})`
  }
}

const describe = (error: ErrorObject | undefined): string =>
  error === undefined ? ": does not fit" : `${error.instancePath}: ${error.message ?? error.keyword}`

const isEmptyObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
