/**
 * The list of processes: searched, narrowed, counted. It is painted once per frame at most, whatever happens.
 */
import type { CountsView, ListView, RowView } from "../View.ts"
import { get, sentenceOf } from "./api.ts"
import { fill, h, notice, oncePerFrame } from "./dom.ts"
import { countOf } from "./text.ts"
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
  /** Paints what is in view anew: times go by. */
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
  let isRevealOwed = false
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
  const instead = h("div", { class: "instead" })
  const box = h(
    "div",
    { class: "list", role: "listbox", tabindex: 0, "aria-label": "Processes", "aria-activedescendant": undefined },
    lines.element,
    instead
  )
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

  const load = async (isFirst: boolean, loaded = 0): Promise<void> => {
    if (isLoading && !isFirst) return
    isLoading = true
    const own = ++asked
    const { state, ...words } = narrowing
    try {
      const page = await get<ListView>("processes", {
        ...words,
        state,
        // Reading again what was loaded keeps whoever scrolled where they are.
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

  /** Brings the process that was chosen elsewhere into view, once it is loaded; whoever scrolls after that is left alone. */
  const reveal = (): void => {
    if (!isRevealOwed) return
    const index = rows.findIndex((row) => row.process_id === selected)
    if (index >= 0) scrollTo(index)
    isRevealOwed = rows.length === 0
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
    box.classList.toggle("is-empty", rows.length === 0)
    fill(instead, emptyOf())
  })

  const emptyOf = (): HTMLElement | undefined => {
    if (rows.length > 0) return undefined
    if (problem !== undefined) return notice("error", "The list could not be read", problem)
    if (!isComplete) return notice("loading", "Looking for processes…")
    return narrowing === everything || Object.values(narrowing).every((value) => value === "")
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
    const chip = (state: string, label: string, number: number) =>
      h(
        "button",
        {
          type: "button",
          class: `chip ${state}`,
          "data-state": state,
          "aria-pressed": narrowing.state === state ? "true" : "false",
          onclick: () => {
            narrow({ state })
            for (const other of chips.children) {
              other.setAttribute("aria-pressed", String(other.getAttribute("data-state") === state))
            }
          }
        },
        label,
        " ",
        h("b", {}, countOf(number))
      )
    const focused = document.activeElement?.getAttribute("data-state")
    fill(chips, chip("", "all", total), ...states.map((state) => chip(state, state, counts[state])))
    // Painting them anew must not take the keyboard away from whoever is on one of them.
    for (const element of chips.children) {
      if (focused !== undefined && focused !== null && element.getAttribute("data-state") === focused) {
        if (element instanceof HTMLElement) element.focus()
      }
    }
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
  box.addEventListener("scroll", () => {
    paint()
    loadIfNeeded()
  })
  new ResizeObserver(() => {
    paint()
    loadIfNeeded()
  }).observe(box)

  return {
    element: h(
      "section",
      { class: "side", "aria-label": "List of processes" },
      search,
      chips,
      h(
        "details",
        { class: "narrow" },
        h("summary", {}, "Filters"),
        h(
          "div",
          {},
          narrower("kind", "kind"),
          narrower("owner", "owner id"),
          narrower("session", "session or originator")
        )
      ),
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
      isRevealOwed ||= id !== undefined && id !== selected
      selected = id
      reveal()
      paint()
    },
    repaint: paint,
    focusSearch: () => search.focus()
  }
}

/** What the list is narrowed by; an empty text narrows nothing. */
export interface Narrowing {
  readonly state: string
  readonly text: string
  readonly kind: string
  readonly owner: string
  readonly session: string
}

/** A list that is narrowed by nothing. */
export const everything: Narrowing = { state: "", text: "", kind: "", owner: "", session: "" }

/** Whether a row belongs into the list, by the server's own rules. */
export const isWanted = (row: RowView, by: Narrowing): boolean => {
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

/**
 * Takes changed rows into loaded ones. A row that was not loaded comes in only where the list is loaded: beyond its last
 * row it will come with its page.
 */
export const merge = (
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
