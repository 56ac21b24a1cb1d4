/**
 * The list of processes: paged by id, filtered by state in the store and by everything else here, within a time budget.
 *
 * Invariant: no request looks at rows for much longer than {@link budgetMs}, whatever it searches for. A page that is not
 * full has a `next`, and the client asks again from there.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { isActive, lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { Redact } from "../../explain/redaction.ts"
import { labelOf } from "../../explain/redaction.ts"
import type { Selection } from "../../explain/selection.ts"
import { isWanted } from "../../explain/selection.ts"
import type { StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { StatusFilter } from "../../model/ListFilter.ts"
import { originatorScopeId } from "../../model/Provenance.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import type { ProcessStore } from "../../store/ProcessStore.ts"
import type { ListView, RowView } from "../View.ts"

/** For how long one request looks at rows. Units: milliseconds. */
const budgetMs = 120

/** How many rows are read between two looks at the clock. */
const chunk = 250

/** A request for a page of the list. */
export interface ListRequest extends Selection {
  readonly status: StatusFilter
  readonly after?: ProcessId
  readonly limit: number
}

/**
 * Reads a page.
 *
 * On the first page a process whose id equals the text comes first, so that a known id is found at once.
 */
export const listPage = (
  store: typeof ProcessStore.Service,
  request: ListRequest,
  redact: Redact
): Effect.Effect<ListView, StoreError> =>
  Effect.gen(function* () {
    const { status, limit, text } = request
    const startedMs = yield* Clock.currentTimeMillis
    const rows: Array<RowView> = []
    if (text !== undefined && request.after === undefined) {
      const exact = yield* store.find(text as ProcessId) // whether it is an id is what is asked
      if (exact._tag === "Present" && isWanted(exact.row, request) && hasStatus(exact.row, status, redact)) {
        rows.push(rowView(exact.row, redact))
      }
    }
    const first = rows[0]?.process_id
    const isNarrowed =
      text !== undefined || request.kind !== undefined || request.owner !== undefined || request.session !== undefined
    const size = isNarrowed ? chunk : limit + 1
    let after = request.after
    let scanned = 0
    while (true) {
      const found = yield* store.list({ filter: { status }, limit: size, ...(after === undefined ? {} : { after }) })
      for (const row of found) {
        if (rows.length >= limit) return { rows, scanned, ...(after === undefined ? {} : { next: after }) }
        after = row.base.registration.id
        scanned++
        if (after !== first && isWanted(row, request)) rows.push(rowView(row, redact))
      }
      if (found.length < size) return { rows, scanned }
      if ((yield* Clock.currentTimeMillis) - startedMs >= budgetMs) {
        return { rows, scanned, ...(after === undefined ? {} : { next: after }) }
      }
      yield* Effect.yieldNow()
    }
  })

/** The children of a process, ascending by id; of more than `limit`, the first. */
export const childrenOf = (
  store: typeof ProcessStore.Service,
  id: ProcessId,
  redact: Redact,
  limit = 500
): Effect.Effect<{ readonly rows: ReadonlyArray<RowView>; readonly complete: boolean }, StoreError> =>
  Effect.gen(function* () {
    const children = yield* store.children.of(id)
    const found = yield* Effect.forEach(children.slice(0, limit), ({ processId }) => store.find(processId))
    const rows = found.flatMap((child) => (child._tag === "Present" ? [rowView(child.row, redact)] : []))
    return { rows, complete: children.length <= limit }
  })

const hasStatus = (row: ProcessRow, status: StatusFilter, redact: Redact): boolean =>
  status === "any" || rowView(row, redact).state === status

/** One line of the list. A problem's text may quote what a body was given, so it is redacted. */
export const rowView = (row: ProcessRow, redact: Redact): RowView => {
  const { registration, createdAtMs } = row.base
  const { context } = row.snapshot
  const { held } = row.lease
  const { output } = context
  const label = labelOf(registration, redact)
  const problem =
    output !== undefined && (output._tag === "Failure" || output._tag === "Cancelled") ? output.message : undefined
  return {
    process_id: registration.id,
    kind: registration.identity.kind,
    ...(label === undefined ? {} : { label }),
    state: lifecycleOf(row.snapshot),
    sequence: row.sequence,
    disposition: registration.disposition,
    attempts: context.attempts,
    created_at_ms: createdAtMs,
    updated_at_ms: context.updatedAtMs,
    due_at_ms: row.dueAtMs,
    active: isActive(row.snapshot),
    waits: context.waits.map(({ kind }) => (kind._tag === "Signal" ? kind.name : "timer")),
    cancel_requested: context.cancelRequest !== undefined,
    abandon_requested: context.abandonRequest !== undefined,
    originator: originatorScopeId(registration.provenance.originator),
    ...(registration.parent === undefined ? {} : { parent_id: registration.parent.processId }),
    ...(held === undefined ? {} : { owner_id: held.owner.ownerId, lease_expires_at_ms: held.expiresAtMs }),
    ...(problem === undefined ? {} : { problem: String(redact(problem)) })
  }
}
