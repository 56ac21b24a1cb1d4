/**
 * What differs between any two moments of a process: its record, the context of its fold, the state of its own machine.
 */
import type { VNode } from "preact"
import { useId, useState } from "preact/hooks"
import { differencesOf } from "../difference.ts"
import { countOf } from "../text.ts"
import type { MomentView } from "../View.ts"
import { Change } from "./json.tsx"
import { useRead } from "./live.ts"
import { Copy, Notice, Panel } from "./parts.tsx"

/** How many differences are shown. */
const most = 200

/** The difference between two moments, which a person may choose; it begins with what the chosen event changed. */
export const Difference = ({
  id,
  at,
  last
}: {
  readonly id: string
  readonly at: number | undefined
  readonly last: number
}): VNode => {
  const ids = useId()
  const [chosen, setChosen] = useState<{ readonly from?: number; readonly to?: number }>({})
  const to = Math.min(chosen.to ?? at ?? last, last)
  const from = Math.min(chosen.from ?? Math.max(0, to - 1), last)
  const momentAt = (sequence: number) => `state?id=${encodeURIComponent(id)}&sequence=${sequence}`
  const before = useRead<MomentView>(momentAt(from))
  const after = useRead<MomentView>(momentAt(to))
  const problem = before.problem ?? after.problem
  const number = (name: "from" | "to", value: number): VNode => (
    <>
      <label for={`${ids}-${name}`}>{name === "from" ? "from event" : "to event"}</label>
      <input
        id={`${ids}-${name}`}
        type="number"
        min={0}
        max={last}
        value={value}
        onInput={(event) => setChosen({ ...chosen, [name]: Number(event.currentTarget.value) })}
      />
    </>
  )
  const found =
    before.value === undefined || after.value === undefined
      ? undefined
      : differencesOf(stateIn(before.value), stateIn(after.value))
  return (
    <Panel
      title="Difference"
      class="difference"
      aside={found && <Copy what="the differences" text={() => JSON.stringify(found, null, 2)} />}
    >
      <div class="difference-of">
        {number("from", from)}
        {number("to", to)}
        <span class="muted">0 is the registration, {countOf(last)} the present</span>
      </div>
      {problem === undefined ? null : <Notice kind="error" title="The moments cannot be read" text={problem} />}
      {found === undefined || found.length > 0 ? null : <p class="muted">Nothing differs.</p>}
      {found?.slice(0, most).map((one) => (
        <Change key={one.path} name={one.path} of={one} />
      ))}
      {(found?.length ?? 0) > most ? (
        <p class="muted">{countOf((found?.length ?? 0) - most)} more are not shown.</p>
      ) : null}
    </Panel>
  )
}

const stateIn = ({ record, snapshot, rest }: MomentView): unknown => ({
  record,
  lifecycle: snapshot.value,
  ...(rest === undefined ? {} : { machine: { value: rest.value, context: rest.context, timers: rest.timers } })
})
