/**
 * Reading a process that is expected to exist.
 */
import * as Effect from "effect/Effect"
import { ProcessUnknown } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import type { Lookup, ProcessRegistry } from "../store/ProcessRegistry.ts"

/** The record of a process. Fails with `ProcessUnknown` when there is none. */
export const readProcess = (
  registry: typeof ProcessRegistry.Service,
  id: ProcessId
): Effect.Effect<ProcessRecord, Lookup> =>
  Effect.flatMap(registry.getProcess(id), (record) =>
    record === undefined ? Effect.fail(new ProcessUnknown({ processId: id })) : Effect.succeed(record)
  )
