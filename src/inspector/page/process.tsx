/**
 * One process: why it does not move, what it was given and ended with, its run, its log; in the present or after any of its
 * events. What the library adds, its lifecycle and its record, is shown on demand.
 */
import type { VNode } from "preact"
import { useMemo, useState } from "preact/hooks"
import { valueText } from "../text.ts"
import type { HostView, MachineView } from "../View.ts"
import { openAbandon, openCancel, openSignal, takesActions } from "./actions.tsx"
import { Chart } from "./chart.tsx"
import { Difference } from "./difference.tsx"
import { Facts, Outcome, Strip } from "./facts.tsx"
import { Value } from "./json.tsx"
import { useRead } from "./live.ts"
import type { TextOf } from "./log.tsx"
import { Log } from "./log.tsx"
import type { Followed, Known } from "./look.ts"
import { useLook } from "./look.ts"
import { Messages } from "./messages.tsx"
import { Button, Copy, Notice, Pill } from "./parts.tsx"
import type { Place } from "./place.ts"
import { go, hashOf } from "./place.ts"
import type { Stepped } from "./rest.tsx"
import { RestPanels, Revisions, StepCopy } from "./rest.tsx"
import { Runs } from "./runs.tsx"

const tabs = [
  ["run", "Run"],
  ["lifecycle", "Lifecycle"],
  ["difference", "Difference"],
  ["messages", "Messages"],
  ["record", "Record"]
] as const

/** A process, at the place that the address names. */
export const Process = ({
  id,
  place,
  host
}: {
  readonly id: string
  readonly place: Place
  readonly host: HostView | undefined
}): VNode => {
  const at = place.sequence
  const followed = useLook(id, at)
  const { known, problem } = followed
  if (problem !== undefined) return <Notice kind="error" title="This process cannot be shown" text={problem} />
  if (known === undefined) return <Notice kind="loading" title="Reading the process…" />
  return <Shown known={known} followed={followed} place={place} host={host} id={id} />
}

/** Goes to an event of the process that is shown; `undefined` is the present. */
export const goToEvent = (place: Place, sequence: number | undefined): void => {
  const { sequence: _before, ...rest } = place
  go({ ...rest, ...(sequence === undefined ? {} : { sequence }) }, true)
}

const Shown = ({
  known,
  followed,
  place,
  host,
  id
}: {
  readonly known: Known
  readonly followed: Followed
  readonly place: Place
  readonly host: HostView | undefined
  readonly id: string
}): VNode => {
  const { view, events, why } = known
  const { row, signals } = view
  const at = place.sequence
  const isPast = at !== undefined
  const moment = known.moment?.sequence === (at ?? row.sequence) ? known.moment : undefined
  const [stepped, setStepped] = useState<Stepped>()
  const isReadOnly = !takesActions(host)
  const hasEnded = row.state !== "running"
  const hint = isReadOnly ? "This inspector is read-only" : hasEnded ? "The process has ended" : ""
  const isOff = isReadOnly || hasEnded
  const done = followed.refresh
  const tab = tabs.some(([name]) => name === place.query["tab"]) ? place.query["tab"] : "run"
  const record = isPast ? moment?.record : view.record
  const rest = moment?.rest ?? (isPast ? undefined : view.rest)
  const choose = (sequence: number | undefined): void => goToEvent(place, sequence)
  const send = isOff || isPast || signals.length === 0 ? undefined : (event: string) => openSignal(view, done, event)
  const needsOwn = view.machine !== "process"
  const machine = useRead<MachineView>(needsOwn ? `machine?id=${encodeURIComponent(view.machine)}` : undefined)
  const texts = useMemo(() => eventTexts(machine.value?.words ?? {}), [machine.value])
  return (
    <article class="process" aria-label={`Process ${id}`}>
      <div class="head">
        <div class="title">
          <h2 class="mono" title={id}>
            <bdi>{id}</bdi>
          </h2>
          <Copy what="the id" text={() => id} />
          <Pill state={row.state} />
          <span class="muted">{row.label === undefined ? row.kind : `${row.label} · ${row.kind}`}</span>
        </div>
        <div class="actions">
          <Button
            class="small"
            title={hint}
            disabled={isOff || signals.length === 0}
            onClick={() => openSignal(view, done)}
          >
            Signal…
          </Button>
          <Button class="small" title={hint} disabled={isOff} onClick={() => openCancel(id, done)}>
            Cancel…
          </Button>
          <Button
            class="small"
            title={hint}
            disabled={isOff || row.abandon_requested}
            onClick={() => openAbandon(id, done)}
          >
            Abandon…
          </Button>
        </div>
        <Why id={id} text={why} />
        <Strip active={isPast ? moment?.lifecycle : view.lifecycle} row={row} />
        <nav class="tabs" aria-label="Parts of the process">
          {tabs.map(([name, label]) => {
            const { tab: _tab, ...query } = place.query
            const href = hashOf({ ...place, query: name === "run" ? query : { ...query, tab: name } })
            return (
              <a key={name} href={href} aria-current={tab === name ? "page" : undefined}>
                {label}
              </a>
            )
          })}
        </nav>
      </div>
      <div class="process-body">
        <div class="middle">
          <p class="past" role="status" hidden={!isPast && stepped === undefined}>
            {stepped !== undefined
              ? "A copy, stepped by hand: no process is there."
              : isPast
                ? moment === undefined
                  ? `Reading event ${at} of ${row.sequence}…`
                  : `As it was after event ${at} of ${row.sequence}. Press Esc for the present.`
                : ""}
          </p>
          {tab === "run" ? (
            <>
              {record === undefined ? null : <Outcome record={record} row={row} />}
              <Runs id={id} events={events} underWay={known.underWay} at={at} last={row.sequence} choose={choose} />
              {needsOwn && rest !== undefined ? (
                <Revisions events={events} at={at} rest={rest} choose={choose} loadEarlier={followed.loadEarlier} />
              ) : null}
              {needsOwn ? (
                <ChartPanel
                  read={machine}
                  active={stepped?.active ?? (isPast ? (moment?.active ?? []) : view.active)}
                  taken={stepped?.taken ?? moment?.taken ?? []}
                  timers={stepped === undefined ? (rest?.timers ?? []) : []}
                />
              ) : null}
              <Log
                events={events}
                last={row.sequence}
                at={at}
                textOf={texts}
                choose={choose}
                loadEarlier={followed.loadEarlier}
              />
            </>
          ) : tab === "lifecycle" ? (
            <Lifecycle
              active={isPast ? (moment?.lifecycle ?? []) : view.lifecycle}
              taken={needsOwn ? [] : (moment?.taken ?? [])}
            />
          ) : tab === "difference" ? (
            <Difference id={id} at={at} last={row.sequence} />
          ) : tab === "messages" ? (
            <Messages id={id} />
          ) : (
            <section class="panel" aria-label="Record">
              <div class="panel-title">
                <h2>{isPast ? `Record at event ${at}` : "Record"}</h2>
              </div>
              {record === undefined ? (
                <Notice kind="loading" title="Reading the event…" />
              ) : (
                <Value value={record} open={1} what="the record" />
              )}
            </section>
          )}
        </div>
        <div class="facts">
          {rest === undefined ? null : <RestPanels rest={rest} isPast={isPast} send={send} />}
          {rest === undefined || tab !== "run" ? null : (
            <StepCopy
              key={`${view.machine} ${at ?? row.sequence}`}
              machine={view.machine}
              from={rest}
              shown={setStepped}
            />
          )}
          <Facts view={view} moment={moment} isPast={isPast} />
        </div>
      </div>
    </article>
  )
}

