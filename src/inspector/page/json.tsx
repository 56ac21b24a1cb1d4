/**
 * JSON as a tree to read. What is folded is not drawn, and what the server has cut is loaded when a person asks for it.
 */
import type { VNode } from "preact"
import { useState } from "preact/hooks"
import { isCut } from "../cut.ts"
import { brief, countOf } from "../text.ts"
import type { CommandView, CutView } from "../View.ts"
import { get, sentenceOf } from "./connection.ts"
import { Button, Copy } from "./parts.tsx"

/** How many entries, and characters of a text, are drawn at once. */
const most = { entries: 100, text: 10_000 }

/** A value as a tree; objects are open down to `open` levels. */
export const Json = ({ value, open = 1 }: { readonly value: unknown; readonly open?: number }): VNode => (
  <div class="json">
    <Tree value={value} open={open} />
  </div>
)

/** A value that a person may want to take along: a tree with a button to copy it. */
export const Value = ({
  value,
  open = 1,
  what,
  isWhole = false
}: {
  readonly value: unknown
  readonly open?: number
  readonly what: string
  /** Whether nothing of it is cut for certain, which else is looked for in all of it. */
  readonly isWhole?: boolean
}): VNode => (
  <div class="value">
    <Json value={value} open={open} />
    {!isWhole && hasCut(value) ? null : <Copy what={what} text={() => textOf(value)} />}
  </div>
)

/** A value as the text that is copied. */
export const textOf = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? "")

/** Commands of a machine as a list. */
export const Commands = ({
  commands,
  open
}: {
  readonly commands: ReadonlyArray<CommandView>
  readonly open: number
}): VNode => (
  <ul class="commands">
    {commands.map(({ type, params }, index) => (
      <li key={index}>
        <code>{type}</code> <Json value={params} open={open} />
      </li>
    ))}
  </ul>
)

/** Whether the server has cut a value, or a part of it: what is copied is always whole. */
const hasCut = (value: unknown): boolean =>
  isCut(value) || (typeof value === "object" && value !== null && Object.values(value).some(hasCut))

/** A value on one line, what was cut by how it begins. */
export const briefly = (value: unknown, size = 120): string =>
  brief(
    isCut(value) ? value.$begins : JSON.stringify(value, (_key, inner) => (isCut(inner) ? `${inner.$begins}…` : inner)),
    size
  )

/** A count of characters as a size. */
export const sizeOf = (characters: number): string =>
  characters < 1_000_000 ? `${countOf(Math.ceil(characters / 1_000))} kB` : `${(characters / 1_000_000).toFixed(1)} MB`

const Tree = ({ value, open }: { readonly value: unknown; readonly open: number }): VNode => {
  const [shown, setShown] = useState(most.entries)
  if (isCut(value)) return <Cut value={value} />
  if (typeof value === "string" && value.length > most.text) {
    return (
      <span class="json-string">
        {JSON.stringify(value.slice(0, most.text))}
        <span class="muted"> … {countOf(value.length)} characters</span>
      </span>
    )
  }
  if (typeof value !== "object" || value === null) {
    return <span class={`json-${value === null ? "null" : typeof value}`}>{JSON.stringify(value) ?? "undefined"}</span>
  }
  const entries = Object.entries(value)
  if (entries.length === 0) return <span class="json-null">{Array.isArray(value) ? "[]" : "{}"}</span>
  return (
    <ul>
      {entries.slice(0, shown).map(([name, inner]) => (
        <Entry key={name} name={name} value={inner} open={open - 1} />
      ))}
      {entries.length > shown ? (
        <li>
          <Button class="small" onClick={() => setShown(shown + 10 * most.entries)}>
            {countOf(entries.length - shown)} more
          </Button>
        </li>
      ) : null}
    </ul>
  )
}

const Entry = ({
  name,
  value,
  open
}: {
  readonly name: string
  readonly value: unknown
  readonly open: number
}): VNode => {
  const [isOpen, setOpen] = useState(open > 0)
  const key = <span class="json-key">{name}</span>
  const isNested = typeof value === "object" && value !== null && Object.keys(value).length > 0 && !isCut(value)
  if (!isNested) {
    return (
      <li>
        {key} <Tree value={value} open={0} />
      </li>
    )
  }
  return (
    <li>
      <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          {key} {isOpen ? null : <span class="json-brief">{briefOf(value)}</span>}
        </summary>
        {isOpen ? <Tree value={value} open={open} /> : null}
      </details>
    </li>
  )
}

/** A large list as text only to cut it down to sixty characters would hold the page up. */
const briefOf = (value: object): string =>
  Object.keys(value).length > most.entries ? `${countOf(Object.keys(value).length)} entries` : briefly(value, 60)

const Cut = ({ value: { $cut: size, $from: from, $begins: begins } }: { readonly value: CutView }): VNode => {
  const [loaded, setLoaded] = useState<{ readonly value: unknown }>()
  const [said, setSaid] = useState("")
  const load = (): void => {
    setSaid("loading…")
    get<unknown>(from).then(
      (value) => setLoaded({ value }),
      (error: unknown) => setSaid(sentenceOf(error))
    )
  }
  if (loaded !== undefined) return <Value value={loaded.value} open={1} what="the whole value" isWhole />
  return (
    <span class="cut">
      <span class="json-string">{begins}…</span>{" "}
      <Button class="small" onClick={load}>
        load {sizeOf(size)}
      </Button>{" "}
      <span class="muted" role="status">
        {said}
      </span>
    </span>
  )
}

/** One part of a state that differs: what it was, what it is; one of them is absent where the part came or went. */
export const Change = ({
  name,
  of
}: {
  readonly name: string
  readonly of: { readonly before?: unknown; readonly after?: unknown }
}): VNode => (
  <div class="change">
    <code>{name}</code>
    {"before" in of ? (
      <del>
        <Json value={of.before} open={0} />
      </del>
    ) : null}
    {"after" in of ? (
      <ins>
        <Json value={of.after} open={0} />
      </ins>
    ) : (
      <span class="muted">removed</span>
    )}
  </div>
)
