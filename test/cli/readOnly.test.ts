import { spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import * as Command from "@effect/cli/Command"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import { changing, looking } from "../../src/cli/program.ts"
import { processId } from "../../src/model/ids.ts"
import { external } from "../../src/operations/decisions/authority.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"
import { fileStore, tokenIn } from "../inspector/fixtures.ts"
import { contentOf, writeAsVersion3 } from "../store/sqliteFixtures.ts"
import { isOpen, isRoot } from "../support/embedded.ts"
import { remove } from "../support/folders.ts"
import { leftOut } from "../support/gate.ts"
import { patienceMs } from "../support/patience.ts"
import { programAt } from "../support/programs.ts"
import { projectRoot } from "../support/projectRoot.ts"
import { isLong } from "../support/samples.ts"
import type { Ran } from "./running.ts"
import { follow, holdfast } from "./running.ts"

/** How each command is called on a file that has the process `p`, which has ended, and the process `q`, which runs. */
const calls: Readonly<Record<string, ReadonlyArray<string>>> = {
  ls: ["--status", "any"],
  count: ["--by", "kind,reason"],
  top: ["--status", "any"],
  wait: ["p"],
  open: ["p"],
  show: ["p"],
  state: ["p"],
  tail: ["p", "--until-end"],
  tree: ["--all"],
  explain: ["p"],
  wakes: [],
  verify: ["--json"],
  backup: [],
  inspect: [],
  machines: [],
  signal: ["q", "ready"],
  send: ["q", "ready"],
  cancel: ["q"],
  abandon: ["q"],
  resume: ["q", "--from", "1"],
  redrive: ["1"],
  sweep: [],
  migrate: ["--engines", join(projectRoot, "test/cli/newEngines.ts")],
  copy: []
}

const namesOf = (commands: typeof looking | typeof changing): ReadonlyArray<string> =>
  commands.flatMap((command) => [...Command.getNames(command as Command.Command<string, never, unknown, unknown>)])

let folder = ""
/** A closed file in a folder of its own, in each state that a file is found in. */
const states = ["current", "older", "crashed"] as const
type State = (typeof states)[number]
const fileOf = (state: State) => join(folder, state, "agent.db")

const fill = Effect.gen(function* () {
  const registry = yield* ProcessRegistry
  for (const id of ["p", "q"]) yield* registry.registerProcess(registrationOf(processId(id), "externally_owned"))
  yield* registry.completeProcess(processId("p"), { _tag: "Success", value: 1 }, { _tag: "ExternalOwner" })
})

/** What only the -wal of the crashed file holds. */
const lastWrite = Effect.gen(function* () {
  const registry = yield* ProcessRegistry
  yield* registry.appendEvent(processId("q"), { eventType: "note", payload: "in the -wal" }, external)
  for (const suffix of ["", "-wal", "-shm"]) copyFileSync(join(folder, `live.db${suffix}`), fileOf("crashed") + suffix)
})

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-looking-"))
  for (const state of states) mkdirSync(join(folder, state))
  const live = join(folder, "live.db")
  await Effect.runPromise(Effect.provide(fill, fileStore(live)))
  copyFileSync(live, fileOf("current"))
  await Effect.runPromise(writeAsVersion3(live, fileOf("older")))
  await Effect.runPromise(Effect.provide(lastWrite, fileStore(live)))
})

afterAll(() => Effect.runPromise(remove(folder)))

/** The commands that serve a page. */
const serving = new Set(["inspect", "open"])

/** Runs a command to its end; one that serves is interrupted once it serves. */
const called = (name: string, db: string): Promise<Ran> => {
  if (name === "backup") return backedUp(db)
  const args = [name, ...(calls[name] ?? []), ...(name === "machines" ? [] : ["--db", db])]
  return serving.has(name) ? served(args) : holdfast(args)
}

const backedUp = async (db: string): Promise<Ran> => {
  const destination = join(folder, `${randomUUID()}.db`)
  const ran = await holdfast(["backup", db, destination])
  const raw = new Database(destination, { readonly: true })
  const ids = raw.prepare("SELECT process_id FROM process ORDER BY process_id").pluck().all()
  raw.close()
  assert.deepStrictEqual(ids, ["p", "q"])
  return ran
}

