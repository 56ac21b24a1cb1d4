import { execFile } from "node:child_process"
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { modeOf } from "../../docs/examples/audit/cli/approval.ts"
import { childId, readerId } from "../../docs/examples/audit/work/audit.ts"
import { Ids, SingleHost } from "../../src/index.ts"
import { Provenance } from "../../src/model.ts"
import { ProcessRegistry, WakeOutbox } from "../../src/operations.ts"
import { temporaryFolder } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"
import { programAt } from "../support/programs.ts"
import { isWhole } from "../support/samples.ts"
import type { Program } from "./program.ts"
import { run, start } from "./program.ts"

/** Runs a compiled script to its end, within a bound. */
const script = (path: string, args: ReadonlyArray<string>, cwd: string) =>
  Effect.promise(() =>
    promisify(execFile)(process.execPath, [programAt(path), ...args], { cwd, timeout: patienceMs }).then(
      ({ stdout }) => ({ code: 0, said: stdout.trim() }),
      (error: { readonly code: number; readonly stderr: string }) => ({ code: error.code, said: error.stderr.trim() })
    )
  )

const approve = (cwd: string, ...args: ReadonlyArray<string>) => script("docs/examples/audit/cli/approve.js", args, cwd)

/** A folder with a small directory in it: one file that is harmless, one with a secret. */
const place = Effect.map(temporaryFolder, (cwd) => {
  mkdirSync(join(cwd, "content/deep"), { recursive: true })
  writeFileSync(join(cwd, "content/a.ts"), "// TODO: one\n")
  writeFileSync(join(cwd, "content/deep/settings.env"), `TOKEN=${["a1b2", "c3d4", "e5f6"].join("")}\n`)
  return cwd
})

const auditIdOf = ({ out }: Program): string => /audit:[0-9a-f]+:[0-9]+/.exec(out[1] ?? "")?.[0] ?? "none"

/** What a reader finds. A program that is killed while it writes leaves a half-written file under another name. */
const reportsIn = (cwd: string): ReadonlyArray<string> =>
  readdirSync(cwd)
    .filter((name) => name.startsWith("audit-report") && !name.endsWith(".tmp"))
    .sort()

const drafts = ["audit-report.draft.json", "audit-report.draft.md"]
const published = ["audit-report.json", "audit-report.md"]

describe("an audit that nobody has approved", () => {
  it.scopedLive.skipIf(!isWhole)(
    "ends without a terminal, leaves a draft, says how to approve it, and publishes when it was",
    () =>
      Effect.gen(function* () {
        const cwd = yield* place
        const first = yield* run(["content"], { cwd })
        assert.deepStrictEqual([first.code, first.err], [0, []])
        assert.deepStrictEqual(reportsIn(cwd), drafts)
        const id = auditIdOf(first)
        assert.isTrue(first.out.some((line) => line.startsWith("to approve it: node ") && line.endsWith(id)))
        assert.isTrue(first.out.some((line) => line.includes(`holdfast signal ${id} approval --db `)))
        const draft = readFileSync(join(cwd, "audit-report.draft.md"), "utf8")

        const again = yield* run(["content"], { cwd })
        assert.deepStrictEqual([again.code, auditIdOf(again)], [0, id])
        assert.deepStrictEqual(reportsIn(cwd), drafts)

        const approval = yield* approve(cwd, "--by", "ana")
        assert.deepStrictEqual(approval, {
          code: 0,
          said: `approved ${id}; the program that waits for it publishes the report, or else the next one that starts`
        })
        const last = yield* run(["content"], { cwd })
        assert.strictEqual(last.code, 0)
        assert.strictEqual(auditIdOf(last), id)
        assert.match(last.out.at(-1) ?? "", /^written: .*; approved by ana$/)
        assert.deepStrictEqual(reportsIn(cwd), published)
        assert.strictEqual(readFileSync(join(cwd, "audit-report.md"), "utf8"), draft)
        assert.deepStrictEqual(yield* approve(cwd), { code: 1, said: "approve: no audit waits for approval" })
      })
  )

  it.scopedLive("waits with --wait, also after a kill, and is approved from another terminal", () =>
    Effect.gen(function* () {
      const cwd = yield* place
      const waiting = (program: Program) =>
        program.once("it to wait", () => program.out.some((line) => line.startsWith("waiting for the approval")))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const program = yield* start(["content", "--wait"], { cwd })
          yield* waiting(program)
          yield* program.kill("SIGKILL")
          yield* program.ended
        })
      )
      const program = yield* start(["content", "--wait"], { cwd })
      yield* waiting(program)
      assert.deepStrictEqual(reportsIn(cwd), drafts)
      const sent = yield* script(
        "src/cli/main.js",
        [
          "signal",
          auditIdOf(program),
          "approval",
          "--db",
          ".holdfast/audit.db",
          "--payload",
          '{"approved":true,"by":"bo"}'
        ],
        cwd
      )
      assert.strictEqual(sent.code, 0, sent.said)
      assert.deepStrictEqual(yield* program.ended, { code: 0, signal: null })
      assert.match(program.out.at(-1) ?? "", /^written: .*; approved by bo$/)
      assert.deepStrictEqual(reportsIn(cwd), published)
    })
  )

  it.scopedLive.skipIf(!isWhole)("that is rejected keeps its draft, and the next one is another audit", () =>
    Effect.gen(function* () {
      const cwd = yield* place
      yield* run(["content"], { cwd })
      assert.strictEqual((yield* approve(cwd, "--reject", "--by", "cy")).code, 0)
      const rejected = yield* run(["content"], { cwd })
      assert.strictEqual(rejected.code, 1)
      assert.deepStrictEqual(rejected.err, ["audit: the report was rejected by cy; the draft stays where it is"])
      assert.deepStrictEqual(reportsIn(cwd), drafts)
      const next = yield* run(["content", "--yes"], { cwd })
      assert.match(auditIdOf(next), /:2$/)
      assert.deepStrictEqual(reportsIn(cwd), published)
    })
  )

  it.scopedLive.skipIf(!isWhole)("whose draft has changed is not published", () =>
    Effect.gen(function* () {
      const cwd = yield* place
      yield* run(["content"], { cwd })
      const draft = join(cwd, "audit-report.draft.md")
      appendFileSync(draft, "and more\n")
      const ended = yield* run(["content", "--yes"], { cwd })
      assert.deepStrictEqual(
        [ended.code, ended.err],
        [1, [`audit: ${draft} has changed since it was drafted, so it was not published: start the audit again`]]
      )
      assert.deepStrictEqual(reportsIn(cwd), drafts)
    })
  )

  it.scopedLive("is approved by nobody who mistypes something", () =>
    Effect.gen(function* () {
      const cwd = yield* temporaryFolder
      const missing = yield* approve(cwd, "--state", "missing.db")
      assert.deepStrictEqual(missing, {
        code: 1,
        said: "approve: the state file missing.db does not exist: name it with --state"
      })
      assert.isFalse(existsSync(join(cwd, "missing.db")))
      assert.strictEqual((yield* approve(cwd, "--nope")).code, 2)
    })
  )
})

