/**
 * The page: which view is shown, the keys, the theme, and the one stream that keeps all of it up to date.
 */

import { harmless } from "../text.ts"
import type { ChangeMessage, HostView } from "../View.ts"
import { takesActions } from "./actions.ts"
import type { Connection } from "./connection.ts"
import { admit, get, listen } from "./connection.ts"
import { byId, fill, h, notice } from "./dom.ts"
import type { PartPanel } from "./hostViews.ts"
import { makeSweeps, makeTree, makeWakes } from "./hostViews.ts"
import { makeList } from "./list.ts"
import { makeMachines } from "./machines.ts"
import type { ProcessPanel } from "./process.ts"
import { makeProcess } from "./process.ts"
import { setClock } from "./text.ts"

/** Where the page is: `#/{view}/{id}@{sequence}`. */
interface Place {
  readonly view: string
  readonly id?: string
  readonly sequence?: number
}

/** How often the page reads again what the stream does not report. Units: milliseconds. */
const tickMs = 3_000

const main = byId("main")
let host: HostView | undefined
let shown: { readonly id: string; readonly panel: ProcessPanel } | undefined
let part: PartPanel | undefined

const placeOf = (hash: string): Place => {
  const match = /^#\/([a-z]+)(?:\/([^@]*)(?:@(\d+))?)?$/.exec(hash)
  const [, view = "processes", id, sequence] = match ?? []
  return {
    view,
    ...(id === undefined || id === "" ? {} : { id: decodeURIComponent(id) }),
    ...(sequence === undefined ? {} : { sequence: Number(sequence) })
  }
}

const hashOf = ({ view, id, sequence }: Place): string =>
  `#/${view}${id === undefined ? "" : `/${encodeURIComponent(id)}${sequence === undefined ? "" : `@${sequence}`}`}`

/** Goes to a place. A move along a list or a log adds nothing to the browser's history. */
const go = (place: Place, isNewPage = false): void => {
  const hash = hashOf(place)
  if (hash === location.hash) return
  if (isNewPage) location.hash = hash
  else {
    history.replaceState(null, "", hash)
    show()
  }
}

const list = makeList((id) => go({ view: "processes", id }))
const detail = h("div", "detail")
const processes = h("div", "processes", list.element, detail)
const nothingChosen = (): HTMLElement =>
  notice("empty", "Choose a process", "Arrow keys move through the list, / searches, [ and ] go through a log.")

const showProcess = ({ id, sequence }: Place): void => {
  if (main.firstElementChild !== processes) fill(main, processes)
  list.select(id)
  if (id === undefined) {
    shown = undefined
    fill(detail, nothingChosen())
    return
  }
  if (shown?.id !== id) {
    const panel = makeProcess(
      id,
      () => host,
      (chosen) => go({ view: "processes", id, ...(chosen === undefined ? {} : { sequence: chosen }) })
    )
    shown = { id, panel }
    fill(detail, panel.element)
  }
  shown.panel.goTo(sequence)
}

const showPart = (panel: PartPanel, lead: string): void => {
  part = panel
  fill(main, h("div", "view", h("p", "lead", lead), panel.element))
  panel.refresh()
}

const show = (): void => {
  const place = placeOf(location.hash)
  for (const link of byId("views").children) {
    if (link.getAttribute("href") === `#/${place.view}`) link.setAttribute("aria-current", "page")
    else link.removeAttribute("aria-current")
  }
  document.title = place.id === undefined ? "holdfast inspector" : `${harmless(place.id)} · holdfast inspector`
  part = undefined
  if (place.view !== "processes") shown = undefined
  ;(views[place.view] ?? showProcess)(place)
}

const views: Readonly<Record<string, (place: Place) => void>> = {
  tree: () => showPart(makeTree(), "The parts of this host. A supervisor restarts a part that fails."),
  sweeps: () =>
    showPart(
      makeSweeps(),
      "A sweep looks for processes that no host runs. It admits them to this host, ends those that cannot go on, and leaves the others for later."
    ),
  wakes: () =>
    showPart(
      makeWakes(() => takesActions(host) && host?.redrive === true),
      "A wake is a message of a process to a session. It stays in this outbox until the session has it, or it is discarded."
    ),
  machines: ({ id }) => fill(main, makeMachines(id))
}

