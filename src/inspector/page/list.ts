/**
 * The list of processes: searched, narrowed, counted. It is painted at most once per frame.
 */

import { countOf } from "../text.ts"
import type { CountsView, ListView, RowView } from "../View.ts"
import { get, sentenceOf } from "./connection.ts"
import { button, fill, h, notice, oncePerFrame } from "./dom.ts"
import { lineHeight, makeLines } from "./virtualList.ts"

const pageSize = 200
const states = ["running", "completed", "failed", "cancelled", "abandoned"] as const

/** The list as the page uses it. */
export interface ListPanel {
  readonly element: HTMLElement
  /** Reads everything again. */
  readonly reload: () => void
  readonly apply: (rows: ReadonlyArray<RowView>, gone: ReadonlyArray<string>) => void
  readonly select: (id: string | undefined) => void
  /** Paints what is in view again, with current ages. */
  readonly repaint: () => void
  readonly focusSearch: () => void
}

/** Makes the list; `open` shows a process. */
export const makeList = (open: (id: string) => void): ListPanel => {
  let rows: ReadonlyArray<RowView> = []
  let narrowing: Narrowing = everything
  let next: string | undefined
  let isComplete = false
  let isLoading = false
  let scanned = 0
  let asked = 0
  let selected: string | undefined
  let isRevealDue = false
  let problem: string | undefined

  const search = h("input", {
    type: "search",
    placeholder: "Search id, label or kind   /",
    "aria-label": "Search processes",
    autocomplete: "off",
    spellcheck: "false"
  })
  const chips = h("div", { class: "chips", role: "group", "aria-label": "State" })
  const lines = makeLines(open)
  const instead = h("div", {})
  const boxRole = { class: "list", role: "listbox", tabindex: 0, "aria-label": "Processes" }
  const box = h("div", boxRole, lines.element, instead)
  const foot = h("p", { class: "foot", role: "status" })

  const narrow = (change: Partial<Narrowing>): void => {
    narrowing = { ...narrowing, ...change }
    rows = []
    isComplete = false
    box.scrollTop = 0
    reload()
  }
  const narrower = (key: "kind" | "owner" | "session", label: string): HTMLElement => {
    const input = h("input", {
      type: "text",
      placeholder: label,
      "aria-label": `Only this ${key}`,
      autocomplete: "off"
    })
    input.addEventListener("change", () => narrow({ [key]: input.value.trim() }))
    return input
  }

  const narrowers = [
    narrower("kind", "kind"),
    narrower("owner", "owner id"),
    narrower("session", "session or originator")
  ]

  const load = async (isFirst: boolean, loaded = 0): Promise<void> => {
    if (isLoading && !isFirst) return
    isLoading = true
    const own = ++asked
    const { state, ...words } = narrowing
    try {
      const page = await get<ListView>("processes", {
        ...words,
        state,
        // Reading again as much as was loaded keeps the scroll position.
        limit: isFirst ? Math.min(Math.max(loaded, pageSize), 1_000) : pageSize,
        after: isFirst ? undefined : next
      })
      if (own !== asked) return
      rows = isFirst ? page.rows : [...rows, ...page.rows]
      scanned = page.scanned + (isFirst ? 0 : scanned)
      next = page.next
      isComplete = next === undefined
      problem = undefined
    } catch (error) {
      if (own !== asked) return
      problem = sentenceOf(error)
      isComplete = true
    }
    isLoading = false
    reveal()
    paint()
    loadIfNeeded()
  }

  /** Scrolls once to a process that was chosen elsewhere, as soon as it is loaded. */
  const reveal = (): void => {
    if (!isRevealDue) return
    const index = rows.findIndex((row) => row.process_id === selected)
    if (index >= 0) scrollTo(index)
    isRevealDue = rows.length === 0
  }

  const scrollTo = (index: number): void => {
    lines.element.style.height = `${rows.length * lineHeight}px`
    const top = index * lineHeight
    if (top < box.scrollTop) box.scrollTop = top
    else if (top + lineHeight > box.scrollTop + box.clientHeight) box.scrollTop = top + lineHeight - box.clientHeight
  }

  /** More is read when the end comes into view, and while a search has not filled the view. */
  const loadIfNeeded = (): void => {
    const end = rows.length * lineHeight
    if (!isComplete && !isLoading && box.scrollTop + box.clientHeight * 2 > end) void load(false)
  }

  const paint = oncePerFrame(() => {
    const at = lines.show(rows, box, selected)
    if (at === undefined) box.removeAttribute("aria-activedescendant")
    else box.setAttribute("aria-activedescendant", `line-${at}`)
    foot.textContent = footOf()
    fill(instead, emptyOf())
  })

  const emptyOf = (): HTMLElement | undefined => {
    if (rows.length > 0) return undefined
    if (problem !== undefined) return notice("error", "The list could not be read", problem)
    if (!isComplete) return notice("loading", "Looking for processes…")
    return Object.values(narrowing).every((value) => value === "")
      ? notice("empty", "No process yet", "One appears here as soon as it is registered.")
      : notice("empty", "Nothing matches", "Press Esc in the search, or choose another state.")
  }

  const footOf = (): string => {
    if (problem !== undefined) return "not up to date"
    const shown = `${countOf(rows.length)}${isComplete ? "" : "+"} shown`
    return isComplete || scanned <= rows.length ? shown : `${shown}, ${countOf(scanned)} searched`
  }

  const count = async (): Promise<void> => {
    const { counts, total } = await get<CountsView>("counts")
    const chip = (state: string, label: string, number: number) => {
      const choose = () => {
        narrow({ state })
        for (const other of all) other.setAttribute("aria-pressed", String(other === element))
      }
      const pressed = String(narrowing.state === state)
      const element = button(`chip ${state}`, `${label} `, choose, { "data-state": state, "aria-pressed": pressed })
      element.append(h("b", {}, countOf(number)))
      return element
    }
    const all = [chip("", "all", total), ...states.map((state) => chip(state, state, counts[state]))]
    const focused = document.activeElement?.getAttribute("data-state")
    fill(chips, ...all)
    // Painting the chips again must not take the keyboard focus away from one of them.
    all.find((element) => element.getAttribute("data-state") === focused)?.focus()
  }
  let _recounting: ReturnType<typeof setTimeout> | undefined
  const recount = (delayMs: number): void => {
    _recounting ??= setTimeout(() => {
      _recounting = undefined
      count().catch(() => recount(2_000))
    }, delayMs)
  }

  const reload = (): void => {
    void load(true, rows.length)
    recount(0)
  }

  const move = (to: number): void => {
    const index = Math.min(Math.max(to, 0), rows.length - 1)
    const row = rows[index]
    if (row === undefined) return
    scrollTo(index)
    open(row.process_id)
  }

  let typing: ReturnType<typeof setTimeout> | undefined
  search.addEventListener("input", () => {
    clearTimeout(typing)
    typing = setTimeout(() => narrow({ text: search.value.trim() }), 120)
  })
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      search.value = ""
      narrow({ text: "" })
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault()
      box.focus()
      move(0)
    }
  })
  box.addEventListener("keydown", (event) => {
    const at = rows.findIndex((row) => row.process_id === selected)
    const page = Math.max(1, Math.floor(box.clientHeight / lineHeight) - 1)
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: rows.length - 1
    }
    const to = steps[event.key]
    if (to === undefined) return
    event.preventDefault()
    move(to)
  })
  const onView = (): void => {
    paint()
    loadIfNeeded()
  }
  box.addEventListener("scroll", onView)
  new ResizeObserver(onView).observe(box)

  return {
    element: h(
      "section",
      { class: "side", "aria-label": "List of processes" },
      search,
      chips,
      h("details", "narrow", h("summary", {}, "Filters"), h("div", {}, ...narrowers)),
      box,
      foot
    ),
    reload,
    apply: (changed, gone) => {
      const before = rows
      rows = merge(rows, changed, gone, { narrowing, isComplete })
      if (rows !== before || changed.some((row) => isWanted(row, narrowing))) paint()
      recount(1_000)
    },
    select: (id) => {
      isRevealDue ||= id !== undefined && id !== selected
      selected = id
      reveal()
      paint()
    },
    repaint: paint,
    focusSearch: () => search.focus()
  }
}

