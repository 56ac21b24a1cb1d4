/**
 * `holdfast inspect`: serves the inspector page of a database, until Ctrl-C.
 */
import { basename } from "node:path"
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Inspector from "../../inspector/Inspector.ts"
import type { InputInvalid, StoreError } from "../../model/errors.ts"
import type { Source } from "../database.ts"
import { reading, sourceOf, unopened, writing } from "../database.ts"
import * as Shared from "../options.ts"
import type { Screen } from "../Screen.ts"
import { interruptIsItsEnd, TheScreen } from "../Screen.ts"

const options = {
  db: Shared.db,
  port: Shared.port,
  actions: Shared.actions
}

/** The command. */
export const command = Command.make("inspect", options, ({ db, port, actions }) =>
  Effect.gen(function* () {
    const screen = yield* TheScreen
    const source = yield* sourceOf(db)
    const onListening = (url: string) => screen.print(`the inspector of ${source.shown} is at ${url}; Ctrl-C ends it`)
    yield* interruptIsItsEnd(Effect.mapError(serve(source, screen, { port, actions, onListening }), unopened(source)))
  })
).pipe(Command.withDescription("Serve a page that shows the processes of a database."))

/** Where to serve it. `port` 0 takes a free one. */
export interface ServeOptions<R> {
  readonly port: number
  /** Whether the page may change something. */
  readonly actions: boolean
  /** The process that the page opens at. */
  readonly at?: string
  /** Called once the page can be opened; the address has the token. */
  readonly onListening: (url: string) => Effect.Effect<void, never, R>
}

/** Serves the inspector of a database until it is interrupted. Fails when the port is taken, or the database cannot be opened. */
export const serve = <R>(
  source: Source,
  screen: Screen,
  { onListening, at, port, actions }: ServeOptions<R>
): Effect.Effect<never, InputInvalid | StoreError, R> =>
  Effect.flatMap(Inspector.Inspector, ({ address, addressOf }) =>
    Effect.zipRight(onListening(at === undefined ? address : addressOf("processes", at)), Effect.never)
  ).pipe(
    Effect.provide(
      Inspector.layerReading(actions ? writing(source) : reading(source, screen), {
        name: source._tag === "File" ? basename(source.filename) : source.shown,
        port,
        actions,
        announce: () => Effect.void
      })
    )
  )
