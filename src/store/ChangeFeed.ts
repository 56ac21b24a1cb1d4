/**
 * The change feed: what changed since a cursor, for a host that projects processes into a store of its own.
 *
 * A row appears once, at its latest change. Changes are numbered under the write lock, so none is skipped because it
 * committed late.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { InputInvalid, StoreError } from "../model/errors.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import type { Tombstone } from "./ProcessStore.ts"

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
