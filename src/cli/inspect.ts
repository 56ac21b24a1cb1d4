/**
 * Serves the inspector page of a database file. The page and its server are the inspector's.
 */
import * as Effect from "effect/Effect"
import * as Inspector from "../inspector/Inspector.ts"
import type { InputInvalid, StoreError } from "../model/errors.ts"

/** Where to serve it. `port` 0 takes a free one. */
export interface ServeOptions {
  readonly port: number
  /** Called once the page can be opened; the address has the token. */
  readonly onListening: (url: string) => Effect.Effect<void>
  /** Called with one sentence when a private copy is served in place of the file. */
  readonly onCopy?: (sentence: string) => Effect.Effect<void>
}

/** Serves the inspector of a file until it is interrupted. Fails when the port is taken, or the file cannot be opened. */
export const serve = (
  filename: string,
  { onListening, ...options }: ServeOptions
): Effect.Effect<never, InputInvalid | StoreError> =>
  Effect.flatMap(Inspector.Inspector, ({ address }) => Effect.zipRight(onListening(address), Effect.never)).pipe(
    Effect.provide(Inspector.layerFile({ filename, ...options }))
  )
