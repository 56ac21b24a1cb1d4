/**
 * A process's own machine beside its chart: the macrostep that led where it is, what it takes, its timers and its context, and
 * a copy that is stepped by hand. No process knows of the copy.
 */
import type { VNode } from "preact"
import { useEffect, useState } from "preact/hooks"
import { countOf } from "../text.ts"
import type { EffectView, EventView, NamedEvent, RestView, TraceView, TransitionView, TriedView } from "../View.ts"
import { post, sentenceOf } from "./connection.ts"
import { Change, Json, Value } from "./json.tsx"
import { Age, Button, Panel, Pill, ProcessLink, TimeAndAge } from "./parts.tsx"

/** The panels of where a machine rests. `send` opens the form of an event; absent where nothing may be sent. */
export const RestPanels = ({
  rest,
  isPast,
  send
}: {
  readonly rest: RestView
  readonly isPast: boolean
  readonly send: ((event: string) => void) | undefined
}): VNode => (
  <>
    {rest.transition === undefined ? null : <Transition of={rest.transition} />}
    {isPast ? null : <Takes rest={rest} send={send} />}
    {rest.timers.length === 0 ? null : <Timers rest={rest} />}
    <Panel title="Context">
      <Value value={rest.context} open={2} what="the context" />
    </Panel>
  </>
)

const Transition = ({
  of: { sequence, revision, version, event, from, to, handled, trace, changes, effects }
}: {
  readonly of: TransitionView
}): VNode => (
  <section class="panel transition" aria-label="Transition">
    <h2>Revision {revision}</h2>
    <p>
      <b>{event}</b>
      {handled ? null : <span class="muted"> — no state takes it</span>}
    </p>
    <p class="mono">{from === "" || from === to ? to : `${from} → ${to}`}</p>
    {trace === null ? (
      <p class="muted">The stored definition alone does not lead there: its path is not known.</p>
    ) : (
      <Trace trace={trace} />
    )}
    {changes.length === 0 ? null : <h3>Context</h3>}
    {changes.map((change) => (
      <Change key={change.field} name={change.field} of={change} />
    ))}
    {effects.length === 0 ? null : <h3>Asked for</h3>}
    {effects.length === 0 ? null : (
      <ul class="effects">
        {effects.map((effect, index) => (
          <Effect key={index} of={effect} />
        ))}
      </ul>
    )}
    <p class="muted small-print">
      version {version}, event #{sequence} of the log
    </p>
  </section>
)

/** The path of a macrostep. */
const Trace = ({ trace }: { readonly trace: ReadonlyArray<TraceView> }): VNode | null =>
  trace.length === 0 ? null : (
    <ol class="trace" aria-label="Path">
      {trace.map(({ did: what, text }, index) => (
        <li key={index} class={`trace-${what}`}>
          <span class="muted">{words[what]}</span> <span class="mono">{text}</span>
        </li>
      ))}
    </ol>
  )

const words: Readonly<Record<TraceView["did"], string>> = {
  leave: "leaves",
  take: "takes",
  enter: "enters",
  act: "action",
  arm: "arms",
  disarm: "ends the timer",
  start: "starts",
  stop: "stops",
  send: "sends"
}

const did: Readonly<Record<EffectView["did"], string>> = {
  act: "action",
  arm: "timer",
  disarm: "ended timer",
  start: "child",
  stop: "stopped",
  send: "message",
  emit: "emitted",
  log: "log"
}

const Effect = ({ of: effect }: { readonly of: EffectView }): VNode => (
  <li>
    <span class="muted">{did[effect.did]} </span>
    <code>{effect.text}</code>
    {effect.performed === undefined ? null : (
      <span class="muted">{effect.performed ? " performed" : " to be performed"}</span>
    )}
    {effect.at_ms === undefined ? null : (
      <span class="muted">
        {" due "}
        <Age ms={effect.at_ms} />
      </span>
    )}
    {effect.process_id === undefined ? null : [" ", <ProcessLink key="link" id={effect.process_id} />]}
    {effect.state === undefined ? null : [" ", <Pill key="state" state={effect.state} />]}
    {effect.problem === undefined ? null : <p class="problem">{effect.problem}</p>}
    {effect.detail === undefined ? null : <Json value={effect.detail} open={1} />}
  </li>
)

const Takes = ({
  rest: { takes },
  send
}: {
  readonly rest: RestView
  readonly send: ((event: string) => void) | undefined
}): VNode => (
  <Panel title="Takes">
    {takes.length === 0 ? (
      <p class="muted">No event that is sent from outside.</p>
    ) : (
      <div class="takes">
        {takes.map(({ type }) => (
          <Button
            key={type}
            class="small"
            disabled={send === undefined}
            title={send === undefined ? "This inspector is read-only, or the process has ended" : `Send ${type}`}
            onClick={() => send?.(type)}
          >
            {type}…
          </Button>
        ))}
      </div>
    )}
  </Panel>
)

