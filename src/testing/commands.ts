/**
 * Operations: everything that may be asked of a store, as data. They are the commands of a history (`arbitraries.ts`), and
 * signals, waits, wakes, grants, retention, lists and the change feed.
 *
 * Like a command, an operation names its process, scope and session by a small number, so that one list of operations can be
 * run again on any store.
 */
import * as FastCheck from "effect/FastCheck"
import type { AppendRequest, WaitOutcome } from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import { processId, signalReplayKey } from "../model/ids.ts"
import type { Lease, LeaseOwner } from "../model/Lease.ts"
import type { ListFilter } from "../model/ListFilter.ts"
import type { SessionScope } from "../model/Provenance.ts"
import type { Registration } from "../model/Registration.ts"
import type { Draft } from "../operations/decisions/execution.ts"
import type { Command, Writer } from "./arbitraries.ts"
import { process as anyProcess, command, disposition, payload, population, tagged, writer } from "./arbitraries.ts"

/** One thing that may be asked. Units: `ageMs` is milliseconds before now; times in a filter are since the list began. */
export type Operation =
  | Command
  | { readonly _tag: "Signal"; readonly process: number; readonly signalId: string; readonly writer: Writer }
  | { readonly _tag: "SendSignal"; readonly process: number; readonly signalId: string; readonly writer: Writer }
  | { readonly _tag: "SignalFrom"; readonly lease: number; readonly process: number; readonly position: number }
  | { readonly _tag: "Record"; readonly lease: number; readonly position: number; readonly outcome: unknown }
  | {
      readonly _tag: "EnterWait"
      readonly lease: number
      readonly position: number
      readonly name: "ready" | "timer"
      readonly inMs: number
    }
  | { readonly _tag: "PutAway"; readonly lease: number; readonly parked: boolean }
  | { readonly _tag: "FireTimers"; readonly process: number }
  | { readonly _tag: "Timers" }
  | { readonly _tag: "Wake"; readonly process: number; readonly urgent: unknown; readonly scope?: number }
  | { readonly _tag: "SetWait"; readonly process: number; readonly ordinal: number; readonly writer: Writer }
  | { readonly _tag: "ClearWait"; readonly process: number; readonly outcome?: WaitOutcome; readonly writer: Writer }
  | { readonly _tag: "SetExternalRef"; readonly process: number; readonly ref: string; readonly writer: Writer }
  | { readonly _tag: "AckWake"; readonly process: number; readonly sequence: number }
  | { readonly _tag: "Grant"; readonly process: number; readonly scope: number; readonly label: string }
  | { readonly _tag: "Revoke"; readonly process: number; readonly scope: number }
  | {
      readonly _tag: "Transfer"
      readonly from: number
      readonly to: number
      readonly processes: ReadonlyArray<number>
    }
  | { readonly _tag: "DeleteSession"; readonly session: number }
  | { readonly _tag: "Prune"; readonly ageMs: number; readonly watermark: "none" | "seen" }
  | { readonly _tag: "Compact"; readonly ageMs: number; readonly watermark: "none" | "seen" }
  | { readonly _tag: "List"; readonly filter: ListFilter; readonly after?: number; readonly limit: number }
  | { readonly _tag: "Count"; readonly process: number; readonly eventType: string; readonly upto: number }
  | { readonly _tag: "Events"; readonly process: number; readonly after: number; readonly limit: number }
  | { readonly _tag: "Recent"; readonly process: number; readonly limit: number }
  | { readonly _tag: "Wakes"; readonly process: number; readonly after: number }
  | { readonly _tag: "Grants"; readonly process: number; readonly scope: number }
  | { readonly _tag: "Changes"; readonly limit: number }
  | { readonly _tag: "References" }

/** How many sessions a list of operations is about. Each has two scopes: itself, and a frame. */
export const sessions = 2

/** The first process is meant more often, so that something becomes of it. */
const process = FastCheck.oneof({ weight: 2, arbitrary: FastCheck.constant(0) }, { weight: 3, arbitrary: anyProcess })
const scope = FastCheck.nat(2 * sessions - 1)
const limit = FastCheck.constantFrom(0, 1, 2, 100)
const sequence = FastCheck.constantFrom(0, 1, 2, 5, Number.MAX_SAFE_INTEGER)
const ageMs = FastCheck.constantFrom(-1, 0, 20)
const watermark = FastCheck.constantFrom<"none" | "seen">("none", "none", "seen")

