/**
 * What only some hosts have: the supervision tree, the last sweeps, the wake outbox.
 */
import type { ComponentChildren, VNode } from "preact"
import { brief, spanOf, wordsOf } from "../text.ts"
import type { HostView, PartView } from "../View.ts"
import type { BlockedView, WakeView } from "../views/wakes.ts"
import { openRedrive, takesActions } from "./actions.tsx"
import { useRead } from "./live.ts"
import { Age, Button, Notice, Panel, Pill, ProcessLink, TimeAndAge } from "./parts.tsx"
import { ageOf } from "./text.ts"

/** The supervision tree. */
export const Tree = (): VNode => (
  <Part<Node | ReadonlyArray<Node>>
    path="tree"
    title="Supervision tree"
    lead="The parts of this host. A supervisor restarts a part that fails."
    absent="This host offers no supervision tree; a file never has one."
    show={(tree) => (
      <Panel title="Supervision tree">
        <ul class="tree">
          {[tree].flat().map((node) => (
            <Branch key={node.name} node={node} />
          ))}
        </ul>
      </Panel>
    )}
  />
)

/** The last sweeps, newest first. */
export const Sweeps = (): VNode => (
  <Part<ReadonlyArray<Sweep>>
    path="sweeps"
    title="Sweeps"
    lead="A sweep looks for processes that no host runs. It admits them to this host, ends those that cannot go on, and leaves the others for later."
    absent="This host keeps no sweep reports; a file never has any."
    show={(all) =>
      all.length === 0 ? (
        <Notice kind="empty" title="No sweep yet" text="The first one is reported here." />
      ) : (
        <Panel title="Sweeps">
          {all.map((sweep) => (
            <SweepLine key={sweep.at_ms} sweep={sweep} />
          ))}
        </Panel>
      )
    }
  />
)

/** The wake outbox. */
export const Wakes = ({ host }: { readonly host: HostView | undefined }): VNode => (
  <Part<Outbox>
    path="wakes"
    title="Wake outbox"
    lead="A wake is a message of a process to a session. It stays in this outbox until the session has it, or it is discarded."
    absent="This host offers no wake outbox here."
    show={({ counts, rows, blocked = [], ...left }, again) => (
      <>
        <Panel title="Wake outbox">
          <div class="chips">{countsOf(counts)}</div>
          {rows.length === 0 ? (
            <Notice kind="empty" title="No wakes" text="Wakes that are pending or discarded appear here." />
          ) : (
            <WakeTable wakes={rows} mayRedrive={takesActions(host) && host?.redrive === true} done={again} />
          )}
          <LeftOff count={left.rows_left_off} />
        </Panel>
        {blocked.length === 0 ? null : (
          <Panel title="Blocked groups">
            <BlockedTable groups={blocked} />
            <LeftOff count={left.blocked_left_off} />
          </Panel>
        )}
      </>
    )}
  />
)

/** How often a part is read again: renewed leases and sweeps append no event. Units: milliseconds. */
const everyMs = 3_000

const Part = <A,>({
  path,
  title,
  lead,
  absent,
  show
}: {
  readonly path: string
  readonly title: string
  readonly lead: string
  readonly absent: string
  readonly show: (value: A, again: () => void) => VNode
}): VNode => {
  const { value: part, problem, again } = useRead<PartView>(path, { everyMs })
  return (
    <div class="view">
      <p class="lead">{lead}</p>
      <div class="part">
        {problem !== undefined ? (
          <Notice kind="error" title={`${title} could not be read`} text={problem} />
        ) : part === undefined ? (
          <Notice kind="loading" title={`Reading: ${title}…`} />
        ) : part.available ? (
          show(part.value as A, again) // the shape that a host promises for this part
        ) : (
          <Notice kind="empty" title={`${title}: not available here`} text={absent} />
        )}
      </div>
    </div>
  )
}

/** A supervisor or what it supervises; further fields are shown as they are. */
interface Node {
  readonly name: string
  readonly kind?: string
  readonly state?: string
  readonly note?: string
  readonly children?: ReadonlyArray<Node>
}

const Branch = ({ node: { name, kind, state, note, children = [], ...rest } }: { readonly node: Node }): VNode => {
  const line = (
    <>
      <b class="mono">{name}</b>
      {kind === undefined ? null : <span class="muted"> {kind}</span>}
      {state === undefined ? null : <Pill state={state} />}
      {note === undefined ? null : <span class="muted"> {note}</span>}
      {Object.entries(rest).map(([key, field]) => (
        <span key={key} class="mark">
          {wordsOf(key)}: {scalarOf(key, field)}
        </span>
      ))}
    </>
  )
  if (children.length === 0) {
    return (
      <li>
        <div class="branch">{line}</div>
      </li>
    )
  }
  return (
    <li>
      <details open>
        <summary class="branch">{line}</summary>
        <ul>
          {children.map((child, index) => (
            <Branch key={`${child.name} ${index}`} node={child} />
          ))}
        </ul>
      </details>
    </li>
  )
}

const scalarOf = (key: string, value: unknown): string =>
  key.endsWith("_ms") && typeof value === "number" ? ageOf(value) : brief(value, 80)

/** A process that a sweep met: its id alone, or with what became of it. */
type Met =
  | string
  | { readonly id: string; readonly as?: string; readonly reason?: { readonly why: string; readonly problem?: string } }

