/**
 * The list of processes: sorted, searched, narrowed; its filters are in the address. Beside a process it is a narrow column.
 *
 * Only lines in view have an element. Lines do not move under a reader: new ones are counted above until they are asked for,
 * but where the list is at its top and no pointer is over it.
 */
import type { VNode } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import { countOf } from "../text.ts"
import type { CountsView, HostView, ListView, RowView } from "../View.ts"
import { openBulk, takesActions } from "./actions.tsx"
import { get, sentenceOf } from "./connection.ts"
import { Columns, Filters, goWith, PickAll, Sort } from "./filters.tsx"
import { allOf, nothing } from "./finding/picked.ts"
import { Lines } from "./lines.tsx"
import { isAwake, listenTo, useRead, useWide } from "./live.ts"
import { Button, Notice, ProcessLink } from "./parts.tsx"
import type { Place } from "./place.ts"
import { filtersOf } from "./place.ts"
import { Process } from "./process.tsx"

const pageSize = 200

/** How many lines the server answers at once. */
const mostAtOnce = 5_000

/** The shortest time between two looks at what is new, at the counts, at steps that are under way, and how much of the time may be spent looking. Units: milliseconds. */
const pauses = { lookMs: 100, countMs: 1_000, stepMs: 3_000, share: 0.2 }

/** The list, and the process that is chosen. */
export const Processes = ({ place, host }: { readonly place: Place; readonly host: HostView | undefined }): VNode => {
  const { id } = place
  return (
    <div class={`processes${id === undefined ? "" : " is-chosen"}`}>
      <List place={place} host={host} />
      {id === undefined ? null : (
        <div class="detail">
          <Button class="quiet back" onClick={() => goWith({ tab: "" }, { id: null })}>
            ‹ all processes
          </Button>
          <Process key={id} id={id} place={place} host={host} />
        </div>
      )}
    </div>
  )
}

interface Loaded {
  readonly rows: ReadonlyArray<RowView>
  readonly total: number
  readonly reading?: ListView["reading"]
}

const List = ({ place, host }: { readonly place: Place; readonly host: HostView | undefined }): VNode => {
  const filters = filtersOf(place.query)
  const key = JSON.stringify(filters)
  const [loaded, setLoaded] = useState<Loaded & { readonly key: string }>()
  const [problem, setProblem] = useState<string>()
  const [fresh, setFresh] = useState(0)
  const [picked, setPicked] = useState(nothing)
  const box = useRef<HTMLDivElement>(null)
  const isOver = useRef(false)
  const isWide = useWide() && place.id === undefined
  const counts = useRead<CountsView>("counts", { everyMs: 3_000 })
  const current = loaded?.key === key ? loaded : undefined
  const now = useRef({ current, key, filters, counts })
  now.current = { current, key, filters, counts }

  const load = async (offset: number, limit = pageSize): Promise<void> => {
    const asked = key
    try {
      const page = await get<ListView>("processes", { ...filters, offset, limit })
      if (now.current.key !== asked) return
      setLoaded((old) => {
        const before = old?.key === asked && offset > 0 ? old.rows.slice(0, offset) : []
        return { ...page, rows: distinct([...before, ...page.rows]), key: asked }
      })
      setProblem(undefined)
      if (offset === 0) setFresh(0)
      if (page.reading !== undefined) await load(0)
    } catch (error) {
      if (now.current.key === asked) setProblem(sentenceOf(error))
    }
  }

  useEffect(() => {
    if (box.current !== null) box.current.scrollTop = 0
    void load(0)
  }, [key])

  useEffect(() => {
    let due: ReturnType<typeof setTimeout> | undefined
    let nextMs = 0
    let countedMs = Number.NEGATIVE_INFINITY
    const look = async (): Promise<void> => {
      due = undefined
      const beganMs = performance.now()
      if (beganMs - countedMs > pauses.countMs) {
        countedMs = beganMs
        now.current.counts.again()
      }
      const { current: shown, key: asked, filters: by } = now.current
      const page = await get<ListView>("processes", { ...by, limit: pageSize }).catch(() => undefined)
      const tookMs = performance.now() - beganMs
      nextMs = performance.now() + Math.max(pauses.lookMs, tookMs / pauses.share)
      if (page === undefined || now.current.key !== asked) return
      const isAtTop = (box.current?.scrollTop ?? 0) < 4 && !isOver.current
      if (shown === undefined || isAtTop) {
        setLoaded({ ...page, key: asked })
        setFresh(0)
        return
      }
      const known = new Set(shown.rows.map((row) => row.process_id))
      setFresh(page.rows.filter((row) => !known.has(row.process_id)).length)
      setLoaded((old) => old && { ...old, total: page.total, rows: updated(old.rows.map(settled), page.rows) })
    }
    const soon = (): void => {
      due ??= setTimeout(look, Math.max(0, nextMs - performance.now()))
    }
    // A step begins and ends without an event: while bodies are at work, what they do is read again.
    const timer = setInterval(() => {
      if (isAwake() && now.current.current?.rows.some((row) => (row.invoked ?? row).active) === true) soon()
    }, pauses.stepMs)
    const stop = listenTo((news) => {
      if (news === "again") {
        now.current.counts.again()
        void load(0)
        return
      }
      setLoaded((old) => old && { ...old, rows: updated(old.rows, news.rows) })
      soon()
    })
    return () => {
      stop()
      clearInterval(timer)
      clearTimeout(due)
    }
  }, [])

  const isLoading = useRef(false)
  const more = (): void => {
    if (current === undefined || current.rows.length >= current.total || isLoading.current) return
    isLoading.current = true
    load(current.rows.length).finally(() => {
      isLoading.current = false
    })
  }
  /** Loads all lines up to one of them, which the list then shows. */
  const goTo = async (at: number): Promise<void> => {
    for (let offset = now.current.current?.rows.length ?? 0; offset <= at; offset += mostAtOnce) {
      await load(offset, Math.min(mostAtOnce, at + pageSize - offset))
    }
  }
  const { rows = [], total = 0, reading } = current ?? {}
  const mayAct = takesActions(host)
  const ids = rows.map((row) => row.process_id)
  const again = (): void => void load(0)
  const pickAll = mayAct ? (
    <PickAll ids={ids} picked={picked} onPick={() => setPicked(allOf(picked, ids))} />
  ) : undefined
  return (
    <section class="side" aria-label="List of processes">
      <Filters place={place} counts={counts.value} />
      {isWide ? <Columns place={place} pickAll={pickAll} /> : <Sort place={place} pickAll={pickAll} />}
      {fresh === 0 ? null : (
        <Button
          class="small fresh"
          onClick={() => {
            if (box.current !== null) box.current.scrollTop = 0
            void load(0)
          }}
        >
          {countOf(fresh)} new above ↑
        </Button>
      )}
      {place.id === undefined || current === undefined || rows.some((row) => row.process_id === place.id) ? null : (
        <Elsewhere id={place.id} filters={filters} goTo={goTo} />
      )}
      <Lines
        rows={rows}
        total={total}
        selected={place.id}
        isWide={isWide}
        box={box}
        isOver={isOver}
        more={more}
        picked={mayAct ? picked : undefined}
        pick={setPicked}
        instead={
          <Instead problem={problem} isRead={current !== undefined && reading === undefined} filters={filters} />
        }
      />
      <p class="foot">
        <span role="status">
          {problem === undefined ? `${countOf(total)} ${total === 1 ? "process" : "processes"}` : "not up to date"}
          {reading === undefined ? "" : `, ${countOf(reading.read)} of ${countOf(reading.of)} read`}
        </span>
        {picked.ids.size === 0 ? null : (
          <span>
            <span role="status">{countOf(picked.ids.size)} picked</span>{" "}
            <Button class="quiet small" onClick={() => setPicked(nothing)}>
              Clear
            </Button>
            <Button class="small" onClick={() => openBulk([...picked.ids], again)}>
              Act on {countOf(picked.ids.size)} picked…
            </Button>
          </span>
        )}
        {mayAct && total > 0 ? (
          <Button class="quiet small" onClick={() => openBulk(filters, again)}>
            Act on all {countOf(total)}…
          </Button>
        ) : null}
      </p>
    </section>
  )
}

