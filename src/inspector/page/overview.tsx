/**
 * The whole host at one look: what needs a person, what ends and fails, what is late, who works.
 */
import type { ComponentChildren, VNode } from "preact"
import { useEffect } from "preact/hooks"
import type { InboxGroup, OverviewView } from "../OverviewView.ts"
import { countOf } from "../text.ts"
import type { HostView } from "../View.ts"
import { openSignalOf, takesActions } from "./actions.tsx"
import { useRead } from "./live.ts"
import { Age, Button, Notice, Panel, ProcessLink } from "./parts.tsx"
import { hashOf } from "./place.ts"

/** The overview; it reads itself again every two seconds. */
export const Overview = ({ host }: { readonly host: HostView | undefined }): VNode => {
  const { value, problem, again } = useRead<OverviewView>("overview", { everyMs: 2_000 })
  useEffect(() => {
    if (value?.reading !== undefined) again()
  }, [value])
  if (problem !== undefined) return <Notice kind="error" title="The overview cannot be shown" text={problem} />
  if (value === undefined) return <Notice kind="loading" title="Reading all processes…" />
  const { reading } = value
  return (
    <div class="overview">
      <h2 class="unseen">Overview</h2>
      {reading === undefined ? null : (
        <p class="past" role="status">
          {countOf(reading.read)} of {countOf(reading.of)} processes are read: the numbers grow.
        </p>
      )}
      <Inbox of={value} mayAct={takesActions(host)} done={again} />
      <Ends of={value} />
      <Failures of={value} />
      <Work of={value} />
    </div>
  )
}

const listOf = (query: Readonly<Record<string, string>>): string => hashOf({ view: "processes", query })

const Figure = ({
  number,
  name,
  href
}: {
  readonly number: ComponentChildren
  readonly name: string
  readonly href?: string
}): VNode => (
  <p class="figure">
    <b>{number}</b> {href === undefined ? <span class="muted">{name}</span> : <a href={href}>{name}</a>}
  </p>
)

const Inbox = ({
  of: { inbox, inbox_left_off: left, unknown, wakes },
  mayAct,
  done
}: {
  readonly of: OverviewView
  readonly mayAct: boolean
  readonly done: () => void
}): VNode => {
  const count = inbox.reduce((sum, group) => sum + group.count, 0)
  const discarded = wakes?.discarded ?? 0
  const all = count + discarded + (unknown?.count ?? 0)
  return (
    <Panel title={`Needs you ${countOf(all)}`} class="inbox">
      {all === 0 ? <p class="muted">No process waits for a person.</p> : null}
      {inbox.map((group) => (
        <Asked key={`${group.kind} ${group.asks.join(" ")}`} of={group} mayAct={mayAct} done={done} />
      ))}
      {left === 0 ? null : <p class="muted">{countOf(left)} more kinds of signals are waited for.</p>}
      {unknown === undefined ? null : (
        <p>
          <b>{countOf(unknown.count)}</b> with an unknown outcome: find out how it ended, then abandon it.{" "}
          {unknown.process_ids.map((id) => [<ProcessLink key={id} id={id} />, " "])}
          {unknown.count > unknown.process_ids.length ? "…" : ""}
        </p>
      )}
      {discarded === 0 ? null : (
        <p>
          <b>{countOf(discarded)}</b> discarded <a href="#/wakes">wakes</a>
        </p>
      )}
    </Panel>
  )
}

const eitherOf = (asks: ReadonlyArray<string>): string => asks.join(" or ")

const Asked = ({
  of: { kind, asks, count, oldest_ms: oldest, rows },
  mayAct,
  done
}: {
  readonly of: InboxGroup
  readonly mayAct: boolean
  readonly done: () => void
}): VNode => (
  <section class="asked" aria-label={`${kind} waits for ${eitherOf(asks)}`}>
    <h3>
      <b>{countOf(count)}</b> {kind} → <span class="mono">{eitherOf(asks)}</span>{" "}
      <span class="muted">
        oldest <Age ms={oldest} />
      </span>
    </h3>
    <ul>
      {rows.map(({ process_id: id, label, since_ms: since, until_ms: until }) => (
        <li key={id}>
          <Button
            class="small"
            disabled={!mayAct}
            title={mayAct ? `Send ${eitherOf(asks)} to ${id}` : "This inspector is read-only"}
            label={`Answer ${eitherOf(asks)} of ${id}`}
            onClick={() => void openSignalOf(id, asks[0], done)}
          >
            Answer…
          </Button>{" "}
          <ProcessLink id={id} /> {label === undefined ? null : <span>{label} </span>}
          <span class="muted">
            asked <Age ms={since} />
            {until === undefined ? null : [", ends ", <Age key="until" ms={until} />]}
          </span>
        </li>
      ))}
    </ul>
    {count > rows.length ? (
      <p>
        <a href={listOf({ state: "running", kind, asks: asks.join(" "), sort: "changed", order: "asc" })}>
          all {countOf(count)}
        </a>
      </p>
    ) : null}
  </section>
)

