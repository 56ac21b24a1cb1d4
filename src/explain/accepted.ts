/**
 * Which events the statechart takes notice of from where a process stands, and who may send each.
 *
 * What is accepted is read from the machine itself; who may send it is the rule of the store's operations, as a table.
 */
import { isStarted, lifecycleOf } from "../../machines/process/lifecycle.ts"
import type { ProcessEvent } from "../../machines/process/types.ts"
import { coreEventTypes, reservedEventTypes } from "../model/EventType.ts"
import { signalNameOf } from "../model/ids.ts"
import type { Registration } from "../model/Registration.ts"
import type { ProcessRow } from "../store/Decision.ts"
import type { Accepted, Sender } from "./Explanation.ts"

/** The events that a row accepts, in the order of the statechart's regions, then the producer's own. */
export const acceptedBy = (row: ProcessRow): ReadonlyArray<Accepted> => {
  const { registration } = row.base
  const known = new Set<string>(row.snapshot._nodes.flatMap((node) => node.ownEvents))
  const own = lifecycleEvents.flatMap((eventType): ReadonlyArray<Accepted> => {
    const from = known.has(eventType) ? senders[eventType](row) : []
    return from.length === 0 ? [] : [{ eventType, from }]
  })
  return [...own, ...declared(registration, lifecycleOf(row.snapshot) === "running")]
}

type LifecycleType = Exclude<ProcessEvent["type"], "process.noted">

/** Closed over the machine's events: a new one does not compile until it says who may send it. */
const senders: Readonly<Record<LifecycleType, (row: ProcessRow) => ReadonlyArray<Sender>>> = {
  "process.started": (row) => {
    const { disposition } = row.base.registration
    if (lifecycleOf(row.snapshot) !== "running") return []
    if (disposition === "externally_owned") return ["external_system"]
    return disposition === "owner_bound" && isStarted(row.snapshot) ? [] : ["owner", "sweep"]
  },
  "process.suspended": () => ["owner"],
  "process.waiting": () => ["owner"],
  "process.resumed": () => ["signal_sender", "timer", "child", "owner"],
  "process.cancel_requested": () => ["operator", "parent"],
  "process.abandon_requested": () => ["operator"],
  "process.external_ref_set": () => ["owner", "external_system"],
  "process.wake_target_cleared": () => ["host"],
  "process.completed": (row) => enders(row),
  "process.failed": (row) => [...enders(row), ...(isExternal(row) ? [] : (["sweep"] as const))],
  "process.cancelled": (row) => [...enders(row), ...(isExternal(row) ? [] : (["sweep"] as const))],
  "process.abandoned": (row) => (isExternal(row) ? ["sweep", "operator"] : ["owner", "sweep"])
}

const lifecycleEvents = Object.keys(senders) as ReadonlyArray<LifecycleType> // the table has no other keys

const isExternal = (row: ProcessRow): boolean => row.base.registration.disposition === "externally_owned"

const enders = (row: ProcessRow): ReadonlyArray<Sender> => [isExternal(row) ? "external_system" : "owner"]

const coreNames = new Set(coreEventTypes.map(({ name }) => name))

/** A producer's own types; one that ends the process is accepted only until it has ended. */
const declared = ({ eventTypes, disposition }: Registration, isRunning: boolean): ReadonlyArray<Accepted> =>
  eventTypes
    .filter(({ name }) => !coreNames.has(name) && !reservedEventTypes.has(name))
    .filter(({ semantics }) => isRunning || semantics.terminal === undefined)
    .map(({ name }) => ({
      eventType: name,
      from:
        signalNameOf(name) === undefined
          ? [disposition === "externally_owned" ? "external_system" : "owner"]
          : ["signal_sender"]
    }))
