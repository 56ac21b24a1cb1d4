/**
 * The edges of the inspector's HTTP that its routes do not reach, and must keep when they do.
 */
import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { App } from "../../src/inspector/http.ts"
import { serve } from "../../src/inspector/http.ts"
import { bounded } from "../support/hosts.ts"

/** Sends text on a connection of its own, and answers all that comes back until it ends. */
const talk = (port: number, text: string, hears: (heard: string) => void = () => {}): Promise<string> =>
  new Promise((resolve) => {
    let heard = ""
    const socket = connect(port, "127.0.0.1", () => socket.write(text))
    socket.on("data", (chunk) => {
      heard += chunk
      hears(heard)
    })
    socket.on("error", () => {})
    socket.on("close", () => resolve(heard))
  })

const request = (method: string, more = ""): string =>
  `${method} / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n${more}\r\n`

/** Serves an app while a test runs. */
const serving = <A>(app: App, test: (port: number) => Effect.Effect<A>) =>
  bounded(
    Effect.scoped(
      Effect.flatMap(
        serve({ host: "127.0.0.1", port: 0 }, () => app),
        test
      )
    )
  )

const answer = (body: string | Stream.Stream<string>) => ({ status: 200, headers: {}, body })

describe("the server of the inspector", () => {
  it.live("does not end a stream that broke as if it were complete", () =>
    Effect.gen(function* () {
      const heardFirst = yield* Deferred.make<void>()
      const broken = Stream.fromEffect(Effect.zipRight(Deferred.await(heardFirst), Effect.dieMessage("broken")))
      yield* serving(
        () => Effect.succeed(answer(Stream.concat(Stream.make("first"), broken))),
        (port) =>
          Effect.map(
            Effect.promise(() =>
              talk(port, request("GET"), (heard) => {
                if (heard.includes("first")) Effect.runSync(Deferred.succeed(heardFirst, undefined))
              })
            ),
            (heard) => {
              assert.include(heard, "first")
              assert.notInclude(heard, "\r\n0\r\n")
            }
          )
      )
    })
  )

  it.live("refuses a body that is too long, and one that ends too early", () =>
    serving(
      (incoming) =>
        Effect.match(incoming.text, { onSuccess: answer, onFailure: ({ message }) => answer(`refused: ${message}`) }),
      (port) =>
        Effect.gen(function* () {
          const tooLong = 10 * 1024 * 1024 + 1
          const long = yield* Effect.promise(() =>
            talk(port, request("POST", `content-length: ${tooLong}\r\n`) + "x".repeat(tooLong))
          )
          assert.match(long, /refused: .*longer than 10485760 bytes/)
          const whole = yield* Effect.promise(() => talk(port, `${request("POST", "content-length: 2\r\n")}ok`))
          assert.match(whole, /\r\n\r\nok$/)
        })
    )
  )

  it.live("is closed although a client left before its body was read", () =>
    bounded(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const left = yield* Deferred.make<void>()
        const ended = yield* Deferred.make<string>()
        const app: App = (incoming) =>
          Effect.zipRight(
            incoming.method === "GET" ? Effect.void : Deferred.await(left),
            Effect.matchEffect(incoming.text, {
              onSuccess: () => Effect.succeed(answer("read")),
              onFailure: ({ message }) => Effect.as(Deferred.succeed(ended, message), answer(message))
            })
          )
        const port = yield* Scope.extend(
          serve({ host: "127.0.0.1", port: 0 }, () => app),
          scope
        )
        yield* Effect.promise(
          () =>
            new Promise<void>((resolve) => {
              const socket = connect(port, "127.0.0.1", () => {
                socket.write(request("POST", "content-length: 100\r\n"), () => socket.destroy())
              })
              socket.on("close", () => resolve())
            })
        )
        // The server has seen that one leave when it answers the next one.
        yield* Effect.promise(() => talk(port, request("GET")))
        yield* Deferred.succeed(left, undefined)
        assert.match(yield* Deferred.await(ended), /ended too early/)
        yield* Scope.close(scope, Exit.void)
      })
    )
  )
})