/** How high the bars of a minute are, and how wide one is with the room beside it. Units: pixels. */
const bar = { height: 64, width: 8 }

const Ends = ({ of: { ends, counts, total, now_ms: now } }: { readonly of: OverviewView }): VNode => {
  const most = Math.max(...ends.map(({ good, bad }) => good + bad))
  const hour = ends.reduce((sum, { good, bad }) => sum + good + bad, 0)
  const heightOf = (count: number): number => (count / Math.max(1, most)) * bar.height
  return (
    <Panel title="Ends per minute">
      <svg
        class="ends"
        viewBox={`0 0 ${ends.length * bar.width} ${bar.height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${hour} ends within the last hour, at most ${most} in a minute`}
      >
        {ends.map(({ good, bad }, index) => (
          <g key={Math.floor(now / 60_000) - index}>
            <title>{`${ends.length - 1 - index} min ago: ${good} completed, ${bad} otherwise`}</title>
            <rect
              class="good"
              x={index * bar.width}
              y={bar.height - heightOf(good)}
              width={bar.width - 2}
              height={heightOf(good)}
            />
            <rect
              class="bad"
              x={index * bar.width}
              y={bar.height - heightOf(good + bad)}
              width={bar.width - 2}
              height={heightOf(bad)}
            />
            <rect class="none" x={index * bar.width} y={bar.height - 1} width={bar.width - 2} height={1} />
          </g>
        ))}
      </svg>
      <p class="muted small-print">
        {most === 0 ? "none in the last hour" : `the last hour, at most ${countOf(most)} in a minute`}
      </p>
      <div class="figures">
        <Figure number={countOf(total)} name="all" href={listOf({})} />
        {Object.entries(counts).map(([state, count]) => (
          <Figure key={state} number={countOf(count)} name={state} href={listOf({ state })} />
        ))}
      </div>
    </Panel>
  )
}

const Failures = ({ of: { failures, failed_lately: count } }: { readonly of: OverviewView }): VNode => (
  <Panel title={`Failed within a day ${countOf(count)}`} class={count > 0 ? "bad" : ""}>
    {failures.length === 0 ? <p class="muted">None failed.</p> : null}
    <ul class="failures">
      {failures.map(({ kind, problem, count: times, process_id: id, latest_ms: latest }) => (
        <li key={`${kind} ${problem}`}>
          <a href={listOf({ kind, problem: problem.replace(/…$/, "") })}>
            <b>{countOf(times)} ×</b> {kind}
          </a>{" "}
          <span class="problem">{problem}</span>{" "}
          <span class="muted">
            last <Age ms={latest} />: <ProcessLink id={id} />
          </span>
        </li>
      ))}
    </ul>
  </Panel>
)

const Work = ({ of }: { readonly of: OverviewView }): VNode => {
  const { active, waiting, late, late_kinds: kinds, oldest_due_ms: due, holders, slots, wakes } = of
  return (
    <Panel title="Work">
      <div class="figures">
        <Figure number={countOf(active)} name="at work" href={listOf({ work: "active" })} />
        {slots === undefined ? null : (
          <Figure number={`${slots.total - slots.free}/${slots.total}`} name="slots taken" />
        )}
        <Figure number={countOf(waiting)} name="waiting" href={listOf({ work: "waiting" })} />
        <Figure
          number={countOf(late)}
          name={late === 0 ? "backlog" : `backlog of ${kinds} ${kinds === 1 ? "kind" : "kinds"}`}
          href={listOf({ work: "late", sort: "due", order: "asc" })}
        />
        {wakes === undefined ? null : (
          <Figure
            number={countOf(wakes.pending)}
            name={`wakes pending, ${wakes.blocked} groups blocked`}
            href="#/wakes"
          />
        )}
      </div>
      {due === undefined ? null : (
        <p>
          The oldest was due <Age ms={due} />.
        </p>
      )}
      <h3>Holders</h3>
      {holders.length === 0 ? <p class="muted">No host holds a process.</p> : null}
      <ul class="holders">
        {holders.map(({ owner_id: owner, leases, dead }) => (
          <li key={owner}>
            <b>{countOf(leases)}</b> <span class="mono">{owner}</span>
            {dead === true ? <span class="mark bad">gone</span> : null}
          </li>
        ))}
      </ul>
    </Panel>
  )
}
