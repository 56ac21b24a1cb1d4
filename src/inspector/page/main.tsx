/**
 * The page: which view is shown, the keys, the theme, and the one stream that keeps all of it up to date.
 */
import type { VNode } from "preact"
import { render } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import { harmless } from "../text.ts"
import type { HostView } from "../View.ts"
import { Dialogs } from "./actions.tsx"
import type { Connection } from "./connection.ts"
import { admit, get, listen } from "./connection.ts"
import { openPalette } from "./finding/palette.tsx"
import { Sweeps, Tree, Wakes } from "./host.tsx"
import { announce } from "./live.ts"
import { Machines } from "./machines.tsx"
import { Overview } from "./overview.tsx"
import { Button, makeTextsHarmless } from "./parts.tsx"
import type { Place } from "./place.ts"
import { go, here, usePlace } from "./place.ts"
import { goToEvent } from "./process.tsx"
import { Processes } from "./processes.tsx"
import { setClock } from "./text.ts"

const views: ReadonlyArray<readonly [view: string, name: string]> = [
  ["overview", "Overview"],
  ["processes", "Processes"],
  ["machines", "Machines"],
  ["tree", "Supervision"],
  ["sweeps", "Sweeps"],
  ["wakes", "Wakes"]
]

const connectionTexts: Readonly<Record<Connection, { readonly text: string; readonly title: string }>> = {
  connecting: { text: "connecting", title: "" },
  live: { text: "connected", title: "" },
  lost: { text: "disconnected, retrying", title: "The program that served this page has ended, or does not answer." },
  refused: {
    text: "no access, retrying",
    title: "The token is missing or wrong: open the address that the inspector printed."
  }
}

const App = (): VNode => {
  const place = usePlace()
  const [host, setHost] = useState<HostView>()
  const known = useRef(host)
  known.current = host
  const [connection, setConnection] = useState<Connection>("connecting")
  useEffect(() => {
    const readHost = async (): Promise<void> => {
      const read = await get<HostView>("host")
      setClock(read.now_ms)
      setHost(read)
    }
    // The host may have changed, and with it what it permits. If it is away, the stream calls this again.
    const readAgain = (): void =>
      void readHost().then(
        () => announce("again"),
        () => undefined
      )
    void readHost().catch(() => undefined)
    void listen((message) => (message.type === "changes" ? announce(message) : readAgain()), setConnection)
    const onHash = (): void => {
      // A person may open the address of an inspector in a tab that already shows one.
      if (location.hash.includes("token=")) void admit().then(readAgain)
    }
    addEventListener("hashchange", onHash)
    addEventListener("keydown", (event) => onKey(event, known.current))
  }, [])
  useEffect(() => {
    document.body.classList.toggle("is-lost", connection === "lost" || connection === "refused")
  }, [connection])
  useEffect(() => {
    document.title = place.id === undefined ? "holdfast inspector" : `${harmless(place.id)} · holdfast inspector`
  }, [place.id])
  const { text, title } = connectionTexts[connection]
  return (
    <>
      <header class="top">
        <h1>
          holdfast<span class="thin"> inspector</span>
        </h1>
        <p class="host" id="host">
          {host === undefined ? null : (
            <>
              {host.name}{" "}
              <span class={`mode ${host.mode}`}>
                {host.mode === "live" ? "live host" : host.actions ? "no host" : "file, read-only"}
              </span>
            </>
          )}
        </p>
        <nav aria-label="Views" id="views">
          {views.map(([view, name]) => (
            <a key={view} href={`#/${view}`} aria-current={place.view === view ? "page" : undefined}>
              {name}
            </a>
          ))}
        </nav>
        <p class="link" id="link" role="status" data-connection={connection} title={title}>
          {text}
        </p>
        <Button class="quiet" onClick={() => openPalette(host, views)} title="Ctrl K or ⌘ K">
          Find<kbd>{isApple ? "⌘K" : "Ctrl K"}</kbd>
        </Button>
        <Theme />
      </header>
      <main id="main" tabIndex={-1}>
        <View place={place} host={host} />
      </main>
      <Dialogs />
    </>
  )
}

const View = ({ place, host }: { readonly place: Place; readonly host: HostView | undefined }): VNode => {
  switch (place.view) {
    case "processes":
      return <Processes place={place} host={host} />
    case "machines":
      return <Machines wanted={place.id} />
    case "tree":
      return <Tree />
    case "sweeps":
      return <Sweeps />
    case "wakes":
      return <Wakes host={host} />
    default:
      return <Overview host={host} />
  }
}

const isApple = /Mac|iPhone|iPad/.test(navigator.userAgent)

const onKey = (event: KeyboardEvent, host: HostView | undefined): void => {
  if (event.key === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
    event.preventDefault()
    // Another dialog may hold what a person has typed.
    if (document.querySelector("dialog[open]") === null) openPalette(host, views)
    return
  }
  if (document.querySelector("dialog[open]") !== null || event.ctrlKey || event.metaKey || event.altKey) return
  const isTyping =
    event.target instanceof HTMLElement && event.target.matches("input:not([type=range]), textarea, select")
  if (isTyping) return
  const place = here()
  if (event.key === "Escape" && place.sequence !== undefined) goToEvent(place, undefined)
  else if (event.key === "/") {
    event.preventDefault()
    if (place.view !== "processes") go({ view: "processes", query: {} })
    requestAnimationFrame(() => document.getElementById("search")?.focus())
  } else if (event.key === "[" || event.key === "]") {
    const name = event.key === "[" ? "Previous event" : "Next event"
    document.querySelector<HTMLButtonElement>(`button[aria-label="${name}"]`)?.click()
  }
}

const themes = ["auto", "light", "dark"] as const
const themeKey = "holdfast-inspector-theme"
const themeNames = { auto: "◐ auto", light: "☀ light", dark: "☾ dark" } as const

/** The button that goes through the themes; this browser keeps the one that is chosen. */
const Theme = (): VNode => {
  const [theme, setTheme] = useState(() => themes.find((known) => known === localStorage.getItem(themeKey)) ?? "auto")
  useEffect(() => {
    if (theme === "auto") document.documentElement.removeAttribute("data-theme")
    else document.documentElement.setAttribute("data-theme", theme)
  }, [theme])
  const next = (): void => {
    const chosen = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "auto"
    localStorage.setItem(themeKey, chosen)
    setTheme(chosen)
  }
  return (
    <button type="button" id="theme" class="quiet" aria-label={`Theme: ${theme}. Change it`} onClick={next}>
      {themeNames[theme]}
    </button>
  )
}

makeTextsHarmless()
await admit()
render(<App />, document.body)
