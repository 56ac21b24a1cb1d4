/**
 * A form that is made from a JSON Schema: a field for each simple property, and JSON for everything else.
 *
 * It does not validate: the host checks what it yields under the same schema.
 */
import type { ComponentChildren, VNode } from "preact"
import { useId, useRef } from "preact/hooks"

/** What a form holds, or the first thing that is wrong with it. */
export type Filled = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly problem: string }

/** Gets the function that reads a field whenever the field is drawn. */
export type Hold = (read: () => Filled) => void

type JsonSchema = Readonly<Record<string, unknown>>

interface FieldProps {
  readonly schema: unknown
  readonly name: string
  readonly hold: Hold
  readonly isRequired?: boolean
  /** Has what the references of the schema name. */
  readonly root?: unknown
}

/** An input with its label, and a hint about it. */
export const Labelled = ({
  label,
  id,
  hint,
  children
}: {
  readonly label: string
  readonly id: string
  readonly hint?: string | undefined
  readonly children: ComponentChildren
}): VNode => (
  <div class="field">
    <label for={id}>{label}</label>
    {children}
    {hint === undefined ? null : (
      <p class="hint" id={`${id}-hint`}>
        {hint}
      </p>
    )}
  </div>
)

/** The fields for a schema. */
export const Field = ({ schema: given, name, hold, isRequired = true, root = given }: FieldProps): VNode => {
  const shape = shapeOf(given, root)
  if (shape["$id"] === "/schemas/%7B%7D") {
    hold(() => ({ ok: true, value: {} }))
    return <p class="muted">{name}: nothing</p>
  }
  const { properties, enum: choices } = shape
  if (typeof properties === "object" && properties !== null) {
    return <ObjectField shape={shape} properties={properties as JsonSchema} name={name} hold={hold} root={root} /> // as above
  }
  if (Array.isArray(choices)) {
    return <ChoiceField choices={choices} name={name} shape={shape} hold={hold} isRequired={isRequired} />
  }
  return <PlainField shape={shape} name={name} hold={hold} isRequired={isRequired} />
}

/** A field for any JSON. */
export const JsonField = ({
  name,
  hint,
  begin = {},
  hold,
  isRequired = true
}: {
  readonly name: string
  readonly hint?: string | undefined
  readonly begin?: unknown
  readonly hold: Hold
  readonly isRequired?: boolean
}): VNode => {
  const id = useId()
  const input = useRef<HTMLTextAreaElement>(null)
  hold(() => {
    const text = input.current?.value.trim() ?? ""
    if (text === "") return isRequired ? wrong(name, "must not be empty") : absent
    try {
      return { ok: true, value: JSON.parse(text) }
    } catch (error) {
      return wrong(name, `is not JSON: ${error instanceof Error ? error.message : String(error)}`)
    }
  })
  return (
    <Labelled label={name} id={id} hint={hint}>
      <textarea id={id} ref={input} rows={6} spellcheck={false} class="mono" {...described(id, hint)}>
        {JSON.stringify(begin, null, 2)}
      </textarea>
    </Labelled>
  )
}

const ObjectField = ({
  shape,
  properties,
  name,
  hold,
  root
}: {
  readonly shape: JsonSchema
  readonly properties: JsonSchema
  readonly name: string
  readonly hold: Hold
  readonly root: unknown
}): VNode => {
  const reads = useRef(new Map<string, () => Filled>())
  const required = new Set(Array.isArray(shape["required"]) ? shape["required"] : [])
  hold(() => {
    const value: Record<string, unknown> = {}
    for (const key of Object.keys(properties)) {
      const filled = reads.current.get(key)?.() ?? absent
      if (!filled.ok) return filled
      if (filled.value !== undefined) value[key] = filled.value
    }
    return { ok: true, value }
  })
  return (
    <fieldset>
      <legend>{name}</legend>
      {Object.entries(properties).map(([key, property]) => (
        <Field
          key={key}
          schema={property}
          name={key}
          isRequired={required.has(key)}
          root={root}
          hold={(read) => void reads.current.set(key, read)}
        />
      ))}
    </fieldset>
  )
}

const ChoiceField = ({
  choices,
  name,
  shape,
  hold,
  isRequired
}: {
  readonly choices: ReadonlyArray<unknown>
  readonly name: string
  readonly shape: JsonSchema
  readonly hold: Hold
  readonly isRequired: boolean
}): VNode => {
  const id = useId()
  const input = useRef<HTMLSelectElement>(null)
  const shown = isRequired ? choices : [undefined, ...choices]
  const labelOf = (choice: unknown) => (typeof choice === "string" ? choice : (JSON.stringify(choice) ?? "–"))
  hold(() => ({ ok: true, value: shown[input.current?.selectedIndex ?? 0] }))
  const hint = hintOf(shape)
  return (
    <Labelled label={name} id={id} hint={hint}>
      <select id={id} ref={input} {...described(id, hint)}>
        {shown.map((choice, index) => (
          <option key={index} value={index}>
            {labelOf(choice)}
          </option>
        ))}
      </select>
    </Labelled>
  )
}

const PlainField = ({
  shape,
  name,
  hold,
  isRequired
}: {
  readonly shape: JsonSchema
  readonly name: string
  readonly hold: Hold
  readonly isRequired: boolean
}): VNode => {
  const id = useId()
  const input = useRef<HTMLInputElement>(null)
  const { type } = shape
  const hint = hintOf(shape)
  const isNumber = type === "number" || type === "integer"
  if (!isNumber && type !== "string" && type !== "boolean") {
    return <JsonField name={name} hint={hint} hold={hold} isRequired={isRequired} />
  }
  hold(() => {
    const { value: text = "", checked = false } = input.current ?? {}
    if (type === "boolean") return { ok: true, value: checked }
    if (text.trim() === "" && !isRequired) return absent
    if (type === "string") return { ok: true, value: text }
    const value = Number(text)
    return text.trim() !== "" && Number.isFinite(value) ? { ok: true, value } : wrong(name, "must be a number")
  })
  return (
    <Labelled label={name} id={id} hint={hint}>
      <input
        id={id}
        ref={input}
        type={type === "boolean" ? "checkbox" : "text"}
        inputmode={isNumber ? "decimal" : undefined}
        autocomplete="off"
        {...described(id, hint)}
      />
    </Labelled>
  )
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

const hintOf = ({ description }: JsonSchema): string | undefined =>
  typeof description === "string" ? description : undefined

const described = (id: string, hint: string | undefined) =>
  hint === undefined ? {} : { "aria-describedby": `${id}-hint` }

const absent: Filled = { ok: true, value: undefined }

const wrong = (name: string, problem: string): Filled => ({ ok: false, problem: `${name} ${problem}` })
