/**
 * Engines of a newer version that accept the processes of an older one.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { explain } from "../../src/explain/explain.ts"
import type { BodyContext } from "../../src/host/embed/createHost.ts"
import * as Embed from "../../src/host/embed/createHost.ts"
import { Host } from "../../src/host/Host.ts"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import { Retention } from "../../src/operations/Retention.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { bounded, memory, sqlite, temporaryFolder, until } from "../support/hosts.ts"

const Go = Signal.make("go", { payload: Schema.Number })
const shape = {
  payload: Schema.Null,
  success: Schema.String,
  signals: [Go],
  disposition: "rerunnable"
} as const

/** Notes who ran a step. */
const ways = (version: string, did: Array<string>) => {
  const step = () => did.push(`price by ${version}`)
  return {
    effects: (ctx: ExecutionContext) =>
      Effect.gen(function* () {
        yield* ctx.step("price", Effect.sync(step))
        const isNew = version === "2" && (yield* ctx.patched("tax"))
        const answer = yield* ctx.awaitSignal(Go)
        return `${isNew ? "new" : "old"} way by ${version}: ${answer}`
      }),
    promises: async (ctx: BodyContext) => {
      await ctx.step("price", step)
      const isNew = version === "2" && (await ctx.patched("tax"))
      const answer = await ctx.awaitSignal(Go)
      return `${isNew ? "new" : "old"} way by ${version}: ${answer}`
    }
  }
}

type Versions = { readonly version: string; readonly accepts?: ReadonlyArray<string> }

const forms = {
  effects: (versions: Versions, did: Array<string> = []) =>
    Engine.make("order", { ...shape, ...versions, run: (_, ctx) => ways(versions.version, did).effects(ctx) }),
  promises: (versions: Versions, did: Array<string> = []) =>
    Embed.engine("order", { ...shape, ...versions, run: (_, ctx) => ways(versions.version, did).promises(ctx) })
}

const reasonOf = (id: string) =>
  Effect.map(
    Effect.flatMap(Host, ({ facts }) => explain(processId(id), facts)),
    ({ because }) => because._tag
  )

describe.each(Object.entries(forms))("a process of version 1, in %s", (_, engineOf) => {
  it.scopedLive("is run by version 2 that accepts it, goes on the way it began, and stays a process of version 1", () =>
    Effect.gen(function* () {
      const filename = `${yield* temporaryFolder}/a.db`
      const did: Array<string> = []
      const One = engineOf({ version: "1" }, did)
      const Two = engineOf({ version: "2", accepts: ["0", "1"] }, did)
      yield* Effect.flatMap(Processes, (processes) =>
        Effect.zipRight(
          processes.start(One, { id: "p", payload: null }),
          until(Effect.map(reasonOf("p"), (reason) => reason === "WaitingForSignal"))
        )
      ).pipe(Effect.provide(sqlite(filename, [One])))
      yield* Effect.gen(function* () {
        const processes = yield* Processes
        yield* processes.handle(Two, "p").signal(Go, 7)
        // The same start, repeated by the new program.
        const same = yield* processes.start(Two, { id: "p", payload: null })
        yield* processes.start(Two, { id: "q", payload: null })
        const references = yield* Effect.flatMap(Retention, (retention) => retention.referenceSummary)
        assert.deepInclude(
          references.map(({ definition }) => definition),
          { kind: "order", version: "2" }
        )
        assert.notStrictEqual(yield* reasonOf("p"), "NoEngine")
        assert.strictEqual(yield* bounded(same.await), "old way by 2: 7")
        assert.deepStrictEqual((yield* same.status).identity.definition, { kind: "order", version: "1" })
        yield* processes.handle(Two, "q").signal(Go, 8)
        assert.strictEqual(yield* bounded(processes.handle(Two, "q").await), "new way by 2: 8")
        assert.deepStrictEqual(did, ["price by 1", "price by 2"])
      }).pipe(Effect.provide(sqlite(filename, [Two])))
    })
  )

  it.live("is run by version 1 where that is registered too", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const handle = yield* processes.start(engineOf({ version: "1" }), { id: "p", payload: null })
      yield* handle.signal(Go, 7)
      assert.strictEqual(yield* bounded(handle.await), "old way by 1: 7")
    }).pipe(Effect.provide(memory([engineOf({ version: "2", accepts: ["1"] }), engineOf({ version: "1" })])))
  )

  it.live("waits for its engine where version 2 does not accept it", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      yield* processes.start(engineOf({ version: "1" }), { id: "p", payload: null })
      assert.strictEqual(yield* reasonOf("p"), "NoEngine")
    }).pipe(Effect.provide(memory([engineOf({ version: "2", accepts: ["0"] })])))
  )
})

describe("a version that two engines accept", () => {
  it.scopedLive("is refused by name when the host is built, unless an engine has it itself", () =>
    Effect.gen(function* () {
      const [two, three] = ["2", "3"].map((version) => forms.effects({ version, accepts: ["1"] }))
      assert(two !== undefined && three !== undefined)
      const error = yield* Effect.flip(Layer.build(memory([two, three])))
      assert.strictEqual(error.message, "engines has `order@2` and `order@3`, which both accept `order@1`")
      const host = yield* Layer.build(memory([two, three, forms.effects({ version: "1" })]))
      assert.strictEqual(yield* Context.get(host, Host).state, "running")
    })
  )

  it("is refused where an engine is declared when it is no text, or is there twice", () => {
    const declare = (accepts: unknown) => () =>
      forms.promises({ version: "2", accepts: accepts as ReadonlyArray<string> })
    assert.throws(declare("1"), /accepts of engine `order` is "1"; it must be a list/)
    assert.throws(declare([1]), /accepts of engine `order`\/0 is 1; it must be text/)
    assert.throws(declare(["1", "1"]), /accepts of engine `order`\/1 has "1" twice/)
  })
})

it("a host of Promises runs an accepted version", async () => {
  const Two = forms.promises({ version: "2", accepts: ["1"] })
  await using host = await Embed.createHost({ memory: true, engines: [Two], log: false })
  const handle = await host.start(forms.promises({ version: "1" }), { id: "p", payload: null })
  await handle.signal(Go, 7)
  assert.strictEqual(await handle.result(), "new way by 2: 7")
})
