/**
 * Drives work from outside: waits for an end, and asks for a sweep. An attached engine may own the long waits.
 *
 * Invariant: an end is answered from the store; the attached engine is asked about running processes only.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import type { AttachFailed, ProcessPruned, ProcessUnknown, StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import { ProcessRegistry, readProcess } from "../operations/ProcessRegistry.ts"
import { Awaiter } from "../runtime/client/Awaiter.ts"
import { RecoverySweep } from "./RecoverySweep.ts"
import type { SweepReport } from "./SweepReport.ts"

/** An engine outside that can wait for the processes it runs. Optional: without it, the store is waited on. */
export class EngineAttach extends Context.Tag("holdfast/supervision/EngineAttach")<
  EngineAttach,
  {
    /** Waits for the end of a process that has not ended yet. The waiter gets its failure. */
    readonly awaitTerminal: (id: ProcessId) => Effect.Effect<AwaitOutput, AttachFailed>
  }
>() {}

/** Drives work. */
export class WorkDriver extends Context.Tag("holdfast/supervision/WorkDriver")<
  WorkDriver,
  {
    /**
     * The output a process ends with: at once when it has ended, else by the attached engine, else by waiting on the store.
     *
     * Fails with `AttachFailed` when the attached engine does: the store is not waited on instead.
     */
    readonly awaitTerminal: (
      id: ProcessId
    ) => Effect.Effect<AwaitOutput, AttachFailed | ProcessUnknown | ProcessPruned | StoreError>
    /** Sweeps once; the reason is logged when the sweep fails. */
    readonly claimAndRunPending: (reason: string) => Effect.Effect<SweepReport, StoreError>
  }
>() {}

/** A driver on the awaiter and sweep in context, and on the attached engine if there is one. */
export const layer: Layer.Layer<WorkDriver, never, ProcessRegistry | Awaiter | RecoverySweep> = Layer.effect(
  WorkDriver,
  Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    const awaiter = yield* Awaiter
    const { sweep } = yield* RecoverySweep
    const attached = Option.getOrUndefined(yield* Effect.serviceOption(EngineAttach))
    return WorkDriver.of({
      awaitTerminal: (id) =>
        Effect.gen(function* () {
          const { status } = yield* readProcess(registry, id)
          if (status._tag !== "Running") return status.output
          return yield* attached === undefined ? awaiter.awaitProcess(id) : attached.awaitTerminal(id)
        }),
      claimAndRunPending: (reason) =>
        Effect.tapError(sweep, (error) => Effect.logError(`pending work not run (${reason}): ${error.message}`))
    })
  })
)