/** A filter with any of its fields, few of which exclude most processes. */
export const listFilter: FastCheck.Arbitrary<ListFilter> = FastCheck.record(
  {
    status: FastCheck.constantFrom("any", "any", "running", "completed", "failed", "cancelled", "abandoned"),
    definition: FastCheck.constantFrom<unknown>(null, { b: 1, a: [0] }),
    waiting: FastCheck.boolean(),
    identityKind: FastCheck.constantFrom("plain", "defined"),
    identityLabel: FastCheck.constantFrom("label", "no such label"),
    createdAtStartMs: FastCheck.constantFrom(0, 1, 20),
    createdAtEndMs: FastCheck.constantFrom(1, 20, 1_000),
    hasAbandonRequest: FastCheck.boolean(),
    disposition,
    ownerId: FastCheck.constantFrom("owner-0", "owner-1")
  },
  { requiredKeys: [] }
).chain((all) => {
  const keys = Object.keys(all)
  return FastCheck.subarray(keys, { maxLength: Math.min(2, keys.length) }).map(
    (kept): ListFilter => Object.fromEntries(Object.entries(all).filter(([key]) => kept.includes(key)))
  )
})

const outcome = FastCheck.constantFrom<WaitOutcome>({ _tag: "Timer" }, { _tag: "Timeout" }, { _tag: "Cancelled" })

const signals: FastCheck.Arbitrary<Operation> = FastCheck.oneof(
  { weight: 3, arbitrary: tagged("Signal", { process, signalId: FastCheck.constantFrom("a", "b", "c"), writer }) },
  { weight: 3, arbitrary: tagged("SetWait", { process, ordinal: FastCheck.integer({ min: 1, max: 2 }), writer }) },
  { weight: 1, arbitrary: tagged("ClearWait", { process, writer }) },
  { weight: 1, arbitrary: tagged("ClearWait", { process, outcome, writer }) }
)

const inHand = FastCheck.nat(1)
const position = FastCheck.integer({ min: 1, max: 4 })

const executions: FastCheck.Arbitrary<Operation> = FastCheck.oneof(
  { weight: 3, arbitrary: tagged("Record", { lease: inHand, position, outcome: payload }) },
  {
    weight: 4,
    arbitrary: tagged("EnterWait", {
      lease: inHand,
      position,
      name: FastCheck.constantFrom<"ready" | "timer">("ready", "timer"),
      inMs: FastCheck.constantFrom(-1, 0, 1, 20)
    })
  },
  { weight: 3, arbitrary: tagged("SendSignal", { process, signalId: FastCheck.constantFrom("a", "b"), writer }) },
  { weight: 1, arbitrary: tagged("SignalFrom", { lease: inHand, process, position }) },
  { weight: 1, arbitrary: tagged("PutAway", { lease: inHand, parked: FastCheck.boolean() }) },
  { weight: 3, arbitrary: tagged("FireTimers", { process }) },
  { weight: 1, arbitrary: tagged("Timers", {}) }
)

const wakes: FastCheck.Arbitrary<Operation> = FastCheck.oneof(
  { weight: 2, arbitrary: tagged("Wake", { process, urgent: FastCheck.constantFrom<unknown>(true, 0, null, "") }) },
  { weight: 2, arbitrary: tagged("Wake", { process, urgent: FastCheck.constant<unknown>(1), scope }) },
  { weight: 2, arbitrary: tagged("AckWake", { process, sequence }) },
  { weight: 2, arbitrary: tagged("Wakes", { process, after: sequence }) }
)

const grants: FastCheck.Arbitrary<Operation> = FastCheck.oneof(
  {
    weight: 4,
    arbitrary: tagged("Grant", { process, scope, label: FastCheck.constantFrom("one", "other") })
  },
  { weight: 1, arbitrary: tagged("Revoke", { process, scope }) },
  {
    weight: 2,
    arbitrary: tagged("Transfer", { from: scope, to: scope, processes: FastCheck.array(process, { maxLength: 3 }) })
  },
  { weight: 2, arbitrary: tagged("Grants", { process, scope }) },
  { weight: 1, arbitrary: tagged("DeleteSession", { session: FastCheck.nat(sessions - 1) }) }
)

const retention: FastCheck.Arbitrary<Operation> = FastCheck.oneof(
  { weight: 3, arbitrary: tagged("Prune", { ageMs, watermark }) },
  { weight: 2, arbitrary: tagged("Compact", { ageMs, watermark }) },
  { weight: 1, arbitrary: tagged("References", {}) }
)

const eventType = FastCheck.constantFrom("note", "line", "process.started", "process.completed", "unheard.of")

const reads: FastCheck.Arbitrary<Operation> = FastCheck.oneof(
  { weight: 2, arbitrary: tagged("List", { filter: listFilter, limit }) },
  { weight: 2, arbitrary: tagged("List", { filter: listFilter, after: process, limit }) },
  { weight: 1, arbitrary: tagged("Count", { process, eventType, upto: sequence }) },
  { weight: 1, arbitrary: tagged("Events", { process, after: sequence, limit }) },
  { weight: 1, arbitrary: tagged("Recent", { process, limit }) },
  { weight: 2, arbitrary: tagged("Changes", { limit }) }
)

