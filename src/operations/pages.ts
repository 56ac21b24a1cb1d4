/**
 * Pages of lists: every list answers at most its limit, and says where the next page goes on.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { InputInvalid, StoreError } from "../model/errors.ts"
import type { GrantEntry } from "../model/Handle.ts"
import { ProcessId } from "../model/ids.ts"
import { optional } from "../model/json.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { recordOf } from "../store/Decision.ts"
import type { Granted, ListQuery } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"

/** Which page of a list is asked for. */
export interface ListPage {
  /** Where it begins: after this process, the `next` of the page before. @default at the first */
  readonly after?: ProcessId
  /** How many entries it has at most. @default 100 */
  readonly limit?: number
}

/** A page of a list of processes. */
export interface ProcessPage {
  readonly records: ReadonlyArray<ProcessRecord>
  /** Where the next page goes on (`after`); absent when nothing follows. */
  readonly next?: ProcessId
}

/** A page of a list of grants. */
export interface GrantPage {
  readonly entries: ReadonlyArray<GrantEntry>
  /** Where the next page goes on (`after`); absent when nothing follows. */
  readonly next?: ProcessId
}

/** Where a page begins and how much is read of it, as a store is asked. */
type Asked = Pick<ListQuery, "after" | "limit">

/** A page of processes, as `read` answers them in their order. */
export const processesOn = (
  page: ListPage | undefined,
  read: (asked: Asked) => Effect.Effect<ReadonlyArray<ProcessRow>, StoreError>
): Effect.Effect<ProcessPage, InputInvalid | StoreError> =>
  Effect.map(
    paged(page, read, recordOf, ({ id }) => id),
    ({ shown, next }) => ({ records: shown, ...next })
  )

/** A page of grants, as `read` answers them in their order. */
export const grantsOn = (
  page: ListPage | undefined,
  read: (asked: Asked) => Effect.Effect<ReadonlyArray<Granted>, StoreError>
): Effect.Effect<GrantPage, InputInvalid | StoreError> =>
  Effect.map(
    paged(
      page,
      read,
      ({ grant, row }) => ({ grant, record: recordOf(row) }),
      ({ record }) => record.id
    ),
    ({ shown, next }) => ({ entries: shown, ...next })
  )

/** The entries of all pages of a list of grants, each page read at a moment of its own. */
export const everyGrant = <E, R>(
  read: (page: ListPage) => Effect.Effect<GrantPage, E, R>
): Effect.Effect<ReadonlyArray<GrantEntry>, E, R> =>
  Effect.gen(function* () {
    const all: Array<GrantEntry> = []
    let page: ListPage | undefined = {}
    while (page !== undefined) {
      const { entries, next }: GrantPage = yield* read(page)
      all.push(...entries)
      page = next === undefined ? undefined : { after: next }
    }
    return all
  })

const paged = <A, B>(
  page: ListPage = {},
  read: (asked: Asked) => Effect.Effect<ReadonlyArray<A>, StoreError>,
  show: (entry: A) => B,
  idOf: (entry: B) => ProcessId
) =>
  Effect.gen(function* () {
    const { after, limit = 100 } = yield* Checks.exactly("page", Page, yield* Checks.fieldsOf("page", page))
    const most = yield* Checks.count("page/limit", limit)
    if (most === 0) return { shown: [], next: {} }
    // One more than asked for says whether there are more.
    const found = yield* read({ limit: most + 1, ...(after === undefined ? {} : { after }) })
    const shown = found.slice(0, most).map(show)
    const last = shown.at(-1)
    return { shown, next: found.length > most && last !== undefined ? { next: idOf(last) } : {} }
  })

const Page = Schema.Struct({ after: optional(ProcessId), limit: optional(Schema.Number) })
