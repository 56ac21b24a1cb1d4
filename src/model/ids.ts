/**
 * Branded ids, and the strings that are derived from them. Every derived string has one constructor, here.
 */
import * as Schema from "effect/Schema"
import { hashOf } from "./json.ts"

/** A process's address: any string that is not blank. */
export const ProcessId = Schema.String.pipe(Schema.brand("ProcessId"))
/** A process's address. */
export type ProcessId = typeof ProcessId.Type

/** The address of a session or of one of its frames, as a transparent string. */
export const SessionScopeId = Schema.String.pipe(Schema.brand("SessionScopeId"))
/** The address of a session or of one of its frames. */
export type SessionScopeId = typeof SessionScopeId.Type

/** The content address of an execution environment. */
export const EnvironmentRef = Schema.String.pipe(Schema.brand("EnvironmentRef"))
/** The content address of an execution environment. */
export type EnvironmentRef = typeof EnvironmentRef.Type

/** How long an id of a process, or the address of a session or frame, may be. Every store can look up so much. Units: bytes of UTF-8. */
export const maxIdBytes = 2_600

/** Why a text is too long for an id, as one clause; `undefined` when it is not. */
export const lengthProblem = (text: string): string | undefined => {
  // No character has more than three bytes for each unit of its length.
  if (text.length * 3 <= maxIdBytes) return undefined
  const bytes = Buffer.byteLength(text)
  return bytes <= maxIdBytes ? undefined : `has ${bytes} bytes; at most ${maxIdBytes} are possible`
}

/** Takes any string as a process id; whether it may be registered is the registration's question. */
export const processId = (id: string): ProcessId => id as ProcessId // a brand is a name, not a check

/** `session:{id}`, or `session:{id}/frame:{frame}` when a frame is named. */
export const sessionScopeId = (sessionId: string, agentFrameId?: string): SessionScopeId =>
  (agentFrameId === undefined || agentFrameId === ""
    ? `session:${sessionId}`
    : `session:${sessionId}/frame:${agentFrameId}`) as SessionScopeId // as above

/** The event type that carries a signal. */
export const signalEventType = (name: string): string => `signal.${name}`

/** The name of the signal an event type carries; `undefined` for every other event type. */
export const signalNameOf = (eventType: string): string | undefined =>
  eventType.startsWith("signal.") ? eventType.slice("signal.".length) : undefined

/** Why a text is no signal name, as one clause; `undefined` when it is one. */
export const signalNameProblem = (name: string): string | undefined =>
  /^[A-Za-z0-9_-]+$/.test(name)
    ? undefined
    : `signal name must be non-empty and contain only ASCII letters, digits, _ or -, got ${JSON.stringify(name)}`

/** The key of the `ordinal`-th wait of a process for one signal name. */
export const signalWaitKey = (id: ProcessId, name: string, ordinal: number): string =>
  `process:${id}:signal.${name}:${ordinal}`

/** The name of the signal that a wait is for, by its key; none for a wait for time. */
export const signalOfWait = (id: ProcessId, waitKey: string): string | undefined => {
  const prefix = `process:${id}:signal.`
  return waitKey.startsWith(prefix) ? waitKey.slice(prefix.length, waitKey.lastIndexOf(":")) : undefined
}

/** The key of a wait of a process for time alone. */
export const timerKey = (id: ProcessId, journalKey: string): string => `process:${id}:timer:${journalKey}`

/** Whether a wait key of a process belongs to its body's waits for time, so that no caller may take it. */
export const isTimerKey = (id: ProcessId, waitKey: string): boolean => waitKey.startsWith(timerKey(id, ""))

/** Under this key a signal is recorded once, however often its sender retries. */
export const signalReplayKey = (id: ProcessId, name: string, signalId: string): string =>
  `process:${id}:signal.${name}:${signalId}`

/**
 * The spaces of the replay keys of the facts that the runtime appends. A key is made in one of them, or it is no key of the
 * runtime: what is made and what is refused to others follow from this list.
 */
const runtimeSpaces = [
  "started",
  "suspended",
  "wait",
  "child",
  "terminal",
  "cancel_requested",
  "abandon-requested",
  "external-ref",
  "wake-target-cleared",
  "journal",
  "machine"
] as const

/** A replay key of a fact that the runtime appends to the log of a process: `process:{id}:{space}:…`. */
export const runtimeReplayKey = (
  id: ProcessId,
  space: (typeof runtimeSpaces)[number],
  ...rest: ReadonlyArray<string | number>
): string => [`process:${id}`, space, ...rest].join(":")

/**
 * Whether a replay key belongs to another event than one of a type that is appended from outside of the runtime: to a fact of
 * the runtime, or to a signal, under whose keys nothing but that signal is appended.
 */
export const isReservedReplayKey = (id: ProcessId, key: string, eventType: string): boolean => {
  const own = `process:${id}:`
  if (!key.startsWith(own)) return false
  const rest = key.slice(own.length)
  return rest.startsWith("signal.")
    ? !rest.startsWith(`${eventType}:`)
    : runtimeSpaces.some((space) => rest === space || rest.startsWith(`${space}:`))
}

/** Under this key a process ends once. */
export const terminalReplayKey = (id: ProcessId, eventType: string): string =>
  runtimeReplayKey(id, "terminal", eventType)

/** Under this key an activation begins once. */
export const startedReplayKey = (id: ProcessId, activation: number): string =>
  runtimeReplayKey(id, "started", activation)

/** Under this key an activation is handed back once. */
export const suspendedReplayKey = (id: ProcessId, activation: number): string =>
  runtimeReplayKey(id, "suspended", activation)

/** Under this key an operation of a body appends its event once; `branch` is its journal key in its branch. */
export const journalReplayKey = (id: ProcessId, branch: string): string => runtimeReplayKey(id, "journal", branch)

/** One cancel request for each reason: the same reason again is the same request. */
export const cancelReplayKey = (id: ProcessId, reason: string | null): string =>
  runtimeReplayKey(id, "cancel_requested", hashOf(["process.cancel_requested", { reason }]))

/** The id of the message that wakes `scope`; events that share a dedupe key share it. */
export const wakeId = (scope: SessionScopeId, dedupeKey: string): string => `wake:${hashOf([scope, dedupeKey])}`

/** What two appends under one replay key must agree on. */
export const payloadHash = (eventType: string, payload: unknown): string => hashOf([eventType, payload])

/** A word, such as an id, as a shell reads it back. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) && !word.startsWith("-") ? word : `'${word.replaceAll("'", "'\\''")}'`
