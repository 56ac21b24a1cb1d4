/**
 * Reading rows, one that must be there or all there are.
 */
import * as Effect from "effect/Effect"
import type { ProcessPruned, StoreError } from "../model/errors.ts"
import { ProcessUnknown } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ListFilter } from "../model/ListFilter.ts"
import { prunedError } from "../store/decisions/register.ts"
import type { ProcessRow } from "../store/ProcessStore.ts"
import { ProcessStore } from "../store/ProcessStore.ts"

/** The row of a process. Fails with `ProcessUnknown`, or `ProcessPruned` when it was there once. */
export const presentRow = (
  id: ProcessId
): Effect.Effect<ProcessRow, ProcessUnknown | ProcessPruned | StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const found = yield* store.find(id)
    if (found._tag === "Pruned") return yield* prunedError(found.tombstone)
    return found._tag === "Present" ? found.row : yield* new ProcessUnknown({ processId: id })
  })

/** Every row that matches, ascending by id, read a page at a time. */
export const allRows = (filter: ListFilter): Effect.Effect<ReadonlyArray<ProcessRow>, StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const all: Array<ProcessRow> = []
    let after: ProcessId | undefined
    while (true) {
      const rows = yield* store.list({ filter, limit: pageSize, ...(after === undefined ? {} : { after }) })
      all.push(...rows)
      after = rows.at(-1)?.base.registration.id
      if (rows.length < pageSize) return all
    }
  })

const pageSize = 500
