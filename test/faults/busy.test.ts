import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Processes } from "../../src/host/Processes.ts"
import { fieldsOf } from "../store/sqliteFixtures.ts"
import * as Children from "../support/children.ts"
import { bounded, temporaryFolder, until } from "../support/hosts.ts"
import { gated, host, logOf } from "./faults.ts"

/** Another OS process holds the write lock until it is let go, at the latest with the scope. */
const lockedElsewhere = (file: string) =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => Children.start("test/faults/locker.js", [file])),
      (child) => Effect.sync(() => child.process.kill("SIGKILL"))
    )
    yield* Effect.promise(() => child.saw(/locked/))
    return {
      letGo: Effect.promise(() => {
        child.process.kill("SIGKILL")
        return child.ended()
      })
    }
  })

describe("a lock that another OS process holds", () => {
  it.scopedLive("for less than the patience: starts wait, and are acknowledged once it is free", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/a.db`
      const { engine, open } = gated("owner_bound")
      yield* Effect.gen(function* () {
        yield* open
        const processes = yield* Processes
        const lock = yield* lockedElsewhere(file)
        const starts = yield* Effect.fork(
          Effect.forEach(["a", "b"], (id) => processes.start(engine, { id, payload: id }), { concurrency: 2 })
        )
        yield* Effect.sleep("50 millis")
        assert.strictEqual((yield* Fiber.poll(starts))._tag, "None")
        assert.deepStrictEqual(yield* processes.listNonTerminal, [])
        yield* lock.letGo
        const handles = yield* bounded(Fiber.join(starts))
        assert.deepStrictEqual(yield* bounded(Effect.all(handles.map((handle) => handle.await))), ["a", "b"])
      }).pipe(Effect.provide(host(file, [engine], { writer: { busyTimeoutMs: 20_000 } })))
    })
  )

  it.scopedLive("for longer: a start says so and wrote nothing, and all goes on by itself afterwards", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/a.db`
      const said: Array<string> = []
      const { engine, begun, open } = gated("owner_bound")
      yield* Effect.gen(function* () {
        const processes = yield* Processes
        const running = yield* processes.start(engine, { id: "running", payload: "kept" })
        yield* until(Effect.sync(() => begun.length === 1))
        const lock = yield* lockedElsewhere(file)

        const refused = yield* bounded(Effect.flip(processes.start(engine, { id: "late", payload: "late" })))
        assert.deepInclude(fieldsOf(refused), { _tag: "StoreError", reason: "busy", written: "no" })
        assert.include(refused.message, "the database is locked by another process; try again")
        assert.deepStrictEqual(
          (yield* processes.listNonTerminal).map(({ id }) => id),
          [running.id]
        )

        yield* open
        yield* until(Effect.sync(() => said.some((line) => line.startsWith("running not written yet"))))
        assert.deepStrictEqual(yield* logOf("running"), ["process.started"])
        yield* lock.letGo

        assert.strictEqual(yield* bounded(running.await), "kept")
        const late = yield* bounded(processes.start(engine, { id: "late", payload: "late" }))
        assert.strictEqual(yield* bounded(late.await), "late")
        assert.deepStrictEqual(begun, ["running", "late"])
        for (const id of begun) assert.deepStrictEqual(yield* logOf(id), ["process.started", "process.completed"])
      }).pipe(Effect.provide(host(file, [engine], { writer: { busyTimeoutMs: 60 } }, said)))
    })
  )
})
