/**
 * The run of a process and of all below it as a waterfall on one axis. Its playhead goes through the events of the log: what is
 * under it is what the rest of the page shows.
 */
import type { VNode } from "preact"
import { useRef, useState } from "preact/hooks"
import type { Scale } from "../axis.ts"
import { apart, isUneven, marksOf, squeezedScale } from "../axis.ts"
import type { BandView, RunsView, RunView, SpanView } from "../RunView.ts"
import { againOf, countOf, spanOf } from "../text.ts"
import type { EventView } from "../View.ts"
import { useRead, useTick, useWide } from "./live.ts"
import type { Doing } from "./look.ts"
import { Button, Notice, Panel, ProcessLink } from "./parts.tsx"
import { nowMs, timeOf } from "./text.ts"

/** The waterfall; `at` is the chosen event of the log, `undefined` the present. */
export const Runs = ({
  id,
  events,
  underWay,
  at,
  last,
  choose
}: {
  readonly id: string
  readonly events: ReadonlyArray<EventView>
  readonly underWay: ReadonlyArray<Doing>
  readonly at: number | undefined
  readonly last: number
  readonly choose: (sequence: number | undefined) => void
}): VNode => {
  const shown = useRef<ReadonlySet<string>>(new Set([id]))
  const { value, problem } = useRead<RunsView>(`runs?id=${encodeURIComponent(id)}`, {
    everyMs: 5_000,
    about: (ids) => ids.some((one) => shown.current.has(one) || one.startsWith(`${id}/`))
  })
  const [isSqueezed, setSqueezed] = useState<boolean>()
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set([id]))
  const isMoving = value?.runs.some(({ to_ms: to }) => to === null) === true
  useTick(isMoving ? 1_000 : 3_600_000)
  if (problem !== undefined) return <Notice kind="error" title="The run cannot be shown" text={problem} />
  if (value === undefined) return <Notice kind="loading" title="Reading the run…" />
  const runs = value.runs.map((run) => (run.process_id === id ? withDoing(run, underWay) : run))
  shown.current = new Set(runs.map((run) => run.process_id))
  const end = isMoving ? nowMs() : Math.max(...runs.map((run) => run.to_ms ?? 0))
  const begin = Math.min(...runs.map(({ from_ms: from }) => from), end - 1)
  const marks = marksOf(runs, begin, end)
  const squeezed = isSqueezed ?? isUneven(marks)
  const scale = squeezed ? squeezedScale(marks) : (ms: number) => (ms - begin) / (end - begin)
  const timeAt = (sequence: number | undefined): number =>
    sequence === undefined
      ? end
      : (events.find((event) => event.sequence === sequence)?.occurred_at_ms ?? (sequence === 0 ? begin : end))
  const head = within(scale(timeAt(at)))
  const stepBy = (by: number): void => choose(Math.min(Math.max((at ?? last) + by, 0), last))
  const onSlide = (permille: number): void => {
    const nearest = events.reduce<EventView | undefined>((best, event) => {
      const away = (one: EventView): number => Math.abs(scale(one.occurred_at_ms) * 1_000 - permille)
      return best === undefined || away(event) <= away(best) ? event : best
    }, undefined)
    if (permille >= 999) choose(undefined)
    else if (nearest !== undefined) choose(nearest.sequence)
  }
  const onKey = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (by === undefined) return
    event.preventDefault()
    stepBy(by)
  }
  const toggle = (one: string): void => {
    const next = new Set(open)
    if (!next.delete(one)) next.add(one)
    setOpen(next)
  }
  return (
    <Panel
      title="Run"
      class="runs"
      aside={
        <span class="panel-tools">
          <Button
            class="quiet small"
            pressed={squeezed}
            title="Long pauses take less room"
            onClick={() => setSqueezed(!squeezed)}
          >
            Squeeze pauses
          </Button>
          <Button
            class="quiet small"
            label="Previous event"
            title="Previous event  ["
            disabled={last === 0}
            onClick={() => stepBy(-1)}
          >
            ‹
          </Button>
          <Button
            class="quiet small"
            label="Next event"
            title="Next event  ]"
            disabled={last === 0}
            onClick={() => stepBy(1)}
          >
            ›
          </Button>
          <Button class="small" disabled={at === undefined} onClick={() => choose(undefined)}>
            Present
          </Button>
        </span>
      }
    >
      <div class="axis">
        <span />
        <div class="axis-track">
          <input
            type="range"
            min={0}
            max={1_000}
            step={1}
            value={Math.round(head * 1_000)}
            disabled={last === 0}
            aria-label="Event of the log"
            aria-valuetext={at === undefined ? `present, event ${last}` : `event ${at} of ${last}`}
            onInput={(event) => onSlide(Number(event.currentTarget.value))}
            onKeyDown={onKey}
          />
          <Ticks begin={begin} end={end} marks={marks} scale={scale} isSqueezed={squeezed} />
        </div>
      </div>
      <ol class="waterfall" aria-label="Run">
        {runs.map((run) => (
          <Row
            key={run.process_id}
            run={run}
            top={id}
            scale={scale}
            end={end}
            head={head}
            isOpen={open.has(run.process_id)}
            toggle={() => toggle(run.process_id)}
            choose={run.process_id === id ? choose : undefined}
          />
        ))}
      </ol>
      {value.complete ? null : <p class="muted">The tree is larger: its first processes are shown.</p>}
    </Panel>
  )
}

