import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { root, start } from "../support/children.ts"

/** One run of a program, and what it is to print. */
interface Run {
  readonly args?: ReadonlyArray<string>
  readonly prints: ReadonlyArray<string>
}

/**
 * What the examples print, run after run on one file. Each second run shows what is recorded: nothing is done twice.
 */
const examples: Readonly<Record<string, ReadonlyArray<Run>>> = {
  "01-hello": [{ prints: ["greeting Ana", "hello, Ana"] }, { prints: ["hello, Ana"] }],
  "02-tool-with-retry": [
    {
      prints: ["call 1: the weather in Oslo", "call 2: the weather in Oslo", "call 3: the weather in Oslo", "21 °C"]
    },
    { prints: ["21 °C"] }
  ],
  "03-approval": [
    { prints: ["building app", "waiting for an approval"] },
    { prints: ["waiting for an approval"] },
    { args: ["approve", "bo"], prints: ["approved by bo"] },
    { prints: ["released app:7, approved by bo"] },
    { args: ["approve", "bo"], prints: ["approved by bo"] }
  ],
  "04-sub-agents": [
    { prints: ["wiki on statecharts: yes", "paper on statecharts: yes", "archive: two answers are enough"] },
    { prints: ["wiki on statecharts: yes", "paper on statecharts: yes", "archive: two answers are enough"] }
  ],
  "05-webhook": [
    { prints: ["recorded: 200", "sent again: 200", "another end: 409", "https://cdn.example/poster.png"] },
    { prints: ["recorded: 200", "sent again: 200", "another end: 409", "https://cdn.example/poster.png"] }
  ],
  "07-promises": [
    {
      prints: ["lamp for ana", "{ text: 'lamp is reserved' }", "out of stock: unicorn", "cancelled: changed my mind"]
    },
    {
      prints: ["lamp for ana", "{ text: 'lamp is reserved' }", "out of stock: unicorn", "cancelled: changed my mind"]
    }
  ],
  "10-statechart": [
    { prints: ["asking the lead about 120", 'it waits in {"waiting":"lead"}'] },
    { prints: ['it waits in {"waiting":"lead"}'] },
    { args: ["approve", "bo"], prints: ["approved by bo"] },
    { prints: ["paid, approved by bo"] },
    { prints: ["paid, approved by bo"] }
  ],
  "11-agent-loop/main": [
    {
      prints: [
        "the model chose call",
        "stock 3 lamp",
        "price 3 lamp",
        "the model chose ask",
        "to a person: 3 lamp cost 120 euros. Order them?",
        'it waits in "asking"'
      ]
    },
    { prints: ['it waits in "asking"'] },
    { args: ["reply", "yes"], prints: ["replied yes"] },
    { prints: ["the model chose call", "order 3 lamp", "the model chose answer", "3 lamp ordered for 120 euros"] },
    { prints: ["3 lamp ordered for 120 euros"] }
  ],
  "12-two-machines/main": [{ prints: ["sold for 90, bought for 90"] }, { prints: ["sold for 90, bought for 90"] }]
}

/** These have tests of their own, beside the text that they belong to. */
const testedElsewhere: ReadonlyArray<string> = ["06-wake-a-session", "08-deploy", "09-own-store"]

describe("the examples", () => {
  for (const [name, runs] of Object.entries(examples)) {
    it(`${name} prints what it promises, run after run`, async () => {
      const folder = mkdtempSync(join(tmpdir(), "holdfast-example-"))
      try {
        const file = join(folder, "example.db")
        for (const [index, { args = [], prints }] of runs.entries()) {
          const child = start(`docs/examples/${name}.js`, [file, ...args], { cwd: folder })
          const end = await child.ended()
          assert.deepStrictEqual(end, { code: 0, signal: null }, child.errors.join("\n"))
          assert.deepStrictEqual(child.lines, prints, `run ${index + 1}`)
        }
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    })
  }

  it("are all tested", () => {
    const names = readdirSync(`${root}docs/examples`)
      .filter((name) => /^\d/.test(name))
      .map((name) => (name.endsWith(".ts") ? name.slice(0, -".ts".length) : `${name}/main`))
    assert.sameMembers(names, [...Object.keys(examples), ...testedElsewhere])
  })

  it("say how they are run, where they are more than the README's code", () => {
    for (const name of Object.keys(examples)) {
      const text = readFileSync(`${root}docs/examples/${name}.ts`, "utf8")
      assert.include(text, ` * usage: node dist/docs/examples/${name}.js [database file]`)
    }
  })
})

const guide = readFileSync(`${root}docs/guide/embed-with-promises.md`, "utf8")

describe("the guide to embedding with Promises", () => {
  it("shows the code of the example that is run, to the letter", () => {
    const example = readFileSync(`${root}docs/examples/07-promises.ts`, "utf8")
      .replace('"../../src/index.ts"', '"holdfast"')
      .replace('"../../src/host/embed/createHost.ts"', '"holdfast/embed"')
    const shown = /```ts\n([\s\S]*?)```/.exec(guide)?.[1] ?? ""
    assert.strictEqual(shown, example.slice(example.indexOf("import ")))
  })
})