const served = (args: ReadonlyArray<string>): Promise<Ran> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(follow(args), (child) =>
        Effect.promise(async () => {
          const line = await child.saw(/^the inspector of /)
          const url = new URL(/http:\S+(?=;)/.exec(line)?.[0] ?? "")
          const counts = await fetch(new URL("/api/counts", url), {
            headers: { authorization: `Bearer ${tokenIn(url.href)}` },
            signal: AbortSignal.timeout(patienceMs)
          })
          child.process.kill("SIGINT")
          const { code } = await child.ended()
          return { code, out: `${await counts.text()}\n`, err: child.errors.join("\n") }
        })
      )
    )
  )

describe("every command", () => {
  it("is called here", () => {
    assert.sameMembers([...namesOf(looking), ...namesOf(changing)], Object.keys(calls))
  })

  // Each is a program of its own: a short run has each command in every second state, and each state for every second command.
  for (const [at, state] of states.entries()) {
    for (const name of namesOf(looking).filter((_, index) => isLong || (at + index) % 2 === 0)) {
      it(`that looks leaves a file as it was: ${name}, ${state}`, async () => {
        const db = fileOf(state)
        const before = contentOf(dirname(db))
        const { code, out, err } = await called(name, db)
        assert.deepStrictEqual(contentOf(dirname(db)), before)
        assert.strictEqual(code, 0, err)
        assert.match(out, serving.has(name) ? /"total":2/ : /\S/)
        const copied = state === "older" && name !== "machines" && name !== "backup"
        assert.strictEqual(/has schema version 3, and this version reads \d+: a private copy is read/.test(err), copied)
      })
    }
  }

  // What `copy` writes to is no file.
  for (const name of namesOf(changing).filter((each) => each !== "copy")) {
    it(`that changes something refuses an older file, and leaves it as it was: ${name}`, async () => {
      const db = fileOf("older")
      const before = contentOf(dirname(db))
      const { code, out, err } = await called(name, db)
      assert.deepStrictEqual(contentOf(dirname(db)), before)
      assert.deepStrictEqual({ code, out }, { code: 1, out: "" })
      assert.match(err, /^holdfast: \S+ cannot be opened: it has schema version 3, and this version writes \d+: .*\n$/)
    })
  }

  it("that changes something sees what a crash left, and writes", async () => {
    const db = join(folder, "crashed-again.db")
    for (const suffix of ["", "-wal", "-shm"]) copyFileSync(fileOf("crashed") + suffix, db + suffix)
    assert.strictEqual((await called("cancel", db)).code, 0)
    const raw = new Database(db)
    const types = raw.prepare("SELECT event_type FROM event WHERE pk = 2 ORDER BY sequence").pluck().all()
    raw.close()
    assert.deepStrictEqual(types, ["note", "process.cancel_requested"])
  })
})

/** Runs the compiled program as a user whom modes bind: root may write whatever the mode is, so that is another one then. */
const asAnother = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  nodeAsAnother([programAt("src/cli/main.js"), ...args], env)

const nodeAsAnother = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  spawnSync(process.execPath, args, {
    encoding: "utf8",
    timeout: patienceMs,
    env: { ...process.env, ...env },
    ...(isRoot ? { uid: 65_534, gid: 65_534 } : {})
  })

/** A program that builds a host on a file, and says how that ends. */
const building = `
  import { createHost } from ${JSON.stringify(pathToFileURL(join(projectRoot, "dist/lib/embed.js")).href)}
  createHost({ filename: process.argv[1], engines: [], log: false }).then(
    (host) => { console.log("built"); return host.stop() },
    (error) => console.log(error.name + ": " + error.message)
  )
`

/** As root it takes another user, who has to reach the program. */
const withoutModes = (): string | undefined => {
  if (process.platform === "win32") return "modes bind no user of Windows"
  return isRoot && !isOpen(projectRoot)
    ? "only root may enter the folder of the project, and nothing keeps root from writing"
    : undefined
}
const reason = leftOut(withoutModes)
const shown = reason === undefined ? "" : ` (left out: ${reason})`

