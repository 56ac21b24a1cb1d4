/**
 * The lines of a list: only those in view have an element, and a process keeps its element while it is in view.
 */
import type { VNode } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import { hasHost, reasonOf } from "../reason.ts"
import { spanOf } from "../text.ts"
import type { RowView } from "../View.ts"
import type { Picked } from "./finding/picked.ts"
import { allOf, toggled, upTo } from "./finding/picked.ts"
import { useTick } from "./live.ts"
import { go, here } from "./place.ts"
import { ageOf, nowMs } from "./text.ts"

/** How high one line is. Units: pixels. The style sheet has the same heights. */
const heights = { narrow: 50, wide: 36 }

/** How many lines beyond either edge of the view exist as well. */
const beyond = 4

/**
 * The lines; `more` is called where the end of those that are loaded comes into view.
 *
 * The list has the focus, and one line that its keys are about: arrows move it, Enter shows its process, Space picks it, and
 * with Shift all up to it. Beside a process the arrows show the next one at once.
 */
export const Lines = ({
  rows,
  total,
  selected,
  isWide,
  box,
  isOver,
  more,
  picked,
  pick,
  instead
}: {
  readonly rows: ReadonlyArray<RowView>
  readonly total: number
  readonly selected: string | undefined
  readonly isWide: boolean
  readonly box: { readonly current: HTMLDivElement | null }
  readonly isOver: { current: boolean }
  readonly more: () => void
  /** Absent where nothing can be done with what is picked. */
  readonly picked: Picked | undefined
  readonly pick: (picked: Picked) => void
  readonly instead: VNode
}): VNode => {
  useTick(1_000)
  const height = isWide ? heights.wide : heights.narrow
  const [view, setView] = useState({ top: 0, height: 900 })
  const revealed = useRef<string>()
  const [cursor, setCursor] = useState(selected)
  useEffect(() => setCursor(selected), [selected])
  const at = rows.findIndex((row) => row.process_id === cursor)
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
  const ids = rows.map((row) => row.process_id)
  const onPick = (id: string, isRange: boolean): void => {
    if (picked === undefined) return
    setCursor(id)
    pick(isRange ? upTo(picked, ids, id) : toggled(picked, id))
  }
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === " " && cursor !== undefined && at >= 0) {
      event.preventDefault()
      onPick(cursor, event.shiftKey)
      return
    }
    if (event.key === "a" && (event.ctrlKey || event.metaKey) && picked !== undefined) {
      event.preventDefault()
      pick(allOf(picked, ids))
      return
    }
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
    setCursor(row.process_id)
    if (event.shiftKey && picked !== undefined) {
      pick(
        upTo(picked.from === undefined && cursor !== undefined ? toggled(picked, cursor) : picked, ids, row.process_id)
      )
    } else if (event.key === "Enter" || selected !== undefined) {
      open(row.process_id, selected !== undefined)
      requestAnimationFrame(() => box.current?.focus())
    }
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
      aria-multiselectable={picked !== undefined}
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
            isCursor={row.process_id === cursor}
            isPicked={picked?.ids.has(row.process_id)}
            pick={(isRange) => onPick(row.process_id, isRange)}
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
  isSelected,
  isCursor,
  isPicked,
  pick
}: {
  readonly row: RowView
  readonly at: number
  readonly height: number
  readonly isSelected: boolean
  readonly isCursor: boolean
  readonly isPicked: boolean | undefined
  readonly pick: (isRange: boolean) => void
}): VNode => {
  const { process_id: id, state, problem } = row
  const reason = reasonOf(row, nowMs())
  const isAtWork = row.active && hasHost(row)
  const length = (state === "running" ? nowMs() : row.updated_at_ms) - row.created_at_ms
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list takes the keys, and names this line as its active one
    <div
      role="option"
      tabIndex={-1}
      id={`line-${at}`}
      class={`line ${state}${isCursor ? " is-cursor" : ""}`}
      data-process={id}
      aria-selected={isSelected}
      aria-checked={isPicked}
      style={{ top: `${at * height}px` }}
      onClick={(event) => {
        const isOnBox = event.target instanceof Element && event.target.closest(".pick") !== null
        if (isOnBox || (event.shiftKey && isPicked !== undefined)) pick(event.shiftKey)
        else open(id, false)
      }}
    >
      {isPicked === undefined ? null : <span class="pick" aria-hidden="true" title="Pick it (Space)" />}
      <span class={`dot ${state}${isAtWork ? " active" : ""}`} title={state} />
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
