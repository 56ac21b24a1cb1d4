/**
 * Execution environments as operations: kept under the address of their content, and read before a process runs.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { EnvironmentSpec } from "../model/Environment.ts"
import type { EnvironmentUnusable, InputInvalid, StoreError } from "../model/errors.ts"
import type { EnvironmentRef } from "../model/ids.ts"

/** Keeps execution environments. */
export class ProcessEnvironments extends Context.Tag("holdfast/store/ProcessEnvironments")<
  ProcessEnvironments,
  {
    /** Whether what was persisted survives the end of this OS process. */
    readonly durability: "inline" | "durable"

    /** Stores a spec and answers its address; the same spec again changes nothing. */
    readonly persist: (spec: EnvironmentSpec) => Effect.Effect<EnvironmentRef, InputInvalid | StoreError>

    /**
     * The spec under an address. The empty environment is known by its address alone.
     *
     * Fails with `EnvironmentUnusable` when there is none, or when what is there does not decode: unknown fields are refused.
     */
    readonly load: (ref: EnvironmentRef) => Effect.Effect<EnvironmentSpec, EnvironmentUnusable | StoreError>
  }
>() {}
