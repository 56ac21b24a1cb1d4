/**
 * Follows one process: one request for a look, again when it changes, with what the page already has left out of the answer.
 */
import { useEffect, useState } from "preact/hooks"
import type { UnderWay } from "../../model/JournalEntry.ts"
import type { EventsView, EventView, LookView, MomentView } from "../View.ts"
import { get, Refused, sentenceOf } from "./connection.ts"
import type { Shown } from "./facts.tsx"
import { isAwake, listenTo } from "./live.ts"
import { localTimesIn, setClock } from "./text.ts"

/** How many events are loaded at once. */
const pageSize = 200

/** How many events are kept while new ones arrive, beside those that were loaded by hand. */
const keptEvents = 1_000

/** The shortest time between two reads of a process that changes continuously. Units: milliseconds. */
const pauseMs = 100

/** How often what appends no event is read again: leases, progress. Units: milliseconds. */
const tickMs = 3_000

/** The host folds a log for its last transition only if the log is no longer than this. Units: events. */
const cheapFold = 2_000

/** The same while the process is busy: its last two events came less than `busyMs` apart. Units: events, milliseconds. */
const cheapBusyFold = 200
const busyMs = 500

/** What a body has begun and not ended, as JSON. */
export type Doing = typeof UnderWay.Encoded

/** What is known of a process. */
export interface Known {
  readonly view: Shown
  readonly events: ReadonlyArray<EventView>
  readonly moment: MomentView | undefined
  /** The explanation as text. */
  readonly why: string
  /** What its body has begun and not ended, as far as the explanation knows. */
  readonly underWay: ReadonlyArray<Doing>
}

/** A process that is followed. */
export interface Followed {
  readonly known: Known | undefined
  readonly problem: string | undefined
  readonly refresh: () => void
  readonly loadEarlier: () => void
}

/** Follows a process, beside the present at one of its moments. */
export const useLook = (id: string, at: number | undefined): Followed => {
  const [state, setState] = useState<{ readonly known?: Known; readonly problem?: string }>({})
  const [follower] = useState(() => makeFollower(id, setState))
  useEffect(() => follower.start(), [follower])
  useEffect(() => follower.goTo(at), [follower, at])
  return { known: state.known, problem: state.problem, refresh: follower.refresh, loadEarlier: follower.loadEarlier }
}

const makeFollower = (id: string, set: (state: { readonly known?: Known; readonly problem?: string }) => void) => {
  let known: Known | undefined
  let mark: string | undefined
  let at: number | undefined
  let kept = keptEvents
  let isReading = false
  let isAskedAgain = false
  let isOver = false
  let readAtMs = 0
  let changedAtMs = Number.NEGATIVE_INFINITY
  let changedBeforeMs = Number.NEGATIVE_INFINITY
  let soon: ReturnType<typeof setTimeout> | undefined

  /** The moment to ask for; a long log is not folded only to light the transition that was taken last. */
  const momentAt = (): number | "last" | undefined => {
    if (at !== undefined) return known?.moment?.sequence === at ? undefined : at
    const isBusy = changedAtMs - changedBeforeMs < busyMs && performance.now() - changedAtMs < busyMs
    return (known?.view.row.sequence ?? 0) > (isBusy ? cheapBusyFold : cheapFold) ? undefined : "last"
  }

  const read = async (): Promise<void> => {
    const last = known?.events.at(-1)?.sequence
    const wanted = momentAt()
    const look = await get<LookView>("look", {
      id,
      known: mark,
      after: last,
      limit: last === undefined ? pageSize : 1_000,
      at: wanted
    })
    setClock(look.now_ms)
    const view = look.process ?? known?.view
    if (view === undefined) return
    const { log } = look
    let events = last === undefined ? log.events : [...(known?.events ?? []), ...log.events].slice(-kept)
    if (last !== undefined && log.events.length === 0 && known !== undefined) events = known.events
    // More than a page behind: begin with the newest ones again.
    if ((events.at(-1)?.sequence ?? 0) < log.last_sequence) {
      events = (await get<EventsView>("events", { id, limit: pageSize })).events
    }
    const kepts = wanted === undefined && at !== undefined ? known?.moment : undefined
    mark = look.mark
    known = { view, events, moment: look.moment ?? kepts, why: textOf(look), underWay: underWayIn(look) }
    if (!isOver) set({ known })
  }

  const refresh = (): void => {
    if (isReading) {
      isAskedAgain = true
      return
    }
    isReading = true
    readAtMs = performance.now()
    read()
      .catch((error: unknown) => {
        // The last state stays on the page while the host is away: the header says that the page is disconnected.
        if (error instanceof Refused && error.tag === "Unreachable" && known !== undefined) return
        if (!isOver) set({ problem: sentenceOf(error) })
      })
      .finally(() => {
        isReading = false
        if (!isAskedAgain || isOver) return
        isAskedAgain = false
        refresh()
      })
  }

  const changed = (): void => {
    changedBeforeMs = changedAtMs
    changedAtMs = performance.now()
    soon ??= setTimeout(
      () => {
        soon = undefined
        refresh()
      },
      readAtMs + pauseMs - changedAtMs
    )
  }

  const loadEarlier = (): void => {
    const first = known?.events[0]?.sequence ?? 1
    const after = Math.max(0, first - 1 - pageSize)
    get<EventsView>("events", { id, after, limit: first - 1 - after }).then(
      (page) => {
        if (known === undefined) return
        kept += page.events.length
        known = { ...known, events: [...page.events, ...known.events] }
        set({ known })
      },
      () => undefined
    )
  }

  const start = (): (() => void) => {
    const stop = listenTo((news) => {
      if (news === "again") {
        mark = undefined
        refresh()
      } else if (news.gone.includes(id) || news.rows.some((row) => row.process_id === id)) changed()
    })
    const timer = setInterval(() => isAwake() && refresh(), tickMs)
    return () => {
      isOver = true
      stop()
      clearInterval(timer)
      clearTimeout(soon)
    }
  }

  return {
    start,
    refresh,
    loadEarlier,
    goTo: (sequence: number | undefined): void => {
      at = sequence
      refresh()
    }
  }
}

const underWayIn = ({ explained }: LookView): ReadonlyArray<Doing> => {
  if (!explained.available) return []
  const { detail } = Object(explained.value) as { readonly detail?: { readonly under_way?: unknown } } // an explanation, or a host's own part
  return Array.isArray(detail?.under_way) ? detail.under_way : []
}

const textOf = ({ explained }: LookView): string => {
  if (!explained.available) return ""
  const text = (explained.value as { readonly text?: unknown } | null)?.text // an explanation has a text, or is shown as JSON
  return typeof text === "string" ? localTimesIn(text) : JSON.stringify(explained.value)
}
