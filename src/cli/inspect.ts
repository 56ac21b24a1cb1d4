/**
 * Serves the inspector page of a database file. The page and its server are the inspector's.
 */
import * as Effect from "effect/Effect"
import type { CliFailure } from "./CliFailure.ts"
import { refused } from "./CliFailure.ts"

/** Where to serve it. `port` 0 takes a free one. */
export interface ServeOptions {
  readonly port: number
  /** Told once the page can be opened. */
  readonly onListening: (url: string) => Effect.Effect<void>
}

/** Serves the inspector of a file until it is interrupted. */
export const serve = (_file: string, _options: ServeOptions): Effect.Effect<never, CliFailure> =>
  Effect.fail(refused("this build has no inspector page"))