/** A span, and what is to be said of it. */
interface Noted extends SpanView {
  readonly note?: string
}

/** A run with what its body has begun and not ended. */
const withDoing = (run: RunView, underWay: ReadonlyArray<Doing>): RunView => {
  if (run.state !== "running") return run
  const last = run.bands.at(-1)
  const lostMs = last?.lost === true ? last.to_ms : null
  const doing = underWay.map(
    ({ operation, name, child, since_ms: from, tries, error, next_try_at_ms: next }): Noted => {
      const isStep = operation === "step"
      // Whatever became of it, no host works on it now.
      const isLost = isStep && lostMs !== null
      const again = isLost ? "its host is gone" : next === undefined ? "" : againOf(next, nowMs())
      const parts = [tries > 1 ? `try ${tries}` : "", error ?? "", again]
      return {
        what: isStep ? "step" : "wait",
        name: isStep ? name : below(child ?? name, run.process_id),
        from_ms: from,
        to_ms: isLost ? Math.max(from, lostMs) : null,
        note: parts.filter((part) => part !== "").join(" · ")
      }
    }
  )
  return { ...run, spans: [...run.spans, ...doing] }
}

const Row = ({
  run,
  top,
  scale,
  end,
  head,
  isOpen,
  toggle,
  choose
}: {
  readonly run: RunView
  readonly top: string
  readonly scale: Scale
  readonly end: number
  readonly head: number
  readonly isOpen: boolean
  readonly toggle: () => void
  readonly choose: ((sequence: number) => void) | undefined
}): VNode => {
  const { process_id: id, depth, from_ms: from, to_ms: to, spans, bands, state } = run
  const isTop = id === top
  const name = isTop ? "this process" : below(id, top)
  const length = spanOf((to ?? end) - from)
  return (
    <li>
      <div class="lane process-lane" data-run={id}>
        <span class="lane-name" style={{ paddingLeft: `${Math.min(depth, 6) * 12}px` }}>
          {spans.length === 0 ? (
            <span class="lane-toggle" />
          ) : (
            <button
              type="button"
              class="quiet lane-toggle"
              aria-expanded={isOpen}
              aria-label={`Steps of ${name}`}
              onClick={toggle}
            >
              {isOpen ? "▾" : "▸"}
            </button>
          )}
          {isTop ? <b>{name}</b> : <ProcessLink id={id}>{name}</ProcessLink>}
        </span>
        <div class="lane-track">
          <Playhead at={head} />
          <Bar scale={scale} from={from} to={to ?? end} class={`whole ${state}`} title={`${id}, ${state}, ${length}`} />
          {bands.map((band, index) => (
            <Band key={band.from_ms} band={band} next={bands[index + 1]} scale={scale} end={to ?? end} />
          ))}
          {isOpen ? null : spans.map((span, index) => <Span key={index} span={span} scale={scale} end={end} />)}
          <Length at={scale(to ?? end)} text={`${length}${to === null ? " so far" : ""}`} />
        </div>
      </div>
      {isOpen && spans.length > 0 ? (
        <ol>
          {run.spans_left_off > 0 ? (
            <li class="muted lane-note">{countOf(run.spans_left_off)} earlier ones are not shown</li>
          ) : null}
          {spans.map((span, index) => (
            <li class="lane" key={index}>
              <span class="lane-name" style={{ paddingLeft: `${Math.min(depth, 6) * 12 + 26}px` }}>
                <SpanName span={span} choose={choose} />
              </span>
              <div class="lane-track">
                <Playhead at={head} />
                <Span span={span} scale={scale} end={end} />
                <Length at={scale(span.to_ms ?? end)} text={lengthOf(span, end)} />
              </div>
            </li>
          ))}
        </ol>
      ) : null}
    </li>
  )
}

