import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import { StoreError } from "../../src/model/errors.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import type { ProcessStore } from "../../src/store/ProcessStore.ts"
import { faultyStore, hostOn, inVirtualTime } from "./harness.ts"

const napMs = 37

/** Sleeps, and answers how late it woke. Units: milliseconds. */
const Napper = Engine.make("napper", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Number,
  disposition: "rerunnable",
  run: (_, ctx) =>
    Effect.gen(function* () {
      const before = yield* Clock.currentTimeMillis
      yield* ctx.sleep(napMs)
      return (yield* Clock.currentTimeMillis) - before - napMs
    })
})

type Execution = (typeof ProcessStore.Service)["execution"]

const outage = new StoreError({ operation: "read", reason: "busy", written: "no", detail: "it is out" })

/** Moments at which the driver is about to sleep, and a timer is committed that it has not seen. */
const moments: ReadonlyArray<
  readonly [name: string, around: (execution: Execution, gap: Effect.Effect<void>) => Execution]
> = [
  [
    "after it has looked for what is due",
    (execution, gap) => ({
      ...execution,
      timersDue: (query) => Effect.tap(execution.timersDue(query), () => gap)
    })
  ],
  [
    "before it looks for the next one",
    (execution, gap) => ({ ...execution, nextTimer: Effect.zipRight(gap, execution.nextTimer) })
  ],
  [
    "after it has looked for the next one",
    (execution, gap) => ({ ...execution, nextTimer: Effect.tap(execution.nextTimer, () => gap) })
  ],
  [
    "while it waits to look again, since the store was out",
    (execution, gap) => {
      let fails = true
      return {
        ...execution,
        timersDue: (query) =>
          Effect.suspend(() => {
            if (!fails) return execution.timersDue(query)
            fails = false
            return Effect.zipRight(Effect.forkDaemon(gap), Effect.fail(outage))
          })
      }
    }
  ]
]

describe("a timer that is committed while the driver is between its look and its nap", () => {
  for (const [name, around] of moments) {
    it.live(`${name}: fires in its time`, () =>
      Effect.gen(function* () {
        const { store } = yield* faultyStore
        const looking = yield* Deferred.make<void>()
        const committed = yield* Deferred.make<void>()
        let isHeld = true
        /** The driver is held here once, until the timer is in the store. */
        const gap = Effect.suspend(() => {
          if (!isHeld) return Effect.void
          isHeld = false
          return Effect.zipRight(Deferred.succeed(looking, undefined), Deferred.await(committed))
        })
        const held = { ...store, execution: around(store.execution, gap) }
        yield* Effect.gen(function* () {
          yield* Deferred.await(looking)
          yield* store.onCommit((changes) => {
            if (changes.some(({ row }) => row.snapshot.context.waits.length > 0)) {
              Effect.runSync(Deferred.succeed(committed, undefined))
            }
          })
          const handle = yield* (yield* Processes).start(Napper, { id: "p", payload: null })
          assert.strictEqual(yield* handle.await, 0)
        }).pipe(Effect.scoped, Effect.provide(hostOn(held, [Napper], { sweepInterval: false })), inVirtualTime)
      })
    )
  }
})
