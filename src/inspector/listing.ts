/**
 * The list of processes: paged by id, narrowed by state in the store and by everything else here, a bounded while at a time.
 *
 * Invariant: no request looks at rows for much longer than {@link budgetMs}, whatever it searches for. A page that is not
 * full has a `next`, and whoever wants more asks again from there.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { StatusFilter } from "../model/ListFilter.ts"
import type { ProcessRow, ProcessStore } from "../store/ProcessStore.ts"
import type { Redact } from "./redaction.ts"
import type { RowQuery } from "./rowViews.ts"
import { isWanted, rowView } from "./rowViews.ts"
import type { ListView, RowView } from "./View.ts"

/** For how long one request looks at rows. Units: milliseconds. */
export const budgetMs = 120

/** How many rows are read between two looks at the clock. */
const chunk = 250

/** A request for a page of the list. */
export interface ListRequest extends RowQuery {
  readonly status: StatusFilter
  readonly after?: ProcessId
  readonly limit: number
}

/**
 * Reads a page.
 *
 * On the first page a process whose id is exactly the text stands first, so that an id that is known is found at once.
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

/** How many rows are read at once in search of children: most processes have none, or few. */
const few = 25

/** The children of a process that have its id and a name for an id, as bodies start them; at most `limit` are looked at. */
export const childrenOf = (
  store: typeof ProcessStore.Service,
  id: ProcessId,
  redact: Redact,
  limit = 500
): Effect.Effect<{ readonly rows: ReadonlyArray<RowView>; readonly complete: boolean }, StoreError> =>
  Effect.gen(function* () {
    const prefix = `${id}/`
    const rows: Array<RowView> = []
    let after = prefix as ProcessId // ids are in bytewise order: those that begin with this text lie together
    for (let looked = 0; looked < limit; looked += few) {
      const page = yield* store.list({ filter: { status: "any" }, after, limit: few })
      for (const row of page) {
        after = row.base.registration.id
        if (!after.startsWith(prefix)) return { rows, complete: true }
        if (row.base.registration.parent?.processId === id) rows.push(rowView(row, redact))
      }
      if (page.length < few) return { rows, complete: true }
    }
    return { rows, complete: false }
  })

const hasStatus = (row: ProcessRow, status: StatusFilter, redact: Redact): boolean =>
  status === "any" || rowView(row, redact).state === status