/** What the list is narrowed by; an empty text narrows nothing. */
interface Narrowing {
  readonly state: string
  readonly text: string
  readonly kind: string
  readonly owner: string
  readonly session: string
}

const everything: Narrowing = { state: "", text: "", kind: "", owner: "", session: "" }

/** Whether a row belongs in the list, by the server's rules. */
const isWanted = (row: RowView, by: Narrowing): boolean => {
  const words = by.text.trim().toLowerCase()
  const { originator } = row
  return (
    (by.state === "" || row.state === by.state) &&
    (by.kind === "" || row.kind === by.kind) &&
    (by.owner === "" || row.owner_id === by.owner) &&
    (by.session === "" ||
      originator === by.session ||
      originator === `session:${by.session}` ||
      originator.startsWith(`session:${by.session}/`)) &&
    [row.process_id, row.label ?? "", row.kind].some((text) => text.toLowerCase().includes(words))
  )
}

/** Merges changed rows into the loaded ones. A new row beyond the last loaded one is left out: it comes with its page. */
const merge = (
  loaded: ReadonlyArray<RowView>,
  changed: ReadonlyArray<RowView>,
  gone: ReadonlyArray<string>,
  by: { readonly narrowing: Narrowing; readonly isComplete: boolean }
): ReadonlyArray<RowView> => {
  const news = new Map(changed.map((row) => [row.process_id, row]))
  const removed = new Set(gone)
  const last = loaded.at(-1)?.process_id
  const kept = loaded.flatMap((row) => {
    const next = news.get(row.process_id) ?? row
    news.delete(row.process_id)
    return removed.has(row.process_id) || !isWanted(next, by.narrowing) ? [] : [next]
  })
  const added = [...news.values()].filter(
    (row) => isWanted(row, by.narrowing) && (by.isComplete || (last !== undefined && inOrder(row.process_id, last) < 0))
  )
  return added.length === 0 ? kept : [...kept, ...added].sort((a, b) => inOrder(a.process_id, b.process_id))
}

/** The store's order of ids, which is that of their bytes; for text without surrogates JavaScript's is the same. */
const inOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