interface Sweep {
  readonly at_ms: number
  readonly duration_ms?: number
  readonly problem?: string
  readonly dead?: ReadonlyArray<{ readonly owner_id: string; readonly leases: number }>
  readonly admitted: ReadonlyArray<Met>
  readonly ended: ReadonlyArray<Met>
  readonly deferred: ReadonlyArray<Met>
}

const SweepLine = ({
  sweep: { at_ms: at, duration_ms: took, problem, dead = [], admitted, ended, deferred }
}: {
  readonly sweep: Sweep
}): VNode => (
  <details class="sweep" open={admitted.length + ended.length + deferred.length > 0}>
    <summary>
      <TimeAndAge ms={at} />
      {took === undefined ? "" : ` · ${spanOf(took)}`}
      {problem === undefined
        ? ` · admitted ${admitted.length}, ended ${ended.length}, deferred ${deferred.length}`
        : ` · failed: ${problem}`}
    </summary>
    {dead.map(({ owner_id: id, leases }) => (
      <p key={id}>
        {id} is proven dead; it left {leases} {leases === 1 ? "lease" : "leases"}.
      </p>
    ))}
    {Object.entries({ admitted, ended, deferred }).map(([name, all]) =>
      all.length === 0 ? null : (
        <div key={name} class="sweep-group">
          <h3>
            {name} {all.length}
          </h3>
          <ul>
            {all.map((met) => (
              <MetLine key={typeof met === "string" ? met : met.id} met={met} />
            ))}
          </ul>
        </div>
      )
    )}
  </details>
)

const MetLine = ({ met }: { readonly met: Met }): VNode => {
  const { id, as, reason } = typeof met === "string" ? { id: met } : met
  const words = [as, reason && wordsOf(reason.why), reason?.problem].filter((word) => word !== undefined)
  return (
    <li>
      <ProcessLink id={id} /> <span class="muted">{words.join(": ")}</span>
    </li>
  )
}

interface Outbox {
  readonly counts: Readonly<Record<string, number | Readonly<Record<string, number>>>>
  readonly rows: ReadonlyArray<WakeView>
  readonly rows_left_off?: number
  readonly blocked?: ReadonlyArray<BlockedView>
  readonly blocked_left_off?: number
}

/** Counts by state; those of the discarded by reason, too. */
const countsOf = (counts: Outbox["counts"]): ReadonlyArray<VNode> =>
  Object.entries(counts).flatMap(([state, count]) => {
    const all = typeof count === "number" ? { [state]: count } : count
    return Object.entries(all).map(([reason, each]) => (
      <span key={`${state} ${reason}`} class="chip">
        {reason === state ? `${state} ` : `${state} (${reason}) `}
        <b>{each}</b>
      </span>
    ))
  })

const WakeTable = ({
  wakes,
  mayRedrive,
  done
}: {
  readonly wakes: ReadonlyArray<WakeView>
  readonly mayRedrive: boolean
  readonly done: () => void
}): VNode => (
  <Table
    label="Wakes"
    titles={["state", "process", "event", "session", "attempts", "next attempt", "wake", "action"]}
    rows={wakes.map(({ wake_id: id, state, discard_reason: why, blocked_by: first, ...wake }) => [
      <span key="state">
        <Pill state={state} />
        {why === undefined ? "" : ` ${why}`}
        {first === undefined ? null : [" behind ", <WakeName key="first" id={first} />]}
      </span>,
      <ProcessLink key="process" id={wake.process_id} />,
      `#${wake.sequence}`,
      <span key="session" class="mono">
        {wake.target_scope_id ?? wake.target_session_id}
      </span>,
      wake.attempts,
      state === "discarded" || state === "enqueued" ? "–" : <Age key="next" ms={wake.next_attempt_at_ms} />,
      <WakeName key="wake" id={id} />,
      state === "discarded" ? (
        <Button key="redrive" class="small" disabled={!mayRedrive} onClick={() => openRedrive(id, done)}>
          Redrive…
        </Button>
      ) : null
    ])}
  />
)

const BlockedTable = ({ groups }: { readonly groups: ReadonlyArray<BlockedView> }): VNode => (
  <Table
    label="Blocked groups"
    titles={["process", "session", "waiting", "behind event", "state", "attempts", "next attempt", "unblocked by"]}
    rows={groups.map((group) => [
      <ProcessLink key="process" id={group.process_id} />,
      <span key="session" class="mono">
        {group.target_scope_id}
      </span>,
      group.waiting,
      `#${group.sequence}`,
      <Pill key="state" state={group.state} />,
      group.attempts,
      <Age key="next" ms={group.next_attempt_at_ms} />,
      <WakeName key="wake" id={group.unblocked_by} />
    ])}
  />
)

const Table = ({
  label,
  titles,
  rows
}: {
  readonly label: string
  readonly titles: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<ComponentChildren>>
}): VNode => (
  <div class="table" tabIndex={0} role="region" aria-label={label}>
    <table>
      <thead>
        <tr>
          {titles.map((title) => (
            <th key={title} scope="col">
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((cells, line) => (
          <tr key={line}>
            {cells.map((cell, column) => (
              <td key={column}>{cell}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)

const LeftOff = ({ count = 0 }: { readonly count?: number | undefined }): VNode | null =>
  count > 0 ? (
    <p class="left-off">
      {count} more are not shown: <code>holdfast wakes</code> lists all of them.
    </p>
  ) : null

/** The id of a wake is long: it is cut, and its title has all of it. */
const WakeName = ({ id }: { readonly id: string | undefined }): VNode | null =>
  id === undefined ? null : (
    <span class="mono wake-id" title={id}>
      {id}
    </span>
  )
