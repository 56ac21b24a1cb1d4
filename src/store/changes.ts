/**
 * The change feed on any store.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { InputInvalid } from "../model/errors.ts"
import type { Cursor, StoreChange } from "./ChangeFeed.ts"
import { ChangeFeed } from "./ChangeFeed.ts"
import * as Inputs from "./inputs.ts"
import type { Numbered } from "./ProcessStore.ts"
import { ProcessStore } from "./ProcessStore.ts"
import { recordOf } from "./registry.ts"

/** Builds the feed on a store. */
export const make: Effect.Effect<typeof ChangeFeed.Service, never, ProcessStore> = Effect.map(ProcessStore, (store) => {
  const cursorAt = (change: number): Cursor => cursorOf(store.storeId, change)
  return ChangeFeed.of({
    beginning: cursorAt(0),
    changesSince: Effect.fnUntraced(function* (cursor, limit) {
      const after = yield* changeOf(store.storeId, cursor)
      const most = yield* Inputs.count("limit", limit)
      const numbered = most === 0 ? [] : yield* store.changesAfter(after, most)
      const last = numbered.at(-1)
      return { changes: numbered.map(shown), next: last === undefined ? cursor : cursorAt(last.change) }
    })
  })
})

/** The feed of the store in context. */
export const layer: Layer.Layer<ChangeFeed, never, ProcessStore> = Layer.effect(ChangeFeed, make)

/** The change number a cursor stands for. */
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
