/**
 * What a list of processes is narrowed and sorted by. All of it is in the address.
 */
import type { VNode } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import type { OverviewView } from "../OverviewView.ts"
import type { Work } from "../reason.ts"
import { works } from "../reason.ts"
import { countOf } from "../text.ts"
import type { CountsView } from "../View.ts"
import type { Picked } from "./finding/picked.ts"
import { Saved } from "./finding/saved.tsx"
import { useRead } from "./live.ts"
import { Button } from "./parts.tsx"
import type { Place } from "./place.ts"
import { go, here } from "./place.ts"

const states = ["running", "completed", "failed", "cancelled", "abandoned"] as const

const sorts = [
  ["changed", "last changed"],
  ["created", "created"],
  ["duration", "duration"],
  ["due", "next check"],
  ["state", "state"],
  ["kind", "kind"],
  ["id", "id"]
] as const

const spans = [
  ["", "any time"],
  ["600000", "10 min"],
  ["3600000", "1 h"],
  ["86400000", "1 d"],
  ["604800000", "7 d"]
] as const

const workLabels: Readonly<Record<Work, string>> = { active: "at work", waiting: "waiting", late: "backlog" }

/** Goes on from the present place with other filters, or another process. */
export const goWith = (
  query: Readonly<Record<string, string>>,
  { id = here().id ?? null, isSmall = false }: { readonly id?: string | null; readonly isSmall?: boolean } = {}
): void => {
  const { query: before, view: _view, id: _id, sequence: _sequence } = here()
  go({ view: "processes", ...(id === null ? {} : { id }), query: { ...before, ...query } }, isSmall)
}

/** The search, the states, and what narrows the list besides. */
export const Filters = ({
  place,
  counts
}: {
  readonly place: Place
  readonly counts: CountsView | undefined
}): VNode => {
  const { query } = place
  const search = useRef<HTMLInputElement>(null)
  const list = (): HTMLElement | null => document.querySelector<HTMLElement>(".list")
  const text = query["text"] ?? ""
  useEffect(() => {
    // What a person types comes back later than it was typed.
    if (search.current !== null && document.activeElement !== search.current) search.current.value = text
  }, [text])
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Escape" && search.current !== null) {
      search.current.value = ""
      goWith({ text: "" }, { isSmall: true })
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault()
      list()?.focus()
      list()?.dispatchEvent(new KeyboardEvent("keydown", { key: "Home" }))
      const isFound = event.key === "Enter"
      if (isFound) requestAnimationFrame(() => list()?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" })))
    }
  }
  const [typing] = useState<{ timer?: ReturnType<typeof setTimeout> }>({})
  const onInput = (value: string): void => {
    clearTimeout(typing.timer)
    typing.timer = setTimeout(() => goWith({ text: value.trim() }, { isSmall: true }), 120)
  }
  const field = (
    key: "kind" | "owner" | "session" | "problem" | "waits" | "asks",
    label: string,
    choices?: string
  ): VNode => (
    <input
      type="text"
      placeholder={label}
      aria-label={`Only this ${key}`}
      autocomplete="off"
      list={choices}
      value={query[key] ?? ""}
      onChange={(event) => goWith({ [key]: event.currentTarget.value.trim() })}
    />
  )
  const choice = (key: "within" | "work", label: string, options: ReadonlyArray<readonly [string, string]>): VNode => (
    <select
      aria-label={label}
      value={query[key] ?? ""}
      onChange={(event) => goWith({ [key]: event.currentTarget.value })}
    >
      {options.map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  )
  const isNarrowed = ["kind", "owner", "session", "problem", "waits", "asks", "work", "roots", "within"].some(
    (key) => (query[key] ?? "") !== ""
  )
  const [isOpen, setOpen] = useState(isNarrowed)
  const overview = useRead<OverviewView>(isOpen ? "overview" : undefined).value
  return (
    <>
      <input
        ref={search}
        id="search"
        type="search"
        placeholder="Search id, label, kind or problem   /"
        aria-label="Search processes"
        autocomplete="off"
        spellcheck={false}
        defaultValue={text}
        onInput={(event) => onInput(event.currentTarget.value)}
        onKeyDown={onKey}
      />
      <div class="chips" role="group" aria-label="State">
        {(["", ...states] as const).map((state) => (
          <button
            key={state}
            type="button"
            class={`chip ${state}`}
            data-state={state}
            aria-pressed={(query["state"] ?? "") === state}
            onClick={() => goWith({ state })}
          >
            {state === "" ? "all" : state}{" "}
            <b>{counts === undefined ? "" : countOf(state === "" ? counts.total : counts.counts[state])}</b>
          </button>
        ))}
      </div>
      <details class="narrow" open={isNarrowed} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>Filters</summary>
        <div>
          {field("kind", "kind", "kinds")}
          {field("problem", "problem")}
          {field("waits", "waits for signal")}
          {field("asks", "asks for these signals")}
          {field("owner", "owner id")}
          {field("session", "session or originator")}
          {choice(
            "within",
            "Changed within",
            spans.map(([value, label]) => [value, `changed: ${label}`])
          )}
          {choice("work", "Only such work", [
            ["", "any work"],
            ...works.map((work) => [work, workLabels[work]] as const)
          ])}
          <label class="check">
            <input
              type="checkbox"
              checked={query["roots"] === "1"}
              onChange={(event) => goWith({ roots: event.currentTarget.checked ? "1" : "" })}
            />
            only roots
          </label>
          <datalist id="kinds">
            {overview?.kinds.map(({ kind }) => (
              <option key={kind} value={kind} />
            ))}
          </datalist>
        </div>
      </details>
      <Saved place={place} />
    </>
  )
}

