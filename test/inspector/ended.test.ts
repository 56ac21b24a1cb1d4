/**
 * What is asked of a process that has ended: a person is refused in the same words at every door; a program that cancels gets
 * the record, since it cannot know in time.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { createHost } from "../../src/host/embed/createHost.ts"
import { Processes } from "../../src/host/Processes.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { holdfast } from "../cli/running.ts"
import { bounded, quiet, sqlite, temporaryFolder } from "../support/hosts.ts"
import { asked } from "./fixtures.ts"

const Go = Signal.make("go", { payload: Schema.Null })

const Brief = Engine.make("brief", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  signals: [Go],
  run: () => Effect.succeed(null)
})

const refusals = {
  signal: "process `done` is already terminal: completed, and cannot take a signal",
  cancel: "process `done` is already terminal: completed, and cannot accept a cancel request",
  abandon: "process `done` is already terminal: completed, and cannot accept an abandon request"
}

const post = (name: string, body: object) =>
  Effect.map(
    asked<{
      readonly error?: { readonly message: string }
      readonly refused?: ReadonlyArray<{ readonly problem: string }>
    }>(`/api/actions/${name}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" }
    }),
    ({ error, refused }) => error?.message ?? refused?.map(({ problem }) => problem).join()
  )

it.scopedLive(
  "an ended process refuses a person alike by handle, page and command line, and notes what a program cancels",
  () =>
    bounded(
      Effect.gen(function* () {
        const filename = `${yield* temporaryFolder}/a.db`
        yield* Effect.gen(function* () {
          const handle = yield* (yield* Processes).start(Brief, { id: "done", payload: null })
          yield* handle.await
          const id = handle.id
          const registry = yield* ProcessRegistry
          const { length: before } = yield* registry.eventsAfter(id, 0)
          const command = (...args: ReadonlyArray<string>) =>
            Effect.map(
              Effect.promise(() => holdfast([...args, "--db", filename])),
              ({ code, err }) => [code, err.trim().replace(/^holdfast: /, "")]
            )
          const bulk = (action: string, isDry: boolean) =>
            post("bulk", { action, process_ids: [id], reason: null, dry_run: isDry })
          const late = {
            signal: [
              yield* Effect.map(Effect.flip(handle.signal(Go, null)), ({ message }) => message),
              yield* post("signal", { process_id: id, name: "go", payload: null, signal_id: "1" })
            ],
            cancel: [
              yield* post("cancel", { process_id: id, reason: null }),
              yield* bulk("cancel", true),
              yield* bulk("cancel", false)
            ],
            abandon: [
              yield* Effect.map(Effect.flip(handle.abandon()), ({ message }) => message),
              yield* post("abandon", { process_id: id }),
              yield* bulk("abandon", true)
            ]
          }
          for (const [name, said] of Object.entries(late)) {
            assert.deepStrictEqual(
              said,
              said.map(() => refusals[name as keyof typeof late])
            )
          }
          assert.deepStrictEqual(yield* command("signal", id, "go"), [1, refusals.signal])
          assert.deepStrictEqual(yield* command("signal", id, "go", "--dry-run"), [1, refusals.signal])
          assert.deepStrictEqual(yield* command("cancel", id), [1, refusals.cancel])
          assert.deepStrictEqual(yield* command("cancel", id, "--dry-run"), [1, refusals.cancel])
          assert.deepStrictEqual(yield* command("abandon", id), [1, refusals.abandon])
          assert.strictEqual((yield* registry.eventsAfter(id, 0)).length, before)
          assert.strictEqual((yield* handle.cancel("too late")).status._tag, "Completed")
          assert.deepStrictEqual(
            (yield* registry.eventsAfter(id, before)).map(({ eventType }) => eventType),
            ["process.cancel_requested"]
          )
        }).pipe(
          Effect.provide(
            Layer.provideMerge(
              Layer.provide(Inspector.layerHost({ token: "secret" }), quiet),
              sqlite(filename, [Brief])
            )
          )
        )
        yield* Effect.promise(async () => {
          const host = await createHost({ filename, engines: [Brief], log: false })
          const handle = await host.handle(Brief, "done")
          const refused: unknown = await handle.signal(Go, null).catch((error: unknown) => error)
          assert.strictEqual(refused instanceof Error ? refused.message : refused, refusals.signal)
          assert.strictEqual((await handle.cancel("again")).status._tag, "Completed")
          await host.stop()
        })
      })
    )
)
