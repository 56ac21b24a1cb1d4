import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { WakeOutbox } from "../../src/operations/WakeOutbox.ts"
import { temporaryFolder, until } from "../support/hosts.ts"
import { furnish, usual, wakeHost } from "../support/wakeHost.ts"
import { holdfast, spawned } from "./running.ts"

interface Listed {
  readonly counts: unknown
  readonly wakes: ReadonlyArray<{
    readonly number: number
    readonly wake_id: string
    readonly process_id: string
    readonly sequence: number
    readonly state: string
    readonly discard_reason?: string
    readonly blocked_by?: string
  }>
  readonly blocked: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly next?: number
}

/** A host that has the file open, and the command line beside it. */
const beside = <A>(use: (on: (...args: ReadonlyArray<string>) => ReturnType<typeof holdfast>) => Promise<A>) =>
  Effect.gen(function* () {
    const db = `${yield* temporaryFolder}/wakes.db`
    return yield* Effect.gen(function* () {
      yield* furnish
      return yield* Effect.promise(() => use((...args) => holdfast([...args, "--db", db])))
    }).pipe(Effect.provide(wakeHost(db)))
  })

const namesIn = ({ out }: { readonly out: string }) =>
  (JSON.parse(out) as Listed).wakes.map(({ process_id, sequence, state }) => `${process_id} #${sequence} ${state}`)

describe("holdfast wakes, while a host has the file open", () => {
  it.scopedLive("lists what was not delivered, counts it by state and reason, and names what unblocks each group", () =>
    beside(async (on) => {
      const { code, out, err } = await on("wakes", "--json")
      assert.deepStrictEqual({ code, err }, { code: 0, err: "" })
      const { counts, wakes, blocked } = JSON.parse(out) as Listed
      assert.deepStrictEqual(counts, {
        pending: 2,
        enqueuing: 1,
        enqueued: 1,
        discarded: { expired: 0, target_gone: 1, retargeted: 0 }
      })
      const [third, second, first, gone] = wakes
      assert.deepStrictEqual(namesIn({ out }), [
        "busy #3 pending",
        "busy #2 pending",
        "busy #1 enqueuing",
        "gone #1 discarded"
      ])
      assert.deepStrictEqual(
        [third?.blocked_by, second?.blocked_by, first?.blocked_by, gone?.discard_reason],
        [first?.wake_id, first?.wake_id, undefined, "target_gone"]
      )
      assert.strictEqual(blocked.length, 1)
      assert.deepInclude(blocked[0], {
        process_id: "busy",
        target_scope_id: "session:busy",
        unblocked_by: first?.wake_id,
        sequence: 1,
        waiting: 2
      })

      const people = await on("wakes")
      assert.match(
        people.out,
        /^2 pending, 1 enqueuing, 1 enqueued, 1 discarded \(1 target_gone\)\n\nNO +STATE +PROCESS/
      )
      assert.match(people.out, /\n *\d+ +discarded: target_gone +gone +progress #1 +gone +1 /)
      assert.match(people.out, /\n *\d+ +pending, blocked +busy +progress #3 +busy +0 /)
      assert.match(people.out, /\nBLOCKED .*\nbusy +busy +2 +#1, enqueuing /)
      assert.strictEqual(people.err, "")
    })
  )

  it.scopedLive("narrows by state, session and process, and says how to go on where something was left off", () =>
    beside(async (on) => {
      assert.deepStrictEqual(namesIn(await on("wakes", "--state", "enqueued", "--json")), ["there #1 enqueued"])
      assert.deepStrictEqual(namesIn(await on("wakes", "--state", "discarded", "--json")), ["gone #1 discarded"])
      assert.deepStrictEqual(namesIn(await on("wakes", "--session", "gone", "--json")), ["gone #1 discarded"])
      const ofProcess = await on("wakes", "--process", "there", "--state", "any", "--json")
      assert.deepStrictEqual(namesIn(ofProcess), ["there #1 enqueued"])
      assert.deepStrictEqual((JSON.parse(ofProcess.out) as Listed).blocked, [], "none of that process is blocked")
      const page = await on("wakes", "--limit", "2", "--json")
      assert.deepStrictEqual(namesIn(page), ["busy #3 pending", "busy #2 pending"])
      const { next, wakes } = JSON.parse(page.out) as Listed
      assert.strictEqual(next, wakes[1]?.number)
      const rest = await on("wakes", "--limit", "2", "--before", `${next}`, "--json")
      assert.deepStrictEqual(namesIn(rest), ["busy #1 enqueuing", "gone #1 discarded"])
      assert.notProperty(JSON.parse(rest.out), "next")
      assert.strictEqual((await on("wakes", "--limit", "2")).err, `there are more: add --before ${next}\n`)
      assert.strictEqual((await on("wakes", "--session", "nobody")).err, "no such wakes\n")
    })
  )

  it.scopedLive("sends a discarded one again, by its number or its id, and the host delivers it", () => {
    const back = new Set<string>()
    return Effect.gen(function* () {
      const db = `${yield* temporaryFolder}/wakes.db`
      yield* Effect.gen(function* () {
        yield* furnish
        const on = (...args: ReadonlyArray<string>) => Effect.promise(() => holdfast([...args, "--db", db]))
        const listed = JSON.parse((yield* on("wakes", "--state", "discarded", "--json")).out) as Listed
        const [gone] = listed.wakes
        const [number, id] = [`${gone?.number}`, gone?.wake_id ?? ""]
        const { report } = yield* WakeOutbox

        // Nobody is there yet: it is tried again, and discarded again.
        const first = yield* on("redrive", number)
        assert.deepStrictEqual(first, {
          code: 0,
          out: `${id}: it is due again. A host with a sink delivers it; the session may see it twice.\n`,
          err: ""
        })
        yield* until(Effect.map(report, ({ counts }) => counts.discarded.target_gone === 1))
        back.add("gone")
        const second = yield* Effect.promise(() => spawned(["redrive", id, "--json", "--db", db]))
        assert.deepStrictEqual(second, { code: 0, out: `{"wake_id":"${id}","rows":1}\n`, err: "" })
        yield* until(Effect.map(report, ({ counts }) => counts.enqueued === 2))

        const again = yield* on("redrive", id)
        assert.deepStrictEqual(again, {
          code: 1,
          out: "",
          err: `holdfast: the wake ${id} is enqueued; only a discarded one is sent again\n`
        })
        const unknown = yield* on("redrive", "wake:nobody")
        assert.deepStrictEqual(unknown, { code: 3, out: "", err: "holdfast: there is no wake wake:nobody\n" })
        const none = yield* on("redrive", "4711")
        assert.deepStrictEqual(none, { code: 3, out: "", err: "holdfast: there is no wake of number 4711\n" })
      }).pipe(Effect.provide(wakeHost(db, (session) => (back.has(session) ? "Delivered" : usual(session)))))
    })
  })
})
