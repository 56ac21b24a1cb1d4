/**
 * The ends of waits among the events of a commit, as the bodies that wait want to be told them.
 */
import type { WaitOutcome } from "../../model/facts.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Ended } from "../body/PendingWaits.ts"

/** A wait that a commit ended. */
export interface Resumption {
  readonly waitKey: string
  readonly ended: Ended
}

/** Lists the ends of waits. The signal that ended one is in the same commit, as a rule; if not, it is read from the log. */
export const among = (events: ReadonlyArray<ProcessEvent>): ReadonlyArray<Resumption> => {
  let found: Array<Resumption> | undefined
  for (const { eventType, payload } of events) {
    if (eventType !== "process.resumed") continue
    const { wait_key: waitKey, outcome: wire } = payload as Wire // a fact of the store's own
    const outcome = outcomeOf(wire)
    const signal = outcome._tag === "Signal" ? events.find((event) => event.sequence === outcome.sequence) : undefined
    found ??= []
    found.push({ waitKey, ended: { outcome, ...(signal === undefined ? {} : { signal }) } })
  }
  return found ?? []
}

interface Wire {
  readonly wait_key: string
  readonly outcome: { readonly type: string; readonly sequence?: number; readonly process_id?: string }
}

/** Decoded by hand: it happens in every commit that ends a wait. */
const outcomeOf = ({ type, sequence = 0, process_id: processId = "" }: Wire["outcome"]): WaitOutcome => {
  switch (type) {
    case "signal":
      return { _tag: "Signal", sequence }
    case "timer":
      return { _tag: "Timer" }
    case "child":
      return { _tag: "Child", processId }
    case "promise":
      return { _tag: "Promise" }
    case "timeout":
      return { _tag: "Timeout" }
    default:
      return { _tag: "Cancelled" }
  }
}
