/**
 * What is kept of something that was thrown: enough to find the line that threw it, and to show it wherever a failure is shown.
 *
 * Invariant: whatever was thrown can be described, once, without running into what its getters or its proxy throw; a description
 * is bounded, and plain JSON.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Taking } from "./json.ts"
import { limits, optional, snapshot } from "./json.ts"

/** A thrown value, described. `stack` has the frames alone, without the message. */
export interface FailureRecord {
  readonly name: string
  readonly message: string
  /** What the error says under `code`, as the errors of Node do. */
  readonly code?: string
  /** Its other fields, or the value that was thrown instead of an error: what of it is JSON and not too much. */
  readonly data?: unknown
  readonly stack?: string
  readonly cause?: FailureRecord
}

/** A thrown value, described. */
export const FailureRecord: Schema.Schema<FailureRecord> = Schema.Struct({
  name: Schema.String,
  message: Schema.String,
  code: optional(Schema.String),
  data: optional(Schema.Unknown),
  stack: optional(Schema.String),
  cause: optional(Schema.suspend((): Schema.Schema<FailureRecord> => FailureRecord))
})

/** Describes whatever was thrown. It never throws itself. */
export const describe = (thrown: unknown): FailureRecord => describeAt(thrown, [])

/** The message of whatever was thrown, bounded, for people. It never throws itself. */
export const messageOf = (thrown: unknown): string => describe(thrown).message

/** An error that shows what a description says: its class is gone, the rest is there. */
export const errorOf = ({ name, message, stack, cause, code, data }: FailureRecord): Error => {
  const error = new Error(message, cause === undefined ? {} : { cause: errorOf(cause) })
  const shown = { name, stack: [headOf(name, message), ...(stack === undefined ? [] : [stack])].join("\n"), code, data }
  for (const [key, value] of Object.entries(shown)) {
    if (value !== undefined) Object.defineProperty(error, key, { value, configurable: true, writable: true })
  }
  return error
}

/** The name and the message in one line, as Node shows them. */
export const headOf = (name: string, message: string): string =>
  message === "" || message === name ? name : `${name}: ${message}`

/**
 * Gives a class a brand, by which `instanceof` knows its instances: also those that another copy of the library made.
 */
export const branded = (type: ErrorType, name: string, ...also: ReadonlyArray<symbol>): void => {
  const brand = Symbol.for(name)
  for (const each of [brand, ...also]) Object.defineProperty(type.prototype, each, { value: true })
  Object.defineProperty(type, Symbol.hasInstance, { value: (value: unknown) => bears(value, brand) })
}

/** What makes instances. */
export interface ErrorType {
  readonly prototype: object
}

/** The brand of errors whose message says all that their fields say. */
export const selfExplaining: unique symbol = Symbol.for("holdfast/errors")

const bears = (value: unknown, brand: symbol): boolean => {
  try {
    return typeof value === "object" && value !== null && brand in value
  } catch {
    return false
  }
}

/** A description as lines of text: message, frames and causes. */
export const textOf = ({ name, message, stack, cause }: FailureRecord): string =>
  [
    headOf(name, message),
    ...(stack === undefined ? [] : [stack]),
    ...(cause === undefined ? [] : [`caused by ${textOf(cause)}`])
  ].join("\n")

/**
 * The line that threw, as a frame of the stack: the first that is the program's own, and not its dependencies' or Node's. Of a
 * failure that says nothing of it, its cause may.
 */
export const lineThatThrew = ({ stack, cause }: FailureRecord): string | undefined => {
  const frames = (stack ?? "").split("\n").flatMap((line) => /^\s*at (.+)$/.exec(line)?.[1] ?? [])
  const own = frames.find((frame) => !/node_modules|\bnode:|<anonymous>/.test(frame))
  return own ?? (cause && lineThatThrew(cause)) ?? frames[0]
}

const describeAt = (thrown: unknown, within: ReadonlyArray<unknown>): FailureRecord => {
  if ((typeof thrown !== "object" && typeof thrown !== "function") || thrown === null) {
    return { name: thrown === null ? "null" : typeof thrown, message: cut(sayOf(thrown), limits.maxMessage) }
  }
  const message = read(thrown, "message")
  const stack = framesOf(read(thrown, "stack"))
  const code = read(thrown, "code")
  const data = dataOf(thrown)
  const cause = causeOf(thrown, [...within, thrown])
  return {
    name: cut(nameOf(thrown), limits.maxMessage),
    message: cut(typeof message === "string" && message !== "" ? message : sayOf(thrown), limits.maxMessage),
    ...(typeof code === "string" || typeof code === "number" ? { code: cut(String(code), limits.maxMessage) } : {}),
    ...(data === undefined ? {} : { data }),
    ...(stack === undefined ? {} : { stack }),
    ...(cause === undefined ? {} : { cause })
  }
}