/** Commands of a lease holder, more often than a history has them. */
const leased: FastCheck.Arbitrary<Operation> = FastCheck.oneof(
  {
    weight: 3,
    arbitrary: tagged("Claim", { process, owner: FastCheck.constant(0), ttlMs: FastCheck.constant(2_000) })
  },
  { weight: 2, arbitrary: tagged("Renew", { lease: FastCheck.nat(1), ttlMs: FastCheck.constantFrom(20, 2_000) }) },
  { weight: 1, arbitrary: tagged("Release", { lease: FastCheck.nat(1) }) },
  { weight: 1, arbitrary: tagged("Begin", { lease: FastCheck.nat(1) }) }
)

/** One thing that may be asked. */
export const operation: FastCheck.Arbitrary<Operation> = FastCheck.oneof(
  { weight: 12, arbitrary: command },
  {
    weight: 3,
    arbitrary: tagged("SetExternalRef", { process, ref: FastCheck.constantFrom("a", "a", "b"), writer })
  },
  { weight: 4, arbitrary: leased },
  { weight: 4, arbitrary: signals },
  { weight: 4, arbitrary: executions },
  { weight: 4, arbitrary: wakes },
  { weight: 4, arbitrary: grants },
  { weight: 3, arbitrary: retention },
  { weight: 4, arbitrary: reads }
)

/** A list of operations that begins with processes to do something to. It shrinks to any part of itself. */
export const operations: FastCheck.Arbitrary<ReadonlyArray<Operation>> = FastCheck.tuple(
  FastCheck.array(disposition, { minLength: 2, maxLength: population.processes - 1, size: "max" }),
  FastCheck.array(operation, { minLength: 1, maxLength: 20, size: "max" })
).map(([dispositions, rest]) => [
  ...dispositions.map((each, index): Operation => ({ _tag: "Register", process: index, disposition: each })),
  ...rest
])

/** What the numbers in a list mean. */
export interface Names {
  readonly ids: ReadonlyArray<ProcessId>
  readonly id: (index: number) => ProcessId
  readonly owner: (index: number) => LeaseOwner
  readonly session: (index: number) => string
  readonly scope: (index: number) => SessionScope
  /** What a process has besides its disposition, so that filters, wakes and summaries can distinguish processes. */
  readonly traits: (index: number) => Partial<Registration>
}

/** The names of one run of a list. Runs with different names do not meet, so that many may share a store. */
export const namesOf = (run: string): Names => {
  const id = (index: number) => processId(`${run}-${suffixes[index] ?? index}`)
  const session = (index: number) => `${run}-session-${index}`
  const scope = (index: number): SessionScope => ({
    sessionId: session(Math.floor(index / 2)),
    ...(index % 2 === 0 ? {} : { agentFrameId: "frame" })
  })
  return {
    ids: Array.from({ length: population.processes }, (_, index) => id(index)),
    id,
    owner: (index) => ownerOf(`owner-${index}`, `${run}-owner-${index}`),
    session,
    scope,
    traits: (index) => ({
      provenance: {
        originator: { _tag: "Host", scope: run },
        causedBy: { _tag: "Process", processId: processId("cause") }
      },
      identity: identities[index % identities.length] ?? { kind: "plain" },
      ...(index === 0 ? {} : { wakeTarget: scope(index) })
    })
  }
}

/** The signal `ready` to a process; the same id is the same signal. */
export const signalTo = (id: ProcessId, signalId: string): AppendRequest => ({
  eventType: "signal.ready",
  payload: signalId,
  replayKey: signalReplayKey(id, "ready", signalId)
})

/** The journal entry of an operation at a position, before what it came to is known. */
export const draft = (position: number): Omit<Draft, "outcome"> => ({
  key: `k${position}#1`,
  position,
  operation: "step"
})

/** In UTF-16 units the second and the third would change places. */
const suffixes = ["a", "\ufffd", "\u{1f980}"]

const identities: ReadonlyArray<Registration["identity"]> = [
  { kind: "plain" },
  { kind: "defined", label: "label", definition: { b: 1, a: [0] } },
  { kind: "defined", definition: null }
]

const ownerOf = (ownerId: string, incarnationId: string): LeaseOwner => ({
  ownerId,
  incarnationId,
  liveness: { _tag: "LocalProcess", hostId: "h", bootId: "b", pid: 1, processStart: incarnationId }
})

/** A lease that no store ever gave, for lists that speak of leases before there are any. */
export const neverGiven = (id: ProcessId, owner: LeaseOwner): Lease => ({
  schemaVersion: 2,
  processId: id,
  owner,
  leaseToken: "never given",
  fencingToken: 1,
  claimedAtMs: 0,
  expiresAtMs: Number.MAX_SAFE_INTEGER
})
