/**
 * Ids and names of bodies that are longer than an index can hold: what a body asks for is done, or fails, on every store alike.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as ManyHosts from "../../src/host/ManyHosts.ts"
import { Processes } from "../../src/host/Processes.ts"
import { maxIdBytes } from "../../src/model/ids.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { bounded, fast, memory, quiet } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"

/** Text that does not get shorter when it is compressed. */
const text = (length: number): string =>
  Array.from({ length: Math.ceil(length / 36) }, () => crypto.randomUUID())
    .join("")
    .slice(0, length)

const common = { version: "1", success: Schema.String, disposition: "rerunnable" } as const

const Child = Engine.make("child", { ...common, payload: Schema.Null, run: () => Effect.succeed("done") })

/** Starts a child, whose id has the name in it; says what it was refused for. */
const Parent = Engine.make("parent", {
  ...common,
  payload: Schema.String,
  run: (name, ctx) =>
    Effect.gen(function* () {
      const child = yield* ctx.start(Child, { name, payload: null })
      return yield* child.await
    }).pipe(Effect.catchAll((error) => Effect.succeed(`refused: ${error._tag}`)))
})

/** A step with such a name. */
const Stepping = Engine.make("stepping", {
  ...common,
  payload: Schema.String,
  run: (name, ctx) => ctx.step(name, Effect.succeed("stepped"), { schema: Schema.String })
})

const engines = [Child, Parent, Stepping] as const

const stores = {
  memory: Effect.sync(() => memory(engines)),
  PostgreSQL: Effect.map(Postgres.freshSchema, (where) =>
    Layer.provide(ManyHosts.layerPostgres({ ...fast, ...where, engines }), quiet)
  )
}

describe.skipIf(!Postgres.hasPostgres)("a body", () => {
  for (const [name, layer] of Object.entries(stores)) {
    it.live(`gets an answer for a child whose id is too long, and one that is just not, in ${name}`, () =>
      Effect.gen(function* () {
        const processes = Context.get(yield* Layer.build(yield* layer), Processes)
        const id = text(1_400)
        const run = (engine: typeof Parent | typeof Stepping, payload: string, own = text(1_400)) =>
          Effect.flatMap(processes.start(engine, { id: own, payload }), (handle) => handle.await)
        assert.strictEqual(yield* run(Parent, text(maxIdBytes - 1_401), id), "done")
        assert.strictEqual(yield* run(Parent, text(1_400)), "refused: RegistrationInvalid")
        assert.strictEqual(yield* run(Stepping, text(4_000)), "stepped")
        const refused = yield* Effect.flip(processes.start(Child, { id: text(maxIdBytes + 1), payload: null }))
        assert.strictEqual(refused._tag, "RegistrationInvalid")
      }).pipe(Effect.scoped, bounded)
    )
  }
})
