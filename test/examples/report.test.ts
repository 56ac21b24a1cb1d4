import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { toMarkdown } from "../../docs/examples/audit/report/markdown.ts"
import type { FileReport } from "../../docs/examples/audit/report/parts.ts"
import * as Report from "../../docs/examples/audit/report/report.ts"
import { counted, grouped, sizeOf } from "../../docs/examples/audit/report/text.ts"
import { makeFolder, reportNames, writeReports } from "../../docs/examples/audit/report/writing.ts"
import { Audit } from "../../docs/examples/audit/work/audit.ts"
import { makeTally } from "../../docs/examples/audit/work/gitLog.ts"
import { choose, firstFree, nameOf } from "../../docs/examples/audit/work/identity.ts"
import { Processes } from "../../src/host/Processes.ts"
import { memory, temporaryFolder } from "../support/hosts.ts"

const file = (path: string, rest: Partial<FileReport> = {}): FileReport => ({
  path,
  bytes: 1_000,
  sha256: "00",
  language: "TypeScript",
  lines: 1_234,
  findings: [],
  notes: [],
  ...rest
})

const report = Report.make({
  exclude: ["tmp", "dist"],
  listing: {
    unread: [{ path: "locked", problem: "cannot be read: no permission" }],
    passedOver: { links: 2, special: 0 }
  },
  history: {
    _tag: "History",
    commits: 3,
    authors: 2,
    topAuthors: [
      { name: "Ada | <b>", commits: 2 },
      { name: "Bob", commits: 1 }
    ],
    lastCommitAt: "2024-02-03T04:05:06Z"
  },
  batches: [
    {
      files: [
        file("a.ts", { findings: [{ kind: "todo", rule: "TODO", line: 7, text: "// TODO `x` | y" }] }),
        file("b`.bin", { language: null, lines: 0, notes: ["binary: hashed, not scanned"] })
      ],
      unread: [{ path: "gone", problem: "was listed, and is not there any more" }]
    },
    {
      files: [
        file("c.py", {
          language: "Python",
          lines: 1,
          findings: [{ kind: "secret", rule: "api-key", line: 1, text: "sk-[redacted]" }]
        })
      ],
      unread: []
    }
  ]
})

const markdown = `# Audit report

3 files (1 binary), 1,235 lines of text, 2.9 KiB.
1 TODO, 0 FIXME, 1 likely secret, 2 not read.

Content: \`sha256:${report.contentSha256}\`

## Languages

| language | files | lines | size |
|---|--:|--:|--:|
| TypeScript | 1 | 1,234 | 1,000 bytes |
| Python | 1 | 1 | 1,000 bytes |
| Binary | 1 | 0 | 1,000 bytes |

## History

3 commits by 2 authors; the last one at 2024-02-03T04:05:06Z.

- Ada \\| \\<b\\>: 2
- Bob: 1

## Likely secrets (1)

- \`c.py:1\` api-key: \`sk-[redacted]\`

## Unfinished work (1)

- \`a.ts:7\` TODO: \`\`// TODO \`x\` | y\`\`

## Not read (2)

- \`gone\` was listed, and is not there any more
- \`locked\` cannot be read: no permission

## Notes (1)

- \`\`b\`.bin\`\` binary: hashed, not scanned

## Left out

Names: \`.git\`, \`.holdfast\`, \`dist\`, \`node_modules\`, \`tmp\`, and the reports of earlier audits.
Links, which are not followed: 2. Neither file nor folder: 0.
`

