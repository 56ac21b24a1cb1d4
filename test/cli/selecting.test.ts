import { spawnSync } from "node:child_process"
import { mkdtempSync, openSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Command from "@effect/cli/Command"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import type { AnyCommand } from "../../src/cli/help.ts"
import { described, examples, helpOf } from "../../src/cli/help.ts"
import { nearest } from "../../src/cli/nearest.ts"
import { changing, looking } from "../../src/cli/program.ts"
import { moment } from "../../src/cli/selecting.ts"
import { widthOf } from "../../src/cli/table.ts"
import type { Selection } from "../../src/explain/selection.ts"
import { inOrder, isSelected, orders, selectableOf, selected } from "../../src/explain/selection.ts"
import { processId, signalEventType, signalWaitKey } from "../../src/model/ids.ts"
import type * as Registration from "../../src/model/Registration.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { outputs, registrationOf } from "../../src/testing/fixtures.ts"
import { fileStore, waitForApproval, register as waiting } from "../inspector/fixtures.ts"
import { remove } from "../support/folders.ts"
import { programAt } from "../support/programs.ts"
import { holdfast, rowsIn } from "./running.ts"

let folder = ""
let db = ""

const external = { _tag: "ExternalOwner" } as const
const session = { originator: { _tag: "Session", scope: { sessionId: "s" } } } as const

/** `a-1` has failed, `a-2` was cancelled, `b-1` has completed; `b-2` and its child `b-2/c` run, `odd $(touch hacked)` too. */
const fill = Effect.gen(function* () {
  const registry = yield* ProcessRegistry
  const register = (id: string, label: string, more: Partial<Registration.Registration> = {}) => {
    const input = { _tag: "External", metadata: { label } } as const
    const identity = { kind: "external", label }
    const provenance = id.startsWith("a") ? { provenance: session } : {}
    return registry.registerProcess(
      registrationOf(processId(id), "externally_owned", { input, identity, ...provenance, ...more })
    )
  }
  for (const id of ["a-1", "a-2", "b-1", "b-2", "odd $(touch hacked)"])
    yield* register(id, id[0] === "a" ? "import" : "deploy")
  const parent = { processId: processId("b-2"), closePolicy: "cancel" } as const
  yield* register("b-2/c", "deploy", { parent })
  const failure = { ...outputs.Failure, message: "ECONNREFUSED 10.0.0.1" } as const
  yield* registry.completeProcess(processId("a-1"), failure, external)
  yield* registry.completeProcess(processId("a-2"), outputs.Cancelled, external)
  yield* registry.completeProcess(processId("b-1"), outputs.Success, external)
})

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-selecting-"))
  db = join(folder, "agent.db")
  await Effect.runPromise(Effect.provide(fill, fileStore(db)))
})

afterAll(() => Effect.runPromise(remove(folder)))

const ids = (out: string): ReadonlyArray<string> => rowsIn(out).map(({ id }) => id)

