/**
 * A connection of the writer's own. What is sent together goes over the network at once, and is answered in order.
 *
 * Invariant: a session that failed in a way that leaves its connection in doubt is closed, and never used again.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Client, DatabaseError, types } from "pg"
import type { StoreError } from "../../model/errors.ts"
import { realTime } from "../GroupCommit.ts"
import { storeError } from "./failure.ts"
import { decoded, parameter } from "./text.ts"

/** A prepared statement with its values. */
export interface Statement {
  readonly name: string
  readonly text: string
  readonly values: ReadonlyArray<unknown>
}

/** What a statement answered. */
export interface Answer {
  readonly rows: ReadonlyArray<unknown>
  /** How many rows it read or wrote. */
  readonly count: number
}

/** The first row of an answer, as the statement selects it. */
export const firstRow = <Row>(answer: Answer | undefined): Row => answer?.rows[0] as Row // only the statement knows its columns

/** What the database threw; `isLost`: the connection with it, so that the outcome of what was sent is unknown. */
export interface Failure {
  readonly cause: unknown
  readonly isLost: boolean
}

/** A connection. */
export interface Session {
  /** Sends statements at once. Fails with what the first of them threw that did. */
  readonly send: (statements: ReadonlyArray<Statement>) => Effect.Effect<ReadonlyArray<Answer>, Failure>
  readonly isOpen: () => boolean
  /** Ends when the connection does. */
  readonly ended: Effect.Effect<void>
  readonly onNotification: (listener: (payload: string) => void) => void
}

/** Where the server is. Units: `timeoutMs` is how long an answer is waited for. */
export interface SessionOptions {
  readonly url: string
  readonly timeoutMs: number
}

/** Values as this library has them: every 64-bit integer of the schema is a safe one, and any text may be an id. */
export const valueTypes: typeof types = {
  ...types,
  getTypeParser: ((oid: number, format: "text") =>
    oid === 20 ? Number : oid === 25 ? decoded : types.getTypeParser(oid, format)) as typeof types.getTypeParser // one of its overloads
}

/**
 * The URL with which each connection has these settings from the beginning. Statements are prepared and planned once, perhaps when
 * tables are still empty: without sequential scans their plans stay good when the tables grow.
 */
export const urlOf = (url: string, schema: string, settings: Readonly<Record<string, string>> = {}): string => {
  const parsed = new URL(url)
  const options = Object.entries({ search_path: schema, ...whatever, ...settings }).map(
    ([key, value]) => `-c ${key}=${value.replaceAll(" ", "\\ ")}`
  )
  parsed.searchParams.set("options", [parsed.searchParams.get("options") ?? "", ...options].join(" ").trim())
  parsed.searchParams.set("application_name", parsed.searchParams.get("application_name") ?? "holdfast")
  return parsed.href
}

/** What the statements count on, whatever a server, a database or a role has as its own default. */
const whatever = {
  jit: "off",
  default_transaction_isolation: "read committed",
  standard_conforming_strings: "on"
} as const

/** Begins a transaction of which each statement sees what was committed before it: what waited for a lock sees what the other wrote. */
export const beginText = "BEGIN ISOLATION LEVEL READ COMMITTED"

/** The settings of connections that write. A host that is frozen in a transaction holds its locks for `timeoutMs` at most. */
export const writing = (timeoutMs: number): Readonly<Record<string, string>> => ({
  // To plan anew for each value took about a seventh of the time of a process.
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  lock_timeout: String(timeoutMs),
  idle_in_transaction_session_timeout: String(timeoutMs)
})

/** The settings of connections that only look. */
export const looking: Readonly<Record<string, string>> = { default_transaction_read_only: "on" }

/** Connects, for as long as the scope is open. */
export const connect = ({ url, timeoutMs }: SessionOptions): Effect.Effect<Session, StoreError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.tryPromise({
        try: async () => {
          const client = new Client({
            connectionString: url,
            pipeline: true,
            keepAlive: true,
            connectionTimeoutMillis: timeoutMs,
            // Longer than the server waits for a lock: of a connection that is dead nothing is heard.
            query_timeout: 2 * timeoutMs,
            types: valueTypes
          })
          // Without a listener a connection that is lost would end the process.
          client.on("error", () => {})
          await client.connect()
          return client
        },
        catch: (cause) => storeError("connect to the database", cause)
      }),
      (client) =>
        // A server that does not answer keeps no one from closing.
        Effect.promise(() => client.end().catch(() => {})).pipe(
          Effect.interruptible,
          Effect.timeoutOption("1 second"),
          Effect.ensuring(Effect.sync(() => destroy(client))),
          realTime
        )
    ),
    sessionOf
  )

const sessionOf = (client: Client): Session => {
  const end = Effect.unsafeMakeLatch(false)
  let isOpen = true
  const close = () => {
    isOpen = false
    destroy(client)
    end.unsafeOpen()
  }
  client.once("error", close)
  client.once("end", close)

  const send = (statements: ReadonlyArray<Statement>): Effect.Effect<ReadonlyArray<Answer>, Failure> =>
    Effect.async((resume) => {
      const answers: Array<Answer> = []
      let failure: Failure | undefined
      let waiting = statements.length
      // One packet for all of them: the driver sends each statement on its own.
      client.connection.stream.cork()
      for (const [index, { name, text, values }] of statements.entries()) {
        client.query({ name, text, values: values.map(parameter) }, (cause, result) => {
          // Whatever follows a statement that failed in its transaction fails with it.
          if (cause) failure ??= { cause, isLost: isFatal(cause) }
          else answers[index] = { rows: result.rows, count: result.rowCount ?? 0 }
          if (--waiting > 0) return
          if (failure?.isLost === true) close()
          resume(failure === undefined ? Effect.succeed(answers) : Effect.fail(failure))
        })
      }
      client.connection.stream.uncork()
    })

  return {
    send,
    isOpen: () => isOpen,
    ended: end.await,
    onNotification: (listener) => {
      client.on("notification", ({ payload = "" }) => listener(payload))
    }
  }
}

/** Whether the connection ends with an error: it is none of the server's, or the server's last. */
const isFatal = (cause: Error): boolean =>
  !(cause instanceof DatabaseError) || cause.severity === "FATAL" || cause.severity === "PANIC" || isReplanned(cause)

/** Whether a statement was prepared before a table was changed: it fails on its connection from then on, and works on a new one. */
export const isReplanned = (cause: Error): boolean =>
  cause instanceof DatabaseError && cause.code === "0A000" && cause.routine === "RevalidateCachedQuery"

/** Ends a connection without a word to the server. */
const destroy = (client: Client): void => {
  client.connection.stream.destroy()
}
