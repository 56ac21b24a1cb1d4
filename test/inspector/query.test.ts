/**
 * What a query may ask for: a key that is overlooked would show all processes for the few that were meant.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { FilterKey, PageKey } from "../../src/inspector/filters.ts"
import { filtersOf, placeOf } from "../../src/inspector/page/place.ts"
import type { ErrorView } from "../../src/inspector/View.ts"
import { asked, inspected, register } from "./fixtures.ts"

describe("the keys of the list", () => {
  const wrong: Readonly<Record<FilterKey | PageKey | "stat" | "constructor", ReadonlyArray<string>>> = {
    stat: ["failed", ""],
    constructor: ["x"],
    state: ["odd", "running&state=failed"],
    work: ["odd"],
    roots: ["yes", "true", "0"],
    since: ["x", "-1", "0.5", ""],
    longer: ["x", "-1"],
    sort: ["mood", ""],
    order: ["foo", "ASC", ""],
    offset: ["x", "-1"],
    limit: ["x", "1000000", ""],
    ids: ["yes", ""],
    // Any text is looked for; a key that is there twice says two things.
    text: ["a&text=b"],
    kind: ["a&kind=b"],
    owner: ["a&owner=b"],
    session: ["a&session=b"],
    problem: ["a&problem=b"],
    waits: ["a&waits=b"],
    asks: ["a&asks=b"],
    find: ["a&find=b"],
    part: ["a&part=b"]
  }

  it.live("are refused by name where they are unknown, there twice, or of a value that they cannot have", () =>
    Effect.gen(function* () {
      yield* register("p")
      for (const [key, values] of Object.entries(wrong)) {
        for (const value of values) {
          const { error } = yield* asked<Partial<ErrorView>>(`/api/processes?${key}=${value}`)
          assert.strictEqual(error?.tag, "InputInvalid", `${key}=${value}`)
          assert.isTrue(error?.message.startsWith(`${key} `), error?.message)
        }
      }
    }).pipe(Effect.provide(inspected()))
  )

  it("are all that the page sends of its address, which may have more", () => {
    const { query } = placeOf("#/processes/p?tab=log&colour=red&state=failed&roots=1&within=600000")
    const { since, ...others } = filtersOf(query)
    assert.deepStrictEqual(others, { state: "failed", roots: "1" })
    assert.match(String(since), /^[0-9]+0000$/)
  })
})

describe("the keys of every other address", () => {
  const keys: Readonly<Record<string, ReadonlyArray<string>>> = {
    host: [],
    overview: [],
    counts: [],
    look: ["id", "limit", "after", "known", "at", "part"],
    runs: ["id"],
    process: ["id", "part"],
    events: ["id", "limit", "after", "part"],
    state: ["id", "sequence", "part"],
    machines: [],
    machine: ["id"],
    messages: ["id"],
    tree: [],
    sweeps: [],
    wakes: [],
    explain: ["id", "part"],
    changes: []
  }

  it.live("are refused by name where they are unknown or there twice", () =>
    Effect.gen(function* () {
      yield* register("p")
      for (const [path, known] of Object.entries(keys)) {
        const wrong = [
          ["limi=1", `limi is no key of /api/${path}; `],
          ["__proto__=1", `__proto__ is no key of /api/${path}; `]
        ]
        for (const key of known) wrong.push([`${key}=1&${key}=1`, `${key} is there twice`])
        for (const [query, problem = ""] of wrong) {
          const { error } = yield* asked<Partial<ErrorView>>(`/api/${path}?${query}`)
          assert.strictEqual(error?.tag, "InputInvalid", `${path}?${query}`)
          assert.include(error?.message, problem)
        }
      }
    }).pipe(Effect.provide(inspected()))
  )
})
