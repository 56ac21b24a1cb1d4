/**
 * Laws of the end of a session: it takes the session's side of every edge, and cancels nothing.
 */
import * as Effect from "effect/Effect"
import { processId } from "../../model/ids.ts"
import { external } from "../../operations/decisions/authority.ts"
import { HandleGrants } from "../../operations/HandleGrants.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { isFold, logOf, recordOf, typesOf, writesNothing } from "../evidence.ts"
import { freshId, freshProcess, registrationOf, shortMs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, lawsOf } from "../Law.ts"
import { changesNoGrant, end, freshScope, freshSession, named } from "./GrantLaws.ts"

/** The laws of the end of a session. */
export const laws: ReadonlyArray<Law> = lawsOf("ADR 0018", {
  "deleting a session takes the grants of all its frames and reports the running processes that lost one":
    function* () {
      const grants = yield* HandleGrants
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

  "deleting a session clears it as wake target, of every frame, on ended and ungranted processes too": function* () {
    const grants = yield* HandleGrants
    const clock = yield* LawClock
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

  "deleting a session cancels nothing and keeps acknowledgements": function* () {
    const grants = yield* HandleGrants
    const registry = yield* ProcessRegistry
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

  "deleting an unknown session reports zeros and writes nothing": function* () {
    const grants = yield* HandleGrants
    const id = yield* freshProcess()
    yield* grants.grantHandle(yield* freshScope, id, {})
    const session = yield* freshSession
    const deletion = grants.deleteSessionProcessState(session)
    const report = yield* changesNoGrant([id], writesNothing([id], deletion))
    yield* expectEquals("the report", report, nothingLost(session))
  },

  "registering again does not restore a wake target that was cleared; naming the session anew still wakes it":
    function* () {
      const grants = yield* HandleGrants
      const registry = yield* ProcessRegistry
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
