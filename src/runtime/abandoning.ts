/**
 * Asking for a process to be given up, in the name of whoever asks.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { InputInvalid, LeaseLost, ProcessAlreadyTerminal } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import type { Authority } from "../store/decisions/authority.ts"
import type { Lookup, ProcessRegistry } from "../store/ProcessRegistry.ts"

/** Who asks, on which authority, and why. */
export interface Asking {
  readonly requestedBy: string
  readonly authority: Authority
  readonly reason: string | undefined
}

/** Records the request. Fails with `ProcessAlreadyTerminal`, and with `LeaseLost` when the authority is a lease that is gone. */
export const requestAbandon = (
  registry: typeof ProcessRegistry.Service,
  id: ProcessId,
  { requestedBy, authority, reason }: Asking
): Effect.Effect<ProcessRecord, ProcessAlreadyTerminal | LeaseLost | InputInvalid | Lookup> =>
  Effect.flatMap(Clock.currentTimeMillis, (requestedAtMs) =>
    registry.requestProcessAbandon(
      id,
      { requestedBy, requestedAtMs, ...(reason === undefined ? {} : { reason }) },
      authority
    )
  )
