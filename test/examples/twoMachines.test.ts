import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Buyer, buyer, Seller, seller } from "../../docs/examples/12-two-machines/haggling.ts"
import { checkBoth, checkEach } from "../../docs/examples/12-two-machines/promises.ts"
import { Machines } from "../../src/testing/Certify.ts"
import { start } from "../support/children.ts"
import { samples } from "../support/samples.ts"

const runs = samples(10, 2_000)

describe("two machines that talk", () => {
  it(`keep their promises, each by itself, in ${runs} histories`, () => Effect.runPromise(checkEach(runs)))

  it(`agree exactly when they can, and on one price, in ${runs} histories`, () => checkBoth(runs))

  it("are tested under Node's own runner by the same promises", async () => {
    const child = start("docs/examples/12-two-machines/haggling.test.js", [], {
      env: { RUNS: String(samples(1, 20)) }
    })
    assert.deepStrictEqual(await child.ended(), { code: 0, signal: null }, child.lines.join("\n"))
    assert.include(child.lines.join("\n"), "pass 2")
  })

  it("have a way to their ends from everywhere", () => {
    for (const [machine, engine] of [
      [buyer, Buyer],
      [seller, Seller]
    ] as const) {
      const found = Machines.paths(machine, Object.keys(engine.options.events ?? {}))
      assert.deepStrictEqual([found.unreachable, found.stuck, found.deadEnds, found.unhandled], [[], [], [], []])
    }
  })
})
