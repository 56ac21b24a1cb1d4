/**
 * Filters that a person gave a name. This browser keeps them for this address: they are no part of a store, which an
 * inspector of a file never writes, and a host on a port of its own choice begins without any.
 */
import type { VNode } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import { Ask, openDialog } from "../actions.tsx"
import { Labelled } from "../form.tsx"
import { Button } from "../parts.tsx"
import type { Place } from "../place.ts"
import { hashOf } from "../place.ts"

/** A name, and the filters that it is for. */
export interface SavedQuery {
  readonly name: string
  readonly query: Readonly<Record<string, string>>
}

const key = "holdfast-inspector-queries"

const listeners = new Set<() => void>()

const isQuery = (value: unknown): value is SavedQuery => {
  const { name, query } = Object(value) as Record<string, unknown> // fields of anything may be asked for
  return typeof name === "string" && Object.values(Object(query)).every((text) => typeof text === "string")
}

/** What is kept; what cannot be read is none. */
const read = (): ReadonlyArray<SavedQuery> => {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(key) ?? "[]")
    return Array.isArray(kept) ? kept.filter(isQuery) : []
  } catch {
    return []
  }
}

const write = (queries: ReadonlyArray<SavedQuery>): void => {
  localStorage.setItem(key, JSON.stringify(queries))
  for (const listener of listeners) listener()
}

/** The queries that are kept, in this tab and in others, by name. */
export const useSaved = (): ReadonlyArray<SavedQuery> => {
  const [queries, setQueries] = useState(read)
  useEffect(() => {
    const again = (): void => setQueries(read())
    listeners.add(again)
    addEventListener("storage", again)
    return () => {
      listeners.delete(again)
      removeEventListener("storage", again)
    }
  }, [])
  return queries
}

/** The address of a query. */
export const hrefOf = ({ query }: SavedQuery): string => hashOf({ view: "processes", query })

/** Whether filters are these. */
const isSame = (a: SavedQuery["query"], b: SavedQuery["query"]): boolean =>
  hashOf({ view: "processes", query: sorted(a) }) === hashOf({ view: "processes", query: sorted(b) })

const sorted = (query: SavedQuery["query"]): SavedQuery["query"] => Object.fromEntries(Object.entries(query).toSorted())

/** The saved queries in the head of the list, and what saves the present one. */
export const Saved = ({ place: { query } }: { readonly place: Place }): VNode | null => {
  const queries = useSaved()
  const { tab: _tab, ...present } = query
  const isNarrowed = Object.values(present).some((text) => text !== "")
  const isKept = queries.some((one) => isSame(one.query, present))
  if (queries.length === 0 && !isNarrowed) return null
  return (
    <ul class="saved" aria-label="Saved queries">
      {queries.map((one) => (
        <li key={one.name}>
          <a class="chip" href={hrefOf(one)} aria-current={isSame(one.query, present) ? "true" : undefined}>
            {one.name}
          </a>
          <Button
            class="quiet small"
            label={`Forget the query ${one.name}`}
            onClick={() => write(queries.filter(({ name }) => name !== one.name))}
          >
            ×
          </Button>
        </li>
      ))}
      {isNarrowed && !isKept ? (
        <li>
          <Button class="quiet small" onClick={() => openDialog(<Naming query={present} />)}>
            Save these filters…
          </Button>
        </li>
      ) : null}
    </ul>
  )
}

const Naming = ({ query }: { readonly query: SavedQuery["query"] }): VNode => {
  const input = useRef<HTMLInputElement>(null)
  const save = async (): Promise<void> => {
    const name = input.current?.value.trim() ?? ""
    if (name === "") throw new Error("The query needs a name.")
    write([...read().filter((one) => one.name !== name), { name, query }])
  }
  return (
    <Ask
      title="Save these filters"
      text="This browser keeps them, for this address of the inspector. A name that is kept already is replaced."
      confirm="Save"
      done={() => undefined}
      act={save}
    >
      <Labelled label="name" id="query-name">
        <input id="query-name" ref={input} type="text" autocomplete="off" maxLength={60} />
      </Labelled>
    </Ask>
  )
}
