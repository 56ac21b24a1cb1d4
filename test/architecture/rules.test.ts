import { assert, describe, it } from "@effect/vitest"
import { breaches, crowded, rules } from "./rules.ts"

interface Case {
  readonly path: string
  readonly text: string
  readonly refused: ReadonlyArray<string>
}

const refuse = (path: string, text: string, ...refused: ReadonlyArray<string>): Case => ({ path, text, refused })
const accept = (path: string, text: string): Case => ({ path, text, refused: [] })

const lines = (count: number): string => "const a = 1\n".repeat(count)
const documented = "/** A module. */\n"

/** Written in pieces, since the rule on text judges this file as well. */
const place = (...folders: ReadonlyArray<string>): string => ["", ...folders].join("/")
const host = (...labels: ReadonlyArray<string>): string => labels.join(".")

const cases: Readonly<Record<string, ReadonlyArray<Case>>> = {
  "a machine fits 250 lines": [
    accept("machines/a.ts", lines(250)),
    accept("src/model/A.ts", lines(251)),
    refuse("machines/a.ts", lines(251), "machines/a.ts:251 has 251 lines, at most 250 are allowed")
  ],
  "a source file fits 400 lines": [
    accept("src/model/A.ts", lines(400)),
    accept("src/index.ts", lines(401)),
    refuse("src/model/A.ts", lines(401), "src/model/A.ts:401 has 401 lines, at most 400 are allowed"),
    refuse("src/model/A.ts", `${lines(400)}x`, "src/model/A.ts:401 has 401 lines, at most 400 are allowed")
  ],
  "a test fits 500 lines": [
    accept("test/a.test.ts", lines(500)),
    refuse("test/support/a.ts", lines(501), "test/support/a.ts:501 has 501 lines, at most 500 are allowed")
  ],
  "every export has a docstring": [
    accept("src/model/A.ts", `${documented}import "./b.ts"\n/** One. */\nexport const a = 1\nconst b = 2`),
    accept("src/model/A.ts", `${documented}/** One. */\nexport const a = 1`),
    accept("src/index.ts", "export const a = 1"),
    accept("test/a.ts", "export const a = 1"),
    accept("machines/index.ts", '/** All. */\nexport * as A from "./a.ts"\nexport { b } from "./b.ts"'),
    refuse("machines/a.ts", `${documented}export const a = 1`, "machines/a.ts:2 exports a without a docstring"),
    refuse(
      "src/model/A.ts",
      `${documented}import "./b.ts"\n// No docstring.\nexport interface A {}\nexport type B = 1\nexport class C {}\nexport function d() {}`,
      "src/model/A.ts:4 exports A without a docstring",
      "src/model/A.ts:5 exports B without a docstring",
      "src/model/A.ts:6 exports C without a docstring",
      "src/model/A.ts:7 exports d without a docstring"
    ),
    refuse(
      "src/model/A.ts",
      `${documented}import "./b.ts"\n/** */\nexport const a = 1`,
      "src/model/A.ts:4 exports a without a docstring"
    ),
    refuse(
      "src/model/A.ts",
      `${documented}import "./b.ts"\n/** One. */\nconst a = 1\nconst b = 2\nexport { a, b as c }`,
      "src/model/A.ts:5 exports b without a docstring"
    ),
    refuse(
      "src/model/A.ts",
      `${documented}import "./b.ts"\nexport default 1`,
      "src/model/A.ts:3 exports default without a docstring"
    )
  ],
  "the signature of an exported function is written out": [
    accept("src/model/A.ts", "export const a = (): number => 1"),
    accept("src/model/A.ts", "export const a: () => number = () => 1"),
    accept("src/model/A.ts", "export const a = (b: number) => (c: number): number => b + c"),
    accept("src/model/A.ts", "export const a = Schema.Struct({})\nconst b = () => 1"),
    accept("src/model/A.ts", "export function a(): number { return 1 }"),
    refuse("src/model/A.ts", "export const a = () => 1", "src/model/A.ts:1 exports a without its return type"),
    refuse("src/model/A.ts", "export function a() { return 1 }", "src/model/A.ts:1 exports a without its return type"),
    refuse(
      "machines/a.ts",
      "export const a = (b: 1) => (c: 1) => b",
      "machines/a.ts:1 exports a without its return type"
    )
  ],
  "a machine decides, it never does": [
    accept("machines/a.ts", "/** No invoke, no Date.now. */\nconst a = { text: 'invoke emit' }"),
    accept("machines/a.ts", "const after = 1\nconst b = after"),
    accept("machines/xstate/step.ts", 'import { createActor } from "xstate"\nconst scope = { emit: () => {} }'),
    accept("src/model/A.ts", "const now = { invoke: Date.now }"),
    refuse("machines/a.ts", "const a = { invoke: {} }", "machines/a.ts:1 uses invoke"),
    refuse("machines/a.ts", 'const a = { "invoke": {} }', "machines/a.ts:1 uses invoke"),
    refuse("machines/a.ts", 'const a = { on: {},\n "after": { 10: "b" } }', "machines/a.ts:2 uses after"),
    refuse("machines/a.ts", "const a = { after: { 10: 1 } }", "machines/a.ts:1 uses after"),
    refuse(
      "machines/xstate/step.ts",
      "const a = { after: sendTo(1) }",
      ...["after", "sendTo"].map((w) => `machines/xstate/step.ts:1 uses ${w}`)
    ),
    refuse("machines/a.ts", "const a = x.sendParent()", "machines/a.ts:1 uses sendParent"),
    refuse("machines/a.ts", 'import { createActor as start } from "xstate"', "machines/a.ts:1 uses createActor"),
    refuse("machines/a.ts", "const a = { emit }", "machines/a.ts:1 uses emit"),
    refuse(
      "machines/a.ts",
      "spawnChild(enqueueActions)",
      "machines/a.ts:1 uses spawnChild",
      "machines/a.ts:1 uses enqueueActions"
    ),
    refuse("machines/a.ts", "const a = Date.now()", "machines/a.ts:1 uses Date.now"),
    refuse("machines/a.ts", "const a = new Date()", "machines/a.ts:1 uses new Date()"),
    refuse("machines/a.ts", "const a = Math.random()", "machines/a.ts:1 uses Math.random")
  ],
  "an editor finds the states of a machine in its file": [
    accept(
      "machines/a.ts",
      'setup({}).createMachine({ id: "a", context: ({ input }) => input, initial: "b", states: { b: { on: { ...moves } }, "c d": {} } })'
    ),
    accept("src/model/A.ts", "a.createMachine(config)"),
    refuse("machines/a.ts", "a.createMachine(config)", "machines/a.ts:1 the machine is not written out"),
    refuse("machines/a.ts", "a.createMachine({ ...base })", "machines/a.ts:1 the machine is composed of other parts"),
    refuse("machines/a.ts", "a.createMachine({ states })", "machines/a.ts:1 the machine is composed of other parts"),
    refuse("machines/a.ts", "a.createMachine({ id: name })", "machines/a.ts:1 id of the machine is no plain text"),
    refuse("machines/a.ts", "a.createMachine({ id: `b` })", "machines/a.ts:1 id of the machine is no plain text"),
    refuse(
      "machines/a.ts",
      "a.createMachine({ states: all })",
      "machines/a.ts:1 the states of the machine are not written out"
    ),
    refuse("machines/a.ts", "a.createMachine({ states: { b } })", "machines/a.ts:1 b is not written out"),
    refuse("machines/a.ts", "a.createMachine({ states: { b: other } })", "machines/a.ts:1 b is not written out"),
    refuse(
      "machines/a.ts",
      "a.createMachine({ states: { [b]: {} } })",
      "machines/a.ts:1 a state of the machine has no plain name"
    ),
    refuse(
      "machines/a.ts",
      "a.createMachine({ states: { b: { states: { c: { ...d } } } } })",
      "machines/a.ts:1 c is composed of other parts"
    )
  ],
  "fibers, time and randomness come from Effect": [
    accept("src/host/embed/createHost.ts", "Effect.runFork(a); setTimeout(b, 1); Date.now()"),
    accept("src/runtime/A.ts", "// Effect.runFork\nconst a = 'setTimeout('\nClock.currentTimeMillis"),
    accept("src/runtime/A.ts", "const a = { setTimeout: 1 }\nconst b = a.setTimeout\nnew Date(0)"),
    accept("test/a.ts", "Date.now()"),
    accept("src/inspector/page/a.ts", "setTimeout(b, 1); Date.now()"),
    refuse("src/inspector/A.ts", "setTimeout(b, 1)", "src/inspector/A.ts:1 uses setTimeout"),
    refuse("src/runtime/A.ts", "Effect.runFork(a)", "src/runtime/A.ts:1 uses runFork"),
    refuse("src/host/A.ts", "setTimeout(a, 1)", "src/host/A.ts:1 uses setTimeout"),
    refuse("src/host/A.ts", "setInterval(a, 1)", "src/host/A.ts:1 uses setInterval"),
    refuse("src/cli/a.ts", "const a = Date.now()", "src/cli/a.ts:1 uses Date.now"),
    refuse("src/testing/A.ts", "f(Math.random)", "src/testing/A.ts:1 uses Math.random")
  ],
  "only bodies and steps are daemons": [
    accept("src/runtime/body/step.ts", "Effect.forkDaemon(a)"),
    refuse("src/runtime/A.ts", "a.pipe(\nEffect.forkDaemon)", "src/runtime/A.ts:2 uses forkDaemon"),
    refuse("src/store/A.ts", 'import { forkDaemon } from "effect/Effect"', "src/store/A.ts:1 uses forkDaemon")
  ],
  "any is for what XState does not document": [
    accept("machines/xstate/step.ts", "const a: any = 1"),
    accept("src/model/A.ts", "// any\nconst any = 1"),
    refuse("src/model/A.ts", "const a = b as any", "src/model/A.ts:1 uses any"),
    refuse("test/a.ts", "type A = Array<any>", "test/a.ts:1 uses any"),
    refuse("machines/process/machine.ts", "const a: any = 1", "machines/process/machine.ts:1 uses any")
  ],
  "the bound of a wait in a test grows with the machine": [
    accept("test/a.ts", "AbortSignal.timeout(patienceMs); Effect.timeout(2 * patienceMs); f({ timeout: patienceMs })"),
    accept(
      "test/a.ts",
      "f({ timeout: trials * patienceMs + 5_000 }); Effect.timeout(20 * 10); f({ timeout: of(1_000) })"
    ),
    accept("test/a.ts", 'AbortSignal.timeout(20); ctx.awaitSignal(a, { timeout: "3 days" })'),
    accept("test/bench/a.ts", "f({ timeout: 60_000 })"),
    accept("src/cli/a.ts", 'Effect.timeout("2 seconds")'),
    refuse("test/a.ts", "AbortSignal.timeout(30_000)", "test/a.ts:1 waits for 30_000 on any machine"),
    refuse("test/a.ts", 'Effect.timeout("10 seconds")', 'test/a.ts:1 waits for "10 seconds" on any machine'),
    refuse("test/a.ts", "f({ timeout: 1_000 })", "test/a.ts:1 waits for 1_000 on any machine"),
    refuse(
      "test/a.ts",
      "f({ timeout: trials * 30_000 })\nEffect.timeout((20 + 5_000) * 2)",
      "test/a.ts:1 waits for trials * 30_000 on any machine",
      "test/a.ts:2 waits for (20 + 5_000) * 2 on any machine"
    )
  ],
  "a replay key is made by a function of src/model/ids.ts": [
    accept("src/model/ids.ts", "const replayKey = `process:x`"),
    accept("src/testing/laws/A.ts", 'const request = { replayKey: "a" }'),
    accept("src/model/A.ts", "const replayKey = Ids.startedReplayKey(id, 1)\nconst key = `process:x`"),
    refuse(
      "src/model/A.ts",
      `const replayKey = \`process:\${id}:x\`\nconst fact = { replayKey: "x" }`,
      `src/model/A.ts:1 writes the replay key \`process:\${id}:x\``,
      'src/model/A.ts:2 writes the replay key "x"'
    )
  ],
  "there are two barrels": [
    accept("src/index.ts", ""),
    accept("machines/index.ts", ""),
    accept("src/model/reindex.ts", ""),
    refuse("src/model/index.ts", "", "src/model/index.ts:1 is a third barrel"),
    refuse("index.ts", "", "index.ts:1 is a third barrel")
  ],
  "relative imports end in .ts": [
    accept("src/model/A.ts", 'import "./b.ts"\nimport "effect/Effect"\nconst c = "./d"'),
    refuse("src/model/A.ts", 'import { b } from "./b"', "src/model/A.ts:1 imports ./b without .ts"),
    refuse("src/model/A.ts", 'export * from "../b.js"', "src/model/A.ts:1 imports ../b.js without .ts"),
    refuse("src/model/A.ts", 'type B = import("./b").B', "src/model/A.ts:1 imports ./b without .ts"),
    refuse("test/a.ts", 'const b = await import("./b")', "test/a.ts:1 imports ./b without .ts")
  ],
  "Effect is imported by module": [
    accept("src/model/A.ts", 'import * as Effect from "effect/Effect"\nimport * as Sql from "@effect/sql/SqlClient"'),
    accept("test/a.ts", 'import { it } from "@effect/vitest"'),
    refuse("src/model/A.ts", 'import { Effect } from "effect"', "src/model/A.ts:1 imports the whole of effect"),
    refuse(
      "docs/examples/a.ts",
      'import type * as P from "@effect/platform"',
      "docs/examples/a.ts:1 imports the whole of @effect/platform"
    )
  ],
  "no text names a place on one machine, or a registry": [
    accept(
      "docs/a.md",
      "A unit of work/effort, [a page](../guide/work/a.md), src/work/a.ts and https://example.org/work/a"
    ),
    accept("docs/a.md", "The ProcessRegistry; registry.getProcess(id)"),
    accept("package-lock.json", `"https://${host("registry", "npmjs", "org")}/a"`),
    refuse("docs/a.md", `See\n${place("work", "a")}`, `docs/a.md:2 names the machine path ${place("work", "")}`),
    refuse("src/model/A.ts", `"${place("root", "a")}"`, `src/model/A.ts:1 names the machine path ${place("root", "")}`),
    refuse("a.json", `"${place("home", "ana", "b")}"`, `a.json:1 names the machine path ${place("home", "a")}`),
    refuse("docs/a.md", `(${place("Users", "ana")})`, `docs/a.md:1 names the machine path ${place("Users", "a")}`),
    refuse(
      "docs/a.md",
      `npm i --registry ${host("registry", "npmjs", "org")}`,
      `docs/a.md:1 names the registry ${host("registry", "npmjs", "org")}`
    ),
    refuse(
      "a.json",
      `"https:${place("", "my-registry", "a")}"`,
      `a.json:1 names the registry ${place("", "my-registry")}`
    )
  ],
  "prose names the actor": [
    accept(
      "docs/guide/a.md",
      "The untold store; a bystander withstands it for everyone, and it comes too late. All the samenesses."
    ),
    accept("docs/pictures/a.png", "nobody"),
    accept("test/a.ts", "// Nobody is told."),
    refuse("README.md", "It stands\nwhere nobody looks.", 'README.md:1 says "stands"', 'README.md:2 says "nobody"'),
    refuse(
      "docs/guide/a.md",
      "Whoever asks is told.",
      'docs/guide/a.md:1 says "Whoever"',
      'docs/guide/a.md:1 says "told"'
    ),
    refuse(
      "docs/adr/a.md",
      "Somebody comes to it.",
      'docs/adr/a.md:1 says "Somebody"',
      'docs/adr/a.md:1 says "comes to"'
    ),
    refuse("docs/guide/a.ts", "/**\n * Waits for\n * ever.\n */", 'docs/guide/a.ts:2 says "for ever"'),
    refuse("docs/style.md", "It waits all\nthe same.", 'docs/style.md:1 says "all the same"')
  ]
}