describe("a list", () => {
  const odd = "odd $(touch hacked)"
  const table: ReadonlyArray<readonly [ReadonlyArray<string>, ReadonlyArray<string>]> = [
    [[], ["b-2", "b-2/c", odd]],
    [
      ["--status", "any"],
      ["a-1", "a-2", "b-1", "b-2", "b-2/c", odd]
    ],
    [["--status", "any", "--problem", "econnrefused"], ["a-1"]],
    [
      ["--status", "any", "--search", "A-"],
      ["a-1", "a-2"]
    ],
    [
      ["--status", "any", "--session", "s"],
      ["a-1", "a-2"]
    ],
    [["--parent", "b-2"], ["b-2/c"]],
    [
      ["--status", "any", "--because", "ended"],
      ["a-1", "a-2", "b-1"]
    ],
    [["--because", "externally_owned", "--search", "odd"], [odd]],
    [
      ["--status", "any", "--since", "1h", "--limit", "2"],
      ["a-1", "a-2"]
    ],
    [["--status", "any", "--since", "2999-01-01"], []]
  ]
  for (const [args, found] of table) {
    it(`is narrowed by ${args.join(" ") || "nothing"}`, async () => {
      const { out, err } = await holdfast(["ls", "--json", "id", ...args, "--db", db])
      assert.strictEqual(err, args.includes("--limit") ? "there are more: add --after a-2\n" : "")
      assert.deepStrictEqual(ids(out), found)
    })
  }

  it("gives each process its reason, and without schemas of events; of fields that are named, those", async () => {
    const [whole, some] = await Promise.all([
      holdfast(["ls", "--json", "--db", db]),
      holdfast(["ls", "--json", "id,kind,reason,problem", "--status", "failed", "--db", db])
    ])
    assert.include(whole.out, '"reason":"externally_owned"')
    assert.notInclude(whole.out, "event_types")
    assert.strictEqual(
      some.out,
      '{"id":"a-1","kind":"external","reason":"ended","problem":"law_failed: ECONNREFUSED 10.0.0.1"}\n'
    )
  })

  for (const [args, rows] of [
    [["ls", "--status", "any"], 6],
    [["tree", "--all"], 6],
    [["tree", "--all", "--limit", "2"], 2],
    [["count", "--by", "state"], 4],
    [["tail", "a-1", "--until-end"], 1],
    [["machines", "ls"], 0]
  ] as const) {
    it(`for a program is one row a line: ${args.join(" ")}`, async () => {
      const { code, out } = await holdfast([...args, "--json", "--db", db])
      assert.strictEqual(code, 0)
      assert.strictEqual(out.split("\n").length, rows + 1)
      assert.strictEqual(rowsIn(out).length, rows)
    })
  }

  it("is in order of what was asked for", async () => {
    const run = await holdfast(["ls", "--json", "id", "--status", "any", "--sort", "changed", "--db", db])
    assert.sameMembers(ids(run.out).slice(0, 3).sort() as Array<string>, ["a-1", "a-2", "b-1"])
    assert.strictEqual((await holdfast(["ls", "--sort", "changed", "--after", "a", "--db", db])).code, 2)
  })

  it.effect("holds what the predicate wants, whatever is chosen, in any order", () =>
    Effect.gen(function* () {
      const every = yield* selected({})
      assert.strictEqual(every.length, 6)
      const text = FC.constantFrom("a", "b-2", "import", "external", "ECONN", "none")
      const some = <A>(of: FC.Arbitrary<A>) => FC.option(of, { nil: undefined, freq: 1 })
      const selection = FC.record({
        state: some(FC.constantFrom("running", "failed", "completed", "cancelled")),
        text: some(text),
        kind: some(FC.constantFrom("external", "none")),
        session: some(FC.constantFrom("s", "t")),
        parent: some(FC.constantFrom("b-2", "a-1")),
        problem: some(text),
        sinceMs: some(FC.constantFrom(0, Date.now() + 1e9)),
        isWaiting: some(FC.boolean()),
        roots: some(FC.boolean())
      }).map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Selection)
      for (const wanted of FC.sample(selection, 100)) {
        const found = yield* selected(wanted)
        assert.deepStrictEqual(
          found.map(idOf),
          every.filter((row) => isSelected(selectableOf(row), wanted, 0)).map(idOf)
        )
        for (const order of orders) assert.sameMembers(inOrder(found, order).map(idOf), found.map(idOf))
        assert.deepStrictEqual((yield* selected(wanted, { limit: 1 })).map(idOf), found.slice(0, 1).map(idOf))
      }
    }).pipe(Effect.provide(Effect.runSync(Effect.sync(() => fileStore(db)))))
  )
})

const idOf = ({ base }: { readonly base: { readonly registration: { readonly id: string } } }): string =>
  base.registration.id

describe("a moment that is typed", () => {
  const nowMs = Date.UTC(2026, 2, 1)
  const table: ReadonlyArray<readonly [string, number | undefined]> = [
    ["90s", nowMs - 90_000],
    ["15min", nowMs - 900_000],
    ["1.5h", nowMs - 5_400_000],
    ["3d", nowMs - 3 * 86_400_000],
    ["2026-02-28", Date.UTC(2026, 1, 28)],
    ["2026-02-28T12:00", Date.UTC(2026, 1, 28, 12)],
    ["2026-02-28T12:00+01:00", Date.UTC(2026, 1, 28, 11)],
    ["yesterday", undefined],
    ["5", undefined]
  ]
  for (const [typed, atMs] of table) it(typed, () => assert.strictEqual(moment(typed, nowMs), atMs))
})

