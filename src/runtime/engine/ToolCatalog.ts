/**
 * The catalogue of a host's tools: what a model may call, and how its arguments are treated.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Disposition } from "../../../machines/recovery.ts"
import { InputInvalid } from "../../model/errors.ts"

/**
 * What happens to references in arguments: values that name something kept elsewhere. `materialize_projected`: the tool gets the
 * values themselves. `keep_references`: it gets the references.
 */
export type ArgumentProjection = "materialize_projected" | "keep_references"

/** How the arguments of a tool are treated that declares nothing else. */
export const defaultProjection: ArgumentProjection = "materialize_projected"

/** What a model learns of a tool. The schemas are JSON Schema (2020-12) of the wire forms. */
export interface ToolManifest {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly argsSchema: unknown
  readonly successSchema: unknown
  /** Absent for a tool without an error of its own. */
  readonly errorSchema?: unknown
  readonly disposition: Disposition
}

/** A tool as the catalogue knows it. */
export interface CatalogueEntry {
  readonly id: string
  readonly name: string
  readonly projection: ArgumentProjection
  /** Fails with `InputInvalid` for a schema that JSON Schema cannot say. */
  readonly manifest: Effect.Effect<ToolManifest, InputInvalid>
}

/** The tools of a host. */
export class Tools extends Context.Tag("holdfast/runtime/Tools")<
  Tools,
  {
    /** The manifests of all tools, in the order in which the host lists its tools. */
    readonly manifests: ReadonlyArray<ToolManifest>
    /** The manifest of one tool, by its name; `undefined` when this host has none of that name. */
    readonly manifestOf: (name: string) => ToolManifest | undefined
    /** How a tool's arguments are treated; of an unknown tool: projected values are materialised. */
    readonly projectionOf: (name: string) => ArgumentProjection
  }
>() {}

/** Builds the catalogue. Fails with `InputInvalid` for a name or id given twice, or a schema that JSON Schema cannot say. */
export const make = (tools: ReadonlyArray<CatalogueEntry>): Effect.Effect<typeof Tools.Service, InputInvalid> =>
  Effect.gen(function* () {
    const byName = new Map<string, CatalogueEntry>()
    for (const tool of tools) {
      if (byName.has(tool.name)) {
        return yield* new InputInvalid({ field: "tools", problem: `has \`${tool.name}\` twice` })
      }
      byName.set(tool.name, tool)
    }
    const manifests = yield* Effect.forEach(tools, (tool) => tool.manifest)
    return {
      manifests,
      manifestOf: (name) => manifests.find((manifest) => manifest.name === name),
      projectionOf: (name) => byName.get(name)?.projection ?? defaultProjection
    }
  })

/** The catalogue of these tools. */
export const layer = (tools: ReadonlyArray<CatalogueEntry>): Layer.Layer<Tools, InputInvalid> =>
  Layer.effect(Tools, make(tools))
