/**
 * The log of a process as a list; a chosen event shows the past.
 */
import type { VNode } from "preact"
import { Component } from "preact"
import { useLayoutEffect, useRef } from "preact/hooks"
import { countOf, spanOf } from "../text.ts"
import type { EventView } from "../View.ts"
import { briefly } from "./json.tsx"
import { Button, Notice, Panel } from "./parts.tsx"
import { timeOf } from "./text.ts"

/** What an event says; `undefined` shows its payload. */
export type TextOf = (event: EventView) => string | undefined

/** The events that are loaded, of a log that ends at `last`; `at` is the chosen one, `undefined` the present. */
export const Log = ({
  events,
  last,
  at,
  textOf,
  choose,
  loadEarlier
}: {
  readonly events: ReadonlyArray<EventView>
  readonly last: number
  readonly at: number | undefined
  readonly textOf: TextOf
  readonly choose: (sequence: number) => void
  readonly loadEarlier: () => void
}): VNode => {
  const list = useRef<HTMLOListElement>(null)
  const isAtEnd = useRef(true)
  useLayoutEffect(() => {
    const element = list.current
    if (element === null) return
    if (at === undefined) {
      if (isAtEnd.current) element.scrollTop = element.scrollHeight
      return
    }
    const chosen = element.querySelector<HTMLElement>(`[data-sequence="${at}"]`)
    if (chosen === null) return
    // Only the list is scrolled, and not what it is in.
    const top = chosen.offsetTop - element.offsetTop
    if (top < element.scrollTop) element.scrollTop = top
    else if (top + chosen.offsetHeight > element.scrollTop + element.clientHeight) {
      element.scrollTop = top + chosen.offsetHeight - element.clientHeight
    }
  }, [events, at])
  const onScroll = (): void => {
    const element = list.current
    if (element !== null) isAtEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 40
  }
  const where =
    at === undefined
      ? `${countOf(last)} ${last === 1 ? "event" : "events"}`
      : `event ${countOf(at)} of ${countOf(last)}`
  return (
    <Panel title="Log" class="log" aside={<output class="where">{where}</output>}>
      {(events[0]?.sequence ?? 1) > 1 ? (
        <Button class="quiet small" onClick={loadEarlier}>
          Load earlier events
        </Button>
      ) : null}
      <ol class="events" aria-label="Events" ref={list} onScroll={onScroll}>
        {events.map((event, index) => (
          <Line
            key={event.sequence}
            event={event}
            before={events[index - 1]?.occurred_at_ms}
            text={textOf(event)}
            isChosen={event.sequence === (at ?? last)}
            isFuture={at !== undefined && event.sequence > at}
            choose={choose}
          />
        ))}
      </ol>
      {events.length === 0 ? (
        <Notice kind="empty" title="No event yet" text="The process is registered and has not run." />
      ) : null}
    </Panel>
  )
}

interface LineProps {
  readonly event: EventView
  readonly before: number | undefined
  readonly text: string | undefined
  readonly isChosen: boolean
  readonly isFuture: boolean
  readonly choose: (sequence: number) => void
}

/** An event never changes: a thousand lines are not drawn anew for one more. */
class Line extends Component<LineProps> {
  override shouldComponentUpdate(next: LineProps): boolean {
    const { event, text, isChosen, isFuture } = this.props
    return event !== next.event || text !== next.text || isChosen !== next.isChosen || isFuture !== next.isFuture
  }

  override render({ event, before, text, isChosen, isFuture, choose }: LineProps): VNode {
    const { sequence, event_type: type, occurred_at_ms: atMs, payload } = event
    return (
      <li>
        <button
          type="button"
          class={`event ${familyOf(type)}${isFuture ? " future" : ""}`}
          data-sequence={sequence}
          aria-current={isChosen ? "true" : undefined}
          onClick={() => choose(sequence)}
        >
          <span class="event-sequence">#{sequence}</span>
          <span class="event-time">{timeOf(atMs)}</span>
          <span class="event-gap">{before === undefined ? "" : `+${spanOf(atMs - before)}`}</span>
          <span class="event-type">{type}</span>
          <span class="event-payload">{text ?? briefly(payload)}</span>
        </button>
      </li>
    )
  }
}

/** What an event is about, for its colour. */
const familyOf = (type: string): string => {
  if (type.startsWith("signal.")) return "signal"
  const [, end] = /^process\.(completed|failed|cancelled|abandoned)$/.exec(type) ?? []
  if (end !== undefined) return `end ${end}`
  return type.startsWith("process.") ? "lifecycle" : "noted"
}
