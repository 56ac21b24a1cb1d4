/**
 * Keys of durable promises: in which scope something is awaited, and what. The same scope and wait have the same key.
 *
 * Invariant: the maker of a key signs it, so that a changed one resolves nothing.
 */
import { createHmac, timingSafeEqual } from "node:crypto"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { InputInvalid } from "./errors.ts"
import { AnyJson, optional, renamed, sha256, tagged } from "./json.ts"

/** Where something is awaited: in a process, or in a session. Only a session's promises end with it. */
export const PromiseScope = Schema.Union(
  Schema.Struct({ _tag: tagged("type", "process", "Process"), processId: renamed("process_id", Schema.String) }),
  Schema.Struct({ _tag: tagged("type", "session", "Session"), sessionId: renamed("session_id", Schema.String) })
)
/** Where something is awaited. */
export type PromiseScope = typeof PromiseScope.Type

/** What is awaited. Ordinals count from 1. */
export const PromiseWait = Schema.Union(
  Schema.Struct({
    _tag: tagged("type", "process_signal", "ProcessSignal"),
    processId: renamed("process_id", Schema.String),
    signalName: renamed("signal_name", Schema.String),
    ordinal: Schema.Int
  }),
  Schema.Struct({
    _tag: tagged("type", "host", "Host"),
    name: Schema.String,
    ordinal: Schema.Int
  })
)
/** What is awaited. */
export type PromiseWait = typeof PromiseWait.Type

/** The key of a durable promise. */
export const PromiseKey = Schema.Struct({
  scope: PromiseScope,
  wait: PromiseWait,
  keyId: renamed("key_id", Schema.String),
  signature: Schema.String
})
/** The key of a durable promise. */
export type PromiseKey = typeof PromiseKey.Type

/** How a promise ended. */
export const Resolution = Schema.Union(
  Schema.Struct({ _tag: tagged("status", "ok", "Ok"), value: renamed("payload", AnyJson) }),
  Schema.Struct({
    _tag: tagged("status", "err", "Err"),
    error: renamed(
      "payload",
      Schema.Struct({ code: Schema.String, message: Schema.String, raw: optional(Schema.Unknown) })
    )
  }),
  Schema.Struct({ _tag: tagged("status", "timeout", "Timeout") }),
  Schema.Struct({ _tag: tagged("status", "cancelled", "Cancelled") })
)
/** How a promise ended. */
export type Resolution = typeof Resolution.Type

/** Makes a key. Fails with `InputInvalid` for a blank id or name, or an ordinal below 1. */
export const make = (
  scope: PromiseScope,
  wait: PromiseWait,
  secret: string
): Either.Either<PromiseKey, InputInvalid> => {
  const texts: ReadonlyArray<readonly [string, string]> = [
    scope._tag === "Process" ? ["scope/process_id", scope.processId] : ["scope/session_id", scope.sessionId],
    ...(wait._tag === "Host"
      ? ([["wait/name", wait.name]] as const)
      : ([
          ["wait/process_id", wait.processId],
          ["wait/signal_name", wait.signalName]
        ] as const))
  ]
  const blank = texts.find(([, text]) => text.trim() === "")
  if (blank !== undefined) return Either.left(new InputInvalid({ field: blank[0], problem: "must not be blank" }))
  if (!(Number.isSafeInteger(wait.ordinal) && wait.ordinal >= 1)) {
    return Either.left(new InputInvalid({ field: "wait/ordinal", problem: "must be a whole number of at least 1" }))
  }
  const keyId = keyIdOf(scope, wait)
  return Either.right({ scope, wait, keyId, signature: signatureOf(keyId, secret) })
}

/** Whether a key is one that was made with this secret, unchanged. */
export const isGenuine = ({ scope, wait, keyId, signature }: PromiseKey, secret: string): boolean =>
  keyId === keyIdOf(scope, wait) && sameText(signature, signatureOf(keyId, secret))

/**
 * The SHA-256 of `[scope, wait]` as JSON, in lower-case hex. The fields stand in the order of their declaration, as other
 * languages write them: this one text is not canonical JSON.
 */
export const keyIdOf = (scope: PromiseScope, wait: PromiseWait): string =>
  sha256(JSON.stringify([scopeText(scope), waitText(wait)]))

/** What a promise is called where names are flat. */
export const promiseName = ({ keyId }: Pick<PromiseKey, "keyId">): string => `await-event:${keyId}`

const scopeText = (scope: PromiseScope): object =>
  scope._tag === "Process"
    ? { type: "process", process_id: scope.processId }
    : { type: "session", session_id: scope.sessionId }

const waitText = (wait: PromiseWait): object =>
  wait._tag === "ProcessSignal"
    ? {
        type: "process_signal",
        process_id: wait.processId,
        signal_name: wait.signalName,
        ordinal: wait.ordinal
      }
    : { type: "host", name: wait.name, ordinal: wait.ordinal }

const signatureOf = (keyId: string, secret: string): string =>
  createHmac("sha256", secret).update(promiseName({ keyId })).digest("hex")

const sameText = (a: string, b: string): boolean => {
  const [one, two] = [Buffer.from(a), Buffer.from(b)]
  return one.length === two.length && timingSafeEqual(one, two)
}
