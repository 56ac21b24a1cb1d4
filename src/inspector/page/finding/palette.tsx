/**
 * The command palette: one field that goes to a view, a saved query or a process, and acts on the process that is shown.
 *
 * It is a combobox with a list: the field keeps the focus, and names the choice that Enter takes.
 */
import type { VNode } from "preact"
import { useEffect, useState } from "preact/hooks"
import { countOf } from "../../text.ts"
import type { HostView, ListView, ProcessView } from "../../View.ts"
import { Dialog, openAbandon, openCancel, openDialog, openSignal, takesActions } from "../actions.tsx"
import { get } from "../connection.ts"
import { announce, useRead } from "../live.ts"
import { go, here, placeOf, processPlace } from "../place.ts"
import { hrefOf, useSaved } from "./saved.tsx"

interface Choice {
  readonly what: string
  readonly name: string
  readonly take: () => void
}

/** Opens the palette. `views` are the names of the page's views. */
export const openPalette = (
  host: HostView | undefined,
  views: ReadonlyArray<readonly [view: string, name: string]>
): void => openDialog(<Palette host={host} views={views} id={here().id} />)

/** How many processes are shown, and among how many of those that match the ones that begin with the text come first. */
const most = { shown: 8, looked: 200 }

const Palette = ({
  host,
  views,
  id
}: {
  readonly host: HostView | undefined
  readonly views: ReadonlyArray<readonly [view: string, name: string]>
  readonly id: string | undefined
}): VNode => {
  const [text, setText] = useState("")
  const [at, setAt] = useState(0)
  const shown = useRead<ProcessView>(id === undefined ? undefined : `process?id=${encodeURIComponent(id)}`).value
  const saved = useSaved()
  const found = useFound(text)
  const known: ReadonlyArray<Choice> = [
    ...(takesActions(host) ? actionsOn(shown) : []),
    ...views.map(([view, name]) => ({ what: "view", name, take: () => go({ view, query: {} }) })),
    ...saved.map((one) => ({ what: "query", name: one.name, take: () => go(placeOf(hrefOf(one))) }))
  ]
  const words = text.toLowerCase()
  const ids = (found?.rows ?? [])
    .map((row) => row.process_id)
    .toSorted((a, b) => Number(b.startsWith(text)) - Number(a.startsWith(text)))
  const total = found?.total ?? 0
  const choices: ReadonlyArray<Choice> = [
    ...known.filter(({ name, what }) => `${what} ${name}`.toLowerCase().includes(words)),
    ...ids.slice(0, most.shown).map((each) => ({ what: "process", name: each, take: () => go(processPlace(each)) })),
    ...(total > most.shown
      ? [
          {
            what: "list",
            name: `all ${countOf(total)} that have “${text}”`,
            take: () => go({ view: "processes", query: { text } })
          }
        ]
      : [])
  ]
  const active = Math.min(at, choices.length - 1)
  const take = (choice: Choice | undefined): void => {
    if (choice === undefined) return
    openDialog(undefined)
    choice.take()
  }
  const onKey = (event: KeyboardEvent): void => {
    const to: Readonly<Record<string, number>> = {
      ArrowDown: (active + 1) % choices.length,
      ArrowUp: (active - 1 + choices.length) % choices.length,
      PageDown: choices.length - 1,
      PageUp: 0
    }
    const next = to[event.key]
    if (event.key === "Enter") take(choices[active])
    else if (next === undefined || choices.length === 0) return
    else setAt(next)
    event.preventDefault()
  }
  useEffect(() => {
    document.getElementById(`choice-${active}`)?.scrollIntoView({ block: "nearest" })
  }, [active])
  return (
    <Dialog title="Find anything" class="palette">
      <input
        type="text"
        role="combobox"
        aria-label="Go to a process, a view or a query, or act"
        aria-expanded={choices.length > 0}
        aria-controls="choices"
        aria-autocomplete="list"
        aria-activedescendant={choices.length === 0 ? undefined : `choice-${active}`}
        placeholder="Id of a process, a view, a saved query, an action"
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => {
          setText(event.currentTarget.value.trim())
          setAt(0)
        }}
        onKeyDown={onKey}
      />
      <div id="choices" role="listbox" aria-label="Choices">
        {choices.map((choice, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field takes the keys, and names this choice as its active one
          <div
            key={`${choice.what} ${choice.name}`}
            id={`choice-${index}`}
            role="option"
            tabIndex={-1}
            class="choice"
            aria-selected={index === active}
            onClick={() => take(choice)}
            onPointerMove={() => setAt(index)}
          >
            <span class="muted">{choice.what}</span> <bdi>{choice.name}</bdi>
          </div>
        ))}
      </div>
      <p class="muted" role="status">
        {choices.length === 0 ? "Nothing has this text." : `${choices.length} choices: ↑ ↓ and Enter.`}
      </p>
    </Dialog>
  )
}

/** What matches a text, a moment after it was typed. */
const useFound = (text: string): ListView | undefined => {
  const [found, setFound] = useState<{ readonly text: string; readonly list: ListView }>()
  useEffect(() => {
    if (text === "") return
    let isOver = false
    const timer = setTimeout(() => {
      get<ListView>("processes", { text, limit: most.looked }).then(
        (list) => isOver || setFound({ text, list }),
        () => undefined
      )
    }, 80)
    return () => {
      isOver = true
      clearTimeout(timer)
    }
  }, [text])
  return found?.text === text ? found.list : undefined
}

const again = (): void => announce("again")

/** What can be done with the process that is shown, while it has not ended. */
const actionsOn = (process: ProcessView | undefined): ReadonlyArray<Choice> => {
  if (process === undefined || process.row.state !== "running") return []
  const { process_id: id, abandon_requested: isAsked } = process.row
  const on = (name: string, take: () => void): Choice => ({ what: "action", name: `${name} ${id}`, take })
  return [
    ...process.signals.map(({ name }) => on(`send ${name} to`, () => openSignal(process, again, name))),
    on("request cancel of", () => openCancel(id, again)),
    ...(isAsked ? [] : [on("request abandon of", () => openAbandon(id, again))])
  ]
}
