/**
 * Explains a process: reads the facts from the store, then derives why it does not move and what would move it.
 *
 * Invariant: it writes nothing, and everything it says follows from these facts by a pure function.
 */
import * as Effect from "effect/Effect"
import { isStarted, lifecycleOf } from "../../machines/process/lifecycle.ts"
import type { ProcessEvent } from "../../machines/process/types.ts"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import { coreEventTypes, reservedEventTypes } from "../model/EventType.ts"
import type { StoreError } from "../model/errors.ts"
import { ProcessUnknown } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import { signalNameOf } from "../model/ids.ts"
import { apart } from "../model/JournalEntry.ts"
import { copyOf } from "../model/json.ts"
import type { EngineName, Registration } from "../model/Registration.ts"
import { engineOf } from "../model/Registration.ts"
import { verdictOf } from "../operations/decisions/recover.ts"
import type { OwnerLiveness } from "../operations/OwnerLiveness.ts"
import type { ProcessRow, Tombstone } from "../store/Decision.ts"
import { runsAs } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import type { Accepted, Detail, Explanation, LeaseFacts, Reason, Sender, SweepFacts } from "./Explanation.ts"
import * as Explanations from "./Explanation.ts"
import type { Around, ExplainOptions, Look } from "./facts.ts"
import { alone, doingOf, factsOf, look } from "./facts.ts"
import type { Facts } from "./reason.ts"
import { livenessOf, reasonOf } from "./reason.ts"
import { remediesFor } from "./remedies.ts"
import { wakesOf } from "./wakes.ts"

/** The options for a bare file: engines and slots are unknown. */
export const noHost: ExplainOptions = { engine: () => "unknown", slots: () => "unknown" }

/**
 * Explains one process.
 *
 * Fails with `ProcessUnknown`, or with `StoreError`. One that was pruned is explained by its tombstone.
 */
export const explain: (
  id: ProcessId,
  view?: ExplainOptions
) => Effect.Effect<Explanation, ProcessUnknown | StoreError, ProcessStore | OwnerLiveness> = Effect.fn("explain")(
  function* (id: ProcessId, view: ExplainOptions = noHost) {
    const store = yield* ProcessStore
    return copyOf(yield* store.readTogether(explained(store, id, view)))
  }
)

const explained = (store: typeof ProcessStore.Service, id: ProcessId, view: ExplainOptions) =>
  Effect.gen(function* () {
    const { found, around } = yield* lookAt(store, id)
    const looking = yield* look(view)
    switch (found._tag) {
      case "Absent":
        return yield* new ProcessUnknown({ processId: id })
      case "Pruned":
        return ofTombstone(found.tombstone, looking.nowMs)
      case "Present": {
        const facts = yield* factsOf(found.row, looking)
        return explanationOf({ ...redacted(around, view), ...facts, ...(yield* doingOf(found.row, looking)) })
      }
    }
  })

/** The reasons of many rows at once, each holder looked at once. Wakes are left out: no reason depends on them. */
export const reasonsOf = (
  rows: ReadonlyArray<ProcessRow>,
  view: ExplainOptions = noHost
): Effect.Effect<ReadonlyArray<Reason>, StoreError, OwnerLiveness | ProcessStore> =>
  Effect.gen(function* () {
    const looking = yield* look(view)
    const { readTogether } = yield* ProcessStore
    return yield* readTogether(Effect.forEach(rows, (row) => reasonIn(row, looking)))
  })

const reasonIn = (row: ProcessRow, looking: Look): Effect.Effect<Reason, StoreError, ProcessStore> =>
  Effect.gen(function* () {
    // An open wait is the reason, whatever else is under way.
    const doing = row.snapshot.context.waits.length > 0 ? { underWay: [] } : yield* doingOf(row, looking)
    return reasonOf({ ...alone, ...(yield* factsOf(row, looking)), ...doing })
  })

/** The explanation that follows from these facts. */
const explanationOf = (facts: Facts): Explanation => {
  const { row, nowMs, runningChildren } = facts
  const { id, disposition } = row.base.registration
  const because = reasonOf(facts)
  const engine = namedEngine(runsAs(row))
  const hasAbandonRequest = row.snapshot.context.abandonRequest !== undefined
  const about = {
    id,
    nowMs,
    disposition,
    hasAbandonRequest,
    runningChildren,
    ...(engine === undefined ? {} : { engine })
  }
  return { processId: id, lookedAtMs: nowMs, because, ...remediesFor(because, about), detail: detailOf(facts) }
}

/** What the store has of a process, and around it, at one moment. */
const lookAt = (store: typeof ProcessStore.Service, id: ProcessId) =>
  Effect.gen(function* () {
    const found = yield* store.find(id)
    if (found._tag !== "Present") return { found, around: alone }
    const { row } = found
    const wakes = yield* wakesOf(row)
    const children = row.snapshot.status === "active" ? yield* store.children.of(id) : []
    const runningChildren = children.flatMap(({ processId, lifecycle }) => (lifecycle === "running" ? [processId] : []))
    const closeRequests = (yield* store.children.closeRequestsOf(id)).length
    const kept = row.snapshot.status === "active" ? yield* store.execution.progress(id) : []
    const { progress } = apart(kept, row.lease.fencingToken)
    const around: Around = { wakes, runningChildren, progress, closeRequests }
    return { found, around }
  })

const redacted = (around: Around, { redact }: ExplainOptions): Around =>
  redact === undefined
    ? around
    : { ...around, progress: around.progress.map((step) => ({ ...step, detail: redact(step.detail) })) }

