/**
 * The environment of a host: what its processes take along that were not started by another process.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Environment from "../model/Environment.ts"
import type { InputInvalid, StoreError } from "../model/errors.ts"
import type { EnvironmentRef } from "../model/ids.ts"
import * as Inputs from "../operations/checks.ts"
import { Environments } from "../operations/Environments.ts"

/** The environment of a host. */
export class HostEnvironment extends Context.Tag("holdfast/runtime/HostEnvironment")<
  HostEnvironment,
  {
    readonly spec: Environment.EnvironmentSpec
    /** The address of the spec, which is stored by then. The empty one is stored nowhere, being known by its address. */
    readonly capture: Effect.Effect<EnvironmentRef, InputInvalid | StoreError>
  }
>() {}

/** The environment with this spec. Fails with `InputInvalid` when it is not JSON of its shape. */
export const layer = (
  spec: Environment.EnvironmentSpec = Environment.empty
): Layer.Layer<HostEnvironment, InputInvalid, Environments> =>
  Layer.effect(
    HostEnvironment,
    Effect.gen(function* () {
      const environments = yield* Environments
      const inputs = yield* Inputs.make
      const checked = yield* inputs.shape("environment", Environment.EnvironmentSpec, spec)
      const ref = Environment.refOf(checked)
      let stored = ref === Environment.emptyRef
      const persist = Effect.map(environments.persist(checked), () => {
        stored = true
        return ref
      })
      return { spec: checked, capture: Effect.suspend(() => (stored ? Effect.succeed(ref) : persist)) }
    })
  )
