import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Agent, agent } from "../../docs/examples/11-agent-loop/agent.ts"
import { tools } from "../../docs/examples/11-agent-loop/conversation.ts"
import { check } from "../../docs/examples/11-agent-loop/promises.ts"
import { acceptedIn } from "../../machines/chart/definition.ts"
import { definitionIn } from "../../src/operations/Charts.ts"
import { Machines } from "../../src/testing/Certify.ts"
import { start } from "../support/children.ts"
import { samples } from "../support/samples.ts"

/** A schema without the word that says which JSON Schema it is of. */
const withoutDialect = (schema: unknown): object => {
  const { $schema: _, ...rest } = schema as { readonly $schema?: string } // a JSON Schema
  return JSON.parse(JSON.stringify(rest)) as object // the same
}

const runs = samples(10, 2_000)

describe("the agent loop", () => {
  it(`keeps its promises whatever its model chooses, in ${runs} histories`, () => Effect.runPromise(check(runs)))

  it("is tested under Node's own runner by the same promises", async () => {
    const child = start("docs/examples/11-agent-loop/agent.test.js", [], { env: { RUNS: String(samples(1, 20)) } })
    assert.deepStrictEqual(await child.ended(), { code: 0, signal: null }, child.lines.join("\n"))
    assert.include(child.lines.join("\n"), "pass 1")
  })

  it("offers its model the events that are open while it thinks, with what they carry", () => {
    const { structure, events } = definitionIn(Agent.view.chart.body)
    const open = acceptedIn(structure, "thinking", Object.keys(events)).filter((type) => type !== "stop")
    assert.sameMembers(
      tools.map(({ name }) => name),
      open
    )
    for (const { name, input_schema: offered } of tools) assert.deepInclude(events[name], withoutDialect(offered))
  })

  it("has a way to its end from everywhere, and takes each event that may be sent somewhere", () => {
    const found = Machines.paths(agent, Object.keys(Agent.options.events ?? {}))
    assert.deepStrictEqual([found.unreachable, found.stuck, found.deadEnds, found.unhandled], [[], [], [], []])
  })
})