describe("a count", () => {
  it("is by what was asked for, the largest first", async () => {
    const { out } = await holdfast(["count", "--by", "kind,state", "--json", "--db", db])
    const counts = [
      { kind: "external", state: "running", count: 3 },
      { kind: "external", state: "cancelled", count: 1 },
      { kind: "external", state: "completed", count: 1 },
      { kind: "external", state: "failed", count: 1 }
    ]
    assert.deepStrictEqual(rowsIn<unknown>(out), counts)
  })
})

describe("a wait", () => {
  const table: ReadonlyArray<readonly [string, number, RegExp]> = [
    ["b-1", 0, /^$/],
    ["a-1", 1, /^holdfast: a-1 ended as failed: .*ECONNREFUSED 10\.0\.0\.1\n$/],
    ["a-2", 5, /^holdfast: a-2 ended as cancelled: /]
  ]
  for (const [id, code, says] of table) {
    it(`ends with ${code} for ${id}`, async () => {
      const ran = await holdfast(["wait", id, "--db", db])
      assert.strictEqual(ran.code, code)
      assert.match(ran.err, says)
    })
  }

  it("ends once another program has ended the process, or its time is over", async () => {
    const later = join(folder, "later.db")
    const register = Effect.flatMap(ProcessRegistry, (registry) =>
      registry.registerProcess(registrationOf(processId("p"), "externally_owned"))
    )
    await Effect.runPromise(Effect.provide(register, fileStore(later)))
    const timed = await holdfast(["wait", "p", "--timeout", "1", "--db", later])
    assert.strictEqual(timed.code, 7)
    assert.match(timed.err, /p has not ended yet: run by an external system/)
    const waiting = holdfast(["wait", "p", "--db", later])
    await holdfast(["abandon", "p", "--db", later])
    await holdfast(["sweep", "--db", later])
    assert.strictEqual((await waiting).code, 6)
  })
})

