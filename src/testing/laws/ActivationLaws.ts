/**
 * Laws of activations and starts: each begins once, under one lease.
 */
import * as Effect from "effect/Effect"
import { plain } from "../../model/EventType.ts"
import { apart } from "../../model/JournalEntry.ts"
import type { LeaseOwner } from "../../model/Lease.ts"
import type { Registration } from "../../model/Registration.ts"
import { external, host } from "../../operations/decisions/authority.ts"
import type { ReadyWorker } from "../../operations/decisions/register.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isFold, keptOf, logOf, recordOf, refused, rowOf, typesOf, writesNothing } from "../evidence.ts"
import {
  begin,
  claimed,
  freshId,
  freshOwner,
  freshProcess,
  leasedProcess,
  longMs,
  outputs,
  registeredOf,
  registrationOf,
  shortMs
} from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, lawsOf } from "../Law.ts"

const activationLaws: ReadonlyArray<Law> = lawsOf("ADR 0007", {
  *"an activation begins with one fact: who began it, when, as which attempt, under which fence"() {
    const { id, lease } = yield* leasedProcess()
    const row = yield* begin(lease, stable)
    const [event] = yield* logOf(id)
    yield* expectEquals(
      "the type and key",
      [event?.eventType, event?.replayKey],
      ["process.started", `process:${id}:started:1`]
    )
    yield* expectEquals("the payload", event?.payload, {
      started: {
        owner: { owner_id: "stable", incarnation_id: "life", liveness: { kind: "opaque" } },
        started_at_ms: event?.occurredAtMs,
        attempt: 1,
        fencing_token: lease.fencingToken
      }
    })
    const record = yield* recordOf(id)
    yield* expectEquals("the counters", [record.activations, record.attempts], [1, 1])
    yield* expectEquals("the first owner", record.firstStarted, { owner: stable, startedAtMs: event?.occurredAtMs })
    yield* expectEquals("the lease", (yield* keptOf(id)).lease, lease)
    yield* expectEquals("the answer", row.sequence, 1)
    yield* isFold(id)
  },

  *"an attempt is counted when the activation before it left no fact"() {
    const { id, lease } = yield* lostActivation
    yield* begin(lease, stable)
    const record = yield* recordOf(id)
    yield* expectEquals("the counters", [record.activations, record.attempts], [2, 2])
    yield* isFold(id)
  },

  *"an activation after a hand-back goes on with the same attempt"({ activations }) {
    const { id, lease } = yield* leasedProcess()
    yield* begin(lease, stable)
    yield* activations.suspend(lease, "passivated")
    yield* begin(yield* claimed(id, yield* freshOwner()), stable)
    const record = yield* recordOf(id)
    yield* expectEquals("the counters", [record.activations, record.attempts], [2, 1])
    yield* isFold(id)
  },

  *"the first owner stays the first"({ registry }) {
    const { id, lease } = yield* lostActivation
    const { firstStarted } = yield* recordOf(id)
    const late = yield* freshOwner("late")
    yield* begin(lease, late)
    yield* registry.recordFirstStarted(id, { owner: late, startedAtMs: 1 })
    yield* expectEquals("the first owner", (yield* recordOf(id)).firstStarted, firstStarted)
  },

  *"the first recorded start is kept, and later calls write nothing"({ registry }) {
    const id = yield* freshProcess()
    const first = yield* registry.recordFirstStarted(id, { owner: stable, startedAtMs: 5 })
    yield* expectEquals("the first owner", first.firstStarted, { owner: stable, startedAtMs: 5 })
    yield* isFold(id)
    const later = { owner: yield* freshOwner(), startedAtMs: 6 }
    const second = yield* writesNothing([id], registry.recordFirstStarted(id, later))
    yield* expectEquals("the answer", second, first)
    const unknown = yield* freshId
    yield* refused("an unknown one", "ProcessUnknown", [unknown], registry.recordFirstStarted(unknown, later))
  },

  *"the first start may be recorded after the end, and moves nothing else"({ registry }) {
    const id = yield* freshProcess("externally_owned")
    const ended = yield* registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
    const started = yield* registry.recordFirstStarted(id, { owner: stable, startedAtMs: 5 })
    yield* expectEquals("the record", started, {
      ...ended,
      updatedAtMs: started.updatedAtMs,
      firstStarted: { owner: stable, startedAtMs: 5 }
    })
    yield* isFold(id)
  },

  *"a hand-back writes its reason and releases the lease in one commit"({ activations }) {
    for (const reason of ["handed_back", "passivated", "lease_lost"] as const) {
      const { id, lease } = yield* leasedProcess()
      yield* begin(lease, stable)
      yield* activations.suspend(lease, reason)
      const kept = yield* keptOf(id)
      yield* expectEquals("the lease and its fence", [kept.lease, kept.fencingToken], [undefined, 1])
      const event = kept.log[1]
      yield* expectEquals(
        "the fact",
        [event?.eventType, event?.payload, event?.replayKey],
        ["process.suspended", { reason }, `process:${id}:suspended:1`]
      )
      yield* refused("a second hand-back", "LeaseLost", [id], activations.suspend(lease, reason))
      yield* isFold(id)
    }
  },

  *"a hand-back keeps what was under way, for the fence that it was under way under"({ activations }) {
    const store = yield* ProcessStore
    const { id, lease } = yield* leasedProcess()
    yield* begin(lease, stable)
    const step = {
      key: "charge#1",
      name: "charge",
      operation: "step",
      sinceMs: 7,
      tries: 2,
      error: "HTTP 503"
    } as const
    yield* activations.suspend(lease, "handed_back", { underWay: [step] })
    const rows = yield* store.execution.progress(id)
    yield* expectEquals("what is kept", apart(rows, lease.fencingToken), { progress: [], kept: [step] })
    yield* expectEquals("of the next activation", apart(rows, lease.fencingToken + 1), { progress: [], kept: [] })
  },

  *"handing back what never began only releases"({ activations }) {
    const { id, lease } = yield* leasedProcess()
    const before = yield* rowOf(id)
    yield* activations.suspend(lease, "handed_back")
    const kept = yield* keptOf(id)
    yield* expectEquals("the log and the lease", [kept.log, kept.lease], [[], undefined])
    yield* expectEquals("the time of the record", kept.record?.updatedAtMs, before.snapshot.context.updatedAtMs)
  },

  *"a process goes through any number of activations, each with its own fence and fact"({ activations }) {
    const id = yield* freshProcess()
    for (const activation of [1, 2, 3]) {
      const lease = yield* claimed(id, yield* freshOwner())
      yield* expectEquals("the fence", lease.fencingToken, activation)
      yield* begin(lease, stable)
      yield* activations.suspend(lease, "handed_back")
    }
    yield* expectEquals("the log", yield* typesOf(id), [
      "process.started",
      "process.suspended",
      "process.started",
      "process.suspended",
      "process.started",
      "process.suspended"
    ])
    yield* isFold(id)
  }
})