const ofTombstone = ({ processId, terminalState, prunedAtMs }: Tombstone, nowMs: number): Explanation => {
  const because = { _tag: "Pruned", state: terminalState, prunedAtMs } as const
  const about = {
    id: processId,
    nowMs,
    disposition: "rerunnable",
    hasAbandonRequest: false,
    runningChildren: []
  } as const
  return { processId, lookedAtMs: nowMs, because, ...remediesFor(because, about) }
}

const detailOf = (facts: Facts): Detail => {
  const { row, engine: presence, runningChildren, closeRequests, wakes } = facts
  const { registration } = row.base
  const { context, value } = row.snapshot
  const engine = namedEngine(runsAs(row))
  const lease = leaseOf(facts)
  return {
    disposition: registration.disposition,
    ...failureOf(row),
    value,
    states: innermost(value),
    accepts: acceptedBy(row),
    ...(lease === undefined ? {} : { lease }),
    waits: context.waits,
    attempts: context.attempts,
    ...(registration.maxAttempts === undefined ? {} : { maxAttempts: registration.maxAttempts }),
    dueAtMs: row.dueAtMs,
    ...(engine === undefined ? {} : { engine: { ...engine, presence } }),
    ...(context.cancelRequest === undefined ? {} : { cancelRequest: context.cancelRequest }),
    ...(context.abandonRequest === undefined ? {} : { abandonRequest: context.abandonRequest }),
    ...(facts.progress.length === 0 ? {} : { progress: facts.progress }),
    ...(facts.underWay.length === 0 ? {} : { underWay: facts.underWay }),
    runningChildren,
    ...(closeRequests === 0 ? {} : { closeRequests }),
    wakes: wakes.wakes,
    ...(wakes.earlier === 0 ? {} : { earlierWakes: wakes.earlier }),
    sweep: sweepOf(facts)
  }
}

const failureOf = ({ snapshot }: ProcessRow): Pick<Detail, "failure"> => {
  const output = snapshot.context.output as AwaitOutput | undefined // events carry no other
  if (output?._tag !== "Failure") return {}
  const { class: kind, code, message, thrown } = output
  return { failure: { class: kind, code, message, ...(thrown === undefined ? {} : { thrown }) } }
}

/** The engine of a process that asks for one by name; the host's own code runs tool calls and session turns. */
const namedEngine = (registration: Registration): EngineName | undefined =>
  registration.input._tag === "Engine" ? engineOf(registration) : undefined

const leaseOf = (facts: Facts): LeaseFacts | undefined => {
  const { held, fencingToken } = facts.row.lease
  return (
    held && {
      holder: held.owner,
      fencingToken,
      claimedAtMs: held.claimedAtMs,
      expiresAtMs: held.expiresAtMs,
      isExpired: held.expiresAtMs <= facts.nowMs,
      liveness: livenessOf(held.owner, facts)
    }
  )
}

/** A sweep looks at rows that are due and not held, and at those of the dead. */
const sweepOf = (facts: Facts): SweepFacts => {
  const { row, dead, engine, nowMs } = facts
  const { held } = row.lease
  const isDead = held !== undefined && livenessOf(held.owner, facts) === "dead"
  const isFree = held === undefined || held.expiresAtMs <= nowMs
  const looksNow =
    row.snapshot.status === "active" && (isDead || (isFree && row.dueAtMs !== null && row.dueAtMs <= nowMs))
  const on = (here: "present" | "missing") => Explanations.verdictOf(verdictOf(row, { dead, engine: here }, nowMs))
  if (engine !== "unknown") return { looksNow, verdict: on(engine) }
  const [verdict, withoutEngine] = [on("present"), on("missing")]
  return { looksNow, verdict, ...(verdict._tag === withoutEngine._tag ? {} : { withoutEngine }) }
}

/** A state value as plain data: a name, or names by region. */
type Value = string | { readonly [key: string]: Value | undefined }

/** The innermost states of a state value: `running.execution.started.active`. */
const innermost = (value: Value, path: ReadonlyArray<string> = []): ReadonlyArray<string> =>
  typeof value === "string"
    ? [[...path, value].join(".")]
    : Object.entries(value).flatMap(([key, inner]) => (inner === undefined ? [] : innermost(inner, [...path, key])))

/** The events that a row accepts, in the order of the statechart's regions, then the producer's own. */
const acceptedBy = (row: ProcessRow): ReadonlyArray<Accepted> => {
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
  "process.signal_returned": () => ["owner"],
  "process.journal_forked": () => ["operator"],
  "process.child_ended": () => ["child"],
  "process.cancel_requested": () => ["operator", "parent"],
  "process.abandon_requested": () => ["operator"],
  "process.external_ref_set": () => ["owner", "external_system"],
  "process.wake_target_cleared": () => ["host"],
  "machine.transitioned": (row) => whereChart(row, "owner"),
  "machine.input": (row) => whereChart(row, "timer"),
  "machine.sent": (row) => whereChart(row, "timer"),
  "machine.acted": (row) => whereChart(row, "owner"),
  "process.completed": (row) => enders(row),
  "process.failed": (row) => [...enders(row), ...(isExternal(row) ? [] : (["sweep"] as const))],
  "process.cancelled": (row) => [...enders(row), ...(isExternal(row) ? [] : (["sweep"] as const))],
  "process.abandoned": (row) => (isExternal(row) ? ["sweep", "operator"] : ["owner", "sweep"])
}

const whereChart = ({ snapshot: { context } }: ProcessRow, sender: Sender): ReadonlyArray<Sender> =>
  context.chart === undefined ? [] : [sender]

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
