import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Host } from "../../src/host/Host.ts"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import { HandleGrants } from "../../src/operations/HandleGrants.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import type { TreeNode } from "../../src/supervision/Supervisor.ts"
import { bounded, memory, sqlite, temporaryFolder } from "../support/hosts.ts"

const engineOf = (run: (ctx: ExecutionContext) => Effect.Effect<unknown>) =>
  Engine.make("work", {
    version: "1",
    payload: Schema.Null,
    success: Schema.Unknown,
    disposition: "rerunnable",
    run: (_, ctx) => run(ctx)
  })

const Leaf = Engine.make("leaf", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: () => Effect.succeed(null)
})

describe("what surrounds a body", () => {
  it.live("has no wake target any more once its session was deleted, and neither have its children", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/host.db`
      const parent = engineOf((ctx) =>
        Effect.gen(function* () {
          const { triggerWakeTarget, spawnProvenance } = yield* ctx.surroundings
          yield* Effect.orDie(ctx.start(Leaf, { name: "leaf", payload: null }))
          return [triggerWakeTarget === undefined, spawnProvenance.wakeTarget === undefined]
        })
      )
      yield* Effect.gen(function* () {
        const options = { id: "p", payload: null, wakeTarget: { sessionId: "gone" } }
        yield* (yield* Processes).start(parent, options)
        yield* (yield* HandleGrants).deleteSessionProcessState("gone")
      }).pipe(Effect.provide(sqlite(file, [])))
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* bounded((yield* Processes).handle(parent, "p").await), [true, true])
        const child = yield* (yield* ProcessRegistry).getProcess(processId("p/leaf"))
        assert.strictEqual(child?.id, "p/leaf")
        assert.strictEqual(child?.wakeTarget, undefined)
      }).pipe(Effect.provide(sqlite(file, [parent, Leaf])))
    }).pipe(Effect.scoped)
  )
})

/** What is noted of the processes in a tree. */
const said = (node: TreeNode): ReadonlyArray<string> => [
  ...(node.kind === "process" ? [node.note ?? ""] : []),
  ...node.children.flatMap(said)
]

describe("what a body says it is doing", () => {
  it.live("is in the tree for as long as it does it, and then what it did around that again", () =>
    Effect.gen(function* () {
      const [inner, outer] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const [within, after] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const at = (reached: typeof inner, gate: typeof inner) =>
        Effect.zipRight(Deferred.succeed(reached, undefined), Deferred.await(gate))
      const telling = engineOf((ctx) =>
        Effect.orDie(ctx.phase("planning", Effect.zipRight(ctx.phase("asking", at(within, inner)), at(after, outer))))
      )
      yield* Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(telling, { id: "p", payload: null })
        const noted = Effect.map((yield* Host).tree, said)
        yield* bounded(Deferred.await(within))
        assert.deepStrictEqual(yield* noted, ["asking, attempt 1, fence 1"])
        yield* Deferred.succeed(inner, undefined)
        yield* bounded(Deferred.await(after))
        assert.deepStrictEqual(yield* noted, ["planning, attempt 1, fence 1"])
        yield* Deferred.succeed(outer, undefined)
        yield* bounded(handle.await)
      }).pipe(Effect.provide(memory([telling])))
    })
  )
})
