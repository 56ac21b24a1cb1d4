/**
 * Laws of retention: pruning deletes ended processes and leaves tombstones.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { InputInvalid, StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import { processId } from "../../model/ids.ts"
import type { Lease } from "../../model/Lease.ts"
import type { Registration } from "../../model/Registration.ts"
import type { Cursor } from "../../operations/ChangeFeed.ts"
import { external } from "../../operations/decisions/authority.ts"
import { HandleGrants } from "../../operations/HandleGrants.ts"
import { Leases } from "../../operations/Leases.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import type { PruneOptions, PruneReport } from "../../operations/Retention.ts"
import { batchSize, Retention } from "../../operations/Retention.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { note, recordOf, refused, writesNothing } from "../evidence.ts"
import { claimed, engineInput, freshId, freshOwner, longMs, outputs, registrationOf, shortMs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, lawsOf } from "../Law.ts"
import { end } from "./OrderingLaws.ts"

const retentionLaws: ReadonlyArray<Law> = lawsOf("ADR 0013", {
  *"a process that has not ended is never pruned, whatever the cutoff and the filter"({ registry }) {
    const scope = yield* freshId
    const [asked, noted] = [yield* processIn(scope), yield* processIn(scope)]
    yield* registry.requestProcessAbandon(asked, { requestedBy: "operator", requestedAtMs: 1 }, external)
    yield* registry.appendEvent(noted, note(1), external)
    const ended = yield* endedIn(scope)
    const running = prune(scope, { filter: { originatorScopeId: `host:${scope}`, status: "running" } })
    yield* expectEquals("running ones", yield* writesNothing([asked, noted, ended], running), nothing)
    const report = yield* writesNothing([asked, noted], prune(scope))
    yield* expectEquals("the report", report, { prunedProcesses: 1, prunedEvents: 1, kept: [] })
  },

  *"a row that last changed at the cutoff is kept, one millisecond earlier it is not"() {
    const scope = yield* freshId
    const id = yield* endedIn(scope)
    const { updatedAtMs } = yield* recordOf(id)
    yield* expectEquals("at it", yield* writesNothing([id], prune(scope, { cutoffMs: updatedAtMs })), nothing)
    const report = yield* prune(scope, { cutoffMs: updatedAtMs + 1 })
    yield* expectEquals("before it", report.prunedProcesses, 1)
  },

  *"the report counts processes and events; the same prune again does nothing"({ registry }) {
    const scope = yield* freshId
    const ids = [yield* endedIn(scope), yield* endedIn(scope)] as const
    yield* registry.appendEvent(ids[0], note("late"), external)
    yield* expectEquals("the report", yield* prune(scope), { prunedProcesses: 2, prunedEvents: 3, kept: [] })
    yield* expectEquals("a second time", yield* prune(scope), nothing)
  },

  *"what projections have not read is kept, and the report says so"({ registry, retention }) {
    yield* retention.compactTombstones(Number.MAX_SAFE_INTEGER, noProjector)
    const scope = yield* freshId
    const read = yield* endedIn(scope)
    const watermark = { _tag: "UpTo", cursor: yield* end } as const
    const unread = yield* endedIn(scope)
    const report = yield* writesNothing([unread], prune(scope, { watermark }))
    const kept = [{ processId: unread, reason: "beyond_watermark" }]
    yield* expectEquals("the report", report, { prunedProcesses: 1, prunedEvents: 1, kept })
    const far = Number.MAX_SAFE_INTEGER
    yield* expectEquals("unread tombstones", yield* retention.compactTombstones(far, watermark), 0)
    yield* refused("the read one", "ProcessPruned", [read], registry.getProcess(read))
  },

  *"a watermark of another store, or a cutoff that is no time, is refused"({ retention }) {
    const scope = yield* freshId
    const id = yield* endedIn(scope)
    const cursor = `${crypto.randomUUID()}:9` as Cursor // what a host may have kept of another store
    const watermark = { _tag: "UpTo", cursor } as const
    yield* refused("a watermark", "InputInvalid", [id], prune(scope, { watermark }))
    yield* refused("a compaction", "InputInvalid", [id], retention.compactTombstones(0, watermark))
    for (const cutoffMs of [-1, 0.5, Number.NaN]) {
      yield* refused("a cutoff", "InputInvalid", [id], prune(scope, { cutoffMs }))
    }
  },

  *"an option or a filter that is unknown, one of another kind, and a watermark that is none, are refused"({
    retention
  }) {
    const scope = yield* freshId
    const id = yield* endedIn(scope)
    const misspelt: ReadonlyArray<object> = [
      { filters: { originatorScopeId: "host:none" } },
      { originatorScopeId: "host:none" },
      { onProgress: 5 }
    ]
    for (const options of misspelt) {
      yield* refused(JSON.stringify(options), "InputInvalid", [id], prune(scope, options))
    }
    const filters: ReadonlyArray<unknown> = [
      { originator_scope_id: "host" },
      { scope },
      { status: "over" },
      { originatorScopeId: 7 },
      { identityLabel: null },
      { waiting: 0 },
      { createdAtEndMs: "1" },
      [],
      "any",
      null
    ]
    for (const filter of filters) {
      const options = { filter: filter as never } // what a program without types may hand over
      yield* refused(JSON.stringify(filter), "InputInvalid", [id], prune(scope, options))
    }
    for (const given of [undefined, null, {}, { _tag: "UpTo" }, { _tag: "UpTo", cursor: 1 }, { _tag: "Never" }]) {
      const watermark = given as never // as above
      const error = yield* refused("a prune", "InputInvalid", [id], prune(scope, { watermark }))
      yield* expectEquals("the field", /^(watermark|cursor)/.test(error.field), true)
      yield* refused("a compaction", "InputInvalid", [id], retention.compactTombstones(0, watermark))
    }
  },

  *"a prune of one host scope takes nothing of another, nor of the host itself"() {
    const scope = yield* freshId
    const kept = [yield* endedIn(`${scope}x`), yield* endedIn(undefined)]
    yield* endedIn(scope)
    yield* expectEquals("the report", (yield* writesNothing(kept, prune(scope))).prunedProcesses, 1)
    const labels = { originatorScopeId: `host:${scope}x`, identityLabel: "unheard of" }
    yield* expectEquals("another label", yield* writesNothing(kept, prune(scope, { filter: labels })), nothing)
    const failed = { originatorScopeId: `host:${scope}x`, status: "failed" } as const
    yield* expectEquals("another end", yield* writesNothing(kept, prune(scope, { filter: failed })), nothing)
  },

  "a prune commits in batches: interrupted between two it keeps what it did, and called again it goes on":
    function* () {
      const scope = yield* freshId
      const indexes = Array.from({ length: 120 })
      yield* Effect.forEach(indexes, () => endedIn(scope), { concurrency: "unbounded" })
      const seen: Array<number> = []
      const onProgress = ({ prunedProcesses }: { readonly prunedProcesses: number }) =>
        Effect.zipRight(
          Effect.sync(() => seen.push(prunedProcesses)),
          Effect.interrupt
        )
      const exit = yield* Effect.exit(prune(scope, { onProgress }))
      yield* expectEquals("whether it was interrupted", Exit.isInterrupted(exit), true)
      const [done = 0] = seen
      yield* expectEquals("whether it stopped between batches", done > 0 && done < 120, true)
      yield* expectEquals("the rest", (yield* prune(scope)).prunedProcesses, 120 - done)
    },

  "the reference summary counts running processes by definition and environment, and leaves out what is not needed":
    function* ({ registry, retention }) {
      const scope = yield* freshId
      const identity = (version: number) => ({ kind: "law", definition: { kind: scope, version } })
      const environment = (name: string) => `process-env:sha256:${name}` as NonNullable<Registration["envRef"]> // any
      const inside = (version: number, name: string) =>
        Effect.flatMap(freshId, (id) =>
          registry.registerProcess(
            registrationOf(id, "rerunnable", {
              input: engineInput,
              identity: identity(version),
              envRef: environment(name)
            })
          )
        )
      for (const name of ["a", "a", "b"]) yield* inside(1, name)
      yield* processIn(scope, { identity: identity(1) })
      yield* endedIn(scope, { identity: identity(2) })
      const own = (yield* retention.referenceSummary).filter(
        ({ definition }) => (definition as { readonly kind?: unknown } | null | undefined)?.kind === scope
      )
      const definition = { kind: scope, version: 1 }
      yield* expectEquals(
        "the summary",
        own.sort((a, b) => b.count - a.count || (b.envRef ?? "").localeCompare(a.envRef ?? "")),
        [
          { definition, envRef: "process-env:sha256:a", count: 2 },
          { definition, envRef: "process-env:sha256:b", count: 1 },
          { definition, count: 1 }
        ]
      )
    }
})

const nothing = { prunedProcesses: 0, prunedEvents: 0, kept: [] }

/** A watermark for stores without projections. */
const noProjector = { _tag: "NoProjector" } as const

