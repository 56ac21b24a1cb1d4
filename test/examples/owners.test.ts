import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { bodiesOf, describe as described, ownersOf, seen } from "../../docs/examples/audit/cli/owners.ts"
import type { ProcessStore } from "../../src/store.ts"
import type * as Supervisor from "../../src/supervision/Supervisor.ts"
import { temporaryFolder } from "../support/hosts.ts"
import { isWhole } from "../support/samples.ts"
import { expected, plant } from "./directory.ts"
import type { Program } from "./program.ts"
import { filesRead, run, start } from "./program.ts"

const holder = (keeper: string, leases: number, pid?: number): ProcessStore.Holder => ({
  renewerId: keeper,
  leases,
  owner: {
    ownerId: `holdfast:${keeper}:run:1`,
    incarnationId: "1",
    liveness:
      pid === undefined
        ? { _tag: "Opaque" }
        : { _tag: "LocalProcess", hostId: "h", bootId: "b", pid, processStart: "1" }
  }
})

const node = (name: string, kind: Supervisor.TreeNode["kind"], children: ReadonlyArray<Supervisor.TreeNode> = []) => ({
  name,
  kind,
  state: "running",
  restarts: 0,
  children
})

describe("the line about owners", () => {
  it("has this program's own first, the number of bodies of each, and a process id where it is known", () => {
    const owners = ownersOf(
      [holder("bbbbbbbb-1", 1, 12), holder("aaaaaaaa-1", 3), holder("cccccccc-1", 0, 7)],
      "cccccccc-1"
    )
    assert.strictEqual(
      described(owners),
      "owners: cccccccc (pid 7, this program) 0 bodies; aaaaaaaa 3 bodies; bbbbbbbb (pid 12) 1 body"
    )
  })

  it("keeps an owner that holds nothing for less than a second, and drops it then", () => {
    const [one, other] = ownersOf([holder("aaaaaaaa-1", 2), holder("bbbbbbbb-1", 1)], "aaaaaaaa-1")
    assert(one !== undefined && other !== undefined)
    const before = seen([], [one, other], 5_000)
    const soon = seen(before, [one], 5_999)
    assert.deepStrictEqual(
      soon.map(({ owner, atMs }) => [owner.name, owner.bodies, atMs]),
      [
        ["aaaaaaaa", 2, 5_999],
        ["bbbbbbbb", 0, 5_000]
      ]
    )
    assert.deepStrictEqual(
      seen(soon, [one], 6_000).map(({ owner }) => owner.name),
      ["aaaaaaaa"]
    )
  })

  it("is none when nobody holds anything", () => assert.strictEqual(described(ownersOf([], "x")), ""))

  it("names the bodies at work here, and not those that wait for them", () => {
    const actors = node("process actors", "worker", [
      node("audit:1/directory-0001/batch-0002", "process"),
      node("audit:1/directory-0001", "process"),
      { ...node("audit:1/listing", "process"), state: "completing" },
      node("audit:1", "process"),
      node("audit:2", "process")
    ])
    assert.strictEqual(
      bodiesOf(node("host", "supervisor", [actors])),
      "here: audit, directory-0001/batch-0002, listing (completing)"
    )
    assert.strictEqual(bodiesOf(node("host", "supervisor")), "")
  })
})

/** The owners in the last line about them. */
const ownersIn = ({ out }: Program): ReadonlyArray<string> =>
  (out.findLast((line) => line.startsWith("owners: ")) ?? "").match(/\(pid [^)]*\)/g) ?? []

const pidOf = (program: Program): string =>
  /pid ([0-9]+), this program/.exec(program.out.find((line) => line.includes("this program")) ?? "")?.[1] ?? "none"

describe("two programs on one state", () => {
  it.scopedLive.skipIf(!isWhole)(
    "each say who owns what; when one is killed the other takes over, and nothing recorded is read again",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const [directory, alone, shared] = ["content", "alone", "shared"].map((name) => join(folder, name))
        assert(directory !== undefined && alone !== undefined && shared !== undefined)
        for (const path of [directory, alone, shared]) mkdirSync(path)
        plant(directory, { history: true })
        // More than one program runs at a time, so that something is left for the other one.
        for (let number = 10; number < 34; number++) {
          mkdirSync(join(directory, `part-${number}`))
          for (const name of ["a", "b", "c", "d"]) writeFileSync(join(directory, `part-${number}`, name), name)
        }
        const args = [directory, "--yes", "--verbose"]
        const files = expected.totals.files + 24 * 4
        assert.strictEqual((yield* run(args, { cwd: alone })).code, 0)

        // The first one is slow: it still has most of its work before it, on any machine, when the other one has come.
        const victim = yield* start([...args, "--pace", "2000"], { cwd: shared })
        yield* victim.once("a file read", () => filesRead(victim).length > 0)
        const survivor = yield* start([...args, "--pace", "400"], { cwd: shared })
        for (const program of [victim, survivor]) {
          yield* program.once("both owners", () =>
            program.out.some((line) => line.startsWith("owners: ") && (line.match(/pid /g) ?? []).length === 2)
          )
        }
        const [victimPid, survivorPid] = [pidOf(victim), pidOf(survivor)]
        assert.notStrictEqual(victimPid, survivorPid)
        assert.isTrue(survivor.out.some((line) => line.includes(`(pid ${victimPid})`)))
        yield* victim.kill("SIGKILL")
        assert.strictEqual((yield* victim.ended).signal, "SIGKILL")
        yield* survivor.once("the survivor to own all", () => {
          const owners = ownersIn(survivor)
          return owners.length === 1 && owners[0] === `(pid ${survivorPid}, this program)`
        })
        // By proof of its death, and not because its leases ran out.
        assert.isTrue(survivor.err.some((line) => /^warning: .* is dead and left [0-9]+ leases?$/.test(line)))
        assert.deepStrictEqual(yield* survivor.ended, { code: 0, signal: null })

        const read = [victim, survivor].flatMap(filesRead)
        assert.strictEqual(new Set(read).size, files)
        // Only what the killed program had in hand may have been read twice: four bodies, four files at a time.
        assert.isAtMost(read.length, files + 16)
        for (const name of ["audit-report.json", "audit-report.md"]) {
          assert.strictEqual(readFileSync(join(shared, name), "utf8"), readFileSync(join(alone, name), "utf8"))
        }
      })
  )
})
