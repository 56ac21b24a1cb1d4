/**
 * The lines of a list: only those in view have an element, and a process keeps its element while it is in view.
 */
import type { VNode } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import { spanOf } from "../text.ts"
import type { RowView } from "../View.ts"
import { useTick } from "./live.ts"
import { go, here } from "./place.ts"
import { ageOf, nowMs } from "./text.ts"

/** How high one line is. Units: pixels. The style sheet has the same heights. */
const heights = { narrow: 50, wide: 36 }

/** How many lines beyond either edge of the view exist as well. */
const beyond = 4

/** The lines; `more` is called where the end of those that are loaded comes into view. */
export const Lines = ({
  rows,
  total,
  selected,
  isWide,
  box,
  isOver,
  more,
  instead
}: {
  readonly rows: ReadonlyArray<RowView>
  readonly total: number
  readonly selected: string | undefined
  readonly isWide: boolean
  readonly box: { readonly current: HTMLDivElement | null }
  readonly isOver: { current: boolean }
  readonly more: () => void
  readonly instead: VNode
}): VNode => {
  useTick(1_000)
  const height = isWide ? heights.wide : heights.narrow
  const [view, setView] = useState({ top: 0, height: 900 })
  const revealed = useRef<string>()
  const at = rows.findIndex((row) => row.process_id === selected)
  const reveal = (index: number): void => {
    const element = box.current
    if (element === null || index < 0) return
    const top = index * height
    if (top < element.scrollTop) element.scrollTop = top
    else if (top + height > element.scrollTop + element.clientHeight)
      element.scrollTop = top + height - element.clientHeight
  }
  const measure = (): void => {
    const element = box.current
    if (element !== null) setView({ top: element.scrollTop, height: element.clientHeight })
  }
  useEffect(() => {
    const element = box.current
    if (element === null) return
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  useEffect(() => {
    // Once for each choice, as soon as it is loaded.
    if (at < 0 || revealed.current === selected) return
    revealed.current = selected
    reveal(at)
  }, [at, selected])
  const isNearEnd = rows.length < total && view.top + view.height * 2 > rows.length * height
  useEffect(() => {
    if (isNearEnd) more()
  }, [isNearEnd, rows])
  const onKey = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor((box.current?.clientHeight ?? 0) / height) - 1)
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: rows.length - 1,
      Enter: at
    }
    const to = steps[event.key]
    const row = to === undefined ? undefined : rows[Math.min(Math.max(to, 0), rows.length - 1)]
    if (row === undefined) return
    event.preventDefault()
    reveal(rows.indexOf(row))
    open(row.process_id, selected !== undefined)
    requestAnimationFrame(() => box.current?.focus())
  }
  const first = Math.max(0, Math.floor(view.top / height) - beyond)
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / height) + beyond)
  return (
    <div
      ref={box}
      class={`list${isWide ? " is-wide" : ""}`}
      role="listbox"
      tabIndex={0}
      aria-label="Processes"
      aria-activedescendant={at < first || at >= last ? undefined : `line-${at}`}
      onKeyDown={onKey}
      onScroll={measure}
      onPointerEnter={() => {
        isOver.current = true
      }}
      onPointerLeave={() => {
        isOver.current = false
      }}
    >
      <div class="lines" role="presentation" style={{ height: `${rows.length * height}px` }}>
        {rows.slice(first, last).map((row, index) => (
          <Line
            key={row.process_id}
            row={row}
            at={first + index}
            height={height}
            isSelected={row.process_id === selected}
          />
        ))}
      </div>
      {rows.length === 0 ? instead : null}
    </div>
  )
}

const Line = ({
  row,
  at,
  height,
  isSelected
}: {
  readonly row: RowView
  readonly at: number
  readonly height: number
  readonly isSelected: boolean
}): VNode => {
  const { process_id: id, state, problem } = row
  const reason = reasonOf(row)
  const length = (state === "running" ? nowMs() : row.updated_at_ms) - row.created_at_ms
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list takes the keys, and names this line as its active one
    <div
      role="option"
      tabIndex={-1}
      id={`line-${at}`}
      class={`line ${state}`}
      data-process={id}
      aria-selected={isSelected}
      style={{ top: `${at * height}px` }}
      onClick={() => open(id, false)}
    >
      <span class={`dot ${state}${row.active ? " active" : ""}`} title={state} />
      <span class="line-id" title={id}>
        <Name id={id} />
        {row.label === undefined ? null : <span class="line-label">{row.label}</span>}
      </span>
      <span class="line-age">{ageOf(row.updated_at_ms)}</span>
      <span class="line-what">
        {state} · {row.label ?? row.kind}
      </span>
      <span class="line-kind">{row.kind}</span>
      <span class="line-length">{spanOf(Math.max(0, length))}</span>
      <span class="line-marks">
        {reason === undefined ? null : <span class={`mark ${reason.class}`}>{reason.text}</span>}
        {row.cancel_requested && state === "running" ? <span class="mark">cancel requested</span> : null}
        {row.abandon_requested && state === "running" ? <span class="mark">abandon requested</span> : null}
        {problem === undefined ? null : (
          <span class="mark bad" title={problem}>
            {problem}
          </span>
        )}
      </span>
    </div>
  )
}

/** In a few words, why it does not move. */
const reasonOf = (row: RowView): { readonly class: string; readonly text: string } | undefined => {
  if (row.state !== "running") return undefined
  const until = row.deadline_ms === undefined ? "" : `, ${ageOf(row.deadline_ms)}`
  const signals = row.waits.filter((name) => name !== "timer")
  if (signals.length > 0) return { class: "wait", text: `waits: ${signals.join(", ")}${until}` }
  if (row.waits.length > 0) return { class: "wait", text: `sleeps${until}` }
  if (row.rests !== undefined) return { class: "wait", text: `rests in ${row.rests}` }
  if (row.active) return { class: "", text: "at work" }
  return row.due_at_ms !== null && row.due_at_ms <= nowMs() && row.owner_id === undefined
    ? { class: "bad", text: `due ${ageOf(row.due_at_ms)}` }
    : undefined
}

/** The id of a child begins with that of its parent: in a narrow list only that part is cut. */
const Name = ({ id }: { readonly id: string }): VNode => {
  const cut = id.lastIndexOf("/")
  if (cut < 1) return <bdi>{id}</bdi>
  return (
    <>
      <span class="line-parent">
        <bdi dir="ltr">{id.slice(0, cut)}</bdi>
      </span>
      <span class="line-own">
        <bdi>{id.slice(cut)}</bdi>
      </span>
    </>
  )
}

/** Shows a process; along a list each replaces the last one in the history. */
const open = (id: string, isSmall: boolean): void => {
  const { tab: _tab, ...query } = here().query
  go({ view: "processes", id, query }, isSmall)
}
