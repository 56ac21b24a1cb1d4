import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { run } from "../../src/cli/program.ts"
import * as Screen from "../../src/cli/Screen.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import type { OverviewView } from "../../src/inspector/OverviewView.ts"
import { reasonOf } from "../../src/inspector/reason.ts"
import type { ListView, PartView } from "../../src/inspector/View.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { asked } from "../inspector/fixtures.ts"
import { quiet, temporaryFolder } from "../support/hosts.ts"
import { cases, layerOn, p } from "./cases.ts"
import { wakeCases, wakesOn } from "./wakeCases.ts"

/** What the command line answers, as one value. */
const onTerminal = <A>(db: string, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const said: Array<string> = []
    const screen = Screen.make({ write: (text) => said.push(text) }, { write: () => undefined }, {})
    yield* Effect.provideService(run(["node", "holdfast", ...args, "--json", "--db", db]), Screen.TheScreen, screen)
    return JSON.parse(said.join("")) as A // the caller says what it asked for
  })

/** What the command line says of the process: an explanation's wire form. */
const explained = (db: string) => onTerminal<{ readonly because: { readonly reason: string } }>(db, "explain", p)

/** What the page of a file says. */
const onPage = (filename: string, path: string) =>
  Effect.flatMap(asked<PartView>(path), (part) =>
    part.available ? Effect.succeed(Object(part.value)) : Effect.dieMessage("a file has this part, too")
  ).pipe(Effect.provide(Layer.provide(Inspector.layerFile({ filename, token: "secret" }), quiet)))

/** What the page of a file reads. */
const onFile = <A>(filename: string, path: string) =>
  asked<A>(path).pipe(Effect.provide(Layer.provide(Inspector.layerFile({ filename, token: "secret" }), quiet)))

/** The reasons of a process that a host works on, as far as anything is known of that host. */
const mayWork: ReadonlySet<string> = new Set([
  "running",
  "held_by_unprovable",
  "cancel_requested",
  "abandon_waits_for_lease"
])

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
          const { text, ...shown } = yield* onPage(filename, `/api/explain?id=${p}`)
          const told = yield* explained(filename)
          assert.strictEqual(told.because.reason, inFile[tag] ?? wire(tag))
          assert.deepStrictEqual(shown, told)
          assert.include(text, shown.meaning)
          const { rows, now_ms: nowMs } = yield* onFile<ListView>(filename, "/api/processes?text=p")
          const said = rows.map((row) => reasonOf(row, nowMs)?.text ?? "")
          assert.strictEqual(/^(at work|step )/.test(said.join()), mayWork.has(told.because.reason), said.join())
          const { unknown } = yield* onFile<OverviewView>(filename, "/api/overview")
          assert.strictEqual(unknown?.count ?? 0, told.because.reason === "outcome_unknown" ? 1 : 0)
        }).pipe(Effect.provide(layerOn(SqliteStore.layer({ filename }))))
      })
    )
  }
})

describe("the command line and the page say the same of a wake that is", () => {
  for (const [standing, { make, text }] of Object.entries(wakeCases)) {
    it.scoped(standing, () =>
      Effect.gen(function* () {
        const filename = join(yield* temporaryFolder, "a.db")
        yield* TestClock.setTime(0)
        yield* Effect.gen(function* () {
          yield* make
          const { text: explanation, ...shown } = yield* onPage(filename, `/api/explain?id=${p}`)
          assert.deepStrictEqual(shown, yield* explained(filename))
          assert.match(explanation, text)
          const { counts, rows, blocked } = yield* onPage(filename, "/api/wakes")
          const listed = yield* onTerminal<Readonly<Record<string, unknown>>>(filename, "wakes")
          assert.deepStrictEqual({ counts, wakes: rows, blocked }, listed)
          const { wakes } = shown.detail
          assert.deepStrictEqual(
            rows.map((row: { readonly blocked_by?: string }) => row.blocked_by).filter(Boolean),
            wakes.map((wake: { readonly blocked_by?: string }) => wake.blocked_by).filter(Boolean)
          )
          assert.strictEqual(blocked.length, standing === "blocked" ? 1 : 0)
        }).pipe(Effect.provide(wakesOn(SqliteStore.layer({ filename }))))
      })
    )
  }
})