/** Prunes the processes of one host scope, however young by default. */
export const prune = (
  scope: string,
  options: Partial<PruneOptions> = {}
): Effect.Effect<PruneReport, InputInvalid | StoreError, Retention> =>
  Effect.flatMap(Retention, (retention) =>
    retention.pruneTerminalProcesses({
      cutoffMs: Number.MAX_SAFE_INTEGER,
      filter: { originatorScopeId: `host:${scope}` },
      watermark: noProjector,
      ...options
    })
  )

/** A registration outside, of one host scope. */
export const registrationIn = (
  id: ProcessId,
  scope: string | undefined,
  changes: Partial<Registration> = {}
): Registration =>
  registrationOf(id, "externally_owned", {
    provenance: { originator: { _tag: "Host", ...(scope === undefined ? {} : { scope }) } },
    ...changes
  })

const processIn = (scope: string | undefined, changes?: Partial<Registration>) =>
  Effect.gen(function* () {
    const id = yield* freshId
    yield* (yield* ProcessRegistry).registerProcess(registrationIn(id, scope, changes))
    return id
  })

const endedIn = (scope: string | undefined, changes?: Partial<Registration>) =>
  Effect.gen(function* () {
    const id = yield* processIn(scope, changes)
    yield* (yield* ProcessRegistry).completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
    return id
  })

