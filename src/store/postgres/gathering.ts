/**
 * Reads by key, many in one statement: what is asked for while an answer is on its way is asked for together after it.
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
import * as GroupCommit from "../GroupCommit.ts"

interface Asked<Key> extends GroupCommit.Request {
  readonly key: Key
}

/** How reads are gathered. */
export interface GatheringOptions<Key, A> {
  /** Reads what there is of these keys, of which each is there once. */
  readonly readAll: (keys: ReadonlyArray<Key>) => Effect.Effect<ReadonlyArray<A>, StoreError>
  readonly keyOf: (answer: A) => Key
  /** How many statements are under way at most. */
  readonly statements: number
  /** How many of those that ask share a statement at most. @default all that there are */
  readonly most?: number
}

/** Makes a read by key of one that reads many at once. */
export const make = <Key extends string, A>(
  options: GatheringOptions<Key, A>
): Effect.Effect<(key: Key) => Effect.Effect<A | undefined, StoreError>, never, Scope.Scope> =>
  Effect.map(
    GroupCommit.make<Asked<Key>>((queue) =>
      Array.from({ length: options.statements }, () => batchesOf(queue, options))
    ),
    (reader) => (key) =>
      Effect.async((resume) => {
        let isWanted = true
        reader.submit({
          key,
          // What there is of this key, or the failure of the statement.
          deliver: (exit) => isWanted && resume(exit as Exit.Exit<A | undefined, StoreError>)
        })
        return Effect.sync(() => {
          isWanted = false
        })
      })
  )

const batchesOf = <Key extends string, A>(
  queue: Array<Asked<Key>>,
  { readAll, keyOf, most = Number.POSITIVE_INFINITY }: GatheringOptions<Key, A>
): GroupCommit.Batches => ({
  hasWork: () => queue.length > 0,
  commitNext: Effect.suspend(() => {
    const asked = queue.splice(0, most)
    return Effect.flatMap(Effect.exit(readAll([...new Set(asked.map(({ key }) => key))])), (exit) => {
      const answers = new Map(Exit.isSuccess(exit) ? exit.value.map((answer) => [keyOf(answer), answer]) : [])
      return GroupCommit.answerAll(asked, (index) =>
        Exit.map(exit, () => answers.get((asked[index] as Asked<Key>).key))
      ) // in its length
    })
  }),
  // Whatever became of the statement, all have heard.
  abort: () => Effect.void
})
