import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { start } from "../support/children.ts"
import { bounded } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"
import { isWhole } from "../support/samples.ts"

describe.skipIf(!Postgres.hasPostgres)("the example of two hosts and a load", () => {
  it.live.skipIf(!isWhole)("loses nothing when one host is killed in the middle, and says what each did", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.serverUrl
      const child = yield* Effect.acquireRelease(
        Effect.sync(() => start("docs/examples/many-hosts/main.js", ["--url", url, "--orders", "8", "--kill"])),
        ({ process }) => Effect.sync(() => process.kill("SIGKILL"))
      )
      const end = yield* Effect.promise(() => child.ended())
      yield* Effect.promise(() => Postgres.query(url, "DROP SCHEMA many_hosts CASCADE"))
      assert.deepStrictEqual(end, { code: 0, signal: null }, child.errors.join("\n"))
      assert.include(child.lines, "killing host-1")
      assert.include(child.lines, "8 of 8 orders ended with all their steps, 0 lost")
      assert.match(
        child.lines.at(-3) ?? "",
        /^host-1: \d+ steps, killed · host-2: [1-9]\d* steps · 8 of 8 orders ended$/
      )
    }).pipe(Effect.scoped, bounded)
  )

  it("says how it is called", async () => {
    const asked = start("docs/examples/many-hosts/main.js", ["--help"])
    assert.strictEqual((await asked.ended()).code, 0)
    assert.include(asked.lines.join("\n"), "--kill")
  })
})