/** A chain that leads back into itself ends there. Of several errors the first is the cause. */
const causeOf = (thrown: object, within: ReadonlyArray<unknown>): FailureRecord | undefined => {
  if (within.length > limits.maxCauses) return undefined
  const cause = read(thrown, "cause") ?? firstOf(read(thrown, "errors"))
  return cause === undefined || cause === null || within.includes(cause) ? undefined : describeAt(cause, within)
}

const firstOf = (errors: unknown): unknown =>
  typeof errors === "object" && errors !== null ? read(errors, "0") : undefined

const nameOf = (thrown: object): string => {
  const named = [read(thrown, "name"), read(thrown, "_tag")].find((name) => typeof name === "string" && name !== "")
  return typeof named === "string" ? named : "object"
}

/** Fields that are shown under names of their own, or that say nothing to a reader. */
const shownElsewhere: ReadonlySet<string> = new Set(["name", "message", "stack", "cause", "code", "_tag"])

const dataOf = (thrown: object): unknown => {
  if (bears(thrown, selfExplaining)) return undefined
  const fields = keysOf(thrown).flatMap((key) => {
    const copy = shownElsewhere.has(key) ? undefined : snapshot({ [key]: read(thrown, key) }, said(limits.maxData))
    return copy !== undefined && Either.isRight(copy) ? Object.entries(copy.right as object) : [] // an object was copied
  })
  const data = Object.fromEntries(fields)
  return fields.length > 0 && Either.isRight(snapshot(data, said(limits.maxData))) ? data : undefined
}

/** What is only said about a failure is mended everywhere: it is for readers, and no part of it decides anything. */
const said = (maxLength: number): Taking => ({ maxLength, halfSurrogates: "replace" })

/** How many fields of a thrown object are looked at. */
const mostFields = 50

const keysOf = (thrown: object): ReadonlyArray<string> => {
  try {
    return Object.keys(thrown).slice(0, mostFields)
  } catch {
    return []
  }
}

const read = (from: object, key: string): unknown => {
  try {
    return (from as Readonly<Record<string, unknown>>)[key] // absent fields are undefined
  } catch {
    return undefined
  }
}

/** What a value without a message says of itself. */
const sayOf = (thrown: unknown): string => {
  if (typeof thrown === "string") return thrown
  try {
    const text = String(thrown)
    if (text !== "[object Object]") return text
  } catch {
    // It says nothing; its fields may.
  }
  return Either.match(snapshot(thrown, said(limits.maxMessage)), {
    onLeft: () => "a value that cannot be shown was thrown",
    onRight: (json) => JSON.stringify(json)
  })
}

/** The message before the frames is kept by itself, and may be longer than all of them. */
const framesOf = (stack: unknown): string | undefined => {
  if (typeof stack !== "string") return undefined
  const first = stack.search(/^\s+at /m)
  return first < 0 ? undefined : cut(stack.slice(first).replace(/^\n+/, ""), limits.maxStack)
}

/** Text that any store can keep, and that says when it is not all. */
const cut = (text: string, most: number): string => {
  if (text.length <= most) return text.toWellFormed()
  const note = `… (${text.length} characters)`
  return `${text.slice(0, most - note.length)}${note}`.toWellFormed()
}

/**
 * The base of an error, which bears a brand of its own: `instanceof` asks for that, so that two copies of this library in one
 * program, as a monorepo or a bundle has them, know each other's errors.
 */
export const failure =
  <Self = never>() =>
  <const Tag extends string, Fields extends Schema.Struct.Fields>(
    tag: Tag,
    fields: Fields
  ): Schema.TaggedErrorClass<Self, Tag, { readonly _tag: Schema.tag<Tag> } & Fields> => {
    const Base = Schema.TaggedError<Self>(`holdfast/${tag}`)(tag, fields)
    // The type of the base allows for a class that was not given itself as a type.
    branded(Base as unknown as ErrorType, `holdfast/errors/${tag}`, selfExplaining)
    return Base as Schema.TaggedErrorClass<Self, Tag, { readonly _tag: Schema.tag<Tag> } & Fields> // as above
  }
