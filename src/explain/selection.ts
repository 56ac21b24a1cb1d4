/**
 * Which processes a list, a count or a request to many is about: one predicate for the page and the command line.
 *
 * Invariant: what a store can narrow by itself only spares reading; whether a row is wanted is decided here.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import { problemOf } from "../model/AwaitOutput.ts"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ListFilter } from "../model/ListFilter.ts"
import type { ProcessLifecycle } from "../model/ProcessRecord.ts"
import { originatorScopeId } from "../model/Provenance.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"

/** What is selected; what is left out narrows nothing. Texts are found anywhere, whatever their case. Units: milliseconds. */
export interface Selection {
  readonly state?: string
  /** Found in id, label, kind or problem. */
  readonly text?: string
  readonly kind?: string
  readonly owner?: string
  /** A session id, or the address of any originator. */
  readonly session?: string
  readonly parent?: string
  /** Only processes without a parent. */
  readonly roots?: boolean
  /** Found in what a process failed with, was cancelled for, or backs off for. */
  readonly problem?: string
  /** The name of a signal that it waits for, or `timer`. */
  readonly waits?: string
  readonly isWaiting?: boolean
  /** Changed at this time or later. */
  readonly sinceMs?: number
  /** It has run, or did run, at least so long. */
  readonly longerMs?: number
}

/** What of a process decides whether it is selected, by the names that it has on the wire. */
export interface Selectable {
  readonly process_id: string
  readonly kind: string
  readonly label?: string
  readonly state: string
  readonly originator: string
  readonly parent_id?: string
  readonly owner_id?: string
  readonly problem?: string
  readonly waits: ReadonlyArray<string>
  readonly created_at_ms: number
  readonly updated_at_ms: number
}

/** Whether a process is selected. */
export const isSelected = (one: Selectable, wanted: Selection, nowMs: number): boolean =>
  agrees(wanted.state, one.state) &&
  agrees(wanted.kind, one.kind) &&
  agrees(wanted.owner, one.owner_id) &&
  agrees(wanted.parent, one.parent_id) &&
  (wanted.session === undefined || isOf(one.originator, wanted.session)) &&
  (wanted.roots !== true || one.parent_id === undefined) &&
  (wanted.waits === undefined || one.waits.includes(wanted.waits)) &&
  (wanted.isWaiting === undefined || wanted.isWaiting === one.waits.length > 0) &&
  (wanted.sinceMs === undefined || one.updated_at_ms >= wanted.sinceMs) &&
  (wanted.longerMs === undefined || durationOf(one, nowMs) >= wanted.longerMs) &&
  (wanted.problem === undefined || has(one.problem ?? "", wanted.problem)) &&
  (wanted.text === undefined || has(wordsOf(one), wanted.text))

/** The text that a process is found by. */
export const wordsOf = ({ process_id, label = "", kind, problem = "" }: Selectable): string =>
  [process_id, label, kind, problem].join("\n")

/** How long a process has run, or did run until it ended. */
export const durationOf = (one: Selectable, nowMs: number): number =>
  (one.state === "running" ? nowMs : one.updated_at_ms) - one.created_at_ms

const agrees = (wanted: string | undefined, present: string | undefined): boolean =>
  wanted === undefined || wanted === present

const has = (text: string, words: string): boolean => text.toLowerCase().includes(words.toLowerCase())

const isOf = (originator: string, session: string): boolean =>
  originator === session || originator === `session:${session}` || originator.startsWith(`session:${session}/`)

/** What decides of a row. */
export const selectableOf = (row: ProcessRow): Selectable => {
  const { id, identity, provenance, parent } = row.base.registration
  const { waits, updatedAtMs } = row.snapshot.context
  const { held } = row.lease
  const problem = troubleOf(row)
  return {
    process_id: id,
    kind: identity.kind,
    ...(identity.label === undefined ? {} : { label: identity.label }),
    state: lifecycleOf(row.snapshot),
    originator: originatorScopeId(provenance.originator),
    ...(parent === undefined ? {} : { parent_id: parent.processId }),
    ...(held === undefined ? {} : { owner_id: held.owner.ownerId }),
    ...(problem === undefined ? {} : { problem }),
    waits: waits.map(({ kind }) => (kind._tag === "Signal" ? kind.name : "timer")),
    created_at_ms: row.base.createdAtMs,
    updated_at_ms: updatedAtMs
  }
}

/** What went wrong with a process: what it failed with, was cancelled for, or cannot begin for. */
export const troubleOf = ({ snapshot, backOff }: ProcessRow): string | undefined => {
  const output = snapshot.context.output as AwaitOutput | undefined // events carry no other
  if (output?._tag === "Failure") return problemOf(output)
  if (output?._tag === "Cancelled") return output.message
  return backOff?.problem
}

/** By what a list is in order. Times and counts begin with the greatest. */
export const orders = ["id", "changed", "created", "due", "tries"] as const
/** By what a list is in order. */
export type Order = (typeof orders)[number]

/** These rows in an order; of equals the smaller id comes first. */
export const inOrder = (rows: ReadonlyArray<ProcessRow>, order: Order): ReadonlyArray<ProcessRow> =>
  order === "id" ? rows : rows.toSorted((a, b) => keys[order](b) - keys[order](a) || byId(a, b))

const keys: Readonly<Record<Exclude<Order, "id">, (row: ProcessRow) => number>> = {
  changed: ({ snapshot }) => snapshot.context.updatedAtMs,
  created: ({ base }) => base.createdAtMs,
  // What was due first has waited longest.
  due: ({ dueAtMs }) => -(dueAtMs ?? Number.MAX_SAFE_INTEGER),
  tries: ({ snapshot }) => snapshot.context.attempts
}

const byId = (a: ProcessRow, b: ProcessRow): number =>
  Buffer.compare(Buffer.from(a.base.registration.id), Buffer.from(b.base.registration.id))

/** What of a selection a store narrows by itself. */
const filterOf = ({ state, kind, owner, isWaiting }: Selection): ListFilter => ({
  status: isStatus(state) ? state : "any",
  ...(kind === undefined ? {} : { identityKind: kind }),
  ...(owner === undefined ? {} : { ownerId: owner }),
  ...(isWaiting === undefined ? {} : { waiting: isWaiting })
})

const isStatus = (state: string | undefined): state is ProcessLifecycle =>
  state !== undefined && (lifecycles as ReadonlyArray<string>).includes(state) // whether it is one is what is asked

const lifecycles: ReadonlyArray<ProcessLifecycle> = ["running", "completed", "failed", "cancelled", "abandoned"]

/** How many rows are read at once. */
const pageSize = 500

/** Every row that is selected after an id, ascending by id, up to a limit. */
export const selected = (
  wanted: Selection,
  { after, limit = Number.POSITIVE_INFINITY }: { readonly after?: ProcessId; readonly limit?: number } = {}
): Effect.Effect<ReadonlyArray<ProcessRow>, StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const nowMs = yield* Clock.currentTimeMillis
    const rows: Array<ProcessRow> = []
    let from = after
    while (rows.length < limit) {
      const page = yield* store.list({
        filter: filterOf(wanted),
        limit: pageSize,
        ...(from === undefined ? {} : { after: from })
      })
      for (const row of page) if (rows.length < limit && isSelected(selectableOf(row), wanted, nowMs)) rows.push(row)
      from = page.at(-1)?.base.registration.id
      if (page.length < pageSize) break
    }
    return rows
  })
