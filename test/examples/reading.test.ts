import { execFileSync } from "node:child_process"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ownPaths } from "../../docs/examples/audit/cli/inputs.ts"
import type { FileReport } from "../../docs/examples/audit/report/parts.ts"
import { batchesOf, list, sharesOf } from "../../docs/examples/audit/work/listing.ts"
import { problemOf, readOne, scanCapBytes } from "../../docs/examples/audit/work/reading.ts"
import { temporaryFolder } from "../support/hosts.ts"

const readText = (content: string | Buffer, name = "file.ts") =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    writeFileSync(join(folder, name), content)
    return (yield* readOne(folder, name)) as FileReport // it was written above, so it can be read
  }).pipe(Effect.scoped)

describe("readOne", () => {
  it.effect("gives digest, size, lines and language of a text", () =>
    Effect.map(readText("abc"), (report) =>
      assert.deepStrictEqual(report, {
        path: "file.ts",
        bytes: 3,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        language: "TypeScript",
        lines: 1,
        findings: [],
        notes: []
      })
    )
  )

  for (const [content, lines] of [
    ["", 0],
    ["\n", 1],
    ["a\nb", 2],
    ["a\nb\n", 2],
    ["a\r\n\r\nb\r\n", 3]
  ] as const) {
    it.effect(`counts ${lines} lines in ${JSON.stringify(content)}`, () =>
      Effect.map(readText(content), (report) => assert.strictEqual(report.lines, lines))
    )
  }

  it.effect("hashes a binary file, and says that it was not scanned", () =>
    Effect.map(readText(Buffer.from("TODO\0\n")), ({ language, lines, findings, notes }) =>
      assert.deepStrictEqual(
        { language, lines, findings, notes },
        { language: null, lines: 0, findings: [], notes: ["binary: hashed, not scanned"] }
      )
    )
  )

  it.effect("hashes and counts a huge file whole, and says how much of it was scanned", () =>
    Effect.map(
      readText(
        `TODO early\n${"x".repeat(99)}\n`.repeat(1) +
          `${"y".repeat(99)}\n`.repeat(scanCapBytes / 100 + 10) +
          "TODO late\n"
      ),
      ({ bytes, lines, findings, notes }) => {
        assert.strictEqual(bytes, 11 + 100 + 10495 * 100 + 10)
        assert.strictEqual(lines, 1 + 1 + 10495 + 1)
        assert.deepStrictEqual(
          findings.map(({ line }) => line),
          [1]
        )
        assert.deepStrictEqual(notes, ["only the first 1048576 bytes were scanned"])
      }
    )
  )

  it.effect("answers what cannot be read, and why", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      mkdirSync(join(folder, "folder"))
      writeFileSync(join(folder, "target"), "")
      symlinkSync("target", join(folder, "link"))
      execFileSync("sh", ["-c", 'mkfifo "$0"', join(folder, "pipe")])
      const answers = yield* Effect.forEach(["gone", "folder", "link", "pipe", "target/x"], (path) =>
        readOne(folder, path)
      )
      assert.deepStrictEqual(answers, [
        { path: "gone", problem: "was listed, and is not there any more" },
        { path: "folder", problem: "was listed, and is not a regular file any more" },
        { path: "link", problem: "was listed, and is not a regular file any more" },
        { path: "pipe", problem: "was listed, and is not a regular file any more" },
        { path: "target/x", problem: "cannot be read (ENOTDIR)" }
      ])
    }).pipe(Effect.scoped)
  )

  it("names missing permission in the same words everywhere", () => {
    assert.strictEqual(problemOf({ code: "EACCES" }), "cannot be read: no permission")
    assert.strictEqual(problemOf({ code: "EPERM" }), "cannot be read: no permission")
    assert.strictEqual(problemOf("what?"), "cannot be read (unknown error)")
  })
})

