import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as HostServices from "../../src/runtime/HostServices.ts"
import { root } from "../support/children.ts"

const guide = readFileSync(`${root}docs/guide/what-a-body-can-do.md`, "utf8")

/** The names that a section's table explains: what stands in code in its first cells. */
const explained = (title: string): ReadonlyArray<string> =>
  (guide.split(/\n#+ /).find((part) => part.startsWith(title)) ?? "")
    .split("\n")
    .filter((line) => line.startsWith("| `") && !line.startsWith("| `ctx.`"))
    .flatMap((line) => [...(line.split(" | ")[0] ?? "").matchAll(/`(\w+)/g)].map(([, name = ""]) => name))

/** The members of an interface. */
const membersOf = (file: string, name: string): ReadonlyArray<string> => {
  const [, body = ""] = readFileSync(`${root}${file}`, "utf8").split(`export interface ${name} {`)
  return [...(body.split("\n}")[0] ?? "").matchAll(/^ {2}readonly (\w+)/gm)].map(([, member = ""]) => member)
}

describe("the guide to what a body can do", () => {
  it("explains everything in a context, once", () => {
    const told = [...explained("# What a body"), "processId", "attempt", "fencingToken", "surroundings"]
    const members = [
      ...membersOf("src/runtime/body/ExecutionContext.ts", "ExecutionContext extends BodyOperations"),
      ...membersOf("src/runtime/body/BodyOperations.ts", "BodyOperations")
    ]
    assert.deepStrictEqual(told.toSorted(), members.toSorted())
    for (const name of told) assert.include(guide, `\`${name}`.replace("`surroundings", "`yield* ctx.surroundings"))
  })

  it("explains everything on a handle, once, and says what a replay makes of it", () => {
    const members = membersOf(
      "src/runtime/client/ProcessHandle.ts",
      "ProcessHandle<Success, Failure, Signals extends AnySignal = never>"
    )
    const promised = membersOf("src/host/embed/handle.ts", "Handle<Success, Signals extends AnySignal = never>")
    assert.deepStrictEqual(explained("What a handle can do").toSorted(), members.toSorted())
    const known = new Set([...members, "result"])
    assert.deepStrictEqual(
      promised.filter((name) => !known.has(name)),
      []
    )
  })

  it("explains everything that surrounds a body, once", () => {
    const members = membersOf("src/runtime/body/Surroundings.ts", "Surroundings")
    assert.isAbove(members.length, 10)
    assert.deepStrictEqual(explained("What surrounds it").toSorted(), members.toSorted())
  })

  it("explains every service that a host supplies", () => {
    const { TurnContext: _perTurn, ...services } = HostServices
    const tags = Object.keys(services).filter((name) => /^[A-Z]/.test(name))
    assert.deepStrictEqual(explained("What a host supplies").toSorted(), tags.toSorted())
  })
})