const readHost = async (): Promise<void> => {
  host = await get<HostView>("host")
  setClock(host.now_ms)
  fill(
    byId("host"),
    host.name,
    " ",
    h("span", { class: `mode ${host.mode}` }, host.mode === "live" ? "live host" : "file, read-only")
  )
}

/** Reads everything again: after a reconnection, and when the host asks for it. */
const readAgain = (): void => {
  list.reload()
  // The host may have changed, and with it what it permits. If it is away, the stream calls this again.
  readHost().then(
    () => {
      shown?.panel.refresh()
      part?.refresh()
    },
    () => undefined
  )
}

const onMessage = (message: ChangeMessage): void => {
  if (message.type === "changes") {
    list.apply(message.rows, message.gone)
    const ids = [...message.rows.map((row) => row.process_id), ...message.gone]
    if (shown !== undefined && ids.includes(shown.id)) shown.panel.changed()
  } else readAgain()
}

const onConnection = (connection: Connection): void => {
  const link = byId("link")
  if (link.getAttribute("data-connection") === connection) return
  link.setAttribute("data-connection", connection)
  const { text, title } = connectionTexts[connection]
  link.textContent = text
  link.title = title
  document.body.classList.toggle("is-lost", connection === "lost" || connection === "refused")
}

const connectionTexts: Readonly<Record<Connection, { readonly text: string; readonly title: string }>> = {
  connecting: { text: "connecting", title: "" },
  live: { text: "connected", title: "" },
  lost: { text: "disconnected, retrying", title: "The program that served this page has ended, or does not answer." },
  refused: {
    text: "no access, retrying",
    title: "The token is missing or wrong: open the address that the inspector printed."
  }
}

const onKey = (event: KeyboardEvent): void => {
  if (document.querySelector("dialog[open]") !== null || event.ctrlKey || event.metaKey || event.altKey) return
  const isTyping =
    event.target instanceof HTMLElement && event.target.matches("input:not([type=range]), textarea, select")
  const place = placeOf(location.hash)
  if (event.key === "Escape" && !isTyping && place.sequence !== undefined) {
    go({ view: place.view, ...(place.id === undefined ? {} : { id: place.id }) })
  } else if (!isTyping && event.key === "/") {
    event.preventDefault()
    if (place.view !== "processes") go({ view: "processes" }, true)
    requestAnimationFrame(() => list.focusSearch())
  } else if (!isTyping && (event.key === "[" || event.key === "]")) {
    shown?.panel.step(event.key === "[" ? -1 : 1)
  }
}

const themes = ["auto", "light", "dark"] as const
const themeKey = "holdfast-inspector-theme"

/** Applies the theme that this browser keeps; the button goes through the three. */
const startTheme = (): void => {
  const button = byId("theme")
  let theme = themes.find((known) => known === localStorage.getItem(themeKey)) ?? "auto"
  const apply = (): void => {
    if (theme === "auto") document.documentElement.removeAttribute("data-theme")
    else document.documentElement.setAttribute("data-theme", theme)
    button.textContent = { auto: "◐ auto", light: "☀ light", dark: "☾ dark" }[theme]
    button.setAttribute("aria-label", `Theme: ${theme}. Change it`)
  }
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "auto"
    localStorage.setItem(themeKey, theme)
    apply()
  })
  apply()
}

startTheme()
await admit()
addEventListener("hashchange", () => {
  // A person may open the address of an inspector in a tab that already shows one.
  if (location.hash.includes("?")) void admit().then(show).then(readAgain)
  else show()
})
addEventListener("keydown", onKey)
show()
void listen(onMessage, onConnection)
// Renewed leases and sweeps append no event: the page reads what it shows at an interval.
setInterval(() => {
  if (document.hidden || document.body.classList.contains("is-lost")) return
  part?.refresh()
  shown?.panel.refresh()
  list.repaint()
}, tickMs)
