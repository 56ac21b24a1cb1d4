/**
 * The facts of a process: what it was given and what it ended with, its status, lease, waits, children, journal and record.
 */
import type { ComponentChildren, VNode } from "preact"
import { hasHost } from "../reason.ts"
import { spanOf, wordsOf } from "../text.ts"
import type { EventView, MomentView, ProcessView, RowView } from "../View.ts"
import { OutputFailure, recordedFailure } from "./failure.tsx"
import { Commands, Json, Value } from "./json.tsx"
import { useTick } from "./live.ts"
import { Age, Copy, Notice, Panel, Pill, ProcessLink, TimeAndAge } from "./parts.tsx"
import { ageOf, nowMs, timeOf } from "./text.ts"

/** A process as the page keeps it between looks. */
export type Shown = Omit<ProcessView, "now_ms">

type Wire = Readonly<Record<string, unknown>>

/** What a process was given, and what it ended with: its failure, its result, or why it was stopped. */
export const Outcome = ({ record, row }: { readonly record: Wire; readonly row: RowView }): VNode => {
  const status = record["status"] as { readonly await_output?: Wire } | undefined // the wire form of a record
  const output = status?.await_output
  const { input } = record as { readonly input?: Wire } // as above
  const given =
    input === undefined ? undefined : (input["payload"] ?? input["metadata"] ?? input["call"] ?? input["turn_input"])
  return (
    <div class="outcome">
      {output === undefined ? null : <Ended output={output} row={row} />}
      {given === undefined || given === null ? null : (
        <Panel title="Input">
          <Value value={given} open={1} what="the input" />
        </Panel>
      )}
    </div>
  )
}

const Ended = ({ output, row }: { readonly output: Wire; readonly row: RowView }): VNode => {
  const { type } = output
  if (type === "failure") {
    return (
      <Panel title="Failure" class="bad">
        <OutputFailure output={output} />
      </Panel>
    )
  }
  if (type === "success") {
    return (
      <Panel title="Result" class="good">
        <Value value={output["value"]} open={1} what="the result" />
      </Panel>
    )
  }
  return (
    <Panel title={type === "cancelled" ? "Cancelled" : "Abandoned"}>
      <p>{row.problem ?? "Its outcome is unknown."}</p>
      {type === "cancelled" ? null : <Json value={output} open={1} />}
    </Panel>
  )
}

/** The states of the lifecycle as a strip, those that are active lit. */
export const Strip = ({
  active,
  row
}: {
  /** `undefined` lights none: that moment is not read yet. */
  readonly active: ReadonlyArray<string> | undefined
  readonly row: RowView
}): VNode => {
  const isIn = (part: string): boolean => active?.some((id) => id.endsWith(`.${part}`)) === true
  const isOver = active?.includes("process.running") === false
  const main = [
    ["unstarted", isIn("unstarted")],
    ["active", isIn("started.active")],
    ["suspended", isIn("started.suspended")],
    ["dormant", isIn("started.dormant")],
    ["waiting", isIn("wait.waiting")],
    [isOver ? row.state : "ended", isOver]
  ] as const
  const asked = [
    ["cancel asked", isOver ? row.cancel_requested : isIn("cancel.requested")],
    ["abandon asked", isOver ? row.abandon_requested : isIn("abandon.requested")]
  ] as const
  return (
    <ol class="strip" aria-label="States">
      {main.map(([name, isLit]) => (
        <li key={name} class={isLit ? `lit ${isOver ? row.state : "running"}` : ""} aria-current={isLit}>
          {name}
        </li>
      ))}
      {asked.map(([name, isLit]) =>
        isLit ? (
          <li key={name} class="lit cancelled" aria-current>
            {name}
          </li>
        ) : null
      )}
    </ol>
  )
}

