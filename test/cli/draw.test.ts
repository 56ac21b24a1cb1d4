import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createMachine } from "xstate"
import { structureOf } from "../../machines/chart/definition.ts"
import { Processes } from "../../src/host/Processes.ts"
import { approvalNoting } from "../chart/charts.ts"
import { start } from "../support/children.ts"
import { bounded, sqlite, temporaryFolder } from "../support/hosts.ts"
import { programAt } from "../support/programs.ts"
import { projectRoot } from "../support/projectRoot.ts"
import { counter } from "./counters.ts"
import { holdfast, rowsIn, spawned } from "./running.ts"

const counters = join(projectRoot, "test/cli/counters.ts")

const inFolder = (test: (folder: string) => Promise<void>) =>
  bounded(Effect.scoped(Effect.flatMap(temporaryFolder, (folder) => Effect.promise(() => test(folder)))))

/** The states that a picture highlights. */
const activeIn = (svg: string): ReadonlyArray<string> =>
  [...svg.matchAll(/class="[^"]* active" data-id="([^"]*)"/g)].map(([, id = ""]) => id)

const Approval = approvalNoting([])

describe("holdfast machines draw, of a module", () => {
  it("draws an exported machine, by its export, in each format", async () => {
    const drawn = async (...more: ReadonlyArray<string>) => {
      const { code, out, err } = await holdfast(["machines", "draw", counters, "Two", ...more])
      assert.strictEqual(code, 0, err)
      return out
    }
    assert.strictEqual(
      await drawn(),
      ["stateDiagram-v2", "  [*] --> idle", "  idle --> over : after patience", "  over --> [*]", ""].join("\n")
    )
    const config = JSON.parse(await drawn("--format", "stately"))
    assert.deepStrictEqual(config.states, { idle: { after: { patience: "over" } }, over: { type: "final" } })
    const definition = JSON.parse(await drawn("--format", "json"))
    assert.deepInclude(definition, { id: "counter", version: "2", structure: structureOf(counter("idle")), active: [] })
    assert.deepStrictEqual(Object.keys(definition.events), ["go"])
    const svg = await drawn("--format", "svg")
    assert.match(svg, /^<svg class="chart" .* xmlns="http:\/\/www\.w3\.org\/2000\/svg"><style>/s)
    assert.match(svg, />after patience<\/text>/)
    assert.deepStrictEqual(activeIn(svg), [])
  })

  it.live("says that a picture of many states takes long, where its text does not", () =>
    inFolder(async (folder) => {
      const xstate = join(projectRoot, "node_modules/xstate/dist/xstate.esm.js")
      const states = Object.fromEntries(Array.from({ length: 101 }, (_none, index) => [`s${index}`, {}]))
      const file = join(folder, "many.mjs")
      const config = JSON.stringify({ id: "many", initial: "s0", states })
      writeFileSync(
        file,
        `import { createMachine } from ${JSON.stringify(xstate)}\nexport const many = createMachine(${config})`
      )
      const remark = async (format: string) => (await holdfast(["machines", "draw", file, "--format", format])).err
      assert.strictEqual(await remark("mermaid"), "")
      assert.match(
        await remark("svg"),
        /^many: a picture of so many states takes a minute; mermaid is there at once\n$/
      )
    })
  )

  it("says what the module has, where the name is missing or unknown", async () => {
    const unnamed = await holdfast(["machines", "draw", counters])
    assert.strictEqual(unnamed.code, 2)
    assert.match(unnamed.err, /counters\.ts exports several machines: name one of One, Two, Zero\n$/)
    const unknown = await holdfast(["machines", "draw", counters, "Three"])
    assert.strictEqual(unknown.code, 3)
    assert.match(unknown.err, /exports no machine Three; it has One, Two, Zero\n$/)
  })

  it.live("refuses what cannot be imported, in one sentence", () =>
    inFolder(async (folder) => {
      const file = (name: string, text: string) => {
        writeFileSync(join(folder, name), text)
        return join(folder, name)
      }
      const refusal = async (target: string) => (await spawned(["machines", "draw", target])).err
      assert.match(await refusal(join(folder, "none.js")), /^holdfast: there is no file \S+none\.js\n$/)
      assert.match(await refusal(file("a.mjs", "export const a = 1")), /a\.mjs exports no machine, as setup\(…\)/)
      assert.match(await refusal(file("b.mjs", 'throw new Error("no port")')), /b\.mjs cannot be imported: no port\n$/)
      const typed = await refusal(file("c.mts", "export const c: enum = 1"))
      assert.match(
        typed,
        /^holdfast: \S+c\.mts cannot be imported: .*name the compiled file, or let node read it: .*\n$/
      )
    })
  )
})

describe("holdfast machines, of a database file", () => {
  it.live("draws the example's process, lit, from a file whose host was killed", () =>
    inFolder(async (folder) => {
      const db = join(folder, "expense.db")
      const host = start("docs/examples/10-statechart.js", [db])
      await host.saw(/^it waits in/)
      host.process.kill("SIGKILL")
      await host.ended()
      const picture = await spawned(["machines", "draw", db, "expense-7"])
      assert.strictEqual(picture.code, 0, picture.err)
      for (const line of [
        "    lead --> director : after patience",
        "  waiting --> paying : approve",
        "  paying --> paid : pay done",
        "  paying --> rejected : pay failed",
        "  class lead active"
      ]) {
        assert.include(picture.out.split("\n"), line)
      }
      const file = join(folder, "expense.svg")
      const written = await spawned(["machines", "draw", db, "expense-7", "--format", "svg", "--out", file])
      assert.deepInclude(written, { code: 0, out: "" })
      assert.deepStrictEqual(activeIn(readFileSync(file, "utf8")), [
        "expense",
        "expense.waiting",
        "expense.waiting.lead"
      ])
      const { active, id, events } = JSON.parse(
        (await spawned(["machines", "draw", db, "expense-7", "--format", "json"])).out
      )
      assert.deepStrictEqual([id, Object.keys(events)], ["expense", ["approve", "reject"]])
      assert.deepStrictEqual(active, ["expense", "expense.waiting", "expense.waiting.lead"])
    })
  )

  it.live("lists the definitions, and draws one that is named; the config makes the same chart again", () =>
    bounded(
      Effect.scoped(
        Effect.gen(function* () {
          const db = `${yield* temporaryFolder}/approvals.db`
          yield* Effect.provide(
            Effect.flatMap(Processes, (processes) =>
              Effect.flatMap(processes.start(Approval, { id: "a", payload: { n: 3 } }), ({ snapshot }) => snapshot)
            ),
            sqlite(db, [Approval])
          )
          yield* Effect.promise(async () => {
            const listed = await holdfast(["machines", "ls", db])
            assert.match(listed.out, /^approval +1 +approval +\w{12} +5 +approve, remind$/m)
            const [first] = rowsIn<object>((await holdfast(["machines", "ls", "--json", "--db", db])).out)
            assert.deepInclude(first, { kind: "approval", version: "1", id: "approval", states: 5 })
            for (const name of [["approval"], ["approval@1"], []]) {
              const drawn = await holdfast(["machines", "draw", db, ...name, "--format", "stately"])
              const again = structureOf(createMachine(JSON.parse(drawn.out)))
              assert.sameMembers(Object.keys(again.states ?? {}), ["waiting", "paying", "paid", "refused", "expired"])
              assert.deepStrictEqual(
                again.states?.paying?.transitions?.map(({ event, targets }) => [event, targets]),
                [
                  ["xstate.done.actor.charge", ["approval.paid"]],
                  ["xstate.error.actor.charge", ["approval.refused"]]
                ]
              )
              assert.deepStrictEqual(JSON.parse(drawn.out).states.waiting.after, {
                "3 days": [{ actions: [], target: ["#approval\\.expired"] }]
              })
            }
            const none = await holdfast(["machines", "draw", db, "b"])
            assert.deepStrictEqual(
              [none.code, none.err],
              [3, "holdfast: there is no process and no machine b; the file has approval@1\n"]
            )
          })
        })
      )
    )
  )

  it("explains its parts: each has help of its own", async () => {
    for (const [part, option] of [
      ["draw", /--format mermaid\|svg\|stately\|json/],
      ["ls", /--json/]
    ] as const) {
      const { code, out } = await holdfast(["machines", part, "--help"])
      assert.strictEqual(code, 0)
      assert.match(out, option)
    }
  })

  it.live("draws a machine of a compiled module in a program of its own", () =>
    bounded(
      Effect.promise(async () => {
        const { code, out, err } = await spawned(["machines", "draw", programAt("test/cli/counters.js"), "One"])
        assert.strictEqual(code, 0, err)
        assert.match(out, /waiting --> over : after patience/)
      })
    )
  )
})
