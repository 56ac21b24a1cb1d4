/**
 * Laws of grants: which session scope may address which process, and what the end of a session takes away.
 */
import * as Effect from "effect/Effect"
import type { CompletionRefused, InputInvalid, StoreError } from "../../model/errors.ts"
import type { GrantEntry } from "../../model/Handle.ts"
import type { ProcessId } from "../../model/ids.ts"
import { processId } from "../../model/ids.ts"
import type { ListPage } from "../../model/ListFilter.ts"
import type { ProcessRecord } from "../../model/ProcessRecord.ts"
import type { Originator, SessionScope } from "../../model/Provenance.ts"
import { external } from "../../operations/decisions/authority.ts"
import type { CompletionRefusal } from "../../operations/decisions/completion.ts"
import type { Lookup } from "../../operations/existing.ts"
import { HandleGrants } from "../../operations/HandleGrants.ts"
import * as Observation from "../../operations/Observation.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isFold, logOf, recordOf, refused, typesOf, writesNothing } from "../evidence.ts"
import { endedByLease, freshId, freshProcess, outputs, registrationOf, shortMs } from "../fixtures.ts"
import type { Law, Mismatch } from "../Law.ts"
import { expectEquals, lawsOf } from "../Law.ts"

const grantLaws: ReadonlyArray<Law> = lawsOf("ADR 0018", {
  *"a grant is answered, listed and remembered, and touches no record"({ grants }) {
    const id = yield* freshProcess()
    const session = yield* freshSession
    const scope = { sessionId: session, agentFrameId: "f" }
    const answer = yield* writesNothing([id], grants.grantHandle(scope, id, { kind: "law", label: "one" }))
    const scopeId = `session:${session}/frame:f`
    const grant = { scopeId, sessionId: session, processId: id, descriptor: { kind: "law", label: "one" } }
    yield* expectEquals("the answer", answer, grant)
    const record = yield* recordOf(id)
    yield* expectEquals("the list", yield* grants.listHandleGrants(scope), { entries: [{ grant, record }] })
    yield* expectEquals("the live list", yield* grants.listLiveHandleGrants(scope), { entries: [{ grant, record }] })
    yield* expectEquals("of the process", yield* grants.handleGrantsForProcess(id), [grant])
    yield* expectEquals("whether there is one", yield* grants.hasHandleGrant(scope, id), true)
  },

  *"granting again replaces the descriptor, for this scope only"({ grants }) {
    const id = yield* freshProcess()
    const [one, two] = [yield* freshScope, yield* freshScope]
    for (const scope of [one, two]) yield* grants.grantHandle(scope, id, { kind: "law", label: "first" })
    yield* writesNothing([id], grants.grantHandle(one, id, { label: "second" }))
    yield* expectEquals("the new one", yield* descriptorsOf(one), [{ label: "second" }])
    yield* expectEquals("the other one", yield* descriptorsOf(two), [{ kind: "law", label: "first" }])
  },

  *"a grant of an unknown process is refused, and none is stored"({ grants }) {
    const id = yield* freshId
    const scope = yield* freshScope
    yield* changesNoGrant([id], refused("a grant", "ProcessUnknown", [id], grants.grantHandle(scope, id, {})))
    yield* refused("the grants of it", "ProcessUnknown", [id], grants.handleGrantsForProcess(id))
    yield* expectEquals("whether there is one", yield* grants.hasHandleGrant(scope, id), false)
    yield* expectEquals("the list", yield* grants.listHandleGrants(scope), { entries: [] })
  },

  *"a revoked grant is gone; revoking again, or what never was, is silent"({ grants }) {
    const id = yield* freshProcess()
    const [one, two] = [yield* freshScope, yield* freshScope]
    for (const scope of [one, two]) yield* grants.grantHandle(scope, id, {})
    yield* writesNothing([id], grants.revokeHandle(one, id))
    yield* changesNoGrant([id], grants.revokeHandle(one, id))
    yield* changesNoGrant([id], grants.revokeHandle(one, yield* freshId))
    yield* expectEquals("whether it is there", yield* grants.hasHandleGrant(one, id), false)
    yield* expectEquals("whether the other is", yield* grants.hasHandleGrant(two, id), true)
    yield* grants.revokeHandle(two, id)
    yield* expectEquals("a process without grants", yield* grants.handleGrantsForProcess(id), [])
  },

  *"a session and each of its frames are different scopes; an empty frame is the session itself"({ grants }) {
    const id = yield* freshProcess()
    const sessionId = yield* freshSession
    yield* grants.grantHandle({ sessionId, agentFrameId: "" }, id, {})
    const has = (scope: SessionScope) => grants.hasHandleGrant(scope, id)
    yield* expectEquals("the session", yield* has({ sessionId }), true)
    yield* expectEquals("its frame", yield* has({ sessionId, agentFrameId: "f" }), false)
    yield* grants.grantHandle({ sessionId, agentFrameId: "f" }, id, {})
    yield* grants.revokeHandle({ sessionId }, id)
    yield* expectEquals("the frame alone", yield* has({ sessionId, agentFrameId: "f" }), true)
    yield* expectEquals("the session without it", yield* has({ sessionId }), false)
  },

  "a transfer moves grants with their descriptors, over those at the target, and appends nothing": function* ({
    grants
  }) {
    const ids = [yield* freshProcess(), yield* freshProcess()] as const
    const [from, to] = [yield* freshScope, { ...(yield* freshScope), agentFrameId: "f" }]
    for (const id of ids) yield* grants.grantHandle(from, id, { label: "moved" })
    yield* grants.grantHandle(to, ids[0], { kind: "law", label: "overwritten" })
    yield* writesNothing(ids, grants.transferHandleGrants(from, to, [ids[1], ids[0], ids[1]]))
    yield* expectEquals("what is left", yield* grants.listHandleGrants(from), { entries: [] })
    const scopeId = `session:${to.sessionId}/frame:f`
    for (const id of ids) {
      const grant = { scopeId, sessionId: to.sessionId, processId: id, descriptor: { label: "moved" } }
      yield* expectEquals("what arrived", yield* grants.handleGrantsForProcess(id), [grant])
    }
    yield* changesNoGrant(ids, grants.transferHandleGrants(to, to, ids))
  },

  *"a transfer of which one grant is missing moves none"({ grants }) {
    const ids = [yield* freshProcess(), yield* freshProcess()] as const
    const [from, to] = [yield* freshScope, yield* freshScope]
    yield* grants.grantHandle(from, ids[0], { label: "stays" })
    yield* grants.grantHandle(to, ids[1], { label: "another's" })
    const transfer = grants.transferHandleGrants(from, to, ids)
    const error = yield* changesNoGrant(ids, refused("it", "GrantMissing", ids, transfer))
    yield* expectEquals("the missing one", error.processId, ids[1])
    yield* expectEquals("the message", error.message.includes("is not granted to session"), true)
    const unknown = yield* freshId
    const toUnknown = grants.transferHandleGrants(from, to, [ids[0], unknown])
    yield* changesNoGrant(ids, refused("an unknown one", "GrantMissing", [...ids, unknown], toUnknown))
  },

  *"a transfer of nothing is no failure and does nothing"({ grants }) {
    const id = yield* freshProcess()
    const [from, to] = [yield* freshScope, yield* freshScope]
    yield* grants.grantHandle(from, id, {})
    yield* changesNoGrant([id], writesNothing([id], grants.transferHandleGrants(from, to, [])))
  },

  *"the grants of a scope are listed by process id, bytewise, ended ones too; the live ones without those"({ grants }) {
    const { prefix, ids } = yield* named("b", "\u{1f600}", "a", "\uffee", "Z")
    const scope = yield* freshScope
    yield* Effect.forEach(ids, (id) => grants.grantHandle(scope, id, {}))
    yield* end(processId(`${prefix}a`))
    const suffixes = (entries: ReadonlyArray<GrantEntry>) => entries.map(({ record }) => record.id.slice(prefix.length))
    const { entries: all } = yield* grants.listHandleGrants(scope)
    yield* expectEquals("all", suffixes(all), ["Z", "a", "b", "\uffee", "\u{1f600}"])
    yield* expectEquals("the record of the ended one", all[1]?.record.status._tag, "Completed")
    const live = suffixes((yield* grants.listLiveHandleGrants(scope)).entries)
    yield* expectEquals("the live ones", live, ["Z", "b", "\uffee", "\u{1f600}"])
  },

  *"the grants of a scope come in pages, which a filter narrows, and each says where the next one goes on"({ grants }) {
    const { prefix, ids } = yield* named("b", "\u{1f600}", "a", "\uffee", "Z")
    const [scope, other] = [yield* freshScope, yield* freshScope]
    yield* Effect.forEach(ids, (id) => grants.grantHandle(scope, id, { label: id.slice(prefix.length) }))
    yield* grants.grantHandle(other, processId(`${prefix}b`), {})
    yield* end(processId(`${prefix}a`))
    const observation = yield* Observation.make
    const any = (page: ListPage) => observation.listGrantedTo(scope, { status: "any" }, page)
    const narrow = (page: ListPage) => observation.listGrantedTo(scope, { status: "completed" }, page)
    const all = (page: ListPage) => grants.listHandleGrants(scope, page)
    const live = (page: ListPage) => grants.listLiveHandleGrants(scope, page)
    const pages: ReadonlyArray<readonly [typeof any, string | undefined, number, string, string | undefined]> = [
      [all, undefined, 2, "Z a", "a"],
      [all, "a", 2, "b \uffee", "\uffee"],
      [all, "\uffee", 2, "\u{1f600}", undefined],
      [all, undefined, 5, "Z a b \uffee \u{1f600}", undefined],
      [all, "a!", 1, "b", "b"],
      [all, "\u{1f600}", 2, "", undefined],
      [all, undefined, 0, "", undefined],
      [live, undefined, 2, "Z b", "b"],
      [live, "b", 2, "\uffee \u{1f600}", undefined],
      [any, "a", 2, "b \uffee", "\uffee"],
      [narrow, undefined, 1, "a", undefined],
      [narrow, "a", 1, "", undefined]
    ]
    for (const [list, after, limit, shown, next] of pages) {
      const page = yield* list({ limit, ...(after === undefined ? {} : { after: processId(`${prefix}${after}`) }) })
      const labels = page.entries.map(({ grant }) => grant.descriptor.label).join(" ")
      yield* expectEquals(`${limit} after ${after}`, labels, shown)
      yield* expectEquals(`what follows ${limit} after ${after}`, page.next?.slice(prefix.length), next)
    }
  },

  *"what a session started comes in pages, of one frame where it is named; another session's is not there"() {
    const registry = yield* ProcessRegistry
    const observation = yield* Observation.make
    const [session, prefix] = [yield* freshSession, `${yield* freshId}-`]
    const started: ReadonlyArray<readonly [suffix: string, originator: Originator]> = [
      ["a", { _tag: "Session", scope: { sessionId: session } }],
      ["b", { _tag: "Session", scope: { sessionId: session, agentFrameId: "f" } }],
      ["c", { _tag: "Session", scope: { sessionId: session, agentFrameId: "g" } }],
      ["d", { _tag: "Session", scope: { sessionId: `${session}/frame:f` } }],
      ["e", { _tag: "Host", scope: session }],
      ["f", { _tag: "Session", scope: { sessionId: session, agentFrameId: "f" } }]
    ]
    for (const [suffix, originator] of started) {
      const id = processId(`${prefix}${suffix}`)
      yield* registry.registerProcess(registrationOf(id, "externally_owned", { provenance: { originator } }))
    }
    const pages: ReadonlyArray<readonly [frame: string | undefined, limit: number, shown: string, next?: string]> = [
      [undefined, 100, "abcf"],
      ["", 2, "ab", "b"],
      ["f", 100, "bf"],
      ["f", 1, "b", "b"],
      ["h", 1, ""]
    ]
    for (const [agentFrameId, limit, shown, next] of pages) {
      const scope = { sessionId: session, ...(agentFrameId === undefined ? {} : { agentFrameId }) }
      const page = yield* observation.listOriginatedBy(scope, {}, { limit })
      const suffixes = page.records.map(({ id }) => id.slice(prefix.length)).join("")
      yield* expectEquals(`${limit} of the frame ${agentFrameId}`, suffixes, shown)
      yield* expectEquals("what follows", page.next?.slice(prefix.length), next)
    }
  },

  *"the grants of a process are listed by session, then scope, bytewise; an ended process may be granted"({ grants }) {
    const id = yield* endedByLease
    const scopes = [["b"], ["a", "\u{1f600}"], ["B", "z"], ["a", "\uffee"], ["a"]]
    yield* Effect.forEach(scopes, ([sessionId = "", agentFrameId = ""]) =>
      grants.grantHandle({ sessionId, agentFrameId }, id, {})
    )
    yield* expectEquals(
      "the scopes",
      (yield* grants.handleGrantsForProcess(id)).map(({ scopeId }) => scopeId),
      ["session:B/frame:z", "session:a", "session:a/frame:\uffee", "session:a/frame:\u{1f600}", "session:b"]
    )
  }
})

