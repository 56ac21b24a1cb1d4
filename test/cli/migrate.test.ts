import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Processes } from "../../src/host/Processes.ts"
import { bounded, sqlite, temporaryFolder } from "../support/hosts.ts"
import { programAt } from "../support/programs.ts"
import { projectRoot } from "../support/projectRoot.ts"
import { One, Zero } from "./counters.ts"
import { holdfast, spawned } from "./running.ts"

const engines = join(projectRoot, "test/cli/newEngines.ts")
const timer = "xstate.after.patience.counter.waiting"

const begun = (db: string, engine: typeof One, counts: Readonly<Record<string, number>>) =>
  Effect.provide(
    Effect.gen(function* () {
      const processes = yield* Processes
      for (const [id, n] of Object.entries(counts)) {
        yield* (yield* processes.start(engine, { id, payload: { n } })).snapshot
      }
    }),
    sqlite(db, [engine])
  )

/** A file of which no host runs any more. */
const fileWith = (counts: Readonly<Record<string, number>>) =>
  Effect.gen(function* () {
    const db = `${yield* temporaryFolder}/counters.db`
    yield* begun(db, One, counts)
    return db
  })

const placeOf = async (db: string, id: string) => {
  const { machine, value } = JSON.parse((await holdfast(["state", id, "--json", "--db", db])).out)
  return `${machine.version} ${value}`
}

describe("holdfast migrate", () => {
  it.live("leaves logs that `holdfast verify --engines` finds to be what their machines make of them", () =>
    bounded(
      Effect.scoped(
        Effect.gen(function* () {
          const db = yield* fileWith({ a: 1, c: 2 })
          yield* Effect.promise(async () => {
            const before = await holdfast(["verify", "--db", db, "--engines", engines])
            assert.deepStrictEqual(
              [before.code, before.err],
              [0, "2 verified, 0 transitions taken anew, 0 differences\n"],
              "version 1 is not in the module"
            )
            assert.strictEqual((await holdfast(["migrate", db, "--engines", engines])).code, 0)
            const after = await holdfast(["verify", "--db", db, "--engines", engines, "--json"])
            assert.deepStrictEqual(JSON.parse(after.out), { checked: 2, retaken: 2, differences: [] })
            const none = await holdfast(["verify", "--db", db, "--engines", join(projectRoot, "test/cli/nothing.ts")])
            assert.strictEqual(none.code, 3)
          })
        })
      )
    )
  )

  it.live("says what would become of each, changes nothing, and then does just that", () =>
    bounded(
      Effect.scoped(
        Effect.gen(function* () {
          const db = yield* fileWith({ a: 1, b: 13, c: 2 })
          yield* begun(db, Zero, { z: 0 })
          yield* Effect.promise(async () => {
            const tried = await holdfast(["migrate", db, "--engines", engines, "--dry-run", "--json"])
            const moved = { kind: "counter", from: "1", to: "2" }
            const unknown = { timers: [timer], children: [] }
            const kept = { ...moved, outcome: "kept" }
            assert.deepStrictEqual(JSON.parse(tried.out), {
              dry_run: true,
              processes: [
                { process_id: "a", ...moved, outcome: "moved", unknown },
                { process_id: "c", ...moved, outcome: "moved", unknown },
                {
                  process_id: "b",
                  ...kept,
                  why: 'the machine threw on event `machine.migrated` in state "waiting": thirteen stays'
                },
                {
                  process_id: "z",
                  ...kept,
                  from: "0",
                  to: "0",
                  why: "no engine of the module has version 0, or migrates it"
                }
              ]
            })
            assert.strictEqual(tried.code, 4)
            assert.strictEqual(tried.err, "2 would move, 2 stay\nholdfast: 2 of 4 processes stay in their version\n")
            assert.strictEqual(await placeOf(db, "a"), "1 waiting")

            const done = await holdfast(["migrate", "--engines", engines, "--batch", "1"], { env: { HOLDFAST_DB: db } })
            assert.strictEqual(done.code, 4)
            assert.match(
              done.out,
              new RegExp(`^a +counter +1 +2 +moved; unknown to the new version, and kept: timers ${timer}$`, "m")
            )
            assert.match(done.out, /^b +counter +1 +2 +stays: the machine threw .*thirteen stays$/m)
            const places = await Promise.all(["a", "b", "c", "z"].map((id) => placeOf(db, id)))
            assert.deepStrictEqual(places, ["2 idle", "1 waiting", "2 idle", "0 asleep"])
          })
        })
      )
    )
  )

  it.live("keeps values as the host does that it is told of", () =>
    bounded(
      Effect.scoped(
        Effect.gen(function* () {
          const db = yield* fileWith({ a: 14 })
          yield* Effect.promise(async () => {
            const tried = (...more: ReadonlyArray<string>) =>
              holdfast(["migrate", db, "--engines", engines, "--dry-run", ...more])
            assert.match((await tried()).out, /stays: .*surrogate/)
            assert.match((await tried("--half-surrogates", "replace", "--max-length", "10")).out, /stays: .*\b10\b/)
            assert.strictEqual((await tried("--half-surrogates", "replace")).code, 0)
          })
        })
      )
    )
  )

  it.live("imports the module in a program of its own, and exits with 0 where all have moved", () =>
    bounded(
      Effect.scoped(
        Effect.gen(function* () {
          const db = yield* fileWith({ a: 1 })
          yield* Effect.promise(async () => {
            const ran = await spawned(["migrate", db, "--engines", programAt("test/cli/newEngines.js")])
            assert.strictEqual(ran.code, 0, ran.err)
            assert.strictEqual(ran.err, "1 moved, 0 stay\n")
            const again = await spawned(["migrate", db, "--engines", programAt("test/cli/newEngines.js")])
            assert.deepStrictEqual(again, { code: 0, out: "", err: "0 moved, 0 stay\n" })
          })
        })
      )
    )
  )
})
