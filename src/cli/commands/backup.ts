/**
 * `holdfast backup FILE DEST`: copies a database, also while a host writes to it.
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { backup } from "../../store/sqlite/backup.ts"
import { fileOf } from "../database.ts"
import * as Shared from "../options.ts"
import { refused, TheScreen } from "../Screen.ts"
import { harmless } from "../table.ts"

const options = {
  file: Shared.word("file", "The database file."),
  destination: Shared.word("dest", "The file to make. It must not exist."),
  json: Shared.json
}

/** The command. */
export const command = Command.make("backup", options, ({ file, destination, json }) =>
  Effect.gen(function* () {
    const screen = yield* TheScreen
    const filename = yield* fileOf(
      Option.some(file),
      "pg_dump copies a schema of PostgreSQL, also while hosts write to it"
    )
    const { bytes } = yield* Effect.mapError(backup(filename, destination), ({ message }) => refused(message))
    if (json) return yield* screen.json({ file: filename, destination, bytes })
    yield* screen.print(`${harmless(destination)}: ${bytes} bytes`)
  })
).pipe(
  Command.withDescription("Copy a database into a new file, whole and of one moment, also while a host has it open.")
)
