import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Processes } from "../../src/host/Processes.ts"
import { approvalNoting } from "../chart/charts.ts"
import { bounded, sqlite, temporaryFolder } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"
import { holdfast, spawned } from "./running.ts"

const Approval = approvalNoting([])

/** A file of which no host runs any more: its approval waits for `approve`. */
const deadFile = Effect.gen(function* () {
  const db = `${yield* temporaryFolder}/machines.db`
  yield* Effect.provide(
    Effect.gen(function* () {
      const approval = yield* (yield* Processes).start(Approval, { id: "a", payload: { n: 3 } })
      yield* approval.snapshot
    }),
    sqlite(db, [Approval])
  )
  return db
})

const jsonOf = async (args: ReadonlyArray<string>): Promise<Record<string, unknown>> =>
  JSON.parse((await holdfast([...args, "--json"])).out) as Record<string, unknown>

describe("the command line and the machine of a process", () => {
  it.live("shows the stored state without the machine, and sends what a host takes later", () =>
    bounded(
      Effect.scoped(
        Effect.gen(function* () {
          const db = yield* deadFile
          yield* Effect.promise(async () => {
            const stored = await jsonOf(["state", "a", "--db", db])
            assert.deepInclude(stored, { id: "a", status: "running", value: "waiting", revision: 0, context: { n: 3 } })
            assert.deepStrictEqual(
              (stored.accepts as ReadonlyArray<{ readonly type: string }>).map(({ type }) => type),
              ["approve", "remind"]
            )
            const shown = (await holdfast(["state", "a", "--db", db])).out
            assert.match(shown, /^machine +approval version 1$/m)
            assert.match(shown, /^state +waiting$/m)
            assert.match(shown, /^timer +xstate\.after\.3 days\.approval\.waiting, due \d{4}-/m)
            assert.match(shown, /^accepts +approve \{.*"by".*\}$/m)
            const sending = ["send", "a", "approve", '{"by":"ana"}', "--event-id", "ana-1", "--db", db]
            const first = await holdfast(sending)
            assert.match(first.out, /^a: the event approve is recorded as event #\d+\n$/)
            assert.strictEqual((await holdfast(sending)).out, first.out)
            assert.match((await holdfast(["state", "a", "--db", db])).out, /^to take +1 event$/m)
          })
          const paid = yield* Effect.provide(
            Effect.flatMap(Processes, (processes) => processes.handle(Approval, "a").waitFor({ state: "paid" })),
            sqlite(db, [Approval])
          )
          assert.deepStrictEqual(paid.context, { n: 3, by: "ana", receipt: "r-3" })
          const ended = yield* Effect.promise(() => jsonOf(["state", "a", "--db", db]))
          assert.deepInclude(ended, { status: "completed", value: "paid", accepts: [], timers: [] })
        })
      )
    )
  )

  it.live("wakes those that wait in another OS process", () =>
    bounded(
      Effect.scoped(
        Effect.gen(function* () {
          const db = yield* deadFile
          yield* Effect.provide(
            Effect.gen(function* () {
              const approval = (yield* Processes).handle(Approval, "a")
              const paid = yield* Effect.fork(approval.waitFor({ state: "paid" }, { timeout: patienceMs }))
              const { code, err } = yield* Effect.promise(() =>
                spawned(["send", "a", "approve", '{"by":"bo"}', "--db", db])
              )
              assert.strictEqual(code, 0, err)
              assert.strictEqual((yield* Fiber.join(paid)).context.by, "bo")
            }),
            sqlite(db, [Approval])
          )
        })
      )
    )
  )

  it.live("refuses what is no event of the machine, and what is no object", () =>
    bounded(
      Effect.scoped(
        Effect.gen(function* () {
          const db = yield* deadFile
          yield* Effect.promise(async () => {
            const send = (...args: ReadonlyArray<string>) => holdfast(["send", "a", ...args, "--db", db])
            const unknown = await send("burn")
            assert.strictEqual(unknown.code, 1)
            assert.match(unknown.err, /undeclared event type `signal\.burn`/)
            const wrong = await send("approve", '{"by":7}')
            assert.strictEqual(wrong.code, 1)
            assert.match(wrong.err, /by/)
            const list = await send("approve", "[]")
            assert.strictEqual(list.code, 2)
            assert.match(list.err, /takes a JSON object, such as '\{"by":"ana"\}', and \[\] is none/)
            const text = await send("approve", "ana")
            assert.strictEqual(text.code, 2)
            assert.match(text.err, /an event takes JSON, and ana is none/)
          })
        })
      )
    )
  )
})
