import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { make } from "./schedules.ts"

it.live("a host that is buried is given its deadlines: what ends by one is not cut off from it", () =>
  Effect.gen(function* () {
    const ended: Array<string> = []
    const work = Effect.timeoutTo(Effect.interruptible(Effect.never), {
      duration: "10 seconds",
      onSuccess: () => "by itself",
      onTimeout: () => "by its deadline"
    }).pipe(Effect.tap((how) => Effect.sync(() => ended.push(how))))
    yield* Effect.scoped(
      Effect.gen(function* () {
        const world = yield* make
        for (const fate of ["crash", "freeze"] as const) {
          const host = yield* world.boot([], {})
          yield* host.begin(Effect.uninterruptible(work))
          yield* world.turns(3)
          yield* host[fate]
          yield* world.advance(60_000)
          assert.deepStrictEqual(ended, [])
        }
      })
    )
    assert.deepStrictEqual(ended, ["by its deadline", "by its deadline"])
  })
)
