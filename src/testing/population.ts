/**
 * Processes of every sort, for laws of lists.
 */
import * as Effect from "effect/Effect"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import { processId } from "../model/ids.ts"
import type { ListFilter } from "../model/ListFilter.ts"
import type { Originator } from "../model/Provenance.ts"
import type { Registration } from "../model/Registration.ts"
import { external } from "../operations/decisions/authority.ts"
import { HandleGrants } from "../operations/HandleGrants.ts"
import { Leases } from "../operations/Leases.ts"
import * as Observation from "../operations/Observation.ts"
import { ProcessRegistry } from "../operations/ProcessRegistry.ts"
import { Waits } from "../operations/Waits.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import { claimed, freshId, freshOwner, outputs, registrationOf, shortMs } from "./fixtures.ts"
import { LawClock } from "./Law.ts"

/** Processes of every sort, named by the suffixes of their ids; the first id belongs to the first of the later half. */
export const population = Effect.gen(function* () {
  const registry = yield* ProcessRegistry
  const store = yield* ProcessStore
  const leases = yield* Leases
  const clock = yield* LawClock
  const tag: string = yield* freshId
  const named = (name: string) => processId(`${tag}-${name}`)
  const register = (name: string, disposition: Registration["disposition"], changes?: Partial<Registration>) =>
    registry.registerProcess(registrationOf(named(name), disposition, changes))
  const from = (originator: Originator) => ({ provenance: { originator } })

  for (const name of ["waiting", "asked", "owned"]) yield* register(name, "externally_owned")
  yield* register("scoped", "externally_owned", from({ _tag: "Host", scope: tag }))
  for (const [name, output] of Object.entries(ends)) {
    yield* register(name, "externally_owned")
    yield* registry.completeProcess(named(name), output, { _tag: "ExternalOwner" })
  }
  const eventType = "signal.ready"
  const kind = { _tag: "Signal", name: "ready", eventType, key: `${tag}:1`, ordinal: 1 } as const
  yield* (yield* Waits).setProcessWait(named("waiting"), { kind, sinceMs: 1 }, external)
  yield* registry.requestProcessAbandon(named("asked"), { requestedBy: "operator", requestedAtMs: 1 }, external)

  yield* clock.advance(shortMs)
  const identity = (definition: unknown, kind = "law.engine", label?: string) => ({
    identity: { kind, definition, ...(label === undefined ? {} : { label }) }
  })
  yield* register("bound", "owner_bound")
  yield* register("engine", "rerunnable", identity({ kind: "x", version: 1 }, "custom"))
  yield* register("null", "rerunnable", identity(null, "law.engine", ""))
  yield* register("listed", "rerunnable", identity([1, "1"]))
  for (const name of ["held", "free"]) {
    yield* register(name, "rerunnable")
    const lease = yield* claimed(named(name), yield* freshOwner(`${tag}-holder`))
    if (name === "free") yield* leases.completeProcessLease({ processId: named(name), leaseToken: lease.leaseToken })
  }
  const inSession = (scope: { readonly sessionId: string; readonly agentFrameId?: string }, label: string) => ({
    ...from({ _tag: "Session", scope }),
    identity: { kind: "turn", label }
  })
  yield* register("session", "externally_owned", inSession({ sessionId: tag }, "7"))
  yield* register("framed", "externally_owned", inSession({ sessionId: tag, agentFrameId: "f" }, "it's 100%"))

  const list = (filter: ListFilter) =>
    Effect.map(store.list({ filter, after: processId(tag) }), (rows) =>
      rows.flatMap((row) =>
        row.base.registration.id.startsWith(tag) ? [row.base.registration.id.slice(tag.length + 1)] : []
      )
    )
  const observation = yield* Observation.make
  const granted = (filter: ListFilter) =>
    Effect.map(observation.listGrantedTo({ sessionId: tag }, filter), ({ entries }) =>
      entries.map(({ record }) => record.id.slice(tag.length + 1))
    )
  const originated = (filter: ListFilter) =>
    Effect.map(observation.listOriginatedBy({ sessionId: tag }, filter), ({ records }) =>
      records.map(({ id }) => id.slice(tag.length + 1))
    )
  const later = ["bound", "engine", "null", "listed", "held", "free", "session", "framed"].map(named)
  const early = ["waiting", "asked", "owned", "scoped", ...Object.keys(ends)].map(named)
  const grants = yield* HandleGrants
  yield* Effect.forEach([...early, ...later], (id) => grants.grantHandle({ sessionId: tag }, id, {}))
  return { tag, ids: [named("bound"), ...later.slice(1), ...early] as const, list, granted, originated }
})

/** The outputs that end a process, by the state that it is in then. */
export const ends: Readonly<Record<string, AwaitOutput>> = {
  completed: outputs.Success,
  failed: outputs.Failure,
  cancelled: outputs.Cancelled,
  abandoned: outputs.Abandoned
}
