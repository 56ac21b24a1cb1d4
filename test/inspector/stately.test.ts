import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { followStately } from "../../src/inspector/stately.ts"
import { processId } from "../../src/model/ids.ts"
import { memoryStore, note, register, waitForApproval } from "./fixtures.ts"

describe("the stream for tools of Stately", () => {
  it.scoped("introduces each process once, then tells its events with the snapshot after them", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5)
      const told = yield* followStately()
      yield* register("p", { identity: { kind: "deploy", label: "Deploy" } })
      yield* note("p", "planned")
      yield* waitForApproval("p")
      yield* register("p/child", { parent: { processId: processId("p"), closePolicy: "cancel" } })
      const events = Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(told, 6)))
      assert.deepStrictEqual(
        events.map(({ type, id }) => `${type} ${id}`),
        [
          "@xstate.actor p#actor",
          "@xstate.event p#1",
          "@xstate.snapshot p#1:snapshot",
          "@xstate.event p#2",
          "@xstate.snapshot p#2:snapshot",
          "@xstate.actor p/child#actor"
        ]
      )
      const [actor, event, snapshot, , , child] = events
      assert.deepInclude(actor, { sessionId: "p", name: "Deploy", rootId: "p", createdAt: "5" })
      assert.strictEqual(actor?.type === "@xstate.actor" && JSON.parse(actor.definition).id, "process")
      assert.deepInclude(event, { event: { type: "process.noted" } })
      assert.strictEqual(snapshot?.type === "@xstate.snapshot" && snapshot.snapshot.status, "active")
      assert.deepInclude(child, { parentId: "p", rootId: "p" })
      assert.deepStrictEqual(JSON.parse(JSON.stringify(events)), events)
    }).pipe(Effect.provide(memoryStore))
  )

  it.scoped("hides what a host hides", () =>
    Effect.gen(function* () {
      const told = yield* followStately(() => "hidden")
      yield* register("p")
      const [actor] = Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(told, 1)))
      assert.notInclude(JSON.stringify(actor), "tea")
    }).pipe(Effect.provide(memoryStore))
  )
})
