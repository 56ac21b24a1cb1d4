/**
 * Laws of reads that look several times: whatever is committed between two looks, the answer is of one moment.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Scheduler from "effect/Scheduler"
import type { StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Registration } from "../../model/Registration.ts"
import { external } from "../../operations/decisions/authority.ts"
import * as Observing from "../../operations/Observation.ts"
import type { Glance } from "../../store/Decision.ts"
import type { Numbered } from "../../store/ProcessStore.ts"
import { note } from "../evidence.ts"
import { claimed, freshId, freshOwner, freshProcess, outputs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, lawsOf } from "../Law.ts"
import { end } from "./OrderingLaws.ts"
import { prune, registrationIn } from "./RetentionLaws.ts"

/** Every entry after a change, page by page, with what a glance has of it. */
const allAfter = (
  read: (change: number, limit: number) => Effect.Effect<ReadonlyArray<Numbered<Glance>>, StoreError>,
  change: number,
  limit: number
): Effect.Effect<ReadonlyArray<unknown>, StoreError> =>
  Effect.gen(function* () {
    const page = yield* read(change, limit)
    const last = page.at(-1)
    if (last === undefined) return []
    return [...page.map(glanced), ...(yield* allAfter(read, last.change, limit))]
  })

const glanced = (entry: Numbered<Glance>): unknown => {
  if (entry._tag === "Tombstone") return entry
  const { base, sequence, snapshot, lease, dueAtMs } = entry.row
  const { eventTypes: _left, ...registration } = base.registration as Registration // a row has them
  const held = lease.held && { ownerId: lease.held.owner.ownerId, expiresAtMs: lease.held.expiresAtMs }
  return {
    change: entry.change,
    base: { registration, createdAtMs: base.createdAtMs },
    snapshot: { value: snapshot.value, context: snapshot.context },
    sequence,
    held,
    dueAtMs
  }
}

/** How many times a reader reads beside a writer. */
const rounds = 4

/** The laws of this file. */
export const laws: ReadonlyArray<Law> = lawsOf("ADR 0027", {
  *"a change that is committed while a page of the feed is read is on that page or on a later one"({ feed, registry }) {
    const scope = yield* freshId
    const written: Array<ProcessId> = []
    const write = Effect.gen(function* () {
      const [ended, running] = [yield* freshId, yield* freshId]
      yield* registry.registerProcess(registrationIn(ended, scope))
      yield* registry.completeProcess(ended, outputs.Success, { _tag: "ExternalOwner" })
      // The tombstone follows a new row: a page with the tombstone alone would leave the row out for good.
      yield* registry.registerProcess(registrationIn(running, scope))
      yield* prune(scope)
      written.push(ended, running)
    })
    let cursor = yield* end
    const page = Effect.gen(function* () {
      const { changes, next } = yield* feed.changesSince(cursor, 1_000)
      cursor = next
      return changes.map((change) => (change._tag === "Upsert" ? change.record.id : change.tombstone.processId))
    })
    const seen = new Set((yield* beside(write, page)).flat())
    yield* expectEquals(
      "what was never shown",
      written.filter((id) => !seen.has(id)),
      []
    )
  },

  *"a glance at the feed shows of each row what the row says, in the same order and between the same tombstones"({
    registry,
    store,
    waits
  }) {
    const scope = yield* freshId
    const kind = { _tag: "Signal", name: "ready", eventType: "signal.ready", key: scope, ordinal: 1 } as const
    const [before = 0] = (yield* store.feed.after(0, Number.MAX_SAFE_INTEGER)).map(({ change }) => change).slice(-1)
    yield* freshProcess("rerunnable", { identity: { kind: "seen", label: "once" } })
    yield* claimed(yield* freshProcess(), yield* freshOwner())
    yield* registry.requestProcessCancel(yield* freshProcess(), "enough", external)
    yield* waits.setProcessWait(yield* freshProcess("externally_owned"), { kind, sinceMs: 2 }, external)
    const pruned = yield* freshId
    yield* registry.registerProcess(registrationIn(pruned, scope))
    yield* registry.completeProcess(pruned, outputs.Success, { _tag: "ExternalOwner" })
    yield* prune(scope)
    for (const output of [outputs.Success, outputs.Failure]) {
      yield* registry.completeProcess(yield* freshProcess("externally_owned"), output, {
        _tag: "ExternalOwner"
      })
    }
    const glances = store.feed.glances ?? store.feed.after
    for (const limit of [1, 3, 1_000]) {
      const expected = yield* allAfter(store.feed.after, before, limit)
      yield* expectEquals("entries", expected.length, 7)
      yield* expectEquals(`glances, ${limit} at once`, yield* allAfter(glances, before, limit), expected)
    }
  },

  *"a list of grants is of one moment: its records belong together"({ clock, grants, registry }) {
    const scope = { sessionId: yield* freshId }
    const ids = [yield* freshProcess(), yield* freshProcess()]
    for (const id of ids) yield* grants.grantHandle(scope, id, {})
    const write = Effect.forEach(ids, (id) =>
      Effect.zipRight(clock.advance(1), registry.appendEvent(id, note(1), external))
    )
    yield* write
    const read = Effect.map(grants.listHandleGrants(scope), ({ entries }) =>
      entries.map(({ record }) => record.updatedAtMs)
    )
    for (const [first = 0, second = 0] of clock.isExact ? yield* beside(write, read) : []) {
      yield* expectEquals("the time between them", Math.abs(first - second), 1)
    }
  },

  *"a session's view of a process is of one moment: its record and its last events agree"({ clock, grants, registry }) {
    const { snapshotForSession } = yield* Observing.make
    const sessionId = yield* freshId
    const id = yield* freshProcess()
    yield* grants.grantHandle({ sessionId }, id, {})
    const write = Effect.zipRight(clock.advance(1), registry.appendEvent(id, note(1), external))
    yield* write
    for (const [seen] of yield* beside(write, snapshotForSession(sessionId))) {
      yield* expectEquals("the last change", seen?.events.at(-1)?.occurredAtMs, seen?.record.updatedAtMs)
    }
  }
})

/** Reads slowly, again and again, while a writer writes in every turn, and once more after it; answers all that was read. */
const beside = <A, E, R, E2, R2>(
  write: Effect.Effect<unknown, E2, R2>,
  read: Effect.Effect<A, E, R>
): Effect.Effect<ReadonlyArray<A>, E | E2, R | R2> =>
  Effect.gen(function* () {
    let isRead = false
    const writer = yield* Effect.fork(Effect.repeat(Effect.zipRight(nextTurn, write), { until: () => isRead }))
    const answers = yield* Effect.replicateEffect(slowly(read), rounds)
    isRead = true
    yield* Fiber.join(writer)
    return [...answers, yield* read]
  })

const nextTurn: Effect.Effect<void> = Effect.async((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Does a few operations of the reader in each turn of the event loop, so that commits get in between its looks. */
const slowly = <A, E, R>(read: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  read.pipe(Effect.withMaxOpsBeforeYield(fewest), Effect.withScheduler(fewStepsATurn))

/** A yield takes some operations itself. */
const fewest = 10

const fewStepsATurn: Scheduler.Scheduler = Scheduler.make(
  (task) => {
    setImmediate(task)
  },
  (fiber) => (fiber.currentOpCount > fiber.getFiberRef(FiberRef.currentMaxOpsBeforeYield) ? 0 : false)
)