describe("the report", () => {
  it("adds up what the batches found", () => {
    assert.deepStrictEqual(report.totals, {
      files: 3,
      binaryFiles: 1,
      bytes: 3_000,
      lines: 1_235,
      todos: 1,
      fixmes: 0,
      secrets: 1,
      unread: 2
    })
  })

  it("reads like this", () => assert.strictEqual(toMarkdown(report), markdown))

  it("has a digest that changes with content and names only", () => {
    const digest = (...files: ReadonlyArray<FileReport>) =>
      Report.make({
        exclude: [],
        listing: { unread: [], passedOver: { links: 0, special: 0 } },
        history: { _tag: "NoHistory" },
        batches: [{ files, unread: [] }]
      }).contentSha256
    // printf '00  a\n' | sha256sum
    assert.strictEqual(digest(file("a")), "ba4a3809d5c21a3dd18a739e295ba8a1bd6dd0d35b985b6c307838574e00733c")
    assert.notStrictEqual(digest(file("a", { sha256: "01" })), digest(file("a")))
    assert.notStrictEqual(digest(file("b")), digest(file("a")))
    assert.strictEqual(digest(file("a", { findings: [], bytes: 9 })), digest(file("a")))
  })

  it("shows the first hundred of a long list, and where the rest is", () => {
    const findings = Array.from({ length: 130 }, (_, index) => ({
      kind: "todo" as const,
      rule: "TODO",
      line: index + 1,
      text: "TODO"
    }))
    const lines = toMarkdown({ ...report, findings: findings.map((finding) => ({ path: "a", ...finding })) }).split(
      "\n"
    )
    assert.strictEqual(lines.filter((line) => line.startsWith("- `a:")).length, 100)
    assert.include(lines, "- … and 30 more, see audit-report.json")
  })

  it("keeps names of files from breaking its lines", () => {
    const text = toMarkdown({ ...report, unread: [{ path: "a\nb\u001b[2J", problem: "gone" }] })
    assert.include(text, "- `a b [2J` gone\n")
  })

  it.effect("is written whole, over an older one, and leaves nothing else behind", () =>
    Effect.gen(function* () {
      const folder = join(yield* temporaryFolder, "deep", "er")
      yield* writeReports(folder, reportNames, "audit:1", report)
      yield* writeReports(folder, reportNames, "audit:1", report)
      assert.deepStrictEqual(readdirSync(folder).sort(), ["audit-report.json", "audit-report.md"])
      assert.strictEqual(readFileSync(join(folder, "audit-report.md"), "utf8"), markdown)
      assert.deepStrictEqual(JSON.parse(readFileSync(join(folder, "audit-report.json"), "utf8")), report)
    }).pipe(Effect.scoped)
  )

  it.effect("names the file that could not be written", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* Effect.promise(() => makeFolder(join(folder, "audit-report.json")))
      const error = yield* Effect.flip(writeReports(folder, reportNames, "audit:1", report))
      assert.match(error.message, /^the report could not be written to .*audit-report\.json: EISDIR/)
      assert.isTrue(statSync(join(folder, "audit-report.json")).isDirectory())
      assert.deepStrictEqual(readdirSync(folder), ["audit-report.json"])
    }).pipe(Effect.scoped)
  )
})

describe("makeTally", () => {
  it("counts commits and authors, and takes the first line for the last commit", () => {
    const tally = makeTally()
    for (const line of ["1706933106\tBob", "1672531200\tAda", "", "1640995200\tAda"]) tally.add(line)
    assert.deepStrictEqual(tally.history(), {
      _tag: "History",
      commits: 3,
      authors: 2,
      topAuthors: [
        { name: "Ada", commits: 2 },
        { name: "Bob", commits: 1 }
      ],
      lastCommitAt: "2024-02-03T04:05:06Z"
    })
  })

  it("takes a log without commits for no history", () =>
    assert.deepStrictEqual(makeTally().history(), { _tag: "NoHistory" }))
})

describe("firstFree", () => {
  for (const taken of [0, 1, 2, 3, 4, 7, 8, 100]) {
    it.effect(`after ${taken} finished audits the next one is number ${taken + 1}`, () =>
      Effect.map(
        firstFree((number) => Effect.succeed(number <= taken)),
        (number) => assert.strictEqual(number, taken + 1)
      )
    )
  }
})

describe("the choice of an audit", () => {
  it.live("shares one that another program began while it looked", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const payload = { directory: "/d", out: "/o", exclude: [], ownPaths: [], fileTimeoutMs: 1_000 }
      const id = `${nameOf(payload)}:1`
      yield* processes.start(Audit, { id, payload })
      let looks = 0
      const late = Processes.of({
        ...processes,
        listNonTerminal: Effect.suspend(() => (looks++ === 0 ? Effect.succeed([]) : processes.listNonTerminal))
      })
      const chosen = yield* Effect.provideService(choose(payload), Processes, late)
      assert.deepStrictEqual([chosen.id, chosen.unfinished], [id, true])
    }).pipe(Effect.provide(memory([])))
  )
})

describe("numbers", () => {
  it("are grouped by thousands", () => {
    assert.deepStrictEqual([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"])
  })

  it("have their things in the singular for one only", () => {
    assert.deepStrictEqual(
      [0, 1, 2].map((number) => counted(number, "file")),
      ["0 files", "1 file", "2 files"]
    )
  })

  it("have a size in the largest unit that fits", () => {
    assert.deepStrictEqual([0, 1, 1023, 1024, 1536, 1024 ** 2, 5 * 1024 ** 3, 3000 * 1024 ** 4].map(sizeOf), [
      "0 bytes",
      "1 byte",
      "1,023 bytes",
      "1.0 KiB",
      "1.5 KiB",
      "1.0 MiB",
      "5.0 GiB",
      "3000.0 TiB"
    ])
  })
})
