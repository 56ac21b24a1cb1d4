/**
 * The change feed: what changed since a cursor, for a host that projects processes into a store of its own.
 *
 * A row appears once, at its latest change. Changes are numbered under the write lock, so none is skipped because it
 * committed late.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { StoreError } from "../model/errors.ts"
import { InputInvalid } from "../model/errors.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import type { Tombstone } from "../store/Decision.ts"
import { recordOf } from "../store/Decision.ts"
import type { Numbered } from "../store/ProcessStore.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"

/** A place in the feed of one store. Opaque: keep it, hand it back, compare it with nothing. */
export const Cursor = Schema.String.pipe(Schema.brand("Cursor"))
/** A place in the feed of one store. */
export type Cursor = typeof Cursor.Type

/** One change: the record as it is now, or what is left of a process that was pruned. */
export type StoreChange =
  | { readonly _tag: "Upsert"; readonly record: ProcessRecord }
  | { readonly _tag: "Deleted"; readonly tombstone: Pick<Tombstone, "processId" | "terminalState" | "prunedAtMs"> }

/** A page of changes. `next` equals the cursor asked with when there was nothing new. */
export interface ChangePage {
  readonly changes: ReadonlyArray<StoreChange>
  readonly next: Cursor
}

/** The change feed of a store. */
export class ChangeFeed extends Context.Tag("holdfast/store/ChangeFeed")<
  ChangeFeed,
  {
    /** The cursor before everything. */
    readonly beginning: Cursor
    /**
     * Changes strictly after a cursor, in order, at most `limit`.
     *
     * Fails with `InputInvalid` for a cursor of another store: begin anew from `beginning`.
     */
    readonly changesSince: (cursor: Cursor, limit: number) => Effect.Effect<ChangePage, InputInvalid | StoreError>
  }
>() {}

/** Builds the feed on a store. */
export const make: Effect.Effect<typeof ChangeFeed.Service, never, ProcessStore> = Effect.map(ProcessStore, (store) => {
  const cursorAt = (change: number): Cursor => cursorOf(store.storeId, change)
  return Checks.answering(
    ChangeFeed.of({
      beginning: cursorAt(0),
      changesSince: Effect.fnUntraced(function* (cursor, limit) {
        const after = yield* changeOf(store.storeId, cursor)
        const most = yield* Checks.count("limit", limit)
        const numbered = most === 0 ? [] : yield* store.feed.after(after, most)
        const last = numbered.at(-1)
        return { changes: numbered.map(shown), next: last === undefined ? cursor : cursorAt(last.change) }
      })
    })
  )
})

/** The feed of the store in context. */
export const layer: Layer.Layer<ChangeFeed, never, ProcessStore> = Layer.effect(ChangeFeed, make)

/** The change number of a cursor. */
export const changeOf = (storeId: string, cursor: Cursor): Either.Either<number, InputInvalid> => {
  const parts = typeof cursor === "string" ? /^(.+):([0-9]+)$/.exec(cursor) : null
  const change = Number(parts?.[2])
  return parts?.[1] === storeId && Number.isSafeInteger(change)
    ? Either.right(change)
    : Either.left(new InputInvalid({ field: "cursor", problem: "belongs to another store; begin anew" }))
}

const cursorOf = (storeId: string, change: number): Cursor => `${storeId}:${change}` as Cursor // the one constructor

const shown = (entry: Numbered): StoreChange => {
  if (entry._tag === "Row") return { _tag: "Upsert", record: recordOf(entry.row) }
  const { processId, terminalState, prunedAtMs } = entry.tombstone
  return { _tag: "Deleted", tombstone: { processId, terminalState, prunedAtMs } }
}
