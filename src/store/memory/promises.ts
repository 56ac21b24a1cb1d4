/**
 * Durable promises in memory.
 */
import * as Effect from "effect/Effect"
import type { EndPromise, StoredPromise } from "../Decision.ts"
import type { PromiseReads } from "../ProcessStore.ts"

/** How promises ended, by the id of their key. */
export type PromiseShelf = Map<string, StoredPromise>

/** Makes the reads of a shelf. */
export const reads = (shelf: PromiseShelf): PromiseReads => ({ get: (keyId) => Effect.sync(() => shelf.get(keyId)) })

/** Ends a promise, unless it has ended. */
export const end = (shelf: PromiseShelf, { keyId, body, token }: EndPromise): void => {
  if (!shelf.has(keyId)) shelf.set(keyId, { body, token })
}
