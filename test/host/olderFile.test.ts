import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import { verify } from "../../src/operations/verify.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { temporaryFile, writeAsVersion3 } from "../store/sqliteFixtures.ts"
import { bounded, sqlite, until } from "../support/hosts.ts"

const Go = Signal.make("go", { payload: Schema.Int })
let charged = 0

const Order = Engine.make("order", {
  version: "1",
  payload: Schema.Int,
  success: Schema.String,
  signals: [Go],
  disposition: "rerunnable",
  run: (amount, ctx) =>
    Effect.gen(function* () {
      const receipt = yield* ctx.step(
        "charge",
        Effect.sync(() => `${amount} (${++charged})`)
      )
      return `${receipt}, ${yield* ctx.awaitSignal(Go)}`
    })
})

describe("a file of an older schema", () => {
  it.scopedLive("is migrated by a host, which ends a process that was begun in it and does nothing again", () =>
    Effect.gen(function* () {
      const [current, older] = [yield* temporaryFile, yield* temporaryFile]
      charged = 0
      yield* Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(Order, { id: "p", payload: 7 })
        yield* until(Effect.map(handle.status, ({ wait }) => wait !== undefined))
      }).pipe(Effect.provide(sqlite(current, [Order])))
      yield* writeAsVersion3(current, older)
      yield* Effect.gen(function* () {
        const handle = (yield* Processes).handle(Order, "p")
        yield* handle.signal(Go, 8)
        assert.strictEqual(yield* bounded(handle.await), "7 (1), 8")
        assert.deepStrictEqual((yield* verify()).differences, [])
      }).pipe(Effect.provide(sqlite(older, [Order])))
      assert.strictEqual(charged, 1)
    })
  )
})