/** A fresh session. */
const freshSession = Effect.sync(() => `session-${crypto.randomUUID()}`)

/** A fresh scope. */
const freshScope = Effect.map(freshSession, (sessionId): SessionScope => ({ sessionId }))

/** Processes outside, whose ids are a fresh prefix and these suffixes. */
const named = (
  ...suffixes: ReadonlyArray<string>
): Effect.Effect<
  { readonly prefix: string; readonly ids: ReadonlyArray<ProcessId> },
  Effect.Effect.Error<ReturnType<typeof freshProcess>>,
  ProcessRegistry
> =>
  Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    const prefix = `${yield* freshId}-`
    const ids = suffixes.map((suffix) => processId(`${prefix}${suffix}`))
    yield* Effect.forEach(ids, (id) => registry.registerProcess(registrationOf(id, "externally_owned")))
    return { prefix, ids }
  })

/** Ends a process outside. */
export const end = (
  id: ProcessId
): Effect.Effect<ProcessRecord, CompletionRefusal | CompletionRefused | InputInvalid | Lookup, ProcessRegistry> =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
  )

const descriptorsOf = (scope: SessionScope) =>
  Effect.flatMap(HandleGrants, (grants) =>
    Effect.map(grants.listHandleGrants(scope), ({ entries }) => entries.map(({ grant }) => grant.descriptor))
  )

