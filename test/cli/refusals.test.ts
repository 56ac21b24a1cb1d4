import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { processId } from "../../src/model/ids.ts"
import { external } from "../../src/operations/decisions/authority.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"
import { holdfast, rowsIn, spawned } from "./running.ts"

let folder = ""
let db = ""

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-cli-"))
  db = join(folder, "agent.db")
  const fill = Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    yield* registry.registerProcess(registrationOf(processId("p"), "externally_owned"))
    yield* registry.appendEvent(processId("p"), { eventType: "note", payload: 1 }, external)
    const ended = processId("ended")
    yield* registry.registerProcess(registrationOf(ended, "externally_owned"))
    yield* registry.completeProcess(ended, { _tag: "Success", value: 1 }, { _tag: "ExternalOwner" })
  })
  const store = Registry.layer.pipe(Layer.provide(SqliteStore.layer({ filename: db })))
  await Effect.runPromise(Effect.provide(fill, store))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Refusal {
  readonly args: () => ReadonlyArray<string>
  readonly code: number
  readonly says: RegExp
}

const refusals: Readonly<Record<string, Refusal>> = {
  "no command": { args: () => [], code: 2, says: /^holdfast: name a command: / },
  "an unknown command": {
    args: () => ["lss"],
    code: 2,
    says: /^holdfast: there is no command lss; did you mean ls\?$/
  },
  "an unknown option": { args: () => ["ls", "--nope", "--db", db], code: 2, says: /'--nope'; see --help$/ },
  "an unknown option in the place of an id": { args: () => ["show", "--nope"], code: 2, says: /--nope is no option/ },
  "a command that resembles none": {
    args: () => ["frobnicate"],
    code: 2,
    says: /there is no command frobnicate; holdfast --help/
  },
  "a reason that is none": {
    args: () => ["ls", "--because", "wating_for_signal", "--db", db],
    code: 2,
    says: /did you mean waiting_for_signal\?; there are .*due_now/
  },
  "a time that is none": {
    args: () => ["ls", "--since", "yesterday", "--db", db],
    code: 2,
    says: /--since takes a time/
  },
  "a field that is none": {
    args: () => ["ls", "--json", "id,knd", "--db", db],
    code: 2,
    says: /knd is no field; did you mean kind\?/
  },
  "a count by nothing": {
    args: () => ["count", "--by", "colour", "--db", db],
    code: 2,
    says: /--by takes kind, reason and state/
  },
  "a port that is none": {
    args: () => ["inspect", "--port", "99999999", "--db", db],
    code: 2,
    says: /--port takes a number/
  },
  "to stop all without saying which": {
    args: () => ["cancel", "--db", db],
    code: 2,
    says: /name an id, or say which: --kind/
  },
  "to stop one and many": {
    args: () => ["cancel", "p", "--kind", "k", "--db", db],
    code: 2,
    says: /an id names one process: leave out what selects/
  },
  "no database named": { args: () => ["ls"], code: 2, says: /name the database: --db FILE or URL, or HOLDFAST_DB/ },
  "a file that is missing": {
    args: () => ["ls", "--db", join(folder, "typo.db")],
    code: 3,
    says: /there is no database file .*typo\.db$/
  },
  "a folder": { args: () => ["ls", "--db", folder], code: 1, says: /is no file$/ },
  "a database of something else": {
    args: () => ["ls", "--db", join(folder, "other.db")],
    code: 1,
    says: /other\.db cannot be opened: it is no holdfast database$/
  },
  "a file that is no database": {
    args: () => ["ls", "--db", join(folder, "text.db")],
    code: 1,
    says: /text\.db cannot be opened: the file is no SQLite database, or a damaged one; restore it from a backup, .*$/
  },
  "to change a database of something else": {
    args: () => ["cancel", "p", "--db", join(folder, "other.db")],
    code: 1,
    says: /other\.db cannot be opened: it is no holdfast database$/
  },
  "an unknown process": { args: () => ["show", "nobody", "--db", db], code: 3, says: /unknown process `nobody`$/ },
  "a signal whose name is none": {
    args: () => ["signal", "p", "a.b", "--db", db],
    code: 2,
    says: /signal name must be non-empty/
  },
  "a payload that is no JSON": {
    args: () => ["signal", "p", "ready", "--payload", "yes", "--db", db],
    code: 2,
    says: /--payload takes JSON, and yes is none/
  },
  "a signal that the process does not declare": {
    args: () => ["signal", "p", "other", "--db", db],
    code: 1,
    says: /undeclared event type `signal\.other`: it declares the signals [^;]*ready[^;]*; declare this one where the process is started$/
  },
  "a signal to a process that has ended": {
    args: () => ["signal", "ended", "ready", "--db", db],
    code: 1,
    says: /process `ended` is already terminal: completed, and cannot take a signal$/
  },
  "a request to stop a process that has ended": {
    args: () => ["cancel", "ended", "--db", db],
    code: 1,
    says: /process `ended` is already terminal: completed, and cannot accept a cancel request$/
  },
  "a request to give up what has ended": {
    args: () => ["abandon", "ended", "--db", db],
    code: 1,
    says: /already terminal: completed, and cannot accept an abandon request$/
  },
  "a state in which no wake stands": {
    args: () => ["wakes", "--state", "lost", "--db", db],
    code: 2,
    says: /pending, enqueuing, enqueued, discarded, any/
  },
  "a redrive of nothing": { args: () => ["redrive", "--db", db], code: 2, says: /Missing argument <wake>/ },
  "a limit of nothing": {
    args: () => ["ls", "--limit", "0", "--db", db],
    code: 2,
    says: /--limit takes a whole number/
  },
  "to follow everything until its end": {
    args: () => ["tail", "--until-end", "--db", db],
    code: 2,
    says: /--from and --until-end are for one process/
  }
}

