/**
 * `holdfast inspect`: serves the inspector page of a database file, until Ctrl-C.
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Inspector from "../../inspector/Inspector.ts"
import type { InputInvalid, StoreError } from "../../model/errors.ts"
import { fileOf, remarkOn, unopened } from "../database.ts"
import * as Shared from "../options.ts"
import { interruptIsItsEnd, TheScreen } from "../Screen.ts"

const options = {
  db: Shared.db,
  port: Shared.port
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

/** Where to serve it. `port` 0 takes a free one. */
export interface ServeOptions<R> {
  readonly port: number
  /** The process that the page opens at. */
  readonly at?: string
  /** Called once the page can be opened; the address has the token. */
  readonly onListening: (url: string) => Effect.Effect<void, never, R>
  /** Called with one sentence when a private copy is served in place of the file. */
  readonly onCopy?: (sentence: string) => Effect.Effect<void>
}

/** Serves the inspector of a file until it is interrupted. Fails when the port is taken, or the file cannot be opened. */
export const serve = <R>(
  filename: string,
  { onListening, at, ...options }: ServeOptions<R>
): Effect.Effect<never, InputInvalid | StoreError, R> =>
  Effect.flatMap(Inspector.Inspector, ({ address, addressOf }) =>
    Effect.zipRight(onListening(at === undefined ? address : addressOf("processes", at)), Effect.never)
  ).pipe(Effect.provide(Inspector.layerFile({ filename, ...options, announce: () => Effect.void })))