describe("who decides", () => {
  it("is asked at a terminal only, and never waited for elsewhere unless that is wanted", () => {
    const mode = (yes: boolean, wait: boolean, hasTerminal: boolean) => modeOf({ yes, wait, hasTerminal })
    assert.strictEqual(mode(false, false, true), "ask")
    assert.strictEqual(mode(false, false, false), "leave")
    assert.strictEqual(mode(false, true, false), "wait")
    assert.strictEqual(mode(false, true, true), "wait")
    assert.strictEqual(mode(true, true, false), "wait")
    assert.strictEqual(mode(true, false, false), "yes")
    assert.strictEqual(mode(true, false, true), "yes")
  })
})

describe("what cannot wait for the report", () => {
  it.scopedLive.skipIf(!isWhole)(
    "wakes the session of the audit, once however often it runs, and a file that hangs is reported",
    () =>
      Effect.gen(function* () {
        const cwd = yield* place
        // Far more than can be read in the time it is given; its bytes are nowhere.
        writeFileSync(join(cwd, "content/huge.bin"), "")
        truncateSync(join(cwd, "content/huge.bin"), 256 * 1024 ** 3)
        const first = yield* run(["content", "--file-timeout", "2"], { cwd })
        assert.strictEqual(first.code, 0)
        const id = auditIdOf(first)
        const critical = ({ out }: Program) => out.filter((line) => line.startsWith("critical: "))
        const said = "1 likely secret in 1 file, first in deep/settings.env"
        assert.deepStrictEqual(critical(first), [`critical: ${said}; session ${id} is woken`])
        const second = yield* run(["content", "--file-timeout", "2", "--yes"], { cwd })
        assert.deepStrictEqual([second.code, critical(second)], [0, []])
        const report = JSON.parse(readFileSync(join(cwd, "audit-report.json"), "utf8"))
        assert.deepStrictEqual(report.unread, [{ path: "huge.bin", problem: "was not read within 2s, in 3 tries" }])
        assert.strictEqual(report.totals.files, 2)

        const { record, wakes, rows } = yield* Effect.gen(function* () {
          const registry = yield* ProcessRegistry.ProcessRegistry
          const agent = Ids.processId(childId(readerId(id), "directory-0002"))
          const record = yield* registry.getProcess(agent)
          const wakes = yield* registry.wakeEventsAfter(agent, 0)
          const wakeId = Ids.wakeId(Provenance.scopeId({ sessionId: id }), `${agent}:${wakes[0]?.sequence}`)
          return { record, wakes, rows: yield* (yield* WakeOutbox.WakeOutbox).rowsOf(wakeId) }
        }).pipe(
          Effect.provide(
            SingleHost.layerSqlite({ filename: join(cwd, ".holdfast/audit.db"), engines: [], sweepInterval: false })
          )
        )
        assert.deepStrictEqual(
          wakes.map(({ eventType, semantics }) => [eventType, semantics.wake?.input]),
          [["audit.critical_found", said]]
        )
        assert.deepStrictEqual([record?.input._tag, record?.wakeTarget], ["SessionTurn", { sessionId: id }])
        assert.deepStrictEqual(
          rows.map(({ state, attempts }) => [state, attempts]),
          [["enqueued", 1]]
        )
      })
  )
})
