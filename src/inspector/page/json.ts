/**
 * JSON as a tree to read, and as a form to fill in from a JSON Schema.
 *
 * A form has a field for each simple property, and JSON for everything else. It does not validate: the host checks what it
 * yields under the same schema.
 */

import { brief } from "../text.ts"
import type { CommandView } from "../View.ts"
import { h, labelled } from "./dom.ts"

/** What a form holds, or the first thing that is wrong with it. */
export type Filled = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly problem: string }

/** A form, or a part of one. */
export interface Field {
  readonly element: HTMLElement
  readonly value: () => Filled
}

type JsonSchema = Readonly<Record<string, unknown>>

/** A value as a tree; objects are open down to `open` levels. */
export const jsonTree = (value: unknown, open = 1): HTMLElement => h("div", "json", treeOf(value, open))

/** Commands of a machine as a list. */
export const commandList = (commands: ReadonlyArray<CommandView>, open: number): HTMLElement =>
  h(
    "ul",
    "commands",
    ...commands.map(({ type, params }) => h("li", {}, h("code", {}, type), " ", jsonTree(params, open)))
  )

/** Makes the fields for a schema. `root` has what its references name. */
export const fieldFor = (given: unknown, name: string, isRequired = true, root: unknown = given): Field => {
  const shape = shapeOf(given, root)
  if (shape["$id"] === "/schemas/%7B%7D") return { element: h("p", "muted", `${name}: nothing`), value: () => nothing }
  const { properties, enum: choices, type } = shape
  if (typeof properties === "object" && properties !== null)
    return objectField(shape, properties as JsonSchema, name, root) // as above
  if (Array.isArray(choices)) return choiceField(choices, name, shape, isRequired)
  if (type === "string") return textField(name, shape, isRequired)
  if (type === "number" || type === "integer") return numberField(name, shape, isRequired)
  if (type === "boolean") return flagField(name, shape)
  return jsonField(name, shape, undefined, isRequired)
}

/** A field for any JSON. */
export const jsonField = (name: string, schema: JsonSchema, begin: unknown = {}, isRequired = true): Field => {
  const input = h("textarea", { rows: 6, spellcheck: "false", class: "mono" })
  input.value = JSON.stringify(begin, null, 2)
  return fieldOf(name, schema, input, () => {
    if (input.value.trim() === "") return isRequired ? wrong(name, "must not be empty") : absent
    try {
      return { ok: true, value: JSON.parse(input.value) }
    } catch (error) {
      return wrong(name, `is not JSON: ${error instanceof Error ? error.message : String(error)}`)
    }
  })
}

const treeOf = (value: unknown, open: number): HTMLElement => {
  if (typeof value !== "object" || value === null) {
    return h("span", `json-${value === null ? "null" : typeof value}`, JSON.stringify(value) ?? "undefined")
  }
  const entries = Object.entries(value)
  if (entries.length === 0) return h("span", "json-null", Array.isArray(value) ? "[]" : "{}")
  return h("ul", {}, ...entries.map(([name, inner]) => entryOf(name, inner, open - 1)))
}

const entryOf = (name: string, value: unknown, open: number): HTMLElement => {
  const key = h("span", "json-key", name)
  const isNested = typeof value === "object" && value !== null && Object.keys(value).length > 0
  if (!isNested) return h("li", {}, key, " ", treeOf(value, 0))
  const summary = h("summary", {}, key, " ", h("span", "json-brief", brief(value, 60)))
  return h("li", {}, h("details", { open: open > 0 }, summary, treeOf(value, open)))
}

/** A schema, or what it refers to within its root. */
const shapeOf = (given: unknown, root: unknown): JsonSchema => {
  const shape = (typeof given === "object" && given !== null ? given : {}) as JsonSchema // its keys are looked at one by one
  const { $ref: reference } = shape
  if (typeof reference !== "string" || !reference.startsWith("#/")) return shape
  const parts = reference
    .slice(2)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
  const found = parts.reduce<unknown>((at, part) => Object(at)[part], root)
  return typeof found === "object" && found !== null ? (found as JsonSchema) : {} // as above
}

/** What an event without fields carries. */
const nothing: Filled = { ok: true, value: {} }

const objectField = (schema: JsonSchema, properties: JsonSchema, name: string, root: unknown): Field => {
  const required = new Set(Array.isArray(schema.required) ? schema.required : [])
  const inner = Object.entries(properties).map(([key, property]) => ({
    key,
    field: fieldFor(property, key, required.has(key), root)
  }))
  return {
    element: h("fieldset", {}, h("legend", {}, name), ...inner.map(({ field }) => field.element)),
    value: () => {
      const value: Record<string, unknown> = {}
      for (const { key, field } of inner) {
        const filled = field.value()
        if (!filled.ok) return filled
        if (filled.value !== undefined) value[key] = filled.value
      }
      return { ok: true, value }
    }
  }
}

const textField = (name: string, schema: JsonSchema, isRequired: boolean): Field => {
  const input = h("input", { type: "text", autocomplete: "off" })
  return fieldOf(name, schema, input, () =>
    input.value === "" && !isRequired ? absent : { ok: true, value: input.value }
  )
}

const numberField = (name: string, schema: JsonSchema, isRequired: boolean): Field => {
  const input = h("input", { type: "text", inputmode: "decimal", autocomplete: "off" })
  return fieldOf(name, schema, input, () => {
    if (input.value.trim() === "") return isRequired ? wrong(name, "must be a number") : absent
    const value = Number(input.value)
    return Number.isFinite(value) ? { ok: true, value } : wrong(name, "must be a number")
  })
}

const flagField = (name: string, schema: JsonSchema): Field => {
  const input = h("input", { type: "checkbox" })
  return fieldOf(name, schema, input, () => ({ ok: true, value: input.checked }))
}

const choiceField = (choices: ReadonlyArray<unknown>, name: string, schema: JsonSchema, isRequired: boolean): Field => {
  const shown = isRequired ? choices : [undefined, ...choices]
  const labelOf = (choice: unknown) => (typeof choice === "string" ? choice : (JSON.stringify(choice) ?? "–"))
  const input = h("select", {}, ...shown.map((choice, index) => h("option", { value: index }, labelOf(choice))))
  return fieldOf(name, schema, input, () => ({ ok: true, value: shown[input.selectedIndex] }))
}

let fields = 0

const fieldOf = (name: string, { description }: JsonSchema, input: HTMLElement, value: () => Filled): Field => {
  input.id = `field-${++fields}`
  return { element: labelled(name, input, typeof description === "string" ? description : undefined), value }
}

const absent: Filled = { ok: true, value: undefined }

const wrong = (name: string, problem: string): Filled => ({ ok: false, problem: `${name} ${problem}` })
