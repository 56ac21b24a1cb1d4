import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { GrantEntry } from "../../src/model/Handle.ts"
import { processId } from "../../src/model/ids.ts"
import type { ListPage } from "../../src/model/ListFilter.ts"
import { everyGrant } from "../../src/operations/pages.ts"

const [a, b, c] = ["a", "b", "c"].map((name) => ({ name }) as unknown as GrantEntry) as [
  GrantEntry,
  GrantEntry,
  GrantEntry
] // told apart

describe("every grant", () => {
  it.effect("is read page by page, each after the one before, until none follows", () =>
    Effect.gen(function* () {
      const asked: Array<string | undefined> = []
      const read = ({ after }: ListPage) =>
        Effect.sync(() => {
          asked.push(after)
          if (after === undefined) return { entries: [a, b], next: processId("b") }
          return after === "b" ? { entries: [], next: processId("bb") } : { entries: [c] }
        })
      assert.deepStrictEqual(yield* everyGrant(read), [a, b, c])
      assert.deepStrictEqual(asked, [undefined, "b", "bb"])
    })
  )
})
