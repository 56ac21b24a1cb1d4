/**
 * What PostgreSQL answers, said in the library's own words: what failed, whether it was written, what to do.
 */
import { StoreError } from "../../model/errors.ts"

/** What the writer does about a failure. */
export type Remedy =
  /** Another host was faster: run it again, at once. */
  | "race"
  /** The server is away, or another program is in the way: try again for a while. */
  | "retry"
  /** It would fail again. */
  | "refuse"

/** Translates a failure. `written` is "unknown" only for a commit whose answer was lost. */
export const storeError = (operation: string, cause: unknown, written: "no" | "unknown" = "no"): StoreError => {
  const code = codeOf(cause)
  return new StoreError({ operation, reason: reasonOf(code), written, detail: detailOf(code, cause), cause })
}

/** What is done about a failure; of the registrations that several hosts try at once, one is inserted. */
export const remedyOf = (cause: unknown): Remedy => {
  const code = codeOf(cause)
  if (code === "23505") return "race"
  return isTransient(code) ? "retry" : "refuse"
}

const codeOf = (cause: unknown): string => {
  if (typeof cause !== "object" || cause === null) return ""
  if ("code" in cause && typeof cause.code === "string") return cause.code
  // @effect/sql wraps what the driver threw.
  if ("cause" in cause) return codeOf(cause.cause)
  // The driver has no codes of its own.
  return "message" in cause && lost.test(String(cause.message)) ? lostConnection : ""
}

const lostConnection = "08006"

const lost = /connection|timeout|not queryable|client was closed/i

/** SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html. */
const isTransient = (code: string): boolean =>
  /^(08|40|57|53[^1])/.test(code) ||
  // A lock that was waited for too long, a transaction that was idle too long, a server that became a standby, a statement that was
  // prepared before its table was changed.
  ["55P03", "25P03", "25006", "0A000"].includes(code) ||
  ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH", "EAI_AGAIN"].includes(code)

const reasonOf = (code: string): StoreError["reason"] => {
  if (code === "53100" || code === "53200") return "full"
  if (code.startsWith("XX00")) return "corrupt"
  if (isTransient(code)) return "busy"
  if (isUnusable(code)) return "unusable"
  return "failed"
}

/** Access, authentication, a database or a schema that is not there. */
const isUnusable = (code: string): boolean => /^(28|3D|3F|42501|42P01|42704|ENOTFOUND|ENOENT)/.test(code)

const detailOf = (code: string, cause: unknown): string => {
  if (code === "53100") return "the disk of the database server is full; free some space, then try again"
  if (code === "53300")
    return "the database server has no connection left; raise max_connections, or lower `connections`"
  if (code === "55P03") return "another transaction holds a lock for too long; end it, then try again"
  if (code === "25006")
    return "the database takes no writes: it is a standby, or has default_transaction_read_only = on; name the primary in the URL, or turn that off"
  if (code === "22021") return "PostgreSQL cannot keep the character U+0000 in an id, a key or a name; leave it out"
  if (code === "42501") return `the user of the URL lacks a privilege: ${messageOf(cause)}; grant it, then try again`
  const problem = messageOf(cause)
  if (/^(28|3D|ENOTFOUND)/.test(code)) return `${problem}; check the user, password, host and database of the URL`
  return isTransient(code) ? `the database server is away or busy (${problem}); try again` : problem
}

const messageOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  if (cause.cause instanceof Error) return messageOf(cause.cause)
  // What a connection to several addresses ends with has no message of its own.
  return cause instanceof AggregateError ? messageOf(cause.errors[0]) : cause.message
}
