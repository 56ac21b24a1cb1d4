/**
 * Laws of tombstones: what is left of a pruned process says how it ended, and its numbers are never used twice.
 */
import * as Effect from "effect/Effect"
import type {
  CompletionRefused,
  ExternalRefConflict,
  InputInvalid,
  RegistrationConflict,
  RegistrationInvalid
} from "../../model/errors.ts"
import { processId } from "../../model/ids.ts"
import type { AppendRefusal } from "../../operations/decisions/append.ts"
import { external } from "../../operations/decisions/authority.ts"
import { HandleGrants } from "../../operations/HandleGrants.ts"
import { Leases } from "../../operations/Leases.ts"
import type { Lookup } from "../../operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { Retention } from "../../operations/Retention.ts"
import { Waits } from "../../operations/Waits.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { note, refused } from "../evidence.ts"
import { claimed, freshId, freshOwner, outputs, shortMs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, lawsOf } from "../Law.ts"
import { noProjector, prune, registrationIn } from "./RetentionLaws.ts"

/** The laws of tombstones. */
export const laws: ReadonlyArray<Law> = lawsOf("ADR 0013", {
  "a pruned process is gone from every list, and every operation on it says how it ended and when it was pruned":
    function* () {
      const registry = yield* ProcessRegistry
      const store = yield* ProcessStore
      const grants = yield* HandleGrants
      const leases = yield* Leases
      const waits = yield* Waits
      const { pruned: id, scope, registration, prunedAtMs } = yield* prunedProcess
      const request = { requestedBy: "operator", requestedAtMs: 1 }
      const key = `process:${id}:signal.ready:1`
      const kind = { _tag: "Signal", name: "ready", eventType: "signal.ready", key, ordinal: 1 } as const
      const owner = yield* freshOwner()
      const operations: ReadonlyArray<readonly [string, Effect.Effect<unknown, Refusal>]> = [
        ["the record", registry.getProcess(id)],
        ["a registration", registry.registerProcess(registration)],
        ["an append", registry.appendEvent(id, note(1), external)],
        ["a start", registry.recordFirstStarted(id, { owner, startedAtMs: 1 })],
        ["an end", registry.completeProcess(id, outputs.Failure, { _tag: "ExternalOwner" })],
        ["a request to cancel", registry.requestProcessCancel(id, null, external)],
        ["a request to give up", registry.requestProcessAbandon(id, request, external)],
        ["a reference", registry.setExternalRef(id, { backend: "b", id: "i" }, external)],
        ["the events", registry.eventsAfter(id, 0)],
        ["a count", registry.countEventsThrough(id, "note", 9)],
        ["recent events", registry.recentEvents(id, 9)],
        ["the wakes", registry.wakeEventsAfter(id, 0)],
        ["an acknowledgement", registry.ackWake(id, 1)],
        ["a wait", waits.setProcessWait(id, { kind, sinceMs: 1 }, external)],
        ["the end of a wait", waits.clearProcessWait(id, external)],
        ["a grant", grants.grantHandle({ sessionId: scope }, id, {})],
        ["the grants", grants.handleGrantsForProcess(id)],
        ["a claim", leases.claimProcessLease(id, owner, 1_000)]
      ]
      for (const [about, operation] of operations) {
        const error = yield* refused(about, "ProcessPruned", [id], operation)
        yield* expectEquals(about, [error.terminalState, error.prunedAtMs], ["completed", prunedAtMs])
      }
      const listed = yield* store.list({ filter: { status: "any", originatorScopeId: `host:${scope}` } })
      yield* expectEquals("the list", listed, [])
      yield* expectEquals("whether it is granted", yield* grants.hasHandleGrant({ sessionId: scope }, id), false)
      yield* expectEquals("the grants of the scope", yield* grants.listHandleGrants({ sessionId: scope }), [])
      yield* expectEquals("its lease", yield* leases.getProcessLease(id), undefined)
    },

  "once the tombstone is compacted the id is unknown, and a new process under it goes on with sequence and fence":
    function* () {
      const registry = yield* ProcessRegistry
      const retention = yield* Retention
      const grants = yield* HandleGrants
      const { pruned: id, registration, scope } = yield* prunedProcess
      yield* retention.compactTombstones(Number.MAX_SAFE_INTEGER, noProjector)
      yield* expectEquals("the record", yield* registry.getProcess(id), undefined)
      yield* refused("its events", "ProcessUnknown", [id], registry.eventsAfter(id, 0))
      const record = yield* registry.registerProcess(registration)
      yield* expectEquals("the new one", [record.status, record.attempts], [{ _tag: "Running" }, 0])
      yield* expectEquals("its log", yield* registry.eventsAfter(id, 0), [])
      const { event } = yield* registry.appendEvent(id, { ...note(1), replayKey: "k" }, external)
      yield* expectEquals("the next event", event.sequence, 4)
      yield* expectEquals("the next fence", (yield* claimed(id, yield* freshOwner())).fencingToken, 3)
      yield* expectEquals("an old grant", yield* grants.handleGrantsForProcess(id), [])
      yield* registry.completeProcess(id, outputs.Failure, { _tag: "ExternalOwner" })
      const report = yield* prune(scope)
      yield* expectEquals("a second prune", report, { prunedProcesses: 1, prunedEvents: 2, kept: [] })
    },

  "tombstones from before the cutoff are compacted, once each; a registration is refused until then": function* () {
    const registry = yield* ProcessRegistry
    const retention = yield* Retention
    yield* retention.compactTombstones(Number.MAX_SAFE_INTEGER, noProjector)
    const { pruned: id, registration, prunedAtMs } = yield* prunedProcess
    yield* expectEquals("at the cutoff", yield* retention.compactTombstones(prunedAtMs, noProjector), 0)
    const early = registry.registerProcess(registration)
    yield* refused("a registration", "ProcessPruned", [id], early)
    yield* expectEquals("before it", yield* retention.compactTombstones(prunedAtMs + 1, noProjector), 1)
    yield* expectEquals("again", yield* retention.compactTombstones(prunedAtMs + 1, noProjector), 0)
    yield* registry.registerProcess(registration)
  }
})

