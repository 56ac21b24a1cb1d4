/**
 * The edges of the inspector's HTTP that its routes do not reach, and must keep when they do.
 */
import type { Socket } from "node:net"
import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { heartbeatMs } from "../../src/inspector/feed.ts"
import type { App, Limits } from "../../src/inspector/http.ts"
import { limits, serve } from "../../src/inspector/http.ts"
import { bounded, until } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"

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
const serving = <A>(app: App, test: (port: number) => Effect.Effect<A>, allows: Partial<Limits> = {}) =>
  bounded(
    Effect.scoped(
      Effect.flatMap(
        serve({ host: "127.0.0.1", port: 0, allows: { ...limits, ...allows } }, () => app),
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

  it.live("refuses a body that is too long as soon as that is known, and one that ends too early", () =>
    serving(
      (incoming) =>
        Effect.match(incoming.text, {
          onSuccess: answer,
          onFailure: ({ _tag, message }) => answer(`${_tag}: ${message}`)
        }),
      (port) =>
        Effect.gen(function* () {
          const most = 10 * 1024 * 1024
          const tooLong = "TooLarge: the body is longer than 10485760 bytes"
          // One says at once that it is too long, the other sends a byte more than it may; neither sends the rest.
          for (const [head, body] of [
            ["content-length: 62914560\r\n", ""],
            ["transfer-encoding: chunked\r\n", `a00001\r\n${"x".repeat(most + 1)}`]
          ] as const) {
            const heard = yield* Effect.async<string>((resume) => {
              const socket = connect(port, "127.0.0.1", () => socket.write(request("POST", head) + body))
              let text = ""
              socket.on("data", (chunk) => {
                text += chunk
                if (!text.includes("bytes")) return
                socket.destroy()
                resume(Effect.succeed(text))
              })
              socket.on("error", () => {})
            })
            assert.include(heard, tooLong)
          }
          const whole = yield* Effect.promise(() =>
            talk(port, request("POST", `content-length: ${most}\r\n`) + "x".repeat(most))
          )
          assert.match(whole, /\r\n\r\nx{10}/)
        })
    )
  )

  for (const [what, slow, allows] of [
    ["the head", ["", "GET / HTTP/1.1\r\nhost: h\r\nx-"], { headMs: 200 }],
    ["the rest", [`${request("POST", "content-length: 5\r\n")}ab`], { headMs: 200, requestMs: 400 }]
  ] as const) {
    it.live(`waits for ${what} of a request as long as it allows, and no longer`, () =>
      serving(
        (incoming) => Effect.match(incoming.text, { onSuccess: answer, onFailure: ({ message }) => answer(message) }),
        (port) =>
          Effect.gen(function* () {
            // Node's own limits are a minute and more.
            const heard = yield* Effect.promise(() => Promise.all(slow.map((text) => talk(port, text)))).pipe(
              Effect.timeout(patienceMs / 4),
              Effect.orDie
            )
            for (const text of heard) assert.strictEqual(text.split("\r\n", 1)[0], "HTTP/1.1 408 Request Timeout")
            const onTime = yield* Effect.promise(() => talk(port, `${request("POST", "content-length: 2\r\n")}ok`))
            assert.match(onTime, /ok$/)
          }),
        allows
      )
    )
  }

  it.live("refuses a head of 100 KB", () =>
    serving(
      () => Effect.succeed(answer("never")),
      (port) =>
        Effect.gen(function* () {
          const heard = yield* Effect.promise(() => talk(port, request("GET", `x-long: ${"x".repeat(100_000)}\r\n`)))
          assert.match(heard, /^HTTP\/1\.1 431 /)
          assert.notInclude(heard, "never")
        })
    )
  )

  it.live("keeps no more for a client that does not read than its connection holds, and cuts it", () =>
    Effect.gen(function* () {
      const text = "x".repeat(64 * 1024)
      const ended = yield* Deferred.make<void>()
      let made = 0
      const body = Stream.repeatEffect(
        Effect.sync(() => {
          made++
          return text
        })
      ).pipe(Stream.take(4_000), Stream.ensuring(Deferred.succeed(ended, undefined)))
      yield* serving(
        () => Effect.succeed(answer(body)),
        (port) =>
          Effect.gen(function* () {
            const socket = connect(port, "127.0.0.1", () => socket.write(request("GET")))
            socket.on("error", () => {})
            socket.pause()
            yield* Deferred.await(ended)
            socket.destroy()
          }),
        { idleMs: 300 }
      )
      assert.isAbove(made, 0)
      // 64 MiB, far above what two sockets hold.
      assert.isBelow(made, 1_000)
    })
  )

  it("does not take a page that only hears signs of life for one that does not read", () => {
    assert.isAtLeast(limits.idleMs, 3 * heartbeatMs)
  })

  it.live("answers pipelined requests in their order, and forgets every stream of a client that leaves", () =>
    Effect.gen(function* () {
      let streams = 0
      const stream = Stream.acquireRelease(
        Effect.sync(() => streams++),
        () => Effect.sync(() => streams--)
      ).pipe(Stream.flatMap(() => Stream.concat(Stream.make("begun"), Stream.never)))
      yield* serving(
        ({ url }) => Effect.succeed(answer(url === "/changes" ? stream : `<${url}>`)),
        (port) =>
          Effect.gen(function* () {
            const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: h\r\n\r\n`
            const paths = Array.from({ length: 100 }, (_, index) => `/${index}`)
            const heard = yield* Effect.promise(() =>
              talk(port, `${paths.map(get).join("")}${request("GET").replace("GET /", "GET /end")}`)
            )
            assert.deepStrictEqual(
              [...heard.matchAll(/<(.*?)>/g)].map(([, path]) => path),
              [...paths, "/end"]
            )
            const socket = connect(port, "127.0.0.1", () => socket.write(get("/changes").repeat(20)))
            socket.on("error", () => {})
            yield* until(Effect.sync(() => streams === 20))
            socket.destroy()
            yield* until(Effect.sync(() => streams === 0))
          })
      )
    })
  )

  it.live("closes a connection beyond those it allows at once, and takes one again when another has gone", () =>
    serving(
      () => Effect.succeed(answer("here")),
      (port) =>
        Effect.gen(function* () {
          const open = Effect.async<Socket>((resume) => {
            const socket = connect(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
            socket.on("error", () => {})
          })
          const first = yield* open
          yield* open
          assert.strictEqual(yield* Effect.promise(() => talk(port, request("GET"))), "")
          first.destroy()
          yield* until(
            Effect.map(
              Effect.promise(() => talk(port, request("GET"))),
              (heard) => heard.endsWith("here")
            )
          )
        }),
      { connections: 2 }
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