const Timers = ({ rest: { timers } }: { readonly rest: RestView }): VNode => (
  <Panel title="Timers">
    <ul class="effects">
      {timers.map(({ text, state, at_ms: at }) => (
        <li key={`${state} ${text}`}>
          <code>{text}</code>
          {state === undefined ? null : <span class="muted"> of {state.split(".").slice(1).join(".")}</span>}
          <div>
            <TimeAndAge ms={at} />
          </div>
        </li>
      ))}
    </ul>
  </Panel>
)

/** A slider over the macrosteps of a machine among the events that are loaded. */
export const Revisions = ({
  events,
  at,
  rest,
  choose,
  loadEarlier
}: {
  readonly events: ReadonlyArray<EventView>
  readonly at: number | undefined
  readonly rest: RestView
  readonly choose: (sequence: number) => void
  readonly loadEarlier: () => void
}): VNode => {
  const steps = events.flatMap(({ event_type: type, sequence }) => (type === "machine.transitioned" ? [sequence] : []))
  const isAtStart = (events[0]?.sequence ?? 1) <= 1
  const current = steps.filter((sequence) => at === undefined || sequence <= at).length - 1
  const goTo = (index: number): void => {
    const sequence = steps[Math.min(Math.max(index, 0), steps.length - 1)]
    if (index < 0 && !isAtStart) loadEarlier()
    else if (sequence !== undefined) choose(sequence)
  }
  const { transition } = rest
  const where =
    transition === undefined
      ? `${countOf(current + 1)} of ${countOf(steps.length)} loaded`
      : `${countOf(transition.revision)}: ${transition.event}`
  return (
    <section class="panel panel-head revisions" aria-label="Revisions">
      <h2>Revisions</h2>
      <output class="where">{where}</output>
      <Button
        class="quiet small"
        label="Previous revision"
        disabled={current <= 0 && isAtStart}
        onClick={() => goTo(current - 1)}
      >
        ‹
      </Button>
      <input
        type="range"
        min={0}
        max={Math.max(0, steps.length - 1)}
        step={1}
        value={current}
        aria-label="Revision of the machine"
        aria-valuetext={where}
        onInput={(event) => goTo(Number(event.currentTarget.value))}
      />
      <Button
        class="quiet small"
        label="Next revision"
        disabled={current >= steps.length - 1}
        onClick={() => goTo(current + 1)}
      >
        ›
      </Button>
    </section>
  )
}

/** A step of a copy. */
export type Stepped = Extract<TriedView, { readonly possible: true }>

interface Taken {
  readonly text: string
  readonly to: Stepped
}

/** Steps a copy of a machine from where it rests; `shown` gets what the chart shows of the copy. */
export const StepCopy = ({
  machine,
  from,
  shown
}: {
  readonly machine: string
  readonly from: RestView
  readonly shown: (stepped: Stepped | undefined) => void
}): VNode => {
  const [taken, setTaken] = useState<ReadonlyArray<Taken>>([])
  const [problem, setProblem] = useState("")
  const last = taken.at(-1)?.to
  useEffect(() => () => shown(undefined), [])
  const leave = (): void => {
    setTaken([])
    setProblem("")
    shown(undefined)
  }
  const step = ({ type, text }: NamedEvent): void => {
    const { value, history } = last ?? from
    post<TriedView>("try", { machine, value, history, event: type }).then(
      (tried) => {
        if (!tried.possible) return setProblem(`${text}: ${tried.why}`)
        setTaken([...taken, { text, to: tried }])
        setProblem("")
        shown(tried)
      },
      (error: unknown) => setProblem(sentenceOf(error))
    )
  }
  const { steps } = last ?? from
  return (
    <section class="panel copy" aria-label="Step a copy">
      <h2>Step a copy</h2>
      <p class="muted">
        By the stored definition, which has no functions: what a guard decides is refused, and the context stays.
      </p>
      <ol class="steps">
        {taken.map(({ text, to }, index) => (
          <li key={index}>
            <b>{text}</b> <span class="mono">→ {to.to}</span>
          </li>
        ))}
      </ol>
      {last === undefined ? null : <Trace trace={last.trace} />}
      <div class="takes">
        {steps.map((event) => (
          <Button key={event.type} class="small" title={event.type} onClick={() => step(event)}>
            {event.text}
          </Button>
        ))}
        {steps.length === 0 ? <p class="muted">Nothing leads on from here.</p> : null}
      </div>
      <p class="problem" role="alert">
        {problem}
      </p>
      {taken.length === 0 ? null : (
        <Button class="small" onClick={leave}>
          Leave the copy
        </Button>
      )}
    </section>
  )
}