interface Heads {
  readonly place: Place
  /** The box for all lines; absent where nothing can be done with them. */
  readonly pickAll: VNode | undefined
}

/** The box that picks every line that is loaded. */
export const PickAll = ({
  ids,
  picked,
  onPick
}: {
  readonly ids: ReadonlyArray<string>
  readonly picked: Picked
  readonly onPick: () => void
}): VNode => {
  const count = ids.filter((id) => picked.ids.has(id)).length
  const isAll = count > 0 && count === ids.length
  return (
    <input
      type="checkbox"
      class="pick-all"
      aria-label={`Pick the ${countOf(ids.length)} that are loaded`}
      title="Pick all that are loaded (Ctrl A in the list)"
      checked={isAll}
      indeterminate={count > 0 && !isAll}
      disabled={ids.length === 0}
      onChange={onPick}
    />
  )
}

/** What a narrow list is sorted by. */
export const Sort = ({ place: { query }, pickAll }: Heads): VNode => (
  <div class="sort">
    {pickAll}
    <select
      aria-label="Sorted by"
      value={query["sort"] ?? "changed"}
      onChange={(event) => goWith({ sort: event.currentTarget.value })}
    >
      {sorts.map(([name, label]) => (
        <option key={name} value={name}>
          by {label}
        </option>
      ))}
    </select>
    <Button
      class="quiet small"
      label={query["order"] === "asc" ? "Ascending. Reverse" : "Descending. Reverse"}
      onClick={() => goWith({ order: query["order"] === "asc" ? "" : "asc" })}
    >
      {query["order"] === "asc" ? "↑" : "↓"}
    </Button>
  </div>
)

const columns = [
  ["state", ""],
  ["id", "process"],
  ["kind", "kind"],
  [undefined, "why"],
  ["duration", "duration"],
  ["changed", "changed"]
] as const

/** The heads of a wide list: each sorts it. */
export const Columns = ({ place: { query }, pickAll }: Heads): VNode => {
  const sort = query["sort"] ?? "changed"
  const isAscending = query["order"] === "asc"
  return (
    <div class={`columns${pickAll === undefined ? "" : " has-picks"}`} role="group" aria-label="Heads of the list">
      {pickAll}
      {columns.map(([name, label]) =>
        name === undefined ? (
          <span key={label}>{label}</span>
        ) : (
          <button
            key={label}
            type="button"
            class="quiet small"
            aria-label={label === "" ? name : undefined}
            title={`Sort by ${name}`}
            aria-pressed={sort === name}
            onClick={() => goWith({ sort: name, order: sort === name && !isAscending ? "asc" : "" })}
          >
            {label === "" ? "●" : label} {sort === name ? (isAscending ? "↑" : "↓") : ""}
          </button>
        )
      )}
    </div>
  )
}
