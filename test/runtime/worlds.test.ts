import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import { Go, Listener } from "./replays.ts"
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

it.live("a host that thaws hears what others have committed meanwhile, as programs do that look at their store", () =>
  Effect.gen(function* () {
    const world = yield* make
    const own = yield* world.boot([Listener], {})
    yield* own.run(Effect.flatMap(Processes, (processes) => processes.start(Listener, { id: "p", payload: null })))
    yield* world.advance(10)
    yield* own.freeze
    const other = yield* world.boot([], {})
    yield* other.run(Effect.flatMap(Processes, (processes) => processes.handle(Listener, "p").signal(Go, 1)))
    yield* own.thaw
    yield* world.advance(10)
    const found = yield* world.store.find(processId("p"))
    assert.strictEqual(found._tag === "Present" && found.row.snapshot.status, "done")
  }).pipe(Effect.scoped)
)
