/**
 * Laws of execution environments: kept by their content, and refused when they are not what they must be.
 */
import * as Effect from "effect/Effect"
import * as Environment from "../../model/Environment.ts"
import type { StoreError } from "../../model/errors.ts"
import type { EnvironmentRef } from "../../model/ids.ts"
import { Environments } from "../../operations/Environments.ts"
import { acceptWith } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import type { Law } from "../Law.ts"
import { expectEquals, expectFailure, law, lawsOf } from "../Law.ts"

const undecodable = (name: string, text: string): Law =>
  law(
    name,
    "What a body can do: What a host supplies",
    Effect.gen(function* () {
      const environments = yield* Environments
      const ref = yield* freshRef
      yield* put(ref, text)
      const { envRef, problem } = yield* expectFailure("loading it", "EnvironmentUnusable", environments.load(ref))
      yield* expectEquals("the problem", { envRef, problem }, { envRef: ref, problem: "undecodable" })
    })
  )

/** The laws of execution environments. */
export const laws: ReadonlyArray<Law> = [
  ...lawsOf("What a body can do: What a host supplies", {
    "a persisted environment is loaded as it was": function* () {
      const environments = yield* Environments
      const spec = yield* freshSpec
      const ref = yield* environments.persist(spec)
      yield* expectEquals("the loaded spec", yield* environments.load(ref), spec)
    },

    "the same spec has the same address, whatever the order of its keys": function* () {
      const environments = yield* Environments
      const one = yield* environments.persist({ pluginOptions: { a: 1, b: [2] }, policy: { c: { d: 3, e: 4 } } })
      const two = yield* environments.persist({ policy: { c: { e: 4, d: 3 } }, pluginOptions: { b: [2], a: 1 } })
      yield* expectEquals("the address", one, goldenRef)
      yield* expectEquals("the other address", two, goldenRef)
    },

    "another spec has another address": function* () {
      const environments = yield* Environments
      const spec = yield* freshSpec
      const one = yield* environments.persist(spec)
      const two = yield* environments.persist({ ...spec, policy: { strict: false } })
      yield* expectEquals("whether they are the same", one === two, false)
    },

    "an environment that nobody stored is missing": function* () {
      const environments = yield* Environments
      const ref = Environment.refOf(yield* freshSpec)
      const error = yield* expectFailure("loading it", "EnvironmentUnusable", environments.load(ref))
      yield* expectEquals("the message", error.message, `missing process execution env \`${ref}\``)
    }
  }),

  undecodable(
    "an environment with a field that nobody knows is refused",
    '{"plugin_options":{},"policy":{},"session":"s"}'
  ),

  undecodable("an environment that is no JSON is refused", "{"),

  ...lawsOf("What a body can do: What a host supplies", {
    "fields that are absent have their defaults": function* () {
      const environments = yield* Environments
      const ref = yield* freshRef
      yield* put(ref, "{}")
      yield* expectEquals("the loaded spec", yield* environments.load(ref), { pluginOptions: {}, policy: {} })
    },

    "what is put last under an address is what is there": function* () {
      const store = yield* ProcessStore
      const ref = yield* freshRef
      yield* put(ref, "{")
      yield* put(ref, '{"policy":{"last":true}}')
      yield* expectEquals("the text", yield* store.environments.get(ref), '{"policy":{"last":true}}')
      const environments = yield* Environments
      yield* expectEquals("the spec", yield* environments.load(ref), { pluginOptions: {}, policy: { last: true } })
    },

    "the empty environment is there without having been stored": function* () {
      const environments = yield* Environments
      const spec = yield* environments.load(emptyRef)
      yield* expectEquals("the empty environment", spec, { pluginOptions: {}, policy: {} })
    }
  })
]

const freshSpec: Effect.Effect<Environment.EnvironmentSpec> = Effect.sync(() => ({
  pluginOptions: { law: crypto.randomUUID() },
  policy: { strict: true }
}))

const freshRef: Effect.Effect<EnvironmentRef> = Effect.sync(
  () => `process-env:sha256:${crypto.randomUUID()}` as EnvironmentRef // any text will do: nothing is looked up by its hash
)

const put = (ref: EnvironmentRef, body: string): Effect.Effect<void, StoreError, ProcessStore> =>
  Effect.flatMap(ProcessStore, (store) =>
    store.transact({ lock: [] }, () => acceptWith(undefined, [{ _tag: "PutEnvironment", ref, body }]))
  )

// SHA-256 of `{"plugin_options":{"a":1,"b":[2]},"policy":{"c":{"d":3,"e":4}}}`
const goldenRef = "process-env:sha256:66449927c102586bd3d77e2a017245ee0e3f8f000e6d1e241c744e11b177ef9a"

// SHA-256 of `{"plugin_options":{},"policy":{}}`
const emptyRef = "process-env:sha256:a13b5594b865118f2574c4c7a3cb0684d81cf56d5f122508e2d8d9923c66bfa3" as EnvironmentRef // a literal, so that the address can never change
