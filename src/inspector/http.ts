/**
 * The little of HTTP that the inspector speaks: a request as a value, an answer as a value, and a server between them.
 *
 * Invariant: a client can end or slow nothing but its own request. Nothing listens for upgrades, so Node hands such a request
 * over as an ordinary one.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
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
  /** Reads the body. Fails with `InputInvalid` for one that is too large, or that ends too early. */
  readonly text: Effect.Effect<string, InputInvalid>
}

/** An answer. One whose body is a stream lasts until the stream ends or the client leaves. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Stream.Stream<string>
}

/** Answers a request, whatever happens. It is not interrupted when the client leaves, but where it allows that. */
export type App = (request: Request) => Effect.Effect<Answer>

/** Listens at a port, 0 for any, and answers the number of the one it got. Stops, and cuts every connection, with the scope. */
export const serve = (
  { host, port }: { readonly host: string; readonly port: number },
  appAt: (port: number) => App
): Effect.Effect<number, InputInvalid, Scope.Scope> =>
  Effect.gen(function* () {
    const server = createServer()
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
    server.on("request", (incoming, response) => {
      // A connection that broke needs no more answer; its close ends the request's fiber.
      response.on("error", () => {})
      const fiber = fork(
        Effect.flatMap(Effect.uninterruptible(app(requestOf(incoming))), (answer) => send(answer, response))
      )
      response.once("close", () => fiber.unsafeInterruptAsFork(FiberId.none))
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
    // Its client has left already, and no event will say so again.
    if (incoming.destroyed && !incoming.complete) return refuse("ended too early")
    incoming.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxBodyBytes) chunks.push(chunk)
      else refuse(`is longer than ${maxBodyBytes} bytes`)
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
