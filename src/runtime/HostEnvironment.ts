/**
 * The environment of a host: what its processes take along that were not started by another process.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Environment from "../model/Environment.ts"
import type { StoreError } from "../model/errors.ts"
import { InputInvalid } from "../model/errors.ts"
import type { EnvironmentRef } from "../model/ids.ts"
import * as Provenance from "../model/Provenance.ts"
import * as Inputs from "../operations/checks.ts"
import { Environments } from "../operations/Environments.ts"

/** The environment of a host. */
export class HostEnvironment extends Context.Tag("holdfast/runtime/HostEnvironment")<
  HostEnvironment,
  {
    readonly spec: Environment.EnvironmentSpec
    /** The address of the spec, which is stored by then. The empty one is stored nowhere, being known by its address. */
    readonly capture: Effect.Effect<EnvironmentRef, InputInvalid | StoreError>
    /** Who starts what the host starts on its own account: the host, or the scope of it that it was built for. */
    readonly provenance: Provenance.Provenance
  }
>() {}

/**
 * The environment with this spec, of a host or of one of its named scopes. Fails with `InputInvalid` when the spec is not JSON of its
 * shape, or the scope no name.
 */
export const layer = (
  spec: Environment.EnvironmentSpec = Environment.empty,
  scope?: string
): Layer.Layer<HostEnvironment, InputInvalid, Environments> =>
  Layer.effect(
    HostEnvironment,
    Effect.gen(function* () {
      const environments = yield* Environments
      const inputs = yield* Inputs.make
      const checked = yield* inputs.shape("environment", Environment.EnvironmentSpec, spec)
      const provenance = scope === undefined ? Provenance.host : Provenance.hostScope(yield* scopeName(scope))
      const ref = Environment.refOf(checked)
      let stored = ref === Environment.emptyRef
      const persist = Effect.map(environments.persist(checked), () => {
        stored = true
        return ref
      })
      return { spec: checked, capture: Effect.suspend(() => (stored ? Effect.succeed(ref) : persist)), provenance }
    })
  )

/** A scope is opaque text, and has some: `host:` would be the address of none. */
const scopeName = (scope: string): Either.Either<string, InputInvalid> =>
  Either.filterOrLeft(
    Inputs.text("scope", scope),
    (name) => name !== "",
    () => new InputInvalid({ field: "scope", problem: "must not be empty: leave it out for a host without scopes" })
  )