/** A page that was read while others moved may have what the one before it had, too. */
const distinct = (rows: ReadonlyArray<RowView>): ReadonlyArray<RowView> => [
  ...new Map(rows.map((row) => [row.process_id, row])).values()
]

/** The same lines in the same order, with what is new of each. */
const updated = (rows: ReadonlyArray<RowView>, news: ReadonlyArray<RowView>): ReadonlyArray<RowView> => {
  const byId = new Map(news.map((row) => [row.process_id, row]))
  return rows.map((row) => byId.get(row.process_id) ?? row)
}

/** A line that was not read again, without what may be over; most have nothing of that, and stay as they are. */
const settled = (row: RowView): RowView => {
  if (row.doing === undefined && row.awaits === undefined && row.invoked === undefined) return row
  const { doing: _doing, awaits: _awaits, invoked: _invoked, ...lasting } = row
  return lasting
}

const Instead = ({
  problem,
  isRead,
  filters
}: {
  readonly problem: string | undefined
  readonly isRead: boolean
  readonly filters: Readonly<Record<string, string>>
}): VNode => {
  if (problem !== undefined) return <Notice kind="error" title="The list could not be read" text={problem} />
  if (!isRead) return <Notice kind="loading" title="Looking for processes…" />
  const { sort: _sort, order: _order, ...narrowing } = filters
  return Object.values(narrowing).every((value) => value === "") ? (
    <Notice kind="empty" title="No process yet" text="One appears here as soon as it is registered." />
  ) : (
    <Notice kind="empty" title="Nothing matches" text="Press Esc in the search, or choose another state." />
  )
}

/** Says where the process is that is chosen, which the lines that are loaded do not have, and goes there when it is asked to. */
const Elsewhere = ({
  id,
  filters,
  goTo
}: {
  readonly id: string
  readonly filters: Readonly<Record<string, string>>
  readonly goTo: (at: number) => Promise<void>
}): VNode => {
  const present = Object.entries(filters).filter(([, value]) => value !== "")
  const query = new URLSearchParams({ ...Object.fromEntries(present), find: id, limit: "0" })
  const { value } = useRead<ListView>(`processes?${query}`)
  const at = value?.at
  return (
    <p class="pinned">
      shown: <ProcessLink id={id} />{" "}
      {value === undefined ? null : at === undefined ? (
        "is not among these."
      ) : (
        <>
          is line {countOf(at + 1)} of {countOf(value.total)}.{" "}
          <Button class="quiet small" onClick={() => void goTo(at)}>
            Go there
          </Button>
        </>
      )}
    </p>
  )
}
