/**
 * Execution environments as operations: kept under the address of their content, and read before a process runs.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { EnvironmentSpec } from "../model/Environment.ts"
import * as Environment from "../model/Environment.ts"
import type { InputInvalid, StoreError } from "../model/errors.ts"
import { EnvironmentUnusable } from "../model/errors.ts"
import type { EnvironmentRef } from "../model/ids.ts"
import { firstIssue, freeze, whenAsked } from "../model/json.ts"
import { acceptWith } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"

/** Keeps execution environments. */
export class Environments extends Context.Tag("holdfast/store/ProcessEnvironments")<
  Environments,
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

/** How many decoded environments are remembered; they never change, so what was read once need not be read again. */
export const remembered = 256

/** Builds the environment operations on a store. */
export const make: Effect.Effect<typeof Environments.Service, never, ProcessStore> = Effect.map(
  Effect.all([ProcessStore, Checks.make]),
  ([store, checks]) => {
    const known = new Map<EnvironmentRef, Environment.EnvironmentSpec>([[Environment.emptyRef, Environment.empty]])

    const read = (ref: EnvironmentRef) =>
      Effect.gen(function* () {
        const body = yield* store.environments.get(ref)
        if (body === undefined) return yield* new EnvironmentUnusable({ envRef: ref, problem: "missing" })
        const spec = freeze(yield* Effect.suspend(() => decoded(ref, body)))
        if (known.size < remembered) known.set(ref, spec)
        return spec
      })

    return Environments.of({
      durability: store.durability,
      persist: Effect.fnUntraced(function* (spec) {
        const checked = yield* checks.shape("environment", Environment.EnvironmentSpec, spec)
        const ref = Environment.refOf(checked)
        const body = Environment.bodyOf(checked)
        yield* store.transact({ lock: [] }, () => acceptWith(undefined, [{ _tag: "PutEnvironment", ref, body }]))
        return ref
      }),
      load: (ref) =>
        Effect.suspend(() => {
          const spec = known.get(ref)
          return spec === undefined ? read(ref) : Effect.succeed(spec)
        })
    })
  }
)

/** The environment operations on the store in context. */
export const layer: Layer.Layer<Environments, never, ProcessStore> = Layer.effect(Environments, make)

const decodeBody = whenAsked(() =>
  Schema.decodeUnknownEither(Schema.parseJson(Environment.EnvironmentSpec), { onExcessProperty: "error" })
)

const decoded = (ref: EnvironmentRef, body: string): Either.Either<Environment.EnvironmentSpec, EnvironmentUnusable> =>
  Either.mapLeft(decodeBody(body), (error) => {
    const { path, problem: detail = "it does not fit" } = firstIssue(error)
    return new EnvironmentUnusable({
      envRef: ref,
      problem: "undecodable",
      detail: path === "" ? detail : `${path}: ${detail}`
    })
  })
