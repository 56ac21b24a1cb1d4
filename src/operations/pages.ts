/**
 * Pages of lists of processes and of grants: each has at most its limit of entries, and says where the next one goes on.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { InputInvalid, StoreError } from "../model/errors.ts"
import type { GrantEntry, GrantPage } from "../model/Handle.ts"
import { ProcessId } from "../model/ids.ts"
import { optional } from "../model/json.ts"
import type { ListPage, ProcessPage } from "../model/ListFilter.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { recordOf } from "../store/Decision.ts"
import type { GrantedRow, ListQuery } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"

/** Where a page begins and how much is read of it, as a store is asked. */
type Asked = Pick<ListQuery, "after" | "limit">

/** A page of processes, as `read` answers them in their order. */
export const processesOn = (
  page: ListPage | undefined,
  read: (asked: Asked) => Effect.Effect<ReadonlyArray<ProcessRow>, StoreError>
): Effect.Effect<ProcessPage, InputInvalid | StoreError> =>
  Effect.map(
    paged(page, read, (row) => row),
    ({ shown, next }) => ({ records: shown.map(recordOf), ...next })
  )

/** A page of grants, as `read` answers them in their order. */
export const grantsOn = (
  page: ListPage | undefined,
  read: (asked: Asked) => Effect.Effect<ReadonlyArray<GrantedRow>, StoreError>
): Effect.Effect<GrantPage, InputInvalid | StoreError> =>
  Effect.map(
    paged(page, read, ({ row }) => row),
    ({ shown, next }) => ({
      entries: shown.map(({ grant, row }) => ({ grant, record: recordOf(row) })),
      ...next
    })
  )

/** A store sorts all grants of a scope for each page of them: who wants every one asks for few and large pages. */
const large = 10_000

/** The entries of all pages of a list of grants, each page read at a moment of its own. */
export const everyGrant = <E, R>(
  read: (page: ListPage) => Effect.Effect<GrantPage, E, R>
): Effect.Effect<ReadonlyArray<GrantEntry>, E, R> =>
  Effect.gen(function* () {
    const all: Array<GrantEntry> = []
    let page: ListPage | undefined = { limit: large }
    while (page !== undefined) {
      const { entries, next }: GrantPage = yield* read(page)
      for (const entry of entries) all.push(entry)
      page = next === undefined ? undefined : { after: next, limit: large }
    }
    return all
  })

/** What a page shows, and its field that says where the next one goes on. */
const paged = <A>(
  page: ListPage = {},
  read: (asked: Asked) => Effect.Effect<ReadonlyArray<A>, StoreError>,
  rowOf: (entry: A) => ProcessRow
) =>
  Effect.gen(function* () {
    const { after, limit = 100 } = yield* Checks.strict("page", Page, page)
    const most = yield* Checks.count("page/limit", limit)
    if (most === 0) return { shown: [], next: {} }
    // One more than asked for says whether there are more.
    const found = yield* read({ limit: most + 1, ...(after === undefined ? {} : { after }) })
    const shown = found.slice(0, most)
    const last = shown.at(-1)
    return { shown, next: found.length > most && last !== undefined ? { next: rowOf(last).base.registration.id } : {} }
  })

const Page = Schema.Struct({ after: optional(ProcessId), limit: optional(Schema.Number) })