const stable: LeaseOwner = { ownerId: "stable", incarnationId: "life", liveness: { _tag: "Opaque" } }

/** An activation whose lease ran out without a fact, and the lease of the next holder. */
const lostActivation = Effect.gen(function* () {
  const clock = yield* LawClock
  const { id, lease: first } = yield* leasedProcess("rerunnable", shortMs)
  yield* begin(first, stable)
  yield* clock.advance(shortMs)
  return { id, lease: yield* claimed(id, yield* freshOwner()) }
})

const startLaws: ReadonlyArray<Law> = lawsOf("ADR 0007", {
  *"a start without a worker only registers"({ activations }) {
    const id = yield* freshId
    const outcome = yield* activations.start(yield* registeredOf(registrationOf(id, "rerunnable")), host)
    yield* expectEquals("the outcome", outcome._tag, "Registered")
    const kept = yield* keptOf(id)
    yield* expectEquals("the log and the lease", [kept.log, kept.lease, kept.fencingToken], [[], undefined, 0])
  },

  *"a start with a ready worker registers, claims and begins in one commit"({ activations }) {
    const id = yield* freshId
    const worker = yield* readyWorker
    const outcome = yield* activations.start(yield* registeredOf(registrationOf(id, "owner_bound")), host, worker)
    const lease = outcome._tag === "Begun" ? outcome.lease : undefined
    yield* expectEquals("the holder and the fence", [lease?.owner, lease?.fencingToken], [worker.claimant.owner, 1])
    yield* expectEquals("the lease", (yield* keptOf(id)).lease, lease)
    const record = yield* recordOf(id)
    yield* expectEquals("the first owner", record.firstStarted?.owner, worker.owner)
    yield* expectEquals("the counters", [record.activations, record.attempts], [1, 1])
    yield* expectEquals("the log", yield* typesOf(id), ["process.started"])
    yield* isFold(id)
  },

  *"a start of a known id attaches when engine and payload are equal, whatever else changed"({ activations }) {
    const id = yield* freshProcess("rerunnable")
    const redeployed = registrationOf(id, "owner_bound", {
      eventTypes: [plain("other")],
      provenance: { originator: { _tag: "Session", scope: { sessionId: "s" } } },
      maxAttempts: 2
    })
    const start = activations.start(yield* registeredOf(redeployed), host, yield* readyWorker)
    const outcome = yield* writesNothing([id], start)
    yield* expectEquals("the outcome", outcome._tag, "Attached")
    yield* expectEquals("the process", (yield* recordOf(id)).disposition, "rerunnable")
  },

  *"a start of an ended process attaches to its end"({ activations, registry }) {
    const { id, lease } = yield* leasedProcess()
    yield* registry.completeProcessWithLease(lease, outputs.Success)
    const start = activations.start(yield* registeredOf(registrationOf(id, "rerunnable")), host, yield* readyWorker)
    yield* expectEquals("the outcome", (yield* writesNothing([id], start))._tag, "Attached")
  },

  *"a start of a known id with another engine or payload is refused and names what differs"({ activations }) {
    const id = yield* freshProcess()
    for (const [kind, payload, fields] of otherWork) {
      const input = { _tag: "Engine", kind, payload } as const
      const registered = yield* registeredOf(registrationOf(id, "rerunnable", { input }))
      const error = yield* refused("it", "ProcessIdConflict", [id], activations.start(registered, host))
      yield* expectEquals("the fields", error.fields, fields)
    }
  },

  *"of concurrent starts of one id one begins and the others attach"({ activations }) {
    const id = yield* freshId
    const registered = yield* registeredOf(registrationOf(id, "rerunnable"))
    const workers = yield* Effect.all(Array.from({ length: 6 }, () => readyWorker))
    const outcomes = yield* Effect.forEach(workers, (worker) => activations.start(registered, host, worker), {
      concurrency: "unbounded"
    })
    const tags = outcomes.map((outcome) => outcome._tag).sort()
    yield* expectEquals("the outcomes", tags, ["Attached", "Attached", "Attached", "Attached", "Attached", "Begun"])
    yield* expectEquals("the log", yield* typesOf(id), ["process.started"])
  },

  *"a body starts children under its lease"({ activations }) {
    const { id: parent, lease } = yield* leasedProcess()
    const registration = yield* childOf(parent)
    const start = activations.start(yield* registeredOf(registration), { _tag: "Body", lease }, yield* readyWorker)
    const outcome = yield* writesNothing([parent], start)
    yield* expectEquals("the outcome", outcome._tag, "Begun")
    yield* expectEquals("the parent", (yield* recordOf(registration.id)).parent, registration.parent)
  },

  *"a parent starts no child under the id of a process that is not its own child"({ activations }) {
    const { id: parent, lease } = yield* leasedProcess()
    const grandchild = yield* childOf((yield* leasedProcess()).id)
    yield* activations.start(yield* registeredOf(grandchild), host)
    const root = registrationOf(yield* freshId, "rerunnable")
    yield* activations.start(yield* registeredOf(root), host)
    for (const { id } of [grandchild, root]) {
      const own = registrationOf(id, "rerunnable", { parent: { processId: parent, closePolicy: "cancel" } })
      const start = activations.start(yield* registeredOf(own), { _tag: "Body", lease })
      const error = yield* refused("it", "ProcessIdConflict", [parent, id], start)
      yield* expectEquals("the fields", error.fields, ["parent"])
    }
  },

  *"a parent that was asked to stop, has ended or is unknown starts no more children"({ activations, registry }) {
    const cancelled = yield* leasedProcess()
    yield* registry.requestProcessCancel(cancelled.id, "stop", external)
    const ended = yield* freshProcess("externally_owned")
    yield* registry.completeProcess(ended, outputs.Success, { _tag: "ExternalOwner" })
    const unknown = yield* freshId
    for (const [parent, authority] of [
      [cancelled.id, { _tag: "Body", lease: cancelled.lease }],
      [ended, host],
      [unknown, host]
    ] as const) {
      const registration = yield* childOf(parent)
      const start = activations.start(yield* registeredOf(registration), authority, yield* readyWorker)
      const error = yield* refused("it", "ParentClosing", [parent, registration.id], start)
      yield* expectEquals("the failure", [error.processId, error.childId], [parent, registration.id])
    }
  },

  *"a child that was started before its parent was asked to stop is attached to afterwards"({ activations, registry }) {
    const { id: parent, lease } = yield* leasedProcess()
    const registered = yield* registeredOf(yield* childOf(parent))
    const authority = { _tag: "Body", lease } as const
    yield* activations.start(registered, authority)
    yield* registry.requestProcessCancel(parent, null, external)
    const again = writesNothing([parent, registered.registration.id], activations.start(registered, authority))
    yield* expectEquals("the outcome", (yield* again)._tag, "Attached")
  }
})

const otherWork: ReadonlyArray<readonly [string, unknown, ReadonlyArray<string>]> = [
  ["other.engine", { steps: 3 }, ["engine"]],
  ["law.engine", { steps: 4 }, ["payload"]],
  ["other.engine", null, ["engine", "payload"]]
]

const readyWorker: Effect.Effect<ReadyWorker> = Effect.gen(function* () {
  const owner = yield* freshOwner("stable")
  const claimant = yield* freshOwner("stable:attempt")
  return { owner, claimant: { owner: claimant, ttlMs: longMs, token: crypto.randomUUID() } }
})

const childOf = (parent: NonNullable<Registration["parent"]>["processId"]): Effect.Effect<Registration> =>
  Effect.map(freshId, (id) =>
    registrationOf(id, "rerunnable", { parent: { processId: parent, closePolicy: "cancel" } })
  )

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...activationLaws, ...startLaws]
