/**
 * The catalogue of a host's tools: what a model may call, and how its arguments are treated.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { InputInvalid } from "../../model/errors.ts"
import type { ArgumentProjection, RunnableTool, ToolManifest } from "./Tool.ts"
import { defaultProjection } from "./Tool.ts"

/** The tools of a host. */
export class Tools extends Context.Tag("holdfast/runtime/Tools")<
  Tools,
  {
    /** What a model is told, in the order in which the host lists its tools. */
    readonly manifests: ReadonlyArray<ToolManifest>
    /** What a model is told of one tool, by its name; `undefined` when this host has none of that name. */
    readonly manifestOf: (name: string) => ToolManifest | undefined
    /** How a tool's arguments are treated; of an unknown tool: projected values are materialised. */
    readonly projectionOf: (name: string) => ArgumentProjection
  }
>() {}

/** Builds the catalogue. Fails with `InputInvalid` for a name or id given twice, or a schema that JSON Schema cannot say. */
export const make = (tools: ReadonlyArray<RunnableTool<unknown>>): Effect.Effect<typeof Tools.Service, InputInvalid> =>
  Effect.gen(function* () {
    const byName = new Map<string, RunnableTool<unknown>>()
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
export const layer = (tools: ReadonlyArray<RunnableTool<unknown>>): Layer.Layer<Tools, InputInvalid> =>
  Layer.effect(Tools, make(tools))
