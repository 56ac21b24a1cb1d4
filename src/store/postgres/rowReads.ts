/**
 * Point reads of rows, many in one statement: what is asked for while an answer is on its way is asked for together after it.
 *
 * ```
 * a ─► statement (a) ───────► answers            b, c and d wait for the answer to a, or a moment when it takes long
 *      b, c, d ─────────────► statement (b, c, d) ─► answers
 * ```
 * They gather as writes do (`GroupCommit.ts`). Invariant: a statement begins after each of its rows was asked for, so a reader sees
 * what was committed before it asked. Loading many keys in one request is what the DataLoader of GraphQL does.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import * as GroupCommit from "../GroupCommit.ts"

interface Asked extends GroupCommit.Request {
  readonly id: ProcessId
}

/** Makes a read of one row by `readAll`, which reads many at once; at most `statements` of them are under way. */
export const make = <A>(
  readAll: (ids: ReadonlyArray<ProcessId>) => Effect.Effect<ReadonlyArray<A>, StoreError>,
  idOf: (row: A) => ProcessId,
  statements: number
): Effect.Effect<(id: ProcessId) => Effect.Effect<A | undefined, StoreError>, never, Scope.Scope> =>
  Effect.map(
    GroupCommit.make<Asked>((queue) => Array.from({ length: statements }, () => batchesOf(queue, readAll, idOf))),
    (reader) => (id) =>
      Effect.async((resume) => {
        let isWanted = true
        reader.submit({
          id,
          // The row of this id, or the failure of the statement.
          deliver: (exit) => isWanted && resume(exit as Exit.Exit<A | undefined, StoreError>)
        })
        return Effect.sync(() => {
          isWanted = false
        })
      })
  )

const batchesOf = <A>(
  queue: Array<Asked>,
  readAll: (ids: ReadonlyArray<ProcessId>) => Effect.Effect<ReadonlyArray<A>, StoreError>,
  idOf: (row: A) => ProcessId
): GroupCommit.Batches => ({
  hasWork: () => queue.length > 0,
  commitNext: Effect.suspend(() => {
    const asked = queue.splice(0)
    return Effect.flatMap(Effect.exit(readAll([...new Set(asked.map(({ id }) => id))])), (exit) => {
      const rows = new Map(Exit.isSuccess(exit) ? exit.value.map((row) => [idOf(row), row]) : [])
      return GroupCommit.answerAll(asked, (index) => Exit.map(exit, () => rows.get((asked[index] as Asked).id))) // in its length
    })
  }),
  // Whatever became of the statement, all have heard.
  abort: () => Effect.void
})