type Refusal =
  | AppendRefusal
  | CompletionRefused
  | RegistrationInvalid
  | RegistrationConflict
  | ExternalRefConflict
  | InputInvalid
  | Lookup

/** A process that was granted, leased twice, noted twice, ended and pruned: sequence 3, fence 2. */
const prunedProcess = Effect.gen(function* () {
  const registry = yield* ProcessRegistry
  const leases = yield* Leases
  const clock = yield* LawClock
  const scope = yield* freshId
  const registration = registrationIn(processId(`${scope}-pruned`), scope)
  const { id } = registration
  yield* registry.registerProcess(registration)
  yield* (yield* HandleGrants).grantHandle({ sessionId: scope }, id, {})
  for (const value of [1, 2]) {
    yield* registry.appendEvent(id, note(value), external)
    const { leaseToken } = yield* claimed(id, yield* freshOwner())
    yield* leases.completeProcessLease({ processId: id, leaseToken })
  }
  yield* registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
  yield* clock.advance(shortMs)
  const report = yield* prune(scope)
  yield* expectEquals("the report", report, { prunedProcesses: 1, prunedEvents: 3, kept: [] })
  const found = yield* (yield* ProcessStore).find(id)
  const prunedAtMs = found._tag === "Pruned" ? found.tombstone.prunedAtMs : 0
  const left = found._tag === "Pruned" ? [found.tombstone.lastSequence, found.tombstone.lastFence] : []
  yield* expectEquals("what the tombstone keeps", left, [3, 2])
  return { pruned: id, scope, registration, prunedAtMs }
})
