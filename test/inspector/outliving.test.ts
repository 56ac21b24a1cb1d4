/**
 * A host whose inspector is attacked, or breaks, goes on running its processes. What is measured is how many of them complete.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import type { Server } from "node:http"
import type { Socket } from "node:net"
import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { Processes } from "../../src/host/Processes.ts"
import * as Feed from "../../src/inspector/feed.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import type { InspectorParts } from "../../src/inspector/InspectorSource.ts"
import { InspectorSource } from "../../src/inspector/InspectorSource.ts"
import { readsOf } from "../../src/inspector/server.ts"
import { StoreError } from "../../src/model/errors.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { bounded, memory, quiet, until } from "../support/hosts.ts"
import { isWhole } from "../support/samples.ts"
import { withKeys } from "./fixtures.ts"

const Work = Engine.make("work", {
  version: "1",
  payload: Schema.Number,
  success: Schema.Number,
  disposition: "rerunnable",
  run: (n, ctx) =>
    Effect.gen(function* () {
      yield* ctx.step("first", Effect.void)
      yield* ctx.sleep("20 millis")
      return yield* ctx.step("second", Effect.succeed(n + 1))
    })
})

const host = Layer.provide(memory([Work]), quiet)

/** Runs processes to their ends, and answers what they came to. */
const worked = (name: string, count: number) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    const numbers = Array.from({ length: count }, (_, index) => index)
    return yield* Effect.forEach(
      numbers,
      (n) => Effect.flatMap(processes.start(Work, { id: `${name}-${n}`, payload: n }), (handle) => handle.await),
      { concurrency: "unbounded" }
    )
  })

/** That all of a host's processes complete. */
const works = (name: string, count = 10) =>
  Effect.map(bounded(worked(name, count)), (results) =>
    assert.deepStrictEqual(
      results,
      Array.from({ length: count }, (_, index) => index + 1)
    )
  )

const request = (path: string, more = ""): string =>
  `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAuthorization: Bearer secret\r\n${more}\r\n`

/** A connection that goes with the scope. */
const opened = (port: number, text: string, hears?: (text: string) => void) =>
  Effect.acquireRelease(
    Effect.async<Socket>((resume) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.write(text.replace("PORT", String(port)))
        resume(Effect.succeed(socket))
      })
      socket.on("error", () => {})
      if (hears === undefined) socket.pause()
      else socket.on("data", (chunk) => hears(String(chunk)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

const statusOf = (port: number, path: string) =>
  Effect.promise(async () => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: "Bearer secret" } })
    await answer.body?.cancel()
    return answer.status
  })

describe("a host whose inspector is attacked", () => {
  it.scopedLive.skipIf(!isWhole)(
    "completes all its processes beside 400 streams, half of which do not read, and 1,000 half-open connections",
    () =>
      bounded(
        Effect.gen(function* () {
          const { port, clients } = yield* Inspector.Inspector
          const heard = new Map<number, string>()
          const half = Feed.maxClients / 2
          yield* Effect.forEach(
            Array.from({ length: half }, (_, index) => index),
            (index) =>
              Effect.zipRight(
                opened(port, request("/api/changes"), (text) => heard.set(index, text)),
                opened(port, request("/api/changes"))
              )
          )
          yield* until(Effect.sync(() => clients() === 400))
          for (let index = 0; index < 1_000; index++)
            yield* opened(port, index % 2 === 0 ? "" : "GET / HTTP/1.1\r\nHost:")
          yield* works("attacked", 30)
          assert.strictEqual(yield* statusOf(port, "/api/counts"), 200)
          assert.strictEqual(yield* statusOf(port, "/api/changes"), 503)
          // Whoever reads still hears of what happens.
          heard.clear()
          yield* works("heard", 1)
          yield* until(Effect.sync(() => heard.size === half))
        }).pipe(Effect.scoped, Effect.zipRight(admitsAgain), Effect.provide(beside()))
      )
  )
})

/** Once those that followed the changes have gone, another one may. */
const admitsAgain = Effect.gen(function* () {
  const { port, clients } = yield* Inspector.Inspector
  yield* until(Effect.sync(() => clients() === 0))
  assert.strictEqual(yield* statusOf(port, "/api/changes"), 200)
})

/** An inspector beside the host. */
const beside = (options: Inspector.InspectorOptions = {}) =>
  Layer.provide(Layer.provideMerge(Inspector.layerHost({ token: "secret", ...options }), host), quiet)

