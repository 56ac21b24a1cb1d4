/**
 * What a caller asks to append, and the receipt for the recorded event.
 */

import type { ProcessEvent } from "./ProcessEvent.ts"
import type { SessionScope } from "./Provenance.ts"
import type { WakeDelivery } from "./WakeDelivery.ts"

/** A request to append. Two appends under one replay key are one event, provided that they agree on type and payload. */
export interface AppendRequest {
  readonly eventType: string
  readonly payload: unknown
  readonly replayKey?: string
  /** Whom the event wakes, if it carries a wake. @default the process's own wake target */
  readonly wakeTargetScope?: SessionScope
}

/** An event that is durable, and the message for a session that it calls for, if any. */
export interface AppendReceipt {
  readonly event: ProcessEvent
  readonly wakeDelivery?: WakeDelivery
}
