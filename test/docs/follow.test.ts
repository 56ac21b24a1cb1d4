/**
 * The code that the guides show of following processes, of large values, and of random bodies for a store.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Engine, Host, HostServices, Processes, SingleHost } from "../../src/index.ts"
import { ChangeFeed } from "../../src/operations.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { tryRandomBodies } from "../../src/testing/Certify.ts"
import { memory, until } from "../support/hosts.ts"

const Work = Engine.make("work", {
  version: "1",
  payload: Schema.Boolean,
  success: Schema.Null,
  error: Schema.String,
  disposition: "rerunnable",
  run: (succeeds) => (succeeds ? Effect.succeed(null) : Effect.fail("no"))
})

describe("the guide to following processes", () => {
  const statuses = new Map<string, string>()
  const paged: Array<string> = []
  let kept: ChangeFeed.Cursor | undefined
  const load = Effect.sync(() => kept)
  const save = (changes: ReadonlyArray<ChangeFeed.StoreChange>, next: ChangeFeed.Cursor) =>
    Effect.sync(() => {
      for (const change of changes) {
        if (change._tag === "Upsert") statuses.set(change.record.id, change.record.status._tag)
      }
      kept = next
    })
  const page = (id: string) => Effect.sync(() => void paged.push(id))

  const project = Effect.gen(function* () {
    const { events } = yield* Host.Host
    const feed = yield* ChangeFeed.ChangeFeed
    let cursor = (yield* load) ?? feed.beginning
    const catchUp = Effect.gen(function* () {
      while (true) {
        const { changes, next } = yield* feed.changesSince(cursor, 500)
        if (next === cursor) return
        yield* save(changes, next) // in one transaction of your own
        cursor = next
      }
    })
    yield* Stream.runForEachChunk(events, () => catchUp)
  })

  it.live("projects every process, and alerts of the one that failed", () =>
    Effect.gen(function* () {
      const listens = yield* Effect.makeLatch()
      const events = Stream.tap((yield* Host.Host).events, ({ _tag }) =>
        _tag === "Resync" ? listens.open : Effect.void
      )
      const alert = Stream.runForEach(events, (event) =>
        event._tag === "Moved" && event.lifecycle === "failed" ? page(event.processId) : Effect.void
      )
      yield* Effect.forkScoped(project)
      yield* Effect.forkScoped(alert)
      yield* listens.await
      const processes = yield* Processes
      yield* processes.start(Work, { id: "a", payload: true })
      yield* processes.start(Work, { id: "b", payload: false })
      yield* until(Effect.sync(() => statuses.get("a") === "Completed" && statuses.get("b") === "Failed"))
      yield* until(Effect.sync(() => paged.length > 0))
      assert.deepStrictEqual(paged, ["b"])
    }).pipe(Effect.scoped, Effect.provide(memory([Work])))
  )
})

const Report = Engine.make("report", {
  version: "1",
  payload: Schema.String,
  success: Schema.String,
  disposition: "rerunnable",
  run: (title, ctx) =>
    Effect.gen(function* () {
      const { attachments } = (yield* ctx.surroundings).hostServices
      return yield* ctx.step("write", attachments.put(new TextEncoder().encode(title.repeat(1_000_000))))
    })
})

const host = SingleHost.layerSqlite({
  filename: "agent.db",
  engines: [Report],
  hostServices: HostServices.Attachments.layerFolder("agent.attachments")
})

const MyStore = { layer: (_: { readonly folder: string }) => MemoryStore.layer }
const newFolder = () => "folder"

describe("code that a guide shows", () => {
  it("compiles where it is not run", () => {
    const checked = async () => {
      await Effect.runPromise(
        tryRandomBodies(
          Effect.sync(() => MyStore.layer({ folder: newFolder() })),
          { runs: 1_000, seed: 1 }
        )
      )
    }
    assert.isFunction(checked)
    assert.isObject(host)
  })
})
