/**
 * A handle: the address of a process together with the types of its engine.
 */
import * as Effect from "effect/Effect"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import type { InputInvalid, LeaseLost, ProcessUnknown } from "../model/errors.ts"
import { OutputInvalid, ProcessAbandoned, ProcessCancelled, ProcessFailed } from "../model/errors.ts"
import type { AwaitError } from "../model/failures.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import type { Lookup } from "../store/ProcessRegistry.ts"
import type { Outcomes } from "./outputs.ts"

/** A process, addressed with the types of its engine. It stays valid across restarts: make it again from the id. */
export interface ProcessHandle<Success, Failure> {
  readonly id: ProcessId
  /**
   * Waits for the end.
   *
   * Fails with the engine's own error, with `ProcessFailed` for every other failure, with `ProcessCancelled`, or with
   * `ProcessAbandoned` when nobody knows the outcome. It has no time limit of its own.
   */
  readonly await: Effect.Effect<Success, Failure | AwaitError>
  /**
   * Asks the process to stop; answers at once with the present record, usually still running.
   *
   * From within a body it fails with `LeaseLost` once somebody else runs that body's process.
   */
  readonly cancel: (reason?: string) => Effect.Effect<ProcessRecord, LeaseLost | InputInvalid | Lookup>
  /** The present record. */
  readonly status: Effect.Effect<ProcessRecord, ProcessUnknown | Lookup>
}

/** What a handle needs of its host. */
export interface HandleSupport {
  readonly awaitOutput: (id: ProcessId) => Effect.Effect<AwaitOutput, AwaitError>
  readonly cancel: (
    id: ProcessId,
    reason: string | null
  ) => Effect.Effect<ProcessRecord, LeaseLost | InputInvalid | Lookup>
  readonly status: (id: ProcessId) => Effect.Effect<ProcessRecord, ProcessUnknown | Lookup>
}

/** Makes a handle on a process whose ends read as `outcomes` say: an engine's, or a tool's. */
export const make = <Success, Failure>(
  outcomes: Outcomes<Success, Failure>,
  id: ProcessId,
  support: HandleSupport
): ProcessHandle<Success, Failure> => ({
  id,
  await: Effect.flatMap(support.awaitOutput(id), (output) => decoded(outcomes, id, output)),
  cancel: (reason) => support.cancel(id, reason ?? null),
  status: support.status(id)
})

const decoded = <Success, Failure>(
  outcomes: Outcomes<Success, Failure>,
  processId: ProcessId,
  output: AwaitOutput
): Effect.Effect<Success, Failure | AwaitError> => {
  switch (output._tag) {
    case "Success":
      return Effect.mapError(
        outcomes.decodeSuccess(output.value),
        (error) => new OutputInvalid({ processId, problem: error.message })
      )
    case "Failure":
      // Only a failure of the body's own carries its error; the runtime's failures must not pass for one.
      if (output.class !== "execution" || output.raw === undefined) {
        return Effect.fail(new ProcessFailed({ processId, output }))
      }
      return Effect.matchEffect(outcomes.decodeFailure(output.raw), {
        onSuccess: (failure) => Effect.fail(failure),
        onFailure: () => Effect.fail(new ProcessFailed({ processId, output }))
      })
    case "Cancelled":
      return Effect.fail(new ProcessCancelled({ processId, reason: output.message }))
    case "Abandoned":
      return Effect.fail(new ProcessAbandoned({ processId, output }))
  }
}