describe("a request to many", () => {
  it("shows first which processes that would be, and then asks each that runs", async () => {
    const file = join(folder, "many.db")
    await Effect.runPromise(Effect.provide(fill, fileStore(file)))
    const dry = await holdfast(["cancel", "--kind", "external", "--dry-run", "--json", "--db", file])
    assert.deepStrictEqual(JSON.parse(dry.out), { would: ["b-2", "b-2/c", "odd $(touch hacked)"], refused: [] })
    const one = await holdfast(["cancel", "b-2", "--dry-run", "--db", file])
    assert.deepStrictEqual([one.out, one.err], ["b-2\n", "1 process would be asked to stop; nothing was changed\n"])
    assert.notInclude((await holdfast(["show", "b-2", "--json", "--db", file])).out, '"cancel_request":')
    const done = await holdfast(["cancel", "--search", "b-2", "--reason", "enough", "--db", file])
    assert.deepStrictEqual([done.code, done.out], [0, "b-2: asked to stop\nb-2/c: asked to stop\n"])
    assert.include((await holdfast(["show", "b-2", "--json", "--db", file])).out, '"cancel_request":')
  })

  describe("a dry run of it promises what is then done, and refuses in the same words", () => {
    const file = () => join(folder, "judged.db")
    const declares = (name: string) => ({
      name: signalEventType(name),
      payloadSchema: { schema: { type: "object", required: ["by"] } },
      semantics: {}
    })
    const register = Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      for (const id of ["one", "two"]) {
        const eventTypes = [declares("approve"), ...(id === "one" ? [declares("reject")] : [])]
        yield* registry.registerProcess({ ...registrationOf(processId(id), "externally_owned"), eventTypes })
      }
      yield* registry.registerProcess(registrationOf(processId("ended"), "externally_owned"))
      yield* registry.completeProcess(processId("ended"), outputs.Success, external)
    })
    beforeAll(() => Effect.runPromise(Effect.provide(register, fileStore(file()))))

    const table: ReadonlyArray<readonly [string | undefined, string, string, ReadonlyArray<string>, RegExp]> = [
      [
        undefined,
        "approve",
        '{"by":"ana"}',
        ["one", "two"],
        /^2 processes would be sent the signal approve; nothing was changed\n$/
      ],
      ["one", "reject", '{"by":"ana"}', ["one"], /^1 process would be sent the signal reject; nothing was changed$/m],
      [
        undefined,
        "reject",
        '{"by":"ana"}',
        ["one"],
        /^1 process would be sent the signal reject; nothing was changed$/m
      ],
      [undefined, "approve", "{}", [], /^0 processes would be sent the signal approve; nothing was changed$/m],
      ["two", "aprove", "{}", [], /aprove/],
      ["ended", "approve", '{"by":"ana"}', [], /is already terminal: completed, and cannot take a signal/]
    ]
    for (const [id, name, payload, would, says] of table) {
      it(`${name} ${payload} to ${id ?? "all"}`, async () => {
        const which = id === undefined ? [name, "--kind", "external"] : [id, name]
        const run = (...more: ReadonlyArray<string>) =>
          holdfast(["signal", ...which, "--payload", payload, "--db", file(), ...more])
        const dry = await run("--dry-run", "--json")
        if (id !== undefined && would.length === 0) {
          // An id names one process: the run fails as it would without --dry-run.
          assert.deepStrictEqual(await run("--json"), dry)
          assert.strictEqual(dry.code, 1)
          assert.match(dry.err, says)
          return
        }
        const judged = JSON.parse(dry.out) as { readonly would: unknown; readonly refused: ReadonlyArray<object> }
        assert.deepStrictEqual(judged.would, would)
        assert.match((await run("--dry-run")).err, says)
        if (id === undefined) {
          const done = await run("--json")
          assert.deepStrictEqual(JSON.parse(done.out), { done: would, refused: judged.refused })
          assert.strictEqual(done.code, dry.code)
        } else {
          const before = await holdfast(["show", id, "--json", "--db", file()])
          await run("--dry-run")
          assert.strictEqual((await holdfast(["show", id, "--json", "--db", file()])).out, before.out)
        }
      })
    }
  })

  it("names the signals that a process takes, where none is named", async () => {
    const file = join(folder, "unnamed.db")
    await Effect.runPromise(Effect.provide(Effect.zipRight(waiting("asks"), waitForApproval("asks")), fileStore(file)))
    const said = async (...args: ReadonlyArray<string>) => {
      const { code, err } = await holdfast(["signal", ...args, "--db", file])
      return [code, err]
    }
    assert.deepStrictEqual(await said("asks"), [
      2,
      "holdfast: name the signal for asks: it waits for approve; it declares approve\n"
    ])
    assert.deepStrictEqual(await said("aks"), [
      2,
      "holdfast: unknown process `aks`; to send a signal to many, say which: --kind, --since, --because, …\n"
    ])
  })
})

describe("completion", () => {
  const complete = async (...words: ReadonlyArray<string>) =>
    (await holdfast(["__complete", ...words], { env: { HOLDFAST_DB: db } })).out.split("\n").filter(Boolean)
  const table: ReadonlyArray<readonly [ReadonlyArray<string>, ReadonlyArray<string>]> = [
    [["expl"], ["explain"]],
    [
      ["show", "a-"],
      ["a-1", "a-2"]
    ],
    [
      ["show", "--json", "b-2"],
      ["b-2", "b-2/c"]
    ],
    [["cancel", "a"], []],
    [
      ["cancel", ""],
      ["b-2", "b-2/c", "odd $(touch hacked)"]
    ],
    [["ls", "--st"], ["--status"]],
    [["ls", "--status", "comp"], ["completed"]],
    [["ls", "--kind", ""], ["external"]],
    [["ls", "--because", "waiting_for_s"], ["waiting_for_signal"]],
    [["frobnicate", ""], []]
  ]
  for (const [words, found] of table) {
    it(`of \`${words.join(" ")}\``, async () => assert.deepStrictEqual(await complete(...words), found))
  }

  it("names the signals that a process declares", async () => {
    const file = join(folder, "signals.db")
    const register = Effect.flatMap(ProcessRegistry, (registry) =>
      registry.registerProcess({
        ...registrationOf(processId("p"), "externally_owned"),
        eventTypes: ["approve", "reject"].map((name) => ({
          name: signalEventType(name),
          payloadSchema: { schema: true },
          semantics: {}
        }))
      })
    )
    await Effect.runPromise(Effect.provide(register, fileStore(file)))
    assert.isTrue(signalWaitKey(processId("p"), "approve", 1).includes("approve"))
    assert.deepStrictEqual(await complete("signal", "--db", file, "p", ""), ["approve", "reject"])
  })

  it("in bash gives whole words, and runs none of them", async () => {
    const { out } = await holdfast(["--completions", "bash"])
    const script = join(folder, "completion.sh")
    writeFileSync(
      script,
      `holdfast() { "${process.execPath}" "${programAt("src/cli/main.js")}" "$@"; }
${out}
COMP_WORDS=(holdfast cancel odd); COMP_CWORD=2
_holdfast
printf '%s\\n' "\${COMPREPLY[@]}"; ls`
    )
    const bash = spawnSync("bash", [script], {
      encoding: "utf8",
      cwd: folder,
      env: { ...process.env, HOLDFAST_DB: db }
    })
    assert.strictEqual(bash.stdout.split("\n")[0], "odd\\ \\$\\(touch\\ hacked\\)", bash.stderr)
    assert.notInclude(bash.stdout.split("\n").slice(1), "hacked")
  })
})