/** The panels beside a run: of the present, or of a past moment. */
export const Facts = ({
  view,
  moment,
  isPast
}: {
  readonly view: Shown
  readonly moment: MomentView | undefined
  readonly isPast: boolean
}): VNode => {
  const past = isPast ? moment : undefined
  // The present is never shown as the past, also not until that is read.
  if (isPast && past === undefined) return <Notice kind="loading" title="Reading the event…" />
  return (
    <>
      {past?.event ? <Event of={past.event} /> : null}
      {past === undefined ? <Status view={view} /> : <PastStatus row={view.row} moment={past} />}
      {isPast ? null : <LeasePanel view={view} />}
      {isPast ? null : <Waits record={view.record} />}
      {moment !== undefined && moment.commands.length > 0 ? (
        <Panel title="Commands of this event">
          <Commands commands={moment.commands} open={1} />
        </Panel>
      ) : null}
      {isPast || view.children.length === 0 ? null : <Children view={view} />}
      {isPast || view.progress.length === 0 || view.row.state !== "running" ? null : <Progress view={view} />}
      {isPast || view.journal.length === 0 ? null : <JournalPanel view={view} />}
    </>
  )
}

const Status = ({ view: { row, lifecycle } }: { readonly view: Shown }): VNode => (
  <Panel title="Status">
    <Terms
      row={row}
      active={lifecycle}
      attempts={row.attempts}
      changedAtMs={row.updated_at_ms}
      more={[["next check", <NextCheck key="next" row={row} />]]}
    />
  </Panel>
)

const PastStatus = ({
  row,
  moment: { lifecycle, record }
}: {
  readonly row: RowView
  readonly moment: MomentView
}): VNode => (
  <Panel title="Status then">
    <Terms
      row={row}
      active={lifecycle}
      attempts={Number(record["attempts"] ?? 0)}
      changedAtMs={Number(record["updated_at_ms"])}
      more={[]}
    />
  </Panel>
)

type Term = readonly [name: string, value: ComponentChildren]

const TermList = ({ of }: { readonly of: ReadonlyArray<Term> }): VNode => (
  <dl class="terms">
    {of.map(([name, value]) => [<dt key={`${name} name`}>{name}</dt>, <dd key={name}>{value}</dd>])}
  </dl>
)

const Terms = ({
  row,
  active,
  attempts,
  changedAtMs,
  more
}: {
  readonly row: RowView
  readonly active: ReadonlyArray<string>
  readonly attempts: number
  readonly changedAtMs: number
  readonly more: ReadonlyArray<Term>
}): VNode => (
  <TermList
    of={[
      ["states", leavesOf(active).join(", ")],
      ["disposition", row.disposition],
      ["attempts", attempts],
      ["originator", row.originator],
      ...(row.parent_id === undefined ? [] : [["parent", <ProcessLink key="parent" id={row.parent_id} />] as const]),
      ["created", <TimeAndAge key="created" ms={row.created_at_ms} />],
      ["changed", <TimeAndAge key="changed" ms={changedAtMs} />],
      ...more
    ]}
  />
)

const NextCheck = ({ row }: { readonly row: RowView }): VNode => {
  useTick(1_000)
  return <>{dueOf(row)}</>
}

const dueOf = (row: RowView): string => {
  if (row.state !== "running") return "none: it has ended"
  if (row.holder === "dead") return "due: at the next sweep, its host is gone"
  if (row.owner_id !== undefined) return "when its lease ends"
  if (row.due_at_ms === null) return "only an event can move it"
  return row.due_at_ms <= nowMs() ? "due: at the next sweep" : ageOf(row.due_at_ms)
}

const LeasePanel = ({ view: { lease, fencing_token: fence } }: { readonly view: Shown }): VNode => {
  useTick(1_000)
  if (lease === null) {
    return (
      <Panel title="Lease">
        <p class="muted">No host holds it. Last fence: {fence}.</p>
      </Panel>
    )
  }
  const {
    owner,
    expires_at_epoch_ms: expires,
    claimed_at_epoch_ms: claimed
  } = lease as {
    readonly owner: { readonly owner_id: string; readonly incarnation_id: string; readonly liveness?: unknown }
    readonly expires_at_epoch_ms: number
    readonly claimed_at_epoch_ms: number
  } // the wire form of a lease
  const left = expires - nowMs()
  return (
    <Panel title="Lease" aside={<Copy what="the owner" text={() => owner.owner_id} />}>
      <TermList
        of={[
          [
            "owner",
            <span key="owner" class="mono">
              {owner.owner_id}
            </span>
          ],
          [
            "incarnation",
            <span key="incarnation" class="mono">
              {owner.incarnation_id}
            </span>
          ],
          ["fence", fence],
          ["claimed", timeOf(claimed)],
          ["expires", left > 0 ? `in ${spanOf(left)}` : `expired ${ageOf(expires)}`]
        ]}
      />
      {owner.liveness === undefined ? null : (
        <details>
          <summary>Evidence of liveness</summary>
          <Json value={owner.liveness} open={2} />
        </details>
      )}
    </Panel>
  )
}

