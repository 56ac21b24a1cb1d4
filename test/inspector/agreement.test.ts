import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { run } from "../../src/cli/program.ts"
import * as Screen from "../../src/cli/Screen.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import type { PartView } from "../../src/inspector/View.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { quiet, temporaryFolder } from "../support/hosts.ts"
import { cases, layerOn, p } from "./explainCases.ts"
import { asked } from "./fixtures.ts"

/** What the command line says of the process, as one value. */
const explained = (db: string) =>
  Effect.gen(function* () {
    const said: Array<string> = []
    const screen = Screen.make({ write: (text) => said.push(text) }, { write: () => undefined }, {})
    yield* Effect.provideService(
      run(["node", "holdfast", "explain", p, "--json", "--db", db]),
      Screen.TheScreen,
      screen
    )
    return JSON.parse(said.join("")) as { readonly because: { readonly reason: string } } // an explanation's wire form
  })

/** Only a running host knows that it has no engine or no slot; in a file such a process is due, and the verdict has both sides. */
const inFile: Readonly<Record<string, string>> = { NoEngine: "due_now", NoSlot: "due_now" }

const wire = (tag: string): string => tag.replace(/(?!^)[A-Z]/g, "_$&").toLowerCase()

describe("the command line and the page say the same of", () => {
  for (const [tag, { make }] of Object.entries(cases)) {
    it.scoped(tag, () =>
      Effect.gen(function* () {
        const filename = join(yield* temporaryFolder, "a.db")
        yield* TestClock.setTime(0)
        yield* Effect.gen(function* () {
          yield* make
          const onPage = yield* Effect.provide(
            asked<PartView>(`/api/explain?id=${p}`),
            Layer.provide(Inspector.layerFile({ filename, token: "secret" }), quiet)
          )
          const onTerminal = yield* explained(filename)
          assert.strictEqual(onTerminal.because.reason, inFile[tag] ?? wire(tag))
          if (!onPage.available) return assert.fail("a file is explained on the page, too")
          const { text, ...shown } = Object(onPage.value)
          assert.deepStrictEqual(shown, onTerminal)
          assert.include(text, shown.meaning)
        }).pipe(Effect.provide(layerOn(SqliteStore.layer({ filename }))))
      })
    )
  }
})
