/**
 * What the processes of a page of the list are about: the step that is under way, and the child that a parent waits for.
 *
 * Invariant: it is known from memory alone, the host's bodies and the lines of the directory, so no line costs a read.
 */
import type { Redact } from "../../explain/redaction.ts"
import type { ProcessId } from "../../model/ids.ts"
import { processId } from "../../model/ids.ts"
import type { UnderWay } from "../../model/JournalEntry.ts"
import type { ListView, RowView } from "../View.ts"
import type { Look } from "./directory.ts"

/** What the body of a process has under way, where it runs here. */
export type UnderWayOf = (id: ProcessId) => ReadonlyArray<UnderWay> | undefined

/** The same page, and of each running process what it is about. */
export const withDoing = (list: ListView, { lines }: Look, underWayOf: UnderWayOf, redact: Redact): ListView => {
  const left = new Set(list.rows.filter(hasLeftMemory).map(({ process_id: id }) => id))
  const children = new Map<string, string>()
  if (left.size > 0) {
    for (const { row } of lines.values()) {
      const { parent_id: parent, process_id: id, state } = row
      if (parent === undefined || state !== "running" || !left.has(parent)) continue
      const other = children.get(parent)
      if (other === undefined || id < other) children.set(parent, id)
    }
  }
  return {
    ...list,
    rows: list.rows.map((row) => {
      if (row.state !== "running") return row
      const underWay = row.active ? (underWayOf(processId(row.process_id)) ?? []) : []
      const steps = underWay.filter(({ operation }) => operation === "step")
      // One that fails before one that is only long, as an explanation has it.
      const step = steps.find(({ error }) => error !== undefined) ?? steps[0]
      const child = underWay.find((each) => each.child !== undefined)?.child ?? children.get(row.process_id)
      return {
        ...row,
        ...(step === undefined ? {} : { doing: doingOf(step, redact) }),
        ...(child === undefined ? {} : { awaits: child })
      }
    })
  }
}

const doingOf = ({ name, sinceMs, tries, error }: UnderWay, redact: Redact): NonNullable<RowView["doing"]> => ({
  name,
  since_ms: sinceMs,
  tries,
  ...(error === undefined ? {} : { error: String(redact(error)) })
})

/** A body that left memory and has no open wait waits for a child. */
const hasLeftMemory = ({ state, active, attempts, due_at_ms: dueAtMs, waits, rests }: RowView): boolean =>
  state === "running" && !active && attempts > 0 && dueAtMs === null && waits.length === 0 && rests === undefined