const tombstoneLaws: ReadonlyArray<Law> = lawsOf("ADR 0013", {
  "once the tombstone is compacted the id is unknown, and a new process under it goes on with sequence and fence":
    function* ({ grants, registry, retention }) {
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

  *"every tombstone that projections have read is compacted, also when later ones are from before a clock was set back"({
    clock,
    registry,
    retention
  }) {
    yield* retention.compactTombstones(Number.MAX_SAFE_INTEGER, noProjector)
    const { pruned: id } = yield* prunedProcess
    const watermark = { _tag: "UpTo", cursor: yield* end } as const
    if (clock.isExact) yield* clock.advance(-longMs)
    const scope = yield* freshId
    yield* Effect.forEach(Array.from({ length: batchSize }), () => endedIn(scope), { concurrency: "unbounded" })
    yield* prune(scope)
    if (clock.isExact) yield* clock.advance(longMs)
    const far = Number.MAX_SAFE_INTEGER
    yield* expectEquals("how many", yield* retention.compactTombstones(far, watermark), 1)
    yield* expectEquals("it", yield* registry.getProcess(id), undefined)
    yield* expectEquals("the others", yield* retention.compactTombstones(far, noProjector), batchSize)
  },

  *"tombstones from before the cutoff are compacted, once each; a registration is refused until then"({
    registry,
    retention
  }) {
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

/** A process that was granted, leased twice, noted twice, ended and pruned: sequence 3, fence 2; with its last lease. */
export const prunedProcess = Effect.gen(function* () {
  const registry = yield* ProcessRegistry
  const leases = yield* Leases
  const clock = yield* LawClock
  const scope = yield* freshId
  const registration = registrationIn(processId(`${scope}-pruned`), scope)
  const { id } = registration
  yield* registry.registerProcess(registration)
  yield* (yield* HandleGrants).grantHandle({ sessionId: scope }, id, {})
  const lives = yield* Effect.forEach([1, 2], (value) =>
    Effect.gen(function* () {
      yield* registry.appendEvent(id, note(value), external)
      const lease = yield* claimed(id, yield* freshOwner())
      yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
      return lease
    })
  )
  yield* registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
  yield* clock.advance(shortMs)
  const report = yield* prune(scope)
  yield* expectEquals("the report", report, { prunedProcesses: 1, prunedEvents: 3, kept: [] })
  const found = yield* (yield* ProcessStore).find(id)
  const prunedAtMs = found._tag === "Pruned" ? found.tombstone.prunedAtMs : 0
  const left = found._tag === "Pruned" ? [found.tombstone.lastSequence, found.tombstone.lastFence] : []
  yield* expectEquals("what the tombstone keeps", left, [3, 2])
  const lease = lives[1] as Lease // it had two
  return { pruned: id, scope, registration, prunedAtMs, lease }
})

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...retentionLaws, ...tombstoneLaws]