const Lifecycle = ({
  active,
  taken
}: {
  readonly active: ReadonlyArray<string>
  readonly taken: ReadonlyArray<string>
}): VNode => {
  const read = useRead<MachineView>("machine?id=process")
  return <ChartPanel read={read} active={active} taken={taken} />
}

const ChartPanel = ({
  read: { value, problem },
  ...lit
}: {
  readonly read: { readonly value: MachineView | undefined; readonly problem: string | undefined }
} & Omit<Parameters<typeof Chart>[0], "name" | "chart">): VNode => (
  // As high as the chart needs, within what the style sheet allows.
  <div class="panel chart-panel" style={{ height: `${Math.round((value?.chart.height ?? 400) * 1.05) + 70}px` }}>
    {value !== undefined ? (
      <Chart name={value.id} chart={value.chart} {...lit} />
    ) : problem === undefined ? (
      <Notice kind="loading" title="Drawing the statechart…" />
    ) : (
      <Notice kind="error" title="The statechart cannot be drawn" text={problem} />
    )}
  </div>
)

/** Why it does not move: one sentence, and the rest when a person asks. */
const Why = ({ id, text }: { readonly id: string; readonly text: string }): VNode | null => {
  // The heading above already shows the id, which may itself have lines.
  const [sentence = "", ...others] = (text.startsWith(`${id}: `) ? text.slice(id.length + 2) : text).split("\n")
  if (sentence === "") return null
  if (others.length === 0) return <p class="why why-sentence">{sentence}</p>
  return (
    <details class="why">
      <summary>
        <span class="why-sentence">{sentence}</span> <span class="why-more">all of it</span>
      </summary>
      <pre tabIndex={0} role="region" aria-label="The whole explanation">
        {others.join("\n")}
      </pre>
      <Copy what="the explanation" text={() => text} />
    </details>
  )
}

/** What the events of a machine say, with words for those that XState makes. */
const eventTexts =
  (words: MachineView["words"]): TextOf =>
  ({ event_type: type, payload }) => {
    const { event, from, to, timer } = Object(payload) as Readonly<Record<string, unknown>> // redacted, it may be anything
    const { type: name } = Object(event) as { readonly type?: unknown }
    if (typeof name !== "string" || !type.startsWith("machine.")) return undefined
    const said = words[name] ?? name
    if (type !== "machine.transitioned") return timer === undefined ? said : `${said}, a timer`
    const places = [...new Set([from, to].map(valueText))].filter((place) => place !== "")
    return `${said}: ${places.join(" → ")}`
  }
