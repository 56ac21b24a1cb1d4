/**
 * Journals and timers of a store in memory.
 */
import * as Effect from "effect/Effect"
import { nextDeadline } from "../../../machines/process/lifecycle.ts"
import type { ExecutionReads } from "../ProcessStore.ts"
import type { Shelf } from "./MemoryState.ts"
import { idOf } from "./MemoryState.ts"

/** Makes the reads on what a store holds. */
export const make = (shelf: Shelf): ExecutionReads => {
  const timers = () =>
    [...shelf.rows.values()]
      .flatMap((row) => {
        const deadlineMs = nextDeadline(row.snapshot)
        return deadlineMs === null ? [] : [{ id: idOf(row), deadlineMs }]
      })
      .sort((a, b) => a.deadlineMs - b.deadlineMs)
  return {
    journal: (id) => Effect.sync(() => [...(shelf.journals.get(id) ?? [])]),
    eventByKey: (id, replayKey) => Effect.sync(() => shelf.replays.get(id)?.get(replayKey)),
    timersDue: ({ nowMs, limit }) =>
      Effect.sync(() =>
        timers()
          .filter(({ deadlineMs }) => deadlineMs <= nowMs)
          .slice(0, limit)
          .map(({ id }) => id)
      ),
    nextTimer: Effect.sync(() => timers()[0]?.deadlineMs)
  }
}