describe("list", () => {
  it.effect("walks in the order of paths, follows no link, and leaves out what is named", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryFolder
      for (const path of [
        "b/x",
        "b.txt",
        "a/z/1",
        "a/y",
        "B",
        "dist/no",
        "a/node_modules/no",
        "tmp/no",
        "own/state.db"
      ]) {
        mkdirSync(join(directory, path, ".."), { recursive: true })
        writeFileSync(join(directory, path), "")
      }
      for (const report of [
        "audit-report.json",
        "a/audit-report.md",
        "audit-report.json.1f.tmp",
        "audit-report.draft.json",
        "a/audit-report.draft.md.1f.tmp",
        "audit-report.jsonl"
      ]) {
        writeFileSync(join(directory, report), "")
      }
      symlinkSync("a", join(directory, "link"))
      execFileSync("sh", ["-c", 'mkfifo "$0"', join(directory, "pipe")])
      assert.deepStrictEqual(yield* list({ directory, names: ["tmp"], paths: ["own"] }), {
        shares: [
          {
            name: "directory-0001",
            path: ".",
            batches: [{ name: "batch-0001", files: ["B", "audit-report.jsonl", "b.txt"] }]
          },
          { name: "directory-0002", path: "a", batches: [{ name: "batch-0001", files: ["a/y", "a/z/1"] }] },
          { name: "directory-0003", path: "b", batches: [{ name: "batch-0001", files: ["b/x"] }] }
        ],
        unread: [],
        passedOver: { links: 1, special: 1 }
      })
    }).pipe(Effect.scoped)
  )

  it.effect("fails when there is no such directory", () =>
    Effect.map(Effect.flip(list({ directory: "/no/such", names: [], paths: [] })), (error) =>
      assert.strictEqual(error.message, "/no/such was listed, and is not there any more")
    )
  )
})

describe("batchesOf", () => {
  const mebi = 1024 * 1024

  it("cuts after 64 files", () => {
    const files = Array.from({ length: 130 }, (_, index) => ({ path: `f${index}`, bytes: 1 }))
    assert.deepStrictEqual(
      batchesOf(files).map(({ name, files }) => [name, files.length, files[0]]),
      [
        ["batch-0001", 64, "f0"],
        ["batch-0002", 64, "f64"],
        ["batch-0003", 2, "f128"]
      ]
    )
  })

  it("cuts before a file that would exceed 4 MiB, and gives a larger one a batch of its own", () => {
    const files = [3, 1, 1, 9, 1].map((size, index) => ({ path: `f${index}`, bytes: size * mebi }))
    assert.deepStrictEqual(
      batchesOf(files).map(({ files }) => files),
      [["f0", "f1"], ["f2"], ["f3"], ["f4"]]
    )
  })

  it("gives no batch for no file", () => assert.deepStrictEqual(batchesOf([]), []))
})

describe("sharesOf", () => {
  it("gives each directory a share, and a large one several of 16 batches", () => {
    const large = Array.from({ length: 1_100 }, (_, index) => ({ path: `b/f${index}`, bytes: 1 }))
    const files = [{ path: "a.txt", bytes: 1 }, { path: "a/x", bytes: 1 }, ...large, { path: "b0/y", bytes: 1 }]
    assert.deepStrictEqual(
      sharesOf(files).map(({ name, path, batches }) => [name, path, batches.map((batch) => batch.files.length)]),
      [
        ["directory-0001", ".", [1]],
        ["directory-0002", "a", [1]],
        ["directory-0003", "b", Array(16).fill(64)],
        ["directory-0004", "b", [64, 12]],
        ["directory-0005", "b0", [1]]
      ]
    )
  })
})

describe("ownPaths", () => {
  it("is the folder of the state file, unless that folder holds other content", () => {
    assert.deepStrictEqual(ownPaths("/a", "/a/.holdfast/audit.db"), [".holdfast"])
    assert.deepStrictEqual(ownPaths("/a", "/a/deep/state/x.db"), ["deep/state"])
    assert.deepStrictEqual(ownPaths("/a", "/a/x.db"), ["x.db", "x.db-shm", "x.db-wal"])
    assert.deepStrictEqual(ownPaths("/a", "/b/x.db"), [])
    assert.deepStrictEqual(ownPaths("/a/b", "/a/x.db"), [])
    assert.deepStrictEqual(ownPaths("/a", "/a-more/x.db"), [])
  })
})
