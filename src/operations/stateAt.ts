/**
 * A process as it was right after one of its events: the fold of the log up to there.
 */
import * as Effect from "effect/Effect"
import type { ProcessSnapshot } from "../../machines/process/lifecycle.ts"
import type { ProcessCommand } from "../../machines/process/machine.ts"
import { processMachine } from "../../machines/process/machine.ts"
import * as Step from "../../machines/xstate/step.ts"
import { InputInvalid } from "../model/errors.ts"
import { lifecycleEventOf } from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import { copyOf } from "../model/json.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import * as ProcessRecord from "../model/ProcessRecord.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"
import type { Lookup } from "./existing.ts"
import { existingRow } from "./existing.ts"

/** A moment of a process. */
export interface Moment {
  readonly base: ProcessRecord.Base
  readonly sequence: number
  /** The event that led here; absent at sequence 0, which is the registration. */
  readonly event?: ProcessEvent
  readonly record: ProcessRecord.ProcessRecord
  readonly snapshot: ProcessSnapshot
  /** The snapshot before the event; the same at sequence 0. */
  readonly before: ProcessSnapshot
  /** What the event asked of the runtime. */
  readonly commands: ReadonlyArray<ProcessCommand>
}

/**
 * The process right after the event of a sequence; 0 is its registration.
 *
 * Fails with `InputInvalid` for a sequence beyond the log, with `ProcessUnknown` or `ProcessPruned`, or with `StoreError`.
 */
export const stateAt = (id: ProcessId, sequence: number): Effect.Effect<Moment, InputInvalid | Lookup, ProcessStore> =>
  Effect.flatMap(ProcessStore, (store) => store.readTogether(momentOf(store, id, sequence)))

const momentOf = (
  store: typeof ProcessStore.Service,
  id: ProcessId,
  sequence: number
): Effect.Effect<Moment, InputInvalid | Lookup> =>
  Effect.gen(function* () {
    const { base: kept, sequence: last } = yield* existingRow(store, yield* Checks.id(id))
    if (!Number.isSafeInteger(sequence) || sequence < 0 || sequence > last) {
      return yield* new InputInvalid({ field: "sequence", problem: `must be a whole number from 0 to ${last}` })
    }
    // The row is what the store keeps, while a moment is its receiver's own, as the answer of every service is.
    const base = copyOf(kept)
    const log = sequence === 0 ? [] : yield* store.eventsAfter(id, 0, sequence)
    // An id that was pruned and compacted goes on from the sequence of its life before.
    const events = log.filter((event) => event.sequence <= sequence)
    const event = events.at(-1)
    const before = ProcessRecord.fold(base, events.slice(0, -1))
    const { snapshot, commands } =
      event === undefined
        ? { snapshot: before, commands: [] }
        : Step.advance(processMachine, before, lifecycleEventOf(event))
    return {
      sequence,
      base,
      ...(event === undefined ? {} : { event }),
      record: ProcessRecord.make(base, snapshot),
      snapshot,
      before,
      commands
    }
  })