const Waits = ({ record: { waits } }: { readonly record: Wire }): VNode => (
  <Panel title="Waits">
    {Array.isArray(waits) && waits.length > 0 ? (
      waits.map((wait, index) => <Wait key={index} wait={wait} />)
    ) : (
      <p class="muted">No wait of its own is open.</p>
    )}
  </Panel>
)

/** Kinds of waits differ; each field that is a time is shown as one. */
const Wait = ({ wait }: { readonly wait: unknown }): VNode => {
  const { kind, ...rest } = wait as { readonly kind: Wire } // the wire form of a wait
  return (
    <TermList
      of={Object.entries({ ...kind, ...rest }).map(([name, value]) => [
        wordsOf(name.replace(/_ms$/, "")),
        name.endsWith("_ms") && typeof value === "number" ? (
          <TimeAndAge ms={value} />
        ) : (
          <span class="mono">{typeof value === "string" ? value : JSON.stringify(value)}</span>
        )
      ])}
    />
  )
}

const Children = ({ view: { children, children_complete: isComplete } }: { readonly view: Shown }): VNode => (
  <Panel title={`Children (${children.length}${isComplete ? "" : "+"})`}>
    <ul class="children">
      {children.map((row) => (
        <li key={row.process_id}>
          <Pill state={row.state} /> <ProcessLink id={row.process_id} />
        </li>
      ))}
    </ul>
  </Panel>
)

/** Steps under way, by their last word. */
const Progress = ({ view: { progress, row } }: { readonly view: Shown }): VNode => (
  <Panel title={hasHost(row) ? "Steps under way" : "Steps under way when its host was last heard of"}>
    <ul class="commands">
      {progress.map(({ key, at_ms: at, detail }) => (
        <li key={key}>
          <code>{key}</code>{" "}
          <span class="muted">
            <Age ms={at} />
          </span>{" "}
          <Json value={detail} open={1} />
        </li>
      ))}
    </ul>
  </Panel>
)

/** Outcomes of operations, newest first. */
const JournalPanel = ({ view: { journal, journal_length: length } }: { readonly view: Shown }): VNode => (
  <Panel title={`Journal (${length})`}>
    <ul class="commands">
      {journal.toReversed().map(({ position, operation, key, at_ms: at, outcome }) => (
        <li key={position}>
          <span class="muted">
            {position} {wordsOf(operation)}{" "}
          </span>
          <code title={timeOf(at)}>{key}</code> {recordedFailure(outcome) ?? <Json value={outcome} open={0} />}
        </li>
      ))}
    </ul>
    {journal.length < length ? (
      <p class="muted">
        The last {journal.length} of {length} are shown.
      </p>
    ) : null}
  </Panel>
)

const Event = ({
  of: { sequence, event_type: type, payload, semantics, invocation }
}: {
  readonly of: EventView
}): VNode => (
  <Panel title={`Event ${sequence}`}>
    <p class="mono">{type}</p>
    <Value value={{ payload, semantics, invocation }} open={2} what="the event" />
  </Panel>
)

const leavesOf = (active: ReadonlyArray<string>): ReadonlyArray<string> =>
  active
    .filter((id) => !active.some((other) => other.startsWith(`${id}.`)))
    .map((id) =>
      id
        .split(".")
        .slice(1)
        .filter((part) => part !== "running" || active.length < 3)
        .join(".")
    )
