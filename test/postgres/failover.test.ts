/**
 * A server of the tests' own that goes away and comes back: as it was, or as a standby that lost what was committed last.
 */
import { execFileSync } from "node:child_process"
import { renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { processId } from "../../src/model/ids.ts"
import * as ChangeFeed from "../../src/operations/ChangeFeed.ts"
import { verify } from "../../src/operations/verify.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { bounded, until } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"
import * as Opened from "./opened.ts"

const open = (where: { readonly url: string; readonly schema: string }) =>
  Effect.gen(function* () {
    const opened = yield* Opened.open(where)
    const { beginning, changesSince } = yield* Effect.provideService(ChangeFeed.make, ProcessStore, opened.store)
    /** The ids that changed after a cursor, and the cursor after them. */
    const changes = (after = beginning) =>
      Effect.map(changesSince(after, 1_000), (page) => ({
        next: page.next,
        ids: page.changes.map((change) => (change._tag === "Upsert" ? change.record.id : change.tombstone.processId))
      }))
    return { ...opened, changes }
  })

describe.skipIf(!Postgres.hasPostgres)("a server that goes away and comes back", () => {
  let server: Awaited<ReturnType<typeof Postgres.startServer>>
  beforeAll(async () => {
    // No archive has what the copy below lacks.
    server = await Postgres.startServer(["-c", "fsync=off", "-c", "restore_command=false"])
  })
  afterAll(() => server.stop())

  it.live("as it was: who writes or opens waits for it, and nothing is lost or written twice", () =>
    Effect.gen(function* () {
      const schema = "restarted"
      const { append, register, notes } = yield* open({ url: server.url, schema })
      yield* register("it")
      const written: Array<number> = []
      const writer = yield* Effect.fork(
        Effect.forEach(
          Array.from({ length: 200 }, (_, index) => index),
          (each) => Effect.map(append("it", each), () => written.push(each))
        )
      )
      yield* until(Effect.sync(() => written.length >= 20))
      const isDown = yield* Deferred.make<void>()
      const opened = yield* Effect.fork(Effect.zipRight(Deferred.await(isDown), open({ url: server.url, schema })))
      yield* Effect.promise(() => server.restart(() => Deferred.unsafeDone(isDown, Exit.void)))
      yield* writer
      assert.deepStrictEqual(yield* notes("it"), written)
      assert.deepStrictEqual(yield* (yield* opened).notes("it"), written)
      assert.strictEqual(written.length, 200)
    }).pipe(Effect.scoped, bounded)
  )

  it.live("as it was: who reads while it is away waits for it, also where several reads see one state", () =>
    Effect.gen(function* () {
      const { append, register, notes, store } = yield* open({ url: server.url, schema: "read" })
      yield* register("it")
      yield* append("it", 1)
      const isDown = yield* Deferred.make<void>()
      const whileDown = <A, E>(read: Effect.Effect<A, E>) => Effect.fork(Effect.zipRight(Deferred.await(isDown), read))
      const readers = yield* Effect.all([
        whileDown(notes("it")),
        whileDown(store.readTogether(notes("it"))),
        whileDown(Effect.map(store.find(processId("it")), ({ _tag }) => _tag))
      ])
      yield* Effect.promise(() => server.restart(() => Deferred.unsafeDone(isDown, Exit.void)))
      assert.deepStrictEqual(
        yield* Effect.all(
          readers.map((reader): Effect.Effect<unknown, unknown> => Fiber.join<unknown, unknown>(reader))
        ),
        [[1], [1], "Present"]
      )
    }).pipe(Effect.scoped, bounded)
  )

  it.live("as a standby that lost what was committed last: no cursor passes over what is written from then on", () =>
    Effect.gen(function* () {
      const where = { url: server.url, schema: "failed_over" }
      const [one, other] = yield* Effect.all([open(where), open(where)])
      for (const id of ["kept", "kept too"]) yield* one.register(id)
      const old = yield* one.changes()
      assert.deepStrictEqual(old.ids, ["kept", "kept too"])
      const copy = `${server.data}-copy`
      yield* Effect.promise(() => server.restart(() => void execFileSync("cp", ["-a", server.data, copy])))
      for (let each = 0; each < 20; each++) yield* one.append("kept", each)
      yield* one.register("lost")
      const ahead = yield* other.changes(old.next)
      assert.deepStrictEqual(ahead.ids, ["kept", "lost"])
      yield* other.store.externalChanges
      yield* Effect.promise(() =>
        server.restart(() => {
          rmSync(server.data, { recursive: true })
          renameSync(copy, server.data)
          // It ends its recovery where its log ends, with a history of its own, as a standby does that takes over.
          writeFileSync(join(server.data, "recovery.signal"), "")
        })
      )
      assert.deepStrictEqual(yield* Effect.retry(other.notes("kept"), { times: 20 }), [], "the last commits are lost")
      yield* one.append("kept too", 1)
      yield* one.register("new")
      assert.deepStrictEqual((yield* other.changes(ahead.next)).ids, ["kept too", "new"])
      assert.deepStrictEqual((yield* other.changes(old.next)).ids, ["kept too", "new"])
      const heard = new Set<string>()
      yield* until(
        Effect.map(other.store.externalChanges, (ids) => {
          for (const id of ids) heard.add(id)
          return heard.has("new") && heard.has("kept too")
        })
      )
      assert.deepStrictEqual((yield* Effect.provideService(verify(), ProcessStore, one.store)).differences, [])
      // A host that starts now goes on with these numbers.
      const late = yield* open(where)
      const last = yield* late.changes()
      yield* late.register("newer")
      assert.deepStrictEqual((yield* one.changes(last.next)).ids, ["newer"])
    }).pipe(Effect.scoped, bounded)
  )
})
