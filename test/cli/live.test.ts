import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Explanations from "../../src/explain/Explanation.ts"
import * as Wire from "../../src/model/wire.ts"
import { wire } from "../../src/model/wire.ts"
import { root } from "../support/children.ts"
import { crash, follow, holdfast, hosted, rowsIn, spawned } from "./running.ts"

const idsIn = (out: string): ReadonlyArray<string> => rowsIn(out).map(({ id }) => id)

const statusOf = async (db: string, id: string): Promise<string> => {
  const { record } = JSON.parse((await holdfast(["show", id, "--db", db, "--json"])).out) as {
    readonly record: unknown
  }
  return Either.getOrThrow(Wire.wire.record.decode(record)).status._tag
}

describe("the command line, while a host has the file open", () => {
  it.scopedLive("lists, shows, draws and explains, for people and for programs", () =>
    Effect.gen(function* () {
      const { db } = yield* hosted
      yield* Effect.promise(async () => {
        const on = (...args: ReadonlyArray<string>) => holdfast([...args, "--db", db])
        const [listed, some, waiting, session, table, shown, people, tree, why, told, nodes] = await Promise.all([
          spawned(["ls", "--json", "--status", "any", "--db", db]),
          on("ls", "--json", "--limit", "2"),
          on("ls", "--json", "--waiting"),
          on("ls", "--json", "--session", "s1"),
          on("ls", "--limit", "2"),
          on("show", "quick-1", "--json"),
          spawned(["show", "quick-1", "--db", db]),
          on("tree", "family-1"),
          on("explain", "review-1", "--json"),
          on("explain", "family-1"),
          on("tree", "family-1", "--json")
        ])
        assert.deepStrictEqual(idsIn(listed.out), [
          "absent-1",
          "charge-1",
          "family-1",
          "family-1/quick",
          "family-1/slow",
          "outside-1",
          "quick-1",
          "review-1",
          "work-1"
        ])
        for (const record of rowsIn<unknown>(listed.out)) assert.isTrue(Either.isRight(Wire.wire.record.decode(record)))
        assert.deepStrictEqual(idsIn(some.out), ["absent-1", "charge-1"])
        assert.strictEqual(some.err, "there are more: add --after charge-1\n")
        assert.deepStrictEqual(idsIn(waiting.out), ["review-1"])
        assert.deepStrictEqual(idsIn(session.out), ["absent-1", "outside-1", "review-1"])
        assert.strictEqual(table.err, "there are more: add --after charge-1\n")
        assert.match(table.out, /^ID +KIND +STATE +TRY +CHANGED\nabsent-1 .*\ncharge-1 +charge +running +1 /)

        const one = JSON.parse(shown.out) as { readonly record: unknown; readonly events: ReadonlyArray<unknown> }
        assert.strictEqual(Either.getOrThrow(Wire.wire.record.decode(one.record)).status._tag, "Completed")
        assert.deepStrictEqual(
          one.events.map((event) => Either.getOrThrow(Wire.wire.event.decode(event)).eventType),
          ["process.started", "process.completed"]
        )
        // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
        assert.notMatch(people.out, /\u001b/)
        assert.match(people.out, /\nkind +quick\/first\nstate +completed\n/)

        assert.deepStrictEqual(
          tree.out.split("\n").map((line) => line.trimEnd()),
          [
            "PROCESS            KIND    STATE",
            "family-1           family  running",
            "├─ family-1/quick  quick   completed",
            "└─ family-1/slow   work    running",
            ""
          ]
        )
        const child = { parent: "family-1", close_policy: "cancel", depth: 1 }
        assert.deepStrictEqual(rowsIn<unknown>(nodes.out), [
          { id: "family-1", kind: "family", status: "running", depth: 0 },
          { ...child, id: "family-1/quick", kind: "quick", status: "completed" },
          { ...child, id: "family-1/slow", kind: "work", status: "running" }
        ])
        const explanation = Either.getOrThrow(Explanations.decode(JSON.parse(why.out)))
        assert.strictEqual(explanation.because._tag, "WaitingForSignal")
        assert.include(told.out, "1 child is still running")
        assert.include(told.out, `$ holdfast explain family-1/slow --db ${db}`)
        for (const { code } of [listed, table, people, tree, why, told]) assert.strictEqual(code, 0)
      })
    })
  )

  it.scopedLive("follows what happens, and what it asks for the host notices", () =>
    Effect.gen(function* () {
      const { db } = yield* hosted
      const all = yield* follow(["tail", "--db", db])
      const one = yield* follow(["tail", "work-1", "--db", db, "--json", "--from", "1", "--until-end"])
      yield* Effect.promise(async () => {
        // The follower of one process has begun once it shows the past; of all, once it shows what is sent to wake it.
        await one.saw(/"process\.started"/)
        const signal = ["signal", "review-1", "approve", "--payload", '{"by":"ana"}', "--db", db]
        const first = await spawned(signal)
        assert.match(first.out, /^review-1: the signal approve is recorded as event #\d+\n$/)
        const nudges = (async () => {
          for (let sent = 0; sent < 200 && !all.lines.some((line) => line.includes("review-1")); sent += 1) {
            await holdfast(signal)
          }
        })()
        await all.saw(/ review-1 #\d+ +signal\.approve \{"by":"ana"\}/)
        await nudges

        const asked = await spawned(["cancel", "work-1", "--reason", "enough", "--db", db])
        assert.strictEqual(asked.code, 0)
        assert.match(asked.out, /^work-1: it was asked to stop\. /)
        assert.deepStrictEqual(await one.ended(), { code: 0, signal: null })
        assert.deepStrictEqual(
          one.lines.map((line) => Either.getOrThrow(Wire.wire.event.decode(JSON.parse(line))).eventType),
          ["process.started", "process.cancel_requested", "process.cancelled"]
        )
        await all.saw(/ work-1 #3 +process\.cancelled /)
        all.process.kill("SIGINT")
        assert.deepStrictEqual(await all.ended(), { code: 0, signal: null })
        assert.deepStrictEqual([...one.errors, ...all.errors], [])
      })
    })
  )
})

describe("the command line, after a host has crashed", () => {
  it.scopedLive("says what the dead host leaves behind, and gives up what must not run twice", () =>
    Effect.gen(function* () {
      const { db, host } = yield* hosted
      yield* Effect.promise(async () => {
        await crash(host)
        const on = (...args: ReadonlyArray<string>) => holdfast([...args, "--db", db])
        const because = async (id: string) =>
          Either.getOrThrow(Explanations.decode(JSON.parse((await on("explain", id, "--json")).out))).because._tag
        assert.deepStrictEqual(await Promise.all(["charge-1", "family-1", "absent-1"].map(because)), [
          "HolderDead",
          "HolderDead",
          "DueNow"
        ])
        const asked = await on("abandon", "outside-1", "--by", "ana", "--reason", "never came")
        assert.strictEqual(asked.out, "outside-1: it may be abandoned. The next sweep ends it as abandoned.\n")
        const swept = await spawned(["sweep", "--json", "--db", db])
        const report = JSON.parse(swept.out) as {
          readonly admitted: ReadonlyArray<string>
          readonly ended: ReadonlyArray<{ readonly process_id: string; readonly as: string }>
          readonly deferred: ReadonlyArray<{
            readonly process_id: string
            readonly reason: string
            readonly kind: string
            readonly version: string
          }>
        }
        assert.deepStrictEqual(report.admitted, [])
        assert.sameDeepMembers(
          [...report.ended],
          [
            { process_id: "charge-1", as: "abandoned" },
            { process_id: "outside-1", as: "abandoned" }
          ]
        )
        assert.sameDeepMembers(
          [...report.deferred],
          [
            { process_id: "absent-1", reason: "no_engine", kind: "absent", version: "" },
            { process_id: "family-1", reason: "no_engine", kind: "family", version: "1" },
            { process_id: "family-1/slow", reason: "no_engine", kind: "work", version: "1" },
            { process_id: "work-1", reason: "no_engine", kind: "work", version: "1" }
          ]
        )
        assert.strictEqual(await statusOf(db, "charge-1"), "Abandoned")
        const shown = JSON.parse((await on("show", "work-1", "--json")).out) as { readonly lease: unknown }
        assert.isTrue(
          Either.isRight(wire.lease.decode(shown.lease)),
          "its lease is left to the host that takes it over"
        )
        assert.deepStrictEqual(await on("verify"), { code: 0, out: "", err: "9 verified, 0 differences\n" })
      })
    })
  )
})

describe("the package", () => {
  it("installs the command line under its name", () => {
    const { bin } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { readonly bin: unknown }
    assert.deepStrictEqual(bin, { holdfast: "dist/holdfast.js" })
  })
})