describe("the rule on folders", () => {
  const beside = (folder: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${folder}/a${index}.ts`)

  it("accepts as many files as allowed, whatever is below them", () => {
    assert.deepStrictEqual(crowded([...beside("src/a", 3), ...beside("src/a/b", 3)], { most: 3 }), [])
  })

  it("refuses one more, in src and machines", () => {
    assert.deepStrictEqual(
      crowded([...beside("src/a", 4), ...beside("machines", 4), ...beside("test", 4)], { most: 3 }),
      ["src/a has 4 files, at most 3 are allowed", "machines has 4 files, at most 3 are allowed"]
    )
  })

  it("leaves out a folder that is exempt", () => {
    assert.deepStrictEqual(crowded(beside("src/a", 4), { most: 3, exempt: ["src/a"] }), [])
  })
})

describe("the rules on files", () => {
  it("each have cases, refused ones among them", () => {
    assert.deepStrictEqual(
      Object.keys(cases).filter((name) => cases[name]?.some(({ refused }) => refused.length > 0)),
      rules.map(({ name }) => name)
    )
  })

  for (const rule of rules) {
    for (const { path, text, refused } of cases[rule.name] ?? []) {
      const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text
      it(`${rule.name}: ${refused.length === 0 ? "accepts" : "refuses"} ${path} with ${JSON.stringify(shown)}`, () => {
        assert.deepStrictEqual([...breaches(rule, [{ path, text }])], [...refused])
      })
    }
  }
})
