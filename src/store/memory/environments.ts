/**
 * Execution environments in memory.
 */
import * as Effect from "effect/Effect"
import type { EnvironmentRef } from "../../model/ids.ts"
import type { EnvironmentReads } from "../ProcessStore.ts"

/** Texts by their content address. */
export type EnvironmentShelf = Map<EnvironmentRef, string>

/** Makes the reads of a shelf. */
export const reads = (shelf: EnvironmentShelf): EnvironmentReads => ({
  get: (ref) => Effect.sync(() => shelf.get(ref))
})
