/**
 * Waits as operations: a body, or whoever waits in its name, says what for; the log says how it ended.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { InputInvalid, LeaseLost, ProcessAlreadyTerminal } from "../model/errors.ts"
import type { WaitOutcome, WaitState } from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import type { Authority } from "./decisions/authority.ts"
import type { Lookup } from "./ProcessRegistry.ts"

/** Waits. */
export class WaitStore extends Context.Tag("holdfast/store/WaitStore")<
  WaitStore,
  {
    /**
     * Enters a wait; an equal one that is open is left as it is. A signal that nobody consumed yet ends it at once.
     *
     * Fails with `ProcessAlreadyTerminal`: an ended process waits for nothing.
     */
    readonly setProcessWait: (
      id: ProcessId,
      wait: WaitState,
      authority: Authority
    ) => Effect.Effect<ProcessRecord, ProcessAlreadyTerminal | LeaseLost | InputInvalid | Lookup>

    /** Ends every open wait. Without one nothing happens. @default outcome cancelled */
    readonly clearProcessWait: (
      id: ProcessId,
      authority: Authority,
      outcome?: WaitOutcome
    ) => Effect.Effect<ProcessRecord, LeaseLost | InputInvalid | Lookup>
  }
>() {}
