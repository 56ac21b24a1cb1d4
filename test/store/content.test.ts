/**
 * What a copy of a file into another store notices: whether a host has worked on the file since it was opened, however it is read.
 */
import { copyFileSync, existsSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Content from "../../src/store/sqlite/content.ts"
import { bounded } from "../support/hosts.ts"
import { open, temporaryFile } from "./sqliteFixtures.ts"

const filled = (filename: string) =>
  Effect.gen(function* () {
    const { register, note } = yield* open(filename)
    yield* register("it")
    yield* note("it", 1)
  })

/** A file as it may lie there. */
const kinds = {
  "of the present schema": (filename: string) => Effect.scoped(filled(filename)),
  "of an older schema": (filename: string) =>
    Effect.map(Effect.scoped(filled(filename)), () => {
      const db = new Database(filename)
      db.exec(
        "DELETE FROM holdfast_migrations WHERE migration_id = (SELECT max(migration_id) FROM holdfast_migrations); DROP TABLE definition"
      )
      db.close()
    }),
  "of a killed host, with only its -wal": (filename: string) =>
    Effect.scoped(
      Effect.map(filled(`${filename}.running`), () => {
        for (const suffix of ["", "-wal"]) copyFileSync(`${filename}.running${suffix}`, filename + suffix)
        assert.isTrue(existsSync(`${filename}-wal`))
      })
    )
}

describe("the content of a file", () => {
  for (const [kind, made] of Object.entries(kinds)) {
    it.live(`${kind} is present until a host writes to it`, () =>
      Effect.gen(function* () {
        const filename = yield* temporaryFile
        yield* made(filename)
        const untouched = yield* Effect.scoped(Effect.flatMap(Content.open(filename), ({ isPresent }) => isPresent))
        assert.isTrue(untouched, "nothing was written")
        const { isPresent } = yield* Content.open(filename)
        yield* Effect.scoped(Effect.flatMap(open(filename), ({ note }) => note("it", 2)))
        assert.isFalse(yield* isPresent, "a host has written")
      }).pipe(Effect.scoped, bounded)
    )

    it.live(`${kind} is not present while a host that wrote to it has it open`, () =>
      Effect.gen(function* () {
        const filename = yield* temporaryFile
        yield* made(filename)
        const { isPresent } = yield* Content.open(filename)
        const { note } = yield* open(filename)
        yield* note("it", 2)
        assert.isFalse(yield* isPresent)
      }).pipe(Effect.scoped, bounded)
    )
  }
})
