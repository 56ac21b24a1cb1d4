/**
 * The little of HTTP that the inspector speaks: a request as a value, an answer as a value, and a server between them.
 *
 * Invariant: a client can end or slow nothing but its own request. Nothing listens for upgrades, so Node hands such a request
 * over as an ordinary one, which the app refuses first of all.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"
import { createServer } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { InputInvalid } from "../model/errors.ts"

/** A request. */
export interface Request {
  readonly method: string
  /** The target as it was sent: a path with its query, or whatever else the client wrote. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** Reads the body. Fails with `TooLarge`, or with `InputInvalid` for one that ends too early. */
  readonly text: Effect.Effect<string, InputInvalid | TooLarge>
}

/** A body that is too large; what has been read of it is not kept. */
export class TooLarge extends Data.TaggedError("TooLarge")<{ readonly message: string }> {}

/** An answer. One whose body is a stream lasts until the stream ends or the client leaves. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Stream.Stream<string>
}

/** Answers a request, whatever happens. It is not interrupted when the client leaves, but where it allows that. */
export type App = (request: Request) => Effect.Effect<Answer>

/** How long clients are waited for, and how many there may be. Units: milliseconds. */
export interface Limits {
  /** Until the head of a request is there. */
  readonly headMs: number
  /** Until the whole of a request is there. */
  readonly requestMs: number
  /** How long a connection may move nothing: one whose client does not read is cut. */
  readonly idleMs: number
  /** How many connections there may be: each takes a file descriptor that the host's own work needs, too. */
  readonly connections: number
}

/** What the inspector allows. */
export const limits: Limits = { headMs: 10_000, requestMs: 60_000, idleMs: 60_000, connections: 1_500 }

/** Where to listen, and what is allowed there. */
export interface Place {
  readonly host: string
  readonly port: number
  readonly allows?: Limits
}

/** Listens at a port, 0 for any, and answers the number of the one it got. Stops, and cuts every connection, with the scope. */
export const serve = (
  { host, port, allows = limits }: Place,
  appAt: (port: number) => App
): Effect.Effect<number, InputInvalid, Scope.Scope> =>
  Effect.gen(function* () {
    const server = createServer({
      headersTimeout: allows.headMs,
      requestTimeout: allows.requestMs,
      connectionsCheckingInterval: Math.min(allows.headMs, 5_000)
    })
    server.timeout = allows.idleMs
    server.maxConnections = allows.connections
    const fork = yield* FiberSet.makeRuntime<never>()
    yield* Effect.acquireRelease(
      Effect.async<void, InputInvalid>((resume) => {
        const refuse = (cause: Error): void =>
          resume(
            Effect.fail(new InputInvalid({ field: "port", problem: `${port} cannot be served at ${host}: ${cause}` }))
          )
        server.once("error", refuse)
        server.listen({ host, port }, () => {
          server.off("error", refuse)
          resume(Effect.void)
        })
      }),
      () =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          // Closing waits for open connections, and a page keeps one open.
          server.closeAllConnections()
        })
    )
    // A connection that cannot be accepted (no file descriptor is left) is an `error` of the server. Without a listener
    // it would end the process.
    server.on("error", (cause) => fork(Effect.logWarning("the inspector could not accept a connection", cause)))
    const bound = (server.address() as AddressInfo).port // it listens at a port
    const app = appAt(bound)
    const fibersOf = new WeakMap<Socket, Set<Fiber.RuntimeFiber<void>>>()
    // Of pipelined requests only the one that is being answered hears that the connection has closed.
    server.on("connection", (socket) => {
      const fibers = new Set<Fiber.RuntimeFiber<void>>()
      fibersOf.set(socket, fibers)
      socket.once("close", () => {
        for (const fiber of fibers) fiber.unsafeInterruptAsFork(FiberId.none)
      })
    })
    server.on("request", (incoming, response) => {
      // A connection that broke needs no more answer; its close ends the fibers of its requests.
      response.on("error", () => {})
      const fiber = fork(
        Effect.flatMap(Effect.uninterruptible(app(requestOf(incoming))), (answer) => send(answer, response))
      )
      const fibers = fibersOf.get(incoming.socket)
      fibers?.add(fiber)
      fiber.addObserver(() => fibers?.delete(fiber))
    })
    return bound
  })

/** The largest body of a request. Units: bytes. */
const maxBodyBytes = 10 * 1024 * 1024

const requestOf = (incoming: IncomingMessage): Request => ({
  method: incoming.method ?? "",
  url: incoming.url ?? "",
  headers: incoming.headers,
  text: Effect.async((resume) => {
    const chunks: Array<Buffer> = []
    let size = 0
    const refuse = (problem: string): void => resume(Effect.fail(new InputInvalid({ field: "body", problem })))
    const refuseLarge = (): void => {
      chunks.length = 0
      resume(Effect.fail(new TooLarge({ message: `the body is longer than ${maxBodyBytes} bytes` })))
    }
    // Its client has left already, and no event will say so again.
    if (incoming.destroyed && !incoming.complete) return refuse("ended too early")
    if (Number(incoming.headers["content-length"]) > maxBodyBytes) return refuseLarge()
    incoming.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxBodyBytes) chunks.push(chunk)
      else refuseLarge()
    })
    incoming.once("end", () => resume(Effect.succeed(Buffer.concat(chunks).toString("utf8"))))
    // After an end it changes nothing.
    incoming.once("close", () => refuse("ended too early"))
    incoming.on("error", () => refuse("ended too early"))
  })
})

const send = ({ status, headers, body }: Answer, response: ServerResponse): Effect.Effect<void> => {
  if (typeof body === "string") {
    return Effect.sync(() => {
      response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) })
      response.end(body)
    })
  }
  const written = (text: string) =>
    Effect.async<void>((resume) => {
      if (response.write(text)) resume(Effect.void)
      else response.once("drain", () => resume(Effect.void))
    })
  return Effect.sync(() => response.writeHead(status, headers)).pipe(
    Effect.zipRight(Stream.runForEach(body, written)),
    // What did not end must not look as if it had.
    Effect.onExit((exit) => Effect.sync(() => (Exit.isSuccess(exit) ? response.end() : response.destroy())))
  )
}
