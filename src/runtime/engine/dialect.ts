/**
 * The JSON Schema of a payload, in the one dialect in which stores judge: 2020-12, as `EventType.ts` compiles it.
 *
 * Invariant: whatever a schema encodes fits its JSON Schema. Code that has the schema itself is the judge; where JSON Schema means
 * something narrower by the same word, or cannot say what a schema says, it says less.
 */
import * as JSONSchema from "effect/JSONSchema"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"

/** The JSON Schema of what a schema encodes to. A schema that JSON Schema cannot describe is described by its structure. */
export const jsonSchemaOf = <A, I>(schema: Schema.Schema<A, I>): unknown => {
  const flagged = new Set<string>()
  collectFlagged(schema.ast, flagged, new Set())
  return loosened(describedBy(schema) ?? describedBy(Schema.encodedSchema(schema)) ?? {}, flagged)
}

const describedBy = <A, I>(schema: Schema.Schema<A, I>): unknown => {
  try {
    const { $schema: _dialect, ...rest } = JSONSchema.make(schema, { target: "jsonSchema2020-12" })
    return rest
  } catch {
    return undefined
  }
}

/** The names that Effect gives to schemas of values of any kind, among them the absent one. */
const anything: ReadonlySet<unknown> = new Set(["/schemas/any", "/schemas/unknown", "/schemas/void"])

/** The casts say what JSON Schema has under these words. */
const loosened = (node: unknown, flagged: ReadonlySet<string>): unknown => {
  if (Array.isArray(node)) return node.map((child) => loosened(child, flagged))
  if (typeof node !== "object" || node === null) return node
  const fields = Object.entries(node).flatMap(([key, value]): ReadonlyArray<readonly [string, unknown]> => {
    switch (key) {
      // A name of its own would be one that other schemas have as well.
      case "$id":
        return anything.has(value) ? [] : [[key, value]]
      // A pattern has no flags.
      case "pattern":
        return flagged.has(value as string) ? [] : [[key, value]]
      // JSON Schema counts characters, of which each may be two of JavaScript's.
      case "minLength":
        return [[key, Math.ceil((value as number) / 2)]]
      // A field of any kind may be absent.
      case "required":
        return [[key, (value as ReadonlyArray<string>).filter((name) => !mayBeAbsent(node, name))]]
      case "properties":
      case "patternProperties":
      case "$defs":
        return [[key, Object.fromEntries(Object.entries(value).map(([name, of]) => [name, loosened(of, flagged)]))]]
      // Examples, constants and choices are values, not schemas.
      case "const":
      case "default":
      case "enum":
      case "examples":
        return [[key, value]]
      default:
        return [[key, loosened(value, flagged)]]
    }
  })
  return Object.fromEntries(fields)
}

const mayBeAbsent = (node: object, name: string): boolean => {
  const { properties = {} } = node as { readonly properties?: Readonly<Record<string, { readonly $id?: unknown }>> }
  return anything.has(properties[name]?.$id)
}

/** Collects the sources of patterns whose flags change what they match. */
const collectFlagged = (ast: AST.AST, into: Set<string>, seen: Set<AST.AST>): void => {
  if (seen.has(ast)) return
  seen.add(ast)
  const pattern = ast.annotations[Schema.PatternSchemaId] as { readonly regex?: RegExp } | undefined // as Schema.pattern notes
  if (pattern?.regex !== undefined && /[ims]/.test(pattern.regex.flags)) into.add(pattern.regex.source)
  for (const part of partsOf(ast)) collectFlagged(part, into, seen)
}

const partsOf = (ast: AST.AST): ReadonlyArray<AST.AST> => {
  switch (ast._tag) {
    case "TypeLiteral":
      return [
        ...ast.propertySignatures.map(({ type }) => type),
        ...ast.indexSignatures.flatMap(({ parameter, type }) => [parameter, type])
      ]
    case "TupleType":
      return [...ast.elements, ...ast.rest].map(({ type }) => type)
    case "Union":
      return ast.types
    case "Refinement":
    case "Transformation":
      return [ast.from]
    case "Suspend":
      return [ast.f()]
    case "Declaration":
      return ast.typeParameters
    default:
      return []
  }
}