/** Expects that an operation moves no grant of these processes. */
const changesNoGrant = <A, E, R>(
  ids: ReadonlyArray<ProcessId>,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | Mismatch | StoreError, R | ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const grantsOf = Effect.forEach(ids, (id) => store.grants.ofProcess(id))
    const before = yield* grantsOf
    const answer = yield* effect
    yield* expectEquals("the grants after an operation that moves none", yield* grantsOf, before)
    return answer
  })

const sessionLaws: ReadonlyArray<Law> = lawsOf("ADR 0018", {
  *"deleting a session takes the grants of all its frames and reports the running processes that lost one"({ grants }) {
    const [session, other] = [yield* freshSession, yield* freshSession]
    const { prefix, ids } = yield* named("\u{1f600}", "b", "\uffee", "shared", "ended", "foreign")
    const id = (suffix: string) => processId(`${prefix}${suffix}`)
    yield* end(id("ended"))
    const edges: ReadonlyArray<readonly [string, string, string]> = [
      [session, "", "\u{1f600}"],
      [session, "f", "b"],
      [session, "g", "b"],
      [session, "", "\uffee"],
      [session, "f", "shared"],
      [session, "", "ended"],
      [other, "f", "shared"],
      [`${session}x`, "", "foreign"],
      [`${session}/frame:f`, "", "foreign"]
    ]
    yield* Effect.forEach(edges, ([sessionId, agentFrameId, suffix]) =>
      grants.grantHandle({ sessionId, agentFrameId }, id(suffix), {})
    )
    const report = yield* writesNothing(ids, grants.deleteSessionProcessState(session))
    yield* expectEquals("the report", report, {
      sessionId: session,
      revokedHandleCount: 6,
      deletedWakeCount: 0,
      orphanedProcessIds: [id("b"), id("\uffee"), id("\u{1f600}")],
      preservedProcessIds: [id("shared")]
    })
    const left = yield* Effect.forEach(ids, (one) => grants.handleGrantsForProcess(one))
    yield* expectEquals(
      "what is left",
      left.map((all) => all.map((grant) => grant.sessionId)),
      [[], [], [], [other], [], [`${session}/frame:f`, `${session}x`]]
    )
    yield* expectEquals("a second time", yield* grants.deleteSessionProcessState(session), nothingLost(session))
  },

  *"deleting a session clears it as wake target, of every frame, on ended and ungranted processes too"({
    clock,
    grants
  }) {
    const session = yield* freshSession
    const target = (sessionId: string, agentFrameId?: string) =>
      freshProcess("externally_owned", {
        wakeTarget: { sessionId, ...(agentFrameId === undefined ? {} : { agentFrameId }) }
      })
    const cleared = [yield* target(session), yield* target(session, "f"), yield* target(session, "g")] as const
    const kept = [yield* target(`${session}x`), yield* freshProcess()]
    yield* end(cleared[2])
    yield* clock.advance(shortMs)
    const report = yield* writesNothing(kept, grants.deleteSessionProcessState(session))
    yield* expectEquals("the report", report, nothingLost(session))
    for (const id of cleared) {
      const { wakeTarget, updatedAtMs } = yield* recordOf(id)
      const last = (yield* logOf(id)).at(-1)
      yield* expectEquals("the target", wakeTarget, undefined)
      yield* expectEquals("the payload", last?.payload, { session_id: session })
      yield* expectEquals("the key", last?.replayKey, `process:${id}:wake-target-cleared:${session}`)
      yield* expectEquals("the time of the record", updatedAtMs, last?.occurredAtMs)
      yield* isFold(id)
    }
    const ends = yield* typesOf(cleared[2])
    yield* expectEquals("an ended one's log", ends, ["process.completed", "process.wake_target_cleared"])
    yield* writesNothing(cleared, grants.deleteSessionProcessState(session))
  },

  *"deleting a session cancels nothing and keeps acknowledgements"({ grants, registry }) {
    const sessionId = yield* freshSession
    const id = yield* freshProcess("rerunnable", { wakeTarget: { sessionId } })
    yield* grants.grantHandle({ sessionId }, id, {})
    const wake = { eventType: "progress", payload: { urgent: true, text: "x" } }
    for (const _ of [1, 2]) yield* registry.appendEvent(id, wake, external)
    yield* registry.ackWake(id, 1)
    const report = yield* grants.deleteSessionProcessState(sessionId)
    yield* expectEquals("the orphans", report.orphanedProcessIds, [id])
    const { status, cancelRequest } = yield* recordOf(id)
    yield* expectEquals("the process", [status, cancelRequest], [{ _tag: "Running" }, undefined])
    yield* expectEquals("its log", yield* typesOf(id), ["progress", "progress", "process.wake_target_cleared"])
    const open = yield* registry.wakeEventsAfter(id, 0)
    yield* expectEquals(
      "the wakes",
      open.map((event) => event.sequence),
      [2]
    )
  },

  *"deleting an unknown session reports zeros and writes nothing"({ grants }) {
    const id = yield* freshProcess()
    yield* grants.grantHandle(yield* freshScope, id, {})
    const session = yield* freshSession
    const deletion = grants.deleteSessionProcessState(session)
    const report = yield* changesNoGrant([id], writesNothing([id], deletion))
    yield* expectEquals("the report", report, nothingLost(session))
  },

  "registering again does not restore a wake target that was cleared; naming the session anew still wakes it":
    function* ({ grants, registry }) {
      const sessionId = yield* freshSession
      const registration = registrationOf(yield* freshId, "rerunnable", { wakeTarget: { sessionId } })
      const { id } = registration
      yield* registry.registerProcess(registration)
      yield* grants.deleteSessionProcessState(sessionId)
      const again = yield* writesNothing([id], registry.registerProcess(registration))
      yield* expectEquals("the target", again.wakeTarget, undefined)
      const wake = { eventType: "progress", payload: { urgent: true, text: "x" } }
      const { wakeDelivery: none } = yield* registry.appendEvent(id, wake, external)
      yield* expectEquals("a delivery without a target", none, undefined)
      const explicit = { ...wake, wakeTargetScope: { sessionId } }
      const { wakeDelivery } = yield* registry.appendEvent(id, explicit, external)
      yield* expectEquals("one with a target", wakeDelivery?.targetScopeId, `session:${sessionId}`)
    }
})

const nothingLost = (sessionId: string) => ({
  sessionId,
  revokedHandleCount: 0,
  deletedWakeCount: 0,
  orphanedProcessIds: [],
  preservedProcessIds: []
})

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...grantLaws, ...sessionLaws]