/** A place that is on the axis. */
const within = (at: number): number => Math.min(Math.max(at, 0), 1)

/** The id of a child begins with its parent's, which need not be read again. */
const below = (id: string, top: string): string => (id.startsWith(`${top}/`) ? id.slice(top.length + 1) : id)

const SpanName = ({
  span: { what, name, sequence },
  choose
}: {
  readonly span: SpanView
  readonly choose: ((sequence: number) => void) | undefined
}): VNode => {
  const text = what === "step" ? name : what === "wait" ? `waits ${name}` : `sleeps ${name}`
  return choose === undefined || sequence === undefined || sequence === 0 ? (
    <span class="mono">{text}</span>
  ) : (
    <button type="button" class="quiet mono span-name" title={text} onClick={() => choose(sequence)}>
      {text}
    </button>
  )
}

const Span = ({
  span,
  scale,
  end
}: {
  readonly span: SpanView
  readonly scale: Scale
  readonly end: number
}): VNode => {
  const { what, name, from_ms: from, to_ms: to, failed = false } = span
  const classes = `span ${what}${failed ? " bad" : ""}${to === null ? " lasting" : ""}`
  return (
    <Bar scale={scale} from={from} to={to ?? end} class={classes} title={`${what} ${name}, ${lengthOf(span, end)}`} />
  )
}

const lengthOf = (span: Noted, end: number): string => {
  const { from_ms: from, to_ms: to, deadline_ms: until, failed = false, note = "" } = span
  const length = spanOf(Math.max(0, (to ?? end) - from))
  if (note !== "") return `${length}${to === null ? " so far" : ""} · ${note}`
  if (to !== null) return failed ? `${length}, failed` : length
  return until === undefined ? `${length} so far` : `${length}, ${spanOf(Math.max(0, until - end))} left`
}

const Band = ({
  band: { from_ms: from, to_ms: to, owner_id: owner, attempt, lost = false },
  next,
  scale,
  end
}: {
  readonly band: BandView
  readonly next: BandView | undefined
  readonly scale: Scale
  readonly end: number
}): VNode => (
  <>
    <Bar scale={scale} from={from} to={to ?? end} class="band" title={`try ${attempt}, ${owner}, ${timeOf(from)}`} />
    {lost && to !== null ? (
      <Bar
        scale={scale}
        from={to}
        to={next?.from_ms ?? end}
        class="gap"
        title={
          next === undefined
            ? `${owner} last wrote ${spanOf(end - to)} before, and no host has had it since`
            : `${owner} was gone for ${spanOf(next.from_ms - to)} at most`
        }
      />
    ) : null}
  </>
)

const Bar = ({
  scale,
  from,
  to,
  class: classes,
  title
}: {
  readonly scale: Scale
  readonly from: number
  readonly to: number
  readonly class: string
  readonly title: string
}): VNode => {
  // A host whose clock is off may say that a step began before its process: no bar leaves the axis.
  const left = within(scale(from))
  return (
    <span
      class={`bar ${classes}`}
      title={title}
      style={{ left: `${left * 100}%`, width: `${Math.max(0, within(scale(to)) - left) * 100}%` }}
    />
  )
}

const Length = ({ at, text }: { readonly at: number; readonly text: string }): VNode => (
  <span
    class={`length${at > 0.75 ? " inside" : ""}`}
    style={at > 0.75 ? { right: `${(1 - at) * 100}%` } : { left: `${at * 100}%` }}
  >
    {text}
  </span>
)

const Playhead = ({ at }: { readonly at: number }): VNode => <span class="playhead" style={{ left: `${at * 100}%` }} />

const Ticks = ({
  begin,
  end,
  marks,
  scale,
  isSqueezed
}: {
  readonly begin: number
  readonly end: number
  readonly marks: ReadonlyArray<number>
  readonly scale: Scale
  readonly isSqueezed: boolean
}): VNode => {
  const isWide = useWide()
  const even = [0, 0.25, 0.5, 0.75, 1].map((part) => begin + part * (end - begin))
  const times = apart(isSqueezed ? marks : even, scale, isWide ? 0.12 : 0.24)
  return (
    <div class="ticks" aria-hidden="true">
      {times.map((ms) => (
        <span key={ms} style={{ left: `${scale(ms) * 100}%` }}>
          +{spanOf(ms - begin)}
        </span>
      ))}
    </div>
  )
}
