import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { vi } from "vitest"
import { processId } from "../../src/model/ids.ts"
import { external } from "../../src/operations/decisions/authority.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { accept } from "../../src/store/Decision.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { keptOf } from "../../src/testing/evidence.ts"
import {
  contentOf,
  damagedFile,
  fieldsOf,
  open,
  raw,
  temporaryFile,
  temporaryFolder,
  writeAsVersion3
} from "./sqliteFixtures.ts"

const p = processId("p")
const q = processId("q")

const failure = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flip(effect)

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

/** The mask that most systems have. */
const usualMask = Effect.acquireRelease(
  Effect.sync(() => process.umask(0o022)),
  (before) => Effect.sync(() => process.umask(before))
)

describe("a new database", () => {
  it.scopedLive("is its user's alone: file, -wal and -shm 0600, created folders 0700", () =>
    Effect.gen(function* () {
      yield* usualMask
      const given = yield* temporaryFolder
      chmodSync(given, 0o755)
      const path = join(given, "a", "b", "store.db")
      const { register } = yield* open(path)
      yield* register("p")
      const modes = ["", "-wal", "-shm"].map((suffix) => modeOf(path + suffix))
      assert.deepStrictEqual(modes, ["600", "600", "600"])
      assert.deepStrictEqual([dirname(path), join(given, "a"), given].map(modeOf), ["700", "700", "755"])
    })
  )

  it.scopedLive("keeps the mode of a file and of a folder that exist", () =>
    Effect.gen(function* () {
      yield* usualMask
      const path = yield* temporaryFile
      chmodSync(dirname(path), 0o750)
      writeFileSync(path, "", { mode: 0o640 })
      const { register } = yield* open(path)
      yield* register("p")
      assert.deepStrictEqual([dirname(path), path, `${path}-wal`].map(modeOf), ["750", "640", "640"])
    })
  )
})

/** A closed file with one process, at the present schema; and the same at version 3. */
const files = Effect.gen(function* () {
  const [current, older] = [yield* temporaryFile, yield* temporaryFile]
  const kept = yield* Effect.scoped(
    Effect.gen(function* () {
      const { register, note, on } = yield* open(current)
      yield* register("p")
      yield* note("p", { text: "ü" })
      return yield* on(keptOf(p))
    })
  )
  yield* writeAsVersion3(current, older)
  return { current, older, kept }
})

const read = (filename: string, remarks: Array<string> = []) =>
  SqliteStore.makeReadOnly({ filename, onCopy: (sentence) => Effect.sync(() => void remarks.push(sentence)) })

const keptIn = (store: typeof ProcessStore.Service) => Effect.provideService(keptOf(p), ProcessStore, store)

