/**
 * A form from a JSON Schema: a field for each property that is simple, JSON for everything else.
 *
 * The form helps; it does not judge. What it yields is checked by the host, under the very schema.
 */
import { h } from "./dom.ts"

/** What a form holds, or the first thing that is wrong with it. */
export type Filled = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly problem: string }

/** A form, or a part of one. */
export interface Field {
  readonly element: HTMLElement
  readonly value: () => Filled
}

type JsonSchema = Readonly<Record<string, unknown>>

let fields = 0

/** Makes the fields for a schema. */
export const fieldFor = (schema: unknown, name: string, isRequired = true): Field => {
  const shape = (typeof schema === "object" && schema !== null ? schema : {}) as JsonSchema // its keys are looked at one by one
  const properties = shape.properties
  if (typeof properties === "object" && properties !== null) return objectField(shape, properties as JsonSchema, name)
  const choices = shape.enum
  if (Array.isArray(choices)) return choiceField(choices, name, shape, isRequired)
  switch (shape.type) {
    case "string":
      return textField(name, shape, isRequired)
    case "number":
    case "integer":
      return numberField(name, shape, isRequired)
    case "boolean":
      return flagField(name, shape)
    default:
      return jsonField(name, shape, undefined, isRequired)
  }
}

/** A field for any JSON. */
export const jsonField = (name: string, schema: JsonSchema, begin: unknown = {}, isRequired = true): Field => {
  const input = h("textarea", { rows: 6, spellcheck: "false", class: "mono" })
  input.value = JSON.stringify(begin, null, 2)
  return labelled(name, schema, input, () => {
    if (input.value.trim() === "") return isRequired ? wrong(name, "must not be empty") : absent
    try {
      return { ok: true, value: JSON.parse(input.value) }
    } catch (error) {
      return wrong(name, `is no JSON: ${error instanceof Error ? error.message : String(error)}`)
    }
  })
}

const objectField = (schema: JsonSchema, properties: JsonSchema, name: string): Field => {
  const required = new Set(Array.isArray(schema.required) ? schema.required : [])
  const inner = Object.entries(properties).map(([key, property]) => ({
    key,
    field: fieldFor(property, key, required.has(key))
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
  return labelled(name, schema, input, () =>
    input.value === "" && !isRequired ? absent : { ok: true, value: input.value }
  )
}

const numberField = (name: string, schema: JsonSchema, isRequired: boolean): Field => {
  const input = h("input", { type: "text", inputmode: "decimal", autocomplete: "off" })
  return labelled(name, schema, input, () => {
    if (input.value.trim() === "") return isRequired ? wrong(name, "must be a number") : absent
    const value = Number(input.value)
    return Number.isFinite(value) ? { ok: true, value } : wrong(name, "must be a number")
  })
}

const flagField = (name: string, schema: JsonSchema): Field => {
  const input = h("input", { type: "checkbox" })
  return labelled(name, schema, input, () => ({ ok: true, value: input.checked }))
}

const choiceField = (choices: ReadonlyArray<unknown>, name: string, schema: JsonSchema, isRequired: boolean): Field => {
  const shown = isRequired ? choices : [undefined, ...choices]
  const options = shown.map((choice, index) =>
    h("option", { value: index }, choice === undefined ? "–" : labelOf(choice))
  )
  const input = h("select", {}, ...options)
  return labelled(name, schema, input, () => ({ ok: true, value: shown[input.selectedIndex] }))
}

const labelled = (
  name: string,
  schema: JsonSchema,
  input: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement,
  value: () => Filled
): Field => {
  const id = `field-${++fields}`
  input.id = id
  const hint = schema.description
  if (typeof hint === "string") input.setAttribute("aria-describedby", `${id}-hint`)
  return {
    element: h(
      "div",
      { class: "field" },
      h("label", { for: id }, name),
      input,
      typeof hint === "string" && h("p", { class: "hint", id: `${id}-hint` }, hint)
    ),
    value
  }
}

const absent: Filled = { ok: true, value: undefined }

const wrong = (name: string, problem: string): Filled => ({ ok: false, problem: `${name} ${problem}` })

const labelOf = (choice: unknown): string => (typeof choice === "string" ? choice : JSON.stringify(choice))
