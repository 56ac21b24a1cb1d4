/**
 * Which processes a list, a count or a request to many is about: one predicate for the page and the command line.
 *
 * Invariant: what a store can narrow by itself only spares reading; whether a row is wanted is decided here.
 */
import * as Effect from "effect/Effect"
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import { problemOf } from "../model/AwaitOutput.ts"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ListFilter, StatusFilter } from "../model/ListFilter.ts"
import { originatorScopeId } from "../model/Provenance.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"

/** What is selected; what is left out narrows nothing. Texts are found anywhere, whatever their case. */
export interface Selection {
  readonly status?: StatusFilter
  /** Found in id, label or kind. */
  readonly text?: string
  readonly kind?: string
  readonly owner?: string
  /** A session id, or the address of any originator. */
  readonly session?: string
  readonly parent?: string
  /** Found in what a process failed with, was cancelled for, or backs off for. */
  readonly problem?: string
  /** Changed at this time or later. Units: epoch milliseconds, UTC. */
  readonly sinceMs?: number
  readonly isWaiting?: boolean
}

/** Whether a row is selected. */
export const isWanted = (row: ProcessRow, wanted: Selection): boolean => {
  const { id, identity, provenance, parent } = row.base.registration
  const { waits, updatedAtMs } = row.snapshot.context
  const { status = "any", text, kind, owner, session, problem, sinceMs } = wanted
  return (
    (status === "any" || lifecycleOf(row.snapshot) === status) &&
    (kind === undefined || identity.kind === kind) &&
    (owner === undefined || row.lease.held?.owner.ownerId === owner) &&
    (session === undefined || isOf(originatorScopeId(provenance.originator), session)) &&
    (wanted.parent === undefined || parent?.processId === wanted.parent) &&
    (sinceMs === undefined || updatedAtMs >= sinceMs) &&
    (wanted.isWaiting === undefined || wanted.isWaiting === waits.length > 0) &&
    (text === undefined || [id, identity.label ?? "", identity.kind].some((one) => has(one, text))) &&
    (problem === undefined || has(troubleOf(row) ?? "", problem))
  )
}

const has = (text: string, words: string): boolean => text.toLowerCase().includes(words.toLowerCase())

const isOf = (originator: string, session: string): boolean =>
  originator === session || originator === `session:${session}` || originator.startsWith(`session:${session}/`)

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
const filterOf = ({ status = "any", kind, owner, isWaiting }: Selection): ListFilter => ({
  status,
  ...(kind === undefined ? {} : { identityKind: kind }),
  ...(owner === undefined ? {} : { ownerId: owner }),
  ...(isWaiting === undefined ? {} : { waiting: isWaiting })
})

/** How many rows are read at once. */
const pageSize = 500

/** Every row that is selected after an id, ascending by id, up to a limit. */
export const selected = (
  wanted: Selection,
  { after, limit = Number.POSITIVE_INFINITY }: { readonly after?: ProcessId; readonly limit?: number } = {}
): Effect.Effect<ReadonlyArray<ProcessRow>, StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const rows: Array<ProcessRow> = []
    let from = after
    while (rows.length < limit) {
      const page = yield* store.list({
        filter: filterOf(wanted),
        limit: pageSize,
        ...(from === undefined ? {} : { after: from })
      })
      for (const row of page) if (rows.length < limit && isWanted(row, wanted)) rows.push(row)
      from = page.at(-1)?.base.registration.id
      if (page.length < pageSize) break
    }
    return rows
  })