describe("a host whose inspector breaks", () => {
  it.scopedLive("goes on when the port is taken", () =>
    Effect.gen(function* () {
      const { port } = yield* Inspector.Inspector
      const second = Layer.provide(Inspector.layerHost({ port }), quiet)
      const { _tag, message } = yield* Effect.flip(Effect.scoped(Layer.build(second)))
      assert.strictEqual(_tag, "InputInvalid")
      assert.include(message, "EADDRINUSE")
      yield* works("taken")
      assert.strictEqual(yield* statusOf(port, "/api/counts"), 200)
    }).pipe(Effect.provide(beside()))
  )

  it.scopedLive("goes on when the server fails, or is closed under it, and ends with it", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const inspector = Layer.provide(Inspector.layerHost({ token: "secret" }), quiet)
      const context = yield* Layer.buildWithScope(inspector, scope)
      const { port } = yield* Effect.provide(Inspector.Inspector, context)
      let found: Server | undefined
      const see = (message: unknown) => {
        const { server } = message as { readonly server: Server } // as Node documents it
        const at = server.address()
        if (typeof at === "object" && at?.port === port) found = server
      }
      subscribe("http.server.request.start", see)
      yield* opened(port, request("/api/changes"), () => {})
      assert.strictEqual(yield* statusOf(port, "/api/counts"), 200)
      unsubscribe("http.server.request.start", see)
      if (found === undefined) return assert.fail("the server was not seen")
      found.emit("error", Object.assign(new Error("accept EMFILE"), { code: "EMFILE" }))
      assert.strictEqual(yield* statusOf(port, "/api/counts"), 200)
      yield* works("failed")
      found.close()
      found.closeAllConnections()
      yield* works("closed")
      yield* bounded(Scope.close(scope, Exit.void))
      yield* works("over")
    }).pipe(Effect.provide(host))
  )

  it.scopedLive("goes on when what it shows throws, and shows the rest of it", () =>
    Effect.gen(function* () {
      const { port } = yield* Inspector.Inspector
      let heard = ""
      yield* opened(port, request("/api/changes"), (text) => {
        heard += text
      })
      yield* until(Effect.sync(() => heard.includes("hello")))
      isBroken = true
      yield* works("thrown", 3)
      for (const path of Object.keys(readsOf({} as never))) {
        // None of them is called without an answer.
        const status = yield* bounded(statusOf(port, withKeys(path, { id: "thrown-1", sequence: "1" })))
        assert.include([200, 400, 500], status, path)
      }
      for (const part of ["tree", "sweeps", "wakes", "explain"]) {
        assert.strictEqual(yield* statusOf(port, withKeys(`/api/${part}`, { id: "thrown-1" })), 500, part)
      }
      assert.strictEqual(yield* statusOf(port, "/api/counts"), 200)
      isBroken = false
      // A process is shown without the part that throws.
      for (const path of ["/api/look?id=thrown-1", "/api/overview", "/api/process?id=thrown-1"]) {
        assert.strictEqual(yield* statusOf(port, path), 200, path)
      }
      heard = ""
      yield* works("later", 1)
      yield* until(Effect.sync(() => heard.includes("later-0")))
    }).pipe(
      Effect.provide(beside({ redact: (value) => (isBroken ? thrown("redact") : value) })),
      Effect.provideService(InspectorSource, throwing)
    )
  )

  it.scopedLive("goes on when the store fails every read of it, and answers that it could not read", () =>
    Effect.gen(function* () {
      const store = yield* ProcessStore
      for (const [name, failure, refused] of [
        ["failing", Effect.fail(unusable), 503],
        ["throwing", Effect.dieMessage("the store threw"), 500]
      ] as const) {
        const own = Layer.succeed(ProcessStore, failing(store, failure))
        const inspector = Layer.provide(Layer.provide(Inspector.layerHost({ token: "secret" }), own), quiet)
        yield* Effect.gen(function* () {
          const { port } = yield* Inspector.Inspector
          let heard = ""
          yield* opened(port, request("/api/changes"), (text) => {
            heard += text
          })
          yield* until(Effect.sync(() => heard.includes("hello")))
          yield* works(name)
          for (const path of Object.keys(readsOf({} as never)).filter(
            (each) => !ofHost.has(each) && each !== "/api/machine"
          )) {
            const asked = withKeys(path, { id: "p", sequence: "1" })
            assert.strictEqual(yield* bounded(statusOf(port, asked)), refused, path)
          }
          for (const path of ofHost) assert.strictEqual(yield* statusOf(port, path), 200, path)
        }).pipe(Effect.provide(inspector))
      }
      yield* works("after")
    }).pipe(Effect.provide(host))
  )
})

/** What is read of the host and of the library, and of no store. */
const ofHost = new Set(["/api/host", "/api/machines", "/api/tree", "/api/sweeps"])

let isBroken = false

const thrown = (what: string): never => {
  throw new Error(`${what} threw`)
}

const throwing: InspectorParts = {
  tree: Effect.sync(() => thrown("the tree")),
  sweeps: Effect.succeed({ not: 1n }),
  wakes: Effect.dieMessage("the wakes died"),
  explain: () => thrown("the explanation")
}

const unusable = new StoreError({ operation: "read", reason: "unusable", written: "no", detail: "it is gone" })

/** A store of which everything that is an effect, or answers one, fails; what it is and what it announces stays. */
const failing = (
  store: typeof ProcessStore.Service,
  failure: Effect.Effect<never, StoreError>
): typeof ProcessStore.Service => {
  const broken = (value: unknown, name: string): unknown => {
    if (name === "storeId" || name === "onCommit") return value
    if (Effect.isEffect(value)) return failure
    if (typeof value === "function") return () => failure
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, broken(inner, key)]))
  }
  return broken(store, "") as typeof ProcessStore.Service // the same fields
}
