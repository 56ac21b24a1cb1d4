import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Runnable } from "../../src/runtime/engine/Engine.ts"
import type { Interruption, Play } from "../runtime/replays.ts"
import { plays } from "../runtime/replays.ts"
import { root } from "../support/children.ts"
import { bodies, Double, deployed, did } from "./bodies.ts"

const guide = readFileSync(`${root}docs/guide/when-a-body-runs-again.md`, "utf8")
const source = readFileSync(`${root}test/docs/bodies.ts`, "utf8").replace(/^ {2}/gm, "")

const sectionOf = (title: string) => guide.split(/\n## /).find((part) => part.startsWith(title)) ?? ""
const blockOf = (section: string, language: string) =>
  new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(section)?.[1] ?? ""

/** The journal that a picture shows: the keys of its numbered lines. */
const pictured = (title: string) =>
  [...blockOf(sectionOf(title), "text").matchAll(/^\d+ +(\S+)/gm)].map(([, key = ""]) => key)

/** Runs again while it waits, and then gets its signal. */
const usual = ({ again, journaled, send }: Play) =>
  Effect.gen(function* () {
    yield* journaled("end#1")
    yield* again
    yield* send(7)
  })

interface Expected {
  readonly end: string
  readonly did?: ReadonlyArray<string>
  readonly acts?: (play: Play) => Effect.Effect<unknown, unknown>
  readonly interruptions?: ReadonlyArray<Interruption>
}

const expected: Readonly<Record<string, Expected>> = {
  "A step that fails": { end: '["invoice",7]', did: ["card", "invoice"] },
  "A loop that tries again": { end: '["call",7]', did: ["call", "call", "call"] },
  "A race of a signal and a time": { end: '["late",7]', did: [] },
  "A time limit around an operation": { end: '["nothing",7]', did: ["search"] },
  "Children under one name": { end: "[[2,4],7]", did: [] },
  "A fan-out": { end: '[["left","right"],7]', did: ["left", "right"] },
  "A request to stop": {
    end: "Cancelled",
    did: ["undo"],
    interruptions: ["crash"],
    acts: ({ journaled, crash, boot, cancel, advance }) =>
      Effect.gen(function* () {
        yield* journaled("end#1")
        yield* crash
        yield* boot({ without: "engine" })
        yield* cancel
        yield* crash
        yield* boot()
        yield* advance(200)
      })
  },
  "A step that ends while its host stops": {
    end: '["transfer",7]',
    did: ["transfer"],
    interruptions: ["stop"],
    acts: ({ again, send }) => Effect.zipRight(again, send(7))
  },
  "Time and chance": { end: "[7,true]" },
  "Code that has changed": {
    end: "[7]",
    did: ["price"],
    acts: ({ again, journaled, send }) =>
      Effect.gen(function* () {
        yield* journaled("end#1")
        deployed.isNew = true
        yield* again
        yield* send(7)
      })
  }
}

describe("the guide to a body that runs again", () => {
  it("names tests of each promise, and each is there", () => {
    const rows = [...sectionOf("What is promised").matchAll(/^\|(.*)\| (.*) \| `(.*)` \|$/gm)]
    assert.strictEqual(rows.filter(([, promise = ""]) => promise.trim() !== "").length, 11)
    for (const [, , title = "", file = ""] of rows) assert.include(readFileSync(`${root}test/${file}`, "utf8"), title)
  })

  it("shows ten bodies, each to the letter, and its picture", () => {
    assert.deepStrictEqual(Object.keys(bodies), Object.keys(expected))
    for (const title of Object.keys(bodies)) {
      const code = blockOf(sectionOf(title), "ts").trim()
      assert.isAbove(code.length, 0, title)
      assert.include(source, code, title)
      assert.isAbove(pictured(title).length, 0, title)
    }
  })
})

const both: ReadonlyArray<Interruption> = ["crash", "stop"]

for (const [title, { end, did: done, acts = usual, interruptions = both }] of Object.entries(expected)) {
  const effects: NonNullable<(typeof bodies)[string]> = (ctx) =>
    bodies[title]?.(ctx) ?? Effect.dieMessage("there is no such body")
  plays(
    title,
    { effects: (ctx) => Effect.map(effects(ctx), (value) => JSON.stringify(value)) },
    (play) =>
      Effect.gen(function* () {
        yield* acts(play)
        assert.strictEqual((yield* play.end).replace("Completed: ", ""), end)
        if (done !== undefined) assert.deepStrictEqual(did, done)
        assert.deepStrictEqual(yield* play.journal, pictured(title))
      }).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            did.length = 0
            deployed.isNew = false
          })
        )
      ),
    { interruptions, children: [Double as Runnable<never>] }
  )
}
