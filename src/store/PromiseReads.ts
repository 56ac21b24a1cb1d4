/**
 * What a store keeps of durable promises: how each ended, under the id of its key. The first end stands.
 */
import type * as Effect from "effect/Effect"
import type { StoreError } from "../model/errors.ts"

/** The end of a promise as it is stored. `token` is whoever wrote it: how a writer finds out whether it was the first. */
export interface StoredPromise {
  readonly body: string
  readonly token: string
}

/** The reads of durable promises. */
export interface PromiseReads {
  /** How a promise ended, or `undefined` while it has not. */
  readonly get: (keyId: string) => Effect.Effect<StoredPromise | undefined, StoreError>
}

/** Ends a promise, unless it has ended. */
export interface EndPromise extends StoredPromise {
  readonly _tag: "EndPromise"
  readonly keyId: string
}
