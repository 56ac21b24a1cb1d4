/**
 * `holdfast inspect`: serves the inspector page of a database file, until Ctrl-C.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { fileOf, remarkOn, unopened } from "../database.ts"
import { serve } from "../inspect.ts"
import { interruptIsItsEnd } from "../interrupts.ts"
import * as Shared from "../options.ts"
import { TheScreen } from "../Screen.ts"

const options = {
  db: Shared.db,
  port: Options.integer("port").pipe(
    Options.withDescription("The port to listen on. Default: a free one."),
    Options.withDefault(0)
  )
}

/** The command. */
export const command = Command.make("inspect", options, ({ db, port }) =>
  Effect.gen(function* () {
    const screen = yield* TheScreen
    const file = yield* fileOf(db)
    const onListening = (url: string) => screen.print(`the inspector of ${file} is at ${url}; Ctrl-C ends it`)
    yield* interruptIsItsEnd(
      Effect.mapError(serve(file, { port, onListening, onCopy: remarkOn(screen) }), unopened(file))
    )
  })
).pipe(Command.withDescription("Serve a page that shows the processes of a database file."))