describe("a file that is opened for reading", () => {
  it.scopedLive("of the present schema is read where it lies, and left as it was", () =>
    Effect.gen(function* () {
      const { current, kept } = yield* files
      const before = contentOf(dirname(current))
      const remarks: Array<string> = []
      assert.deepStrictEqual(yield* Effect.scoped(Effect.flatMap(read(current, remarks), keptIn)), kept)
      assert.deepStrictEqual(contentOf(dirname(current)), before)
      assert.deepStrictEqual(Object.keys(before), ["store.db"])
      assert.deepStrictEqual(remarks, [])
    })
  )

  it.scopedLive("of an older schema is read as a migrated copy, which is gone afterwards", () =>
    Effect.gen(function* () {
      const { older, kept } = yield* files
      const temporary = yield* temporaryFolder
      yield* Effect.acquireRelease(
        Effect.sync(() => vi.stubEnv("TMPDIR", temporary)),
        () => Effect.sync(() => vi.unstubAllEnvs())
      )
      const before = contentOf(dirname(older))
      const remarks: Array<string> = []
      const found = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* read(older, remarks)
          const [copies = ""] = readdirSync(temporary)
          assert.strictEqual(modeOf(join(temporary, copies)), "700")
          return yield* keptIn(store)
        })
      )
      assert.deepStrictEqual(found, kept)
      assert.deepStrictEqual(contentOf(dirname(older)), before)
      assert.deepStrictEqual(Object.keys(before), ["store.db"])
      assert.deepStrictEqual(readdirSync(temporary), [])
      assert.match(
        remarks.join("\n"),
        /^\S+ has schema version 3, and this version reads \d+: a private copy is read, /
      )
    })
  )

  it.scopedLive("of an older host that has it open is read with what was committed last", () =>
    Effect.gen(function* () {
      const { older } = yield* files
      const host = yield* raw(older)
      host.exec("INSERT INTO tombstone VALUES ('q', 'completed', 1, 1, 1, 0, 99)")
      assert.isAbove(statSync(`${older}-wal`).size, 0)
      const before = contentOf(dirname(older))
      const store = yield* read(older)
      assert.deepStrictEqual([(yield* store.find(p))._tag, (yield* store.find(q))._tag], ["Present", "Pruned"])
      assert.deepStrictEqual(contentOf(dirname(older)), before)
    })
  )

  it.scopedLive("shows what a host commits meanwhile", () =>
    Effect.gen(function* () {
      const { current } = yield* files
      const store = yield* read(current)
      assert.deepStrictEqual(yield* store.externalChanges, [])
      const { register } = yield* open(current)
      yield* register("q")
      assert.deepStrictEqual(yield* store.externalChanges, [q])
      assert.strictEqual((yield* store.find(q))._tag, "Present")
    })
  )

  it.scopedLive("that a crash left shows what is in its -wal only, with and without its -shm", () =>
    Effect.gen(function* () {
      const path = yield* temporaryFile
      const { register } = yield* open(path)
      yield* register("p")
      for (const suffixes of [
        ["", "-wal", "-shm"],
        ["", "-wal"]
      ]) {
        const crashed = yield* temporaryFile
        for (const suffix of suffixes) cpSync(path + suffix, crashed + suffix)
        const before = contentOf(dirname(crashed))
        const found = yield* Effect.scoped(Effect.flatMap(read(crashed), (store) => store.find(p)))
        assert.strictEqual(found._tag, "Present", suffixes.join())
        assert.deepStrictEqual(contentOf(dirname(crashed)), before)
      }
    })
  )

  it.scopedLive("refuses every write, and says why", () =>
    Effect.gen(function* () {
      const { current } = yield* files
      const store = yield* read(current)
      const registry = yield* Effect.provideService(Registry.make, ProcessStore, store)
      for (const write of [
        store.transact({ lock: [] }, () => accept(undefined)),
        store.leases.renew({ renewerId: "k", ttlMs: 1 }),
        registry.appendEvent(p, { eventType: "note", payload: 1 }, external)
      ] as ReadonlyArray<Effect.Effect<unknown, object>>) {
        const error = yield* failure(write)
        assert.deepInclude(fieldsOf(error), { _tag: "StoreError", reason: "unusable", written: "no" })
        assert.include(String(error), "the store could not write: the file was opened for reading only")
      }
    })
  )

  const refusals: ReadonlyArray<readonly [string, string, RegExp, (path: string) => Effect.Effect<void, unknown>]> = [
    ["is missing", "unusable", /cannot be read; check that it exists/, () => Effect.void],
    [
      "is no database",
      "corrupt",
      /no SQLite database/,
      (path) => Effect.sync(() => writeFileSync(path, "x".repeat(999)))
    ],
    ["is a folder", "unusable", /cannot be read/, (path) => Effect.sync(() => mkdirSync(path))],
    ["is another program's", "unusable", /it is no holdfast database$/, (path) => withRaw(path, "CREATE TABLE a (b)")],
    [
      "is newer than this library",
      "newer_schema",
      /it has schema version 999, and this library knows versions up to /,
      (path) =>
        Effect.zipRight(
          Effect.scoped(open(path)),
          withRaw(path, "INSERT INTO holdfast_migrations (migration_id, name) VALUES (999, 'later')")
        )
    ]
  ]
  for (const [what, reason, says, make] of refusals) {
    it.scopedLive(`that ${what} is refused as ${reason}, and nothing is created`, () =>
      Effect.gen(function* () {
        const path = yield* damagedFile
        yield* make(path)
        const before = readdirSync(dirname(path))
        const error = yield* failure(Effect.scoped(read(path)))
        assert.deepInclude(fieldsOf(error), { _tag: "StoreError", reason, written: "no" })
        assert.match(error.message, says)
        assert.deepStrictEqual(readdirSync(dirname(path)), before)
      })
    )
  }
})

const withRaw = (path: string, sql: string): Effect.Effect<void> =>
  Effect.scoped(Effect.map(raw(path), (db) => void db.exec(sql)))

describe("a program beside the host", () => {
  it.scopedLive("writes to a file of the present schema, and refuses to create or to migrate one", () =>
    Effect.gen(function* () {
      const { current, older } = yield* files
      const missing = join(yield* temporaryFolder, "a", "store.db")
      const { note, sequences } = yield* open(current, { migrates: false })
      yield* note("p", 2)
      assert.deepStrictEqual(yield* sequences(p), [1, 2])
      const before = contentOf(dirname(older))
      const error = yield* failure(open(older, { migrates: false }))
      assert.deepInclude(fieldsOf(error), { _tag: "StoreError", reason: "unusable", written: "no" })
      assert.match(
        error.message,
        /it has schema version 3, and this version writes \d+: the first host of this version/
      )
      assert.deepStrictEqual(contentOf(dirname(older)), before)
      assert.strictEqual((yield* failure(open(missing, { migrates: false })))._tag, "StoreError")
      assert.isFalse(existsSync(dirname(missing)))
    })
  )
})
