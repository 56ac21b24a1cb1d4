/**
 * What happens to the processes of a store, for a host that projects them or alerts: which process has got how far.
 *
 * ```
 * commit here or elsewhere ─► its id is marked ─► the reader asks ─► rows are read ─► one position for each
 *                                   too many marks ─► `Resync` in place of all of them
 * ```
 * Invariant: it is no log, and no commit waits for its reader. A slow one meets the latest position of a process, or `Resync`; with the
 * change feed and the event log, which lose nothing, it then reads what it has not seen.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ProcessLifecycle } from "../model/ProcessRecord.ts"
import type { ChangeHub } from "../runtime/client/ChangeHub.ts"
import type { ProcessStore } from "../store/ProcessStore.ts"

/**
 * What a reader learns.
 *
 * `Moved`: a process has changed; `sequence` is that of its last event. `Gone`: it was pruned. `Resync`: read everything that changed
 * since you last looked; it is also the first message.
 */
export type HostEvent =
  | {
      readonly _tag: "Moved"
      readonly processId: ProcessId
      readonly sequence: number
      readonly lifecycle: ProcessLifecycle
    }
  | { readonly _tag: "Gone"; readonly processId: ProcessId }
  | { readonly _tag: "Resync" }

/** How many processes wait for a slow reader; more than that is a reason to read everything again. */
export const maxWaiting = 10_000

/** How long after a failed read the reader is asked to read everything again. Units: milliseconds. */
const retryMs = 1_000

/** The stream of a store's changes; each run of it begins anew, with `Resync`. */
export const make = (
  store: Pick<typeof ProcessStore.Service, "find">,
  hub: Pick<typeof ChangeHub.Service, "listen">,
  most: number = maxWaiting
): Stream.Stream<HostEvent> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const marked = new Set<ProcessId>()
      const pending = yield* Effect.makeLatch(true)
      let needsResync = true

      const lose = (): void => {
        marked.clear()
        needsResync = true
        pending.unsafeOpen()
      }

      // This runs inside the commit of the host: an id is marked, and that is all.
      yield* hub.listen((id) => {
        // What comes before a resync is read with it.
        if (needsResync) return
        if (marked.size >= most) return lose()
        marked.add(id)
        pending.unsafeOpen()
      })

      const eventOf = (processId: ProcessId) =>
        Effect.map(
          store.find(processId),
          (found): HostEvent =>
            found._tag === "Present"
              ? {
                  _tag: "Moved",
                  processId,
                  sequence: found.row.sequence,
                  lifecycle: lifecycleOf(found.row.snapshot)
                }
              : { _tag: "Gone", processId }
        )

      const next = Effect.suspend(() => {
        pending.unsafeClose()
        if (needsResync) {
          needsResync = false
          return Effect.succeed<Chunk.Chunk<HostEvent>>(Chunk.of({ _tag: "Resync" }))
        }
        const ids = [...marked]
        marked.clear()
        return Effect.map(Effect.forEach(ids, eventOf), Chunk.unsafeFromArray)
      }).pipe(Effect.catchAll(() => Effect.as(Effect.delay(Effect.sync(lose), retryMs), Chunk.empty<HostEvent>())))
      return Stream.repeatEffectChunk(Effect.zipRight(pending.await, next))
    })
  )
