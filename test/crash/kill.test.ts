import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Step from "../../machines/step.ts"
import { processId } from "../../src/model/ids.ts"
import * as ProcessRecord from "../../src/model/ProcessRecord.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { start } from "../support/children.ts"

const script = "test/crash/worker.js"

/** Ends a worker once its side log has this many lines: a moment in the work, not in time. */
const killAt = async (database: string, log: string, lines: number, mode: "start" | "serve"): Promise<void> => {
  const worker = start(script, [database, log, mode, "6"])
  const enough = () => existsSync(log) && readFileSync(log, "utf8").split("\n").length > lines
  const deadline = Date.now() + 20_000
  let over = false
  void worker.ended(25_000).then(() => {
    over = true
  })
  while (!enough() && !over) {
    assert.isBelow(Date.now(), deadline, "the worker made no progress")
    await new Promise((resolve) => setImmediate(resolve))
  }
  worker.process.kill("SIGKILL")
  await worker.ended()
}

describe("a host that is killed", () => {
  it("leaves rows that the next host finishes: one end each, nothing owner-bound twice, row equal to log", async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-crash-"))
    const database = join(folder, "crash.db")
    const log = join(folder, "side.log")
    await killAt(database, log, 1, "start")
    for (const lines of [5, 12, 25, 40, 55]) await killAt(database, log, lines, "start")
    const last = start(script, [database, log, "start", "6"])
    await last.saw(/all done/, 30_000)
    assert.deepStrictEqual(await last.ended(), { code: 0, signal: null })

    const db = new Database(database, { readonly: true })
    const count = (sql: string) => db.prepare(sql).pluck().get()
    assert.strictEqual(count("SELECT count(*) FROM state WHERE lifecycle = 'running'"), 0)
    assert.strictEqual(count("SELECT count(*) FROM process WHERE process_id LIKE 'sum-_'"), 6)
    assert.strictEqual(
      count(`SELECT count(*) FROM (
        SELECT pk FROM event
        WHERE event_type IN ('process.completed', 'process.failed', 'process.cancelled', 'process.abandoned')
        GROUP BY pk HAVING count(*) <> 1
      )`),
      0
    )
    assert.strictEqual(count("SELECT count(*) FROM lease WHERE lease_token IS NOT NULL"), 0)
    assert.strictEqual(count("SELECT count(*) FROM state WHERE lifecycle NOT IN ('completed', 'abandoned')"), 0)
    const ids = db.prepare("SELECT process_id FROM process").pluck().all() as ReadonlyArray<string>
    const outputs = db
      .prepare("SELECT json_extract(snapshot, '$.context.output.value') FROM state WHERE state.process_id LIKE 'sum-_'")
      .pluck()
      .all()
    db.close()
    assert.deepStrictEqual(outputs, [286, 286, 286, 286, 286, 286])

    const began = readFileSync(log, "utf8").trim().split("\n")
    const once = began.filter((line) => line.startsWith("once ")).map((line) => line.split(" ")[1])
    assert.strictEqual(new Set(once).size, once.length, "an owner-bound body began at most once")
    const fences = new Map<string, number>()
    for (const line of began) {
      const [, id = "", fence = "0"] = line.split(" ")
      assert.isAbove(Number(fence), fences.get(id) ?? 0, `the fence of ${id} rises`)
      fences.set(id, Number(fence))
    }

    await Effect.runPromise(
      Effect.gen(function* () {
        const store = yield* SqliteStore.make({ filename: database })
        for (const id of ids.map(processId)) {
          const found = yield* store.find(id)
          const events = yield* store.eventsAfter(id, 0)
          if (found._tag !== "Present") return assert.fail(`${id} is gone`)
          const { row } = found
          assert.deepStrictEqual(
            events.map((event) => event.sequence),
            events.map((_, index) => index + 1)
          )
          assert.deepStrictEqual(Step.persist(row.snapshot), Step.persist(ProcessRecord.fold(row.base, events)))
        }
      }).pipe(Effect.scoped)
    )
    rmSync(folder, { recursive: true, force: true })
  }, 120_000)

  it("gives its work up to another host that is alive, within a sweep", async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-crash-"))
    const database = join(folder, "crash.db")
    const log = join(folder, "side.log")
    const first = start(script, [database, log, "start", "3"])
    await first.saw(/started/)
    const second = start(script, [database, log, "start", "3"])
    await second.saw(/started/)
    first.process.kill("SIGKILL")
    await first.ended()
    await second.saw(/all done/, 30_000)
    assert.deepStrictEqual(await second.ended(), { code: 0, signal: null })
    rmSync(folder, { recursive: true, force: true })
  }, 60_000)
})
