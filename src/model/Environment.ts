/**
 * Execution environments: the portable options and policy that tool calls and engines were started under.
 *
 * Invariant: an environment is known by its content. The same spec has the same address on every host, always.
 */
import * as Schema from "effect/Schema"
import type { EnvironmentRef } from "./ids.ts"
import { canonicalText, freeze, sha256 } from "./json.ts"

const Options = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const options = <const Key extends string>(key: Key) =>
  Schema.optionalWith(Options, { default: () => ({}) }).pipe(Schema.fromKey(key))

/** What a process takes along from where it was started: options and policy, never the state of a live session. */
export const EnvironmentSpec = Schema.Struct({ pluginOptions: options("plugin_options"), policy: options("policy") })
/** What a process takes along from where it was started. */
export type EnvironmentSpec = typeof EnvironmentSpec.Type

/** No options, no policy. */
export const empty: EnvironmentSpec = freeze({ pluginOptions: {}, policy: {} })

/** The canonical JSON text of a spec, as it is stored. The spec must be JSON. */
export const bodyOf = ({ pluginOptions, policy }: EnvironmentSpec): string =>
  canonicalText({ plugin_options: pluginOptions, policy })

/** The address of a spec: `process-env:sha256:` and the SHA-256 of its canonical JSON, in lower-case hex. */
export const refOf = (spec: EnvironmentSpec): EnvironmentRef =>
  `process-env:sha256:${sha256(bodyOf(spec))}` as EnvironmentRef // the one constructor of this ref

/** The address of {@link empty}. It is known by its address alone, and need not be stored. */
export const emptyRef: EnvironmentRef = refOf(empty)
