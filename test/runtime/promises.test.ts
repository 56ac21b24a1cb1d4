import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as ChangeHub from "../../src/runtime/client/ChangeHub.ts"
import * as Promises from "../../src/runtime/client/Promises.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { bounded, temporaryFolder, until } from "../support/hosts.ts"

const scope = { _tag: "Process", processId: "p" } as const
const wait = { _tag: "Host", name: "approval", ordinal: 1 } as const

const on = <R, E>(store: Layer.Layer<R, E>) =>
  Promises.layer.pipe(
    Layer.provideMerge(ChangeHub.layer),
    Layer.provideMerge(store as unknown as typeof MemoryStore.layer)
  )

const memory = on(MemoryStore.layer)

const file = Layer.unwrapScoped(
  Effect.map(temporaryFolder, (folder) => on(SqliteStore.layer({ filename: `${folder}/promises.db` })))
)

for (const [name, host] of Object.entries({ memory, file })) {
  describe(`a durable promise in ${name === "file" ? "a file" : name}`, () => {
    it.live("that is resolved before anybody awaits it keeps its end", () =>
      Effect.gen(function* () {
        const promises = yield* Promises.Promises
        const key = yield* promises.keyFor(scope, wait)
        assert.deepStrictEqual(yield* promises.resolve(key, { _tag: "Ok", value: 1 }), { _tag: "Accepted" })
        assert.deepStrictEqual(yield* bounded(promises.await(key)), { _tag: "Ok", value: 1 })
      }).pipe(Effect.provide(host))
    )

    it.live("wakes whoever awaits it, and the second to resolve is told how it ended", () =>
      Effect.gen(function* () {
        const promises = yield* Promises.Promises
        const hub = yield* ChangeHub.ChangeHub
        const key = yield* promises.keyFor(scope, wait)
        const waiting = yield* Effect.fork(promises.await(key))
        yield* until(Effect.sync(() => hub.size() === 1))
        const error = { _tag: "Err", error: { code: "no", message: "refused" } } as const
        assert.deepStrictEqual(yield* promises.resolve(key, error), { _tag: "Accepted" })
        assert.deepStrictEqual(yield* bounded(Fiber.join(waiting)), error)
        assert.deepStrictEqual(yield* promises.resolve(key, { _tag: "Ok", value: 1 }), {
          _tag: "AlreadyResolved",
          terminal: error
        })
      }).pipe(Effect.provide(host))
    )

    it.live("ends as a timeout once its deadline has passed, for everybody", () =>
      Effect.gen(function* () {
        const promises = yield* Promises.Promises
        const key = yield* promises.keyFor(scope, wait)
        const deadlineMs = (yield* Clock.currentTimeMillis) + 20
        assert.deepStrictEqual(yield* bounded(promises.await(key, { deadlineMs })), { _tag: "Timeout" })
        assert.deepStrictEqual(yield* promises.resolve(key, { _tag: "Ok", value: 1 }), {
          _tag: "AlreadyResolved",
          terminal: { _tag: "Timeout" }
        })
      }).pipe(Effect.provide(host))
    )

    it.live("ends as cancelled when whoever awaits it is interrupted", () =>
      Effect.gen(function* () {
        const promises = yield* Promises.Promises
        const hub = yield* ChangeHub.ChangeHub
        const key = yield* promises.keyFor(scope, wait)
        const waiting = yield* Effect.fork(promises.await(key))
        yield* until(Effect.sync(() => hub.size() === 1))
        yield* bounded(Fiber.interrupt(waiting))
        assert.deepStrictEqual(yield* bounded(promises.await(key)), { _tag: "Cancelled" })
      }).pipe(Effect.provide(host))
    )

    it.live("under a key that was changed is nobody's", () =>
      Effect.gen(function* () {
        const promises = yield* Promises.Promises
        const key = yield* promises.keyFor(scope, wait)
        const other = { ...key, wait: { ...wait, ordinal: 2 } }
        assert.deepStrictEqual(yield* promises.resolve(other, { _tag: "Ok", value: 1 }), { _tag: "UnknownOrRevoked" })
        const error = yield* bounded(Effect.flip(promises.await(other)))
        assert.include(error.message, "await_event_unknown_or_revoked")
      }).pipe(Effect.provide(host))
    )
  })
}
