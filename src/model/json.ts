/**
 * Two small words for schemas whose type side is TypeScript's (camelCase, `_tag`) and whose encoded side is the wire's
 * (snake_case, its own tag field).
 */
import * as Schema from "effect/Schema"

/** A required field that is called `key` on the wire. */
export const renamed = <const Key extends string, A, I, R>(
  key: Key,
  schema: Schema.Schema<A, I, R>
): Schema.PropertySignature<":", A, Key, ":", I, false, R> => Schema.fromKey(Schema.propertySignature(schema), key)

/** An optional field that is called `key` on the wire; absent rather than `undefined`. */
export const renamedOptional = <const Key extends string, A, I, R>(
  key: Key,
  schema: Schema.Schema<A, I, R>
): Schema.PropertySignature<"?:", A, Key, "?:", I, false, R> =>
  Schema.optionalWith(schema, { exact: true }).pipe(Schema.fromKey(key))

/** An optional field with the same name on both sides; absent rather than `undefined`. */
export const optional = <A, I, R>(
  schema: Schema.Schema<A, I, R>
): Schema.PropertySignature<"?:", A, never, "?:", I, false, R> => Schema.optionalWith(schema, { exact: true })

/** Any JSON value, which must be there: `null` is one, absence is none. */
export const AnyJson: Schema.Schema<unknown> = Schema.Unknown.pipe(
  Schema.filter((value): boolean => value !== undefined, { message: () => "must be a JSON value" })
)

/** The tag of a union's member: `key: wire` on the wire, `_tag: type` in TypeScript. */
export const tagged = <const Key extends string, const Wire extends string, const Type extends string>(
  key: Key,
  wire: Wire,
  type: Type
): Schema.PropertySignature<":", Type, Key, ":", Wire, false, never> =>
  Schema.fromKey(
    Schema.propertySignature(Schema.transformLiteral(wire, type) as Schema.Schema<Type, Wire>), // widens the class type
    key
  )

/** Freezes a value through and through, and answers it. */
export const freeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const child of Object.values(value)) freeze(child)
  }
  return value
}
