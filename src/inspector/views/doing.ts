/**
 * What the processes of a page of the list are about: the step that is under way, and the child that a parent waits for.
 *
 * Invariant: of a process that a host works on it is known from memory alone, the host's bodies and the lines of the directory.
 * Only one that no host works on any more costs reads: of what its host kept of it last.
 */
import * as Effect from "effect/Effect"
import { keptOf } from "../../explain/facts.ts"
import type { Redact } from "../../explain/redaction.ts"
import type { StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import { processId } from "../../model/ids.ts"
import type { UnderWay } from "../../model/JournalEntry.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { hasHost } from "../reason.ts"
import type { DoingView, ListView, RowView } from "../View.ts"
import type { Look } from "./directory.ts"
import { rowOf } from "./directory.ts"

/** What the body of a process has under way, where it runs here. */
export type UnderWayOf = (id: ProcessId) => ReadonlyArray<UnderWay> | undefined

/** The same page, and of each running process what it is about. */
export const withDoing = (list: ListView, look: Look, underWayOf: UnderWayOf, redact: Redact): ListView => {
  const { lines } = look
  let firsts: ReadonlyMap<string, string> | undefined
  const firstOf = (row: RowView): string | undefined => {
    if (!hasLeftMemory(row)) return undefined
    firsts ??= firstChildren(lines)
    return firsts.get(row.process_id)
  }

  const about = (row: RowView): RowView => {
    if (row.state !== "running") return row
    const underWay = row.active ? (underWayOf(processId(row.process_id)) ?? []) : []
    const step = stepIn(underWay)
    const child = underWay.find((each) => each.child !== undefined)?.child ?? firstOf(row)
    return {
      ...row,
      ...(step === undefined ? {} : { doing: doingOf(step, redact) }),
      ...(child === undefined ? {} : { awaits: child })
    }
  }

  /** The last of the chain that begins with a process: each waits for the next. */
  const lastFrom = (id: string): RowView | undefined => {
    const seen = new Set<string>()
    let last: RowView | undefined
    for (let next: string | undefined = id; next !== undefined && !seen.has(next); next = last?.awaits) {
      const line = lines.get(next)
      if (line === undefined) break
      seen.add(next)
      last = about(rowOf(line.row, look))
    }
    return last
  }

  return {
    ...list,
    rows: list.rows.map((row) => {
      const child = lines.get(row.process_id)?.invokes?.find((id) => lines.get(id)?.row.state === "running")
      const invoked = child === undefined ? undefined : lastFrom(child)
      return invoked === undefined ? about(row) : { ...about(row), invoked }
    })
  }
}

/** The first child of each parent that runs, by id. */
const firstChildren = (lines: Look["lines"]): ReadonlyMap<string, string> => {
  const children = new Map<string, string>()
  for (const { row } of lines.values()) {
    const { parent_id: parent, process_id: id, state } = row
    if (parent === undefined || state !== "running") continue
    const other = children.get(parent)
    if (other === undefined || id < other) children.set(parent, id)
  }
  return children
}

/** The same page, and of each process that no host works on any more the step that it was in when its host was last heard of. */
export const withLeft = (
  store: typeof ProcessStore.Service,
  list: ListView,
  redact: Redact
): Effect.Effect<ListView, StoreError> =>
  Effect.map(
    Effect.forEach(list.rows, (row) => {
      const { active, doing, process_id: id, state, waits } = row
      const isLeft = state === "running" && active && doing === undefined && waits.length === 0
      if (!isLeft || hasHost(row)) return Effect.succeed(row)
      return Effect.map(leftIn(store, processId(id)), (step) =>
        step === undefined ? row : { ...row, left: doingOf(step, redact) }
      )
    }),
    (rows) => ({ ...list, rows })
  )

const leftIn = (store: typeof ProcessStore.Service, id: ProcessId): Effect.Effect<UnderWay | undefined, StoreError> =>
  store.readTogether(
    Effect.flatMap(store.find(id), (found) =>
      found._tag === "Present"
        ? Effect.map(Effect.provideService(keptOf(found.row), ProcessStore, store), stepIn)
        : Effect.succeed(undefined)
    )
  )

/** One that fails before one that is only long, as an explanation has it. */
const stepIn = (underWay: ReadonlyArray<UnderWay>): UnderWay | undefined => {
  const steps = underWay.filter(({ operation }) => operation === "step")
  return steps.find(({ error }) => error !== undefined) ?? steps[0]
}

const doingOf = ({ name, sinceMs, tries, error }: UnderWay, redact: Redact): DoingView => ({
  name,
  since_ms: sinceMs,
  tries,
  ...(error === undefined ? {} : { error: String(redact(error)) })
})

/** A body that left memory and has no open wait waits for a child. */
const hasLeftMemory = ({ state, active, attempts, due_at_ms: dueAtMs, waits, rests }: RowView): boolean =>
  state === "running" && !active && attempts > 0 && dueAtMs === null && waits.length === 0 && rests === undefined