describe("the command line refuses, in one sentence on stderr,", () => {
  for (const [what, { args, code, says }] of Object.entries(refusals)) {
    it(what, async () => {
      writeFileSync(join(folder, "text.db"), "some text that is long enough to be read as a header\n".repeat(20))
      const other = new Database(join(folder, "other.db"))
      other.exec("CREATE TABLE IF NOT EXISTS place (a)")
      other.close()
      const ran = await holdfast(args())
      assert.strictEqual(ran.out, "")
      assert.match(ran.err.trimEnd(), says)
      assert.strictEqual(ran.err.split("\n").length, 2, ran.err)
      assert.strictEqual(ran.code, code)
      assert.isFalse(existsSync(join(folder, "typo.db")))
    })
  }

  it("as a program too", async () => {
    const missing = await spawned(["ls", "--db", join(folder, "typo.db")])
    const line = `holdfast: there is no database file ${join(folder, "typo.db")}\n`
    assert.deepStrictEqual(missing, { code: 3, out: "", err: line })
    assert.strictEqual((await spawned(["--nope"])).code, 2)
  })

  it("differences that a verification finds, each shown", async () => {
    const raw = new Database(db)
    raw.exec("UPDATE state SET snapshot = json_set(snapshot, '$.context.attempts', 7) WHERE process_id = 'p'")
    raw.close()
    const ran = await holdfast(["verify", "--db", db])
    assert.match(ran.out, /^ID +WHERE +STORED +FOLDED\np +context\/attempts +7 +0\n$/)
    assert.strictEqual(ran.err, "2 verified, 1 differences\nholdfast: what is stored is not what the logs fold to\n")
    assert.strictEqual(ran.code, 1)
  })
})

describe("the command line without a database", () => {
  it("prints help that names the exit codes, and completions that a shell reads", async () => {
    const [help, completions, machines, picture] = await Promise.all([
      holdfast(["--help"]),
      holdfast(["--completions", "bash"]),
      holdfast(["machines", "--json"]),
      holdfast(["machines", "process"])
    ])
    assert.include(help.out.replace(/\s+/g, " "), "3 no such process, wake or machine, or no such file")
    assert.isTrue(help.out.split("\n").every((line) => line.length <= 100))
    assert.match(completions.out, /^_holdfast\(\) \{/)
    const listed = rowsIn<{ readonly name: string; readonly version: string; readonly description: string }>(
      machines.out
    )
    assert.deepStrictEqual(
      listed.map(({ name, version }) => `${name} ${version}`),
      ["host 1", "owner 1", "process 1", "run 1", "supervisor 1", "sweep 1"]
    )
    assert.strictEqual(
      listed[2]?.description,
      "One durable unit of work, from its registration to the one terminal it will ever have."
    )
    assert.match(picture.out, /^stateDiagram-v2\n {2}\[\*\] --> running\n/)
    for (const { code } of [help, completions, machines, picture]) assert.strictEqual(code, 0)
  })

  it("takes the database from the environment", async () => {
    const ran = await holdfast(["ls", "--json", "--status", "completed"], { env: { HOLDFAST_DB: db } })
    assert.deepStrictEqual(
      rowsIn(ran.out).map(({ id }) => id),
      ["ended"]
    )
  })
})
