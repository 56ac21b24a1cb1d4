/**
 * Laws of starts: registration, claim and first activation in one commit, attaching to what is there, and the parent's say.
 */
import * as Effect from "effect/Effect"
import { plain } from "../../model/EventType.ts"
import type { Registration } from "../../model/Registration.ts"
import { Activations } from "../../operations/Activations.ts"
import { external, host } from "../../operations/decisions/authority.ts"
import type { ReadyWorker } from "../../operations/decisions/register.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { isFold, keptOf, recordOf, refused, typesOf, writesNothing } from "../evidence.ts"
import {
  freshId,
  freshOwner,
  freshProcess,
  leasedProcess,
  longMs,
  outputs,
  registeredOf,
  registrationOf
} from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, lawsOf } from "../Law.ts"

/** The laws of starts. */
export const laws: ReadonlyArray<Law> = lawsOf("ADR 0007", {
  "a start without a worker only registers": function* () {
    const activations = yield* Activations
    const id = yield* freshId
    const outcome = yield* activations.start(yield* registeredOf(registrationOf(id, "rerunnable")), host)
    yield* expectEquals("the outcome", outcome._tag, "Registered")
    const kept = yield* keptOf(id)
    yield* expectEquals("the log and the lease", [kept.log, kept.lease, kept.fencingToken], [[], undefined, 0])
  },

  "a start with a ready worker registers, claims and begins in one commit": function* () {
    const activations = yield* Activations
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

  "a start of a known id attaches when engine and payload are equal, whatever else changed": function* () {
    const activations = yield* Activations
    const id = yield* freshProcess("rerunnable")
    const redeployed = registrationOf(id, "owner_bound", {
      eventTypes: [plain("other")],
      provenance: { originator: { _tag: "Session", scope: { sessionId: "s" } } },
      maxAttempts: 2
    })
    const start = activations.start(yield* registeredOf(redeployed), host, yield* readyWorker)
    const outcome = yield* writesNothing([id], start)
    yield* expectEquals("the outcome", outcome._tag, "Attached")
    yield* expectEquals("the process", outcome.row.base.registration.disposition, "rerunnable")
  },

  "a start of an ended process attaches to its end": function* () {
    const activations = yield* Activations
    const registry = yield* ProcessRegistry
    const { id, lease } = yield* leasedProcess()
    yield* registry.completeProcessWithLease(lease, outputs.Success)
    const start = activations.start(yield* registeredOf(registrationOf(id, "rerunnable")), host, yield* readyWorker)
    yield* expectEquals("the outcome", (yield* writesNothing([id], start))._tag, "Attached")
  },

  "a start of a known id with another engine or payload is refused and names what differs": function* () {
    const activations = yield* Activations
    const id = yield* freshProcess()
    for (const [kind, payload, fields] of otherWork) {
      const input = { _tag: "Engine", kind, payload } as const
      const registered = yield* registeredOf(registrationOf(id, "rerunnable", { input }))
      const error = yield* refused("it", "ProcessIdConflict", [id], activations.start(registered, host))
      yield* expectEquals("the fields", error.fields, fields)
    }
  },

  "of concurrent starts of one id one begins and the others attach": function* () {
    const activations = yield* Activations
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

  "a body starts children under its lease": function* () {
    const activations = yield* Activations
    const { id: parent, lease } = yield* leasedProcess()
    const registration = yield* childOf(parent)
    const start = activations.start(yield* registeredOf(registration), { _tag: "Body", lease }, yield* readyWorker)
    const outcome = yield* writesNothing([parent], start)
    yield* expectEquals("the outcome", outcome._tag, "Begun")
    yield* expectEquals("the parent", (yield* recordOf(registration.id)).parent, registration.parent)
  },

  "a parent that was asked to stop, has ended or is unknown starts no more children": function* () {
    const activations = yield* Activations
    const registry = yield* ProcessRegistry
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

  "a child that was started before its parent was asked to stop is attached to afterwards": function* () {
    const activations = yield* Activations
    const registry = yield* ProcessRegistry
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