describe("help of a command", () => {
  const commands = [...looking, ...changing].map((command) => described(command as unknown as AnyCommand)) // read alike
  for (const command of commands) {
    it(`${command.name}: usage, one line an option, examples that the parser takes`, () => {
      const lines = helpOf(command, 80)
      assert.isTrue(
        lines.every((line) => widthOf(line) <= 80 || line.startsWith("  $ ")),
        lines.join("\n")
      )
      assert.isTrue(lines.some((line) => line.startsWith(`  holdfast ${command.name}`)))
      assert.notMatch(lines.join("\n"), /true or false value|setting is optional|--wizard|--log-level/)
      assert.strictEqual(command.parts.length, command.name === "machines" ? 2 : 0)
      for (const { term, text } of command.options) assert.isAbove(text.length, 5, term)
      const calls = examples[command.name] ?? []
      assert.isAbove(calls.length, 0)
      for (const call of calls) {
        assert.isTrue(call === command.name || call.startsWith(`${command.name} `), call)
        const known = [...command.options, ...command.parts.flatMap(({ options }) => options)].map(
          ({ term }) => term.split(" ")[0]
        )
        for (const [option] of call.matchAll(/--[a-z-]+/g)) assert.include(known, option, call)
      }
    })
  }

  it("shows in brackets what may be left out, also where it may be repeated", () => {
    const verify = commands.find(({ name }) => name === "verify")
    assert.isDefined(verify)
    const lines = helpOf(verify, 80)
    assert.include(lines, "  holdfast verify [<id>...] [options]")
    assert.notMatch(lines.join("\n"), /may be repeated/)
  })

  it("is told of every command", () => {
    const names = [...looking, ...changing].flatMap((command) => [
      ...Command.getNames(command as unknown as AnyCommand)
    ])
    assert.sameMembers(Object.keys(examples), names)
  })
})

describe("a word that is nearly another", () => {
  it("is taken for the nearest, and one that is not, for none", () => {
    FC.assert(
      FC.property(FC.constantFrom("explain", "signal", "inspect"), FC.nat(20), (word, at) => {
        const letters = [...word]
        letters.splice(at % letters.length, 1)
        assert.strictEqual(nearest(letters.join(""), ["ls", "explain", "signal", "inspect"]), word)
      })
    )
    assert.isUndefined(nearest("frobnicate", ["ls", "explain"]))
  })
})

describe.skipIf(process.platform !== "linux")("an answer that cannot be written", () => {
  it("is a failure, with an exit code and a sentence", () => {
    const full = openSync("/dev/full", "w")
    const ran = spawnSync(process.execPath, [programAt("src/cli/main.js"), "ls", "--db", db], {
      encoding: "utf8",
      stdio: ["ignore", full, "pipe"]
    })
    assert.strictEqual(ran.status, 1)
    assert.match(ran.stderr, /^holdfast: standard output cannot be written: ENOSPC/)
  })
})
