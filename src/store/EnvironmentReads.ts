/**
 * What a store keeps of execution environments: texts under their content addresses.
 */
import type * as Effect from "effect/Effect"
import type { StoreError } from "../model/errors.ts"
import type { EnvironmentRef } from "../model/ids.ts"

/** The reads of stored environments. */
export interface EnvironmentReads {
  /** The text stored under an address, or `undefined`. */
  readonly get: (ref: EnvironmentRef) => Effect.Effect<string | undefined, StoreError>
}

/** Stores an environment's text; whatever stood under its address is replaced. */
export interface PutEnvironment {
  readonly _tag: "PutEnvironment"
  readonly ref: EnvironmentRef
  readonly body: string
}