describe.skipIf(reason !== undefined)(`a file that its reader may not write${shown}`, () => {
  const closed = { file: 0o444, folder: 0o555 }
  const cases: ReadonlyArray<readonly [string, State, ReadonlyArray<string>, typeof closed]> = [
    ["in a folder that it may not write either", "current", [""], closed],
    ["of an older schema", "older", [""], closed],
    ["with a -wal that no program has open", "crashed", ["", "-wal"], closed],
    ["with all that a crash left", "crashed", ["", "-wal", "-shm"], closed],
    // Here SQLite would make a -wal of the reader's, and the host could not open it.
    ["in a folder that it may write", "current", [""], { file: 0o444, folder: 0o777 }]
  ]
  it("is refused where it was copied without the -wal of its host", () => {
    const place = mkdtempSync(join(tmpdir(), "holdfast-closed-"))
    const temporary = mkdtempSync(join(tmpdir(), "holdfast-temporary-"))
    chmodSync(temporary, 0o777)
    try {
      const db = join(place, "agent.db")
      cpSync(fileOf("crashed"), db)
      chmodSync(db, closed.file)
      chmodSync(place, closed.folder)
      const ran = asAnother(["show", "q", "--db", db], { TMPDIR: temporary })
      assert.match(ran.stderr, /^holdfast: \S+ cannot be opened: it was copied without its -wal file/)
      assert.strictEqual(ran.status, 1)
    } finally {
      chmodSync(place, 0o755)
      for (const made of [place, temporary]) rmSync(made, { recursive: true, force: true })
    }
  })

  for (const [what, state, suffixes, modes] of cases) {
    it(`is read, ${what}`, () => {
      const place = mkdtempSync(join(tmpdir(), "holdfast-closed-"))
      const temporary = mkdtempSync(join(tmpdir(), "holdfast-temporary-"))
      chmodSync(temporary, 0o777)
      try {
        const db = join(place, "agent.db")
        for (const suffix of suffixes) {
          cpSync(fileOf(state) + suffix, db + suffix)
          chmodSync(db + suffix, modes.file)
        }
        chmodSync(place, modes.folder)
        const before = contentOf(place)
        const ran = asAnother(["show", "q", "--json", "--db", db], { TMPDIR: temporary })
        assert.strictEqual(ran.status, 0, ran.stderr)
        const { events } = JSON.parse(ran.stdout) as { readonly events: ReadonlyArray<{ readonly payload: unknown }> }
        const written = events.map(({ payload }) => payload)
        assert.deepStrictEqual(written, state === "crashed" ? ["in the -wal"] : [])
        assert.deepStrictEqual(contentOf(place), before)
        assert.deepStrictEqual(readdirSync(temporary), [])
      } finally {
        chmodSync(place, 0o755)
        for (const made of [place, temporary]) rmSync(made, { recursive: true, force: true })
      }
    })
  }

  for (const mode of [0o555, 0o777]) {
    it(`is not changed, and the refusal says that it cannot be written, in a folder of mode ${mode.toString(8)}`, () => {
      const place = mkdtempSync(join(tmpdir(), "holdfast-closed-"))
      try {
        const db = join(place, "agent.db")
        cpSync(fileOf("current"), db)
        chmodSync(db, 0o444)
        chmodSync(place, mode)
        const before = contentOf(place)
        const ran = asAnother(["cancel", "q", "--db", db])
        assert.match(ran.stderr, /^holdfast: \S+ cannot be opened: the file cannot be opened for writing; .*\n$/)
        assert.strictEqual(ran.status, 1)
        const host = nodeAsAnother(["--input-type=module", "--eval", building, db])
        assert.match(host.stdout, /^StoreError: .* the file cannot be opened for writing; .*\n$/, host.stderr)
        assert.deepStrictEqual(contentOf(place), before)
      } finally {
        chmodSync(place, 0o755)
        rmSync(place, { recursive: true })
      }
    })
  }
})
