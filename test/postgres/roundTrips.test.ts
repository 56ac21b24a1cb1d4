/**
 * How often a write goes to the server and back, whatever it is about: at most five times a batch, whatever its size.
 */
import { Socket } from "node:net"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Client } from "pg"
import type { ProcessId } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import { external } from "../../src/operations/decisions/authority.ts"
import * as Grants from "../../src/operations/HandleGrants.ts"
import * as Leases from "../../src/operations/Leases.ts"
import * as Liveness from "../../src/operations/OwnerLiveness.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import * as Retention from "../../src/operations/Retention.ts"
import * as Outbox from "../../src/operations/WakeOutbox.ts"
import type { WakeClaim } from "../../src/store/Outbox.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as PostgresStore from "../../src/store/postgres/PostgresStore.ts"
import { freshOwner, outputs, registrationOf } from "../../src/testing/fixtures.ts"
import { look, types } from "../../src/testing/waking.ts"
import { bounded } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"
import * as Postgres from "../support/postgres.ts"
import { isWhole } from "../support/samples.ts"

// Transactions take long here.
beforeAll(Postgres.apart, patienceMs)

/** What a writer sends at once is one trip. That other hosts hear of it is none of the batch's. */
const watched = Effect.acquireRelease(
  Effect.sync(() => {
    const { uncork } = Socket.prototype
    const { query } = Client.prototype
    const asking = new WeakSet<object>()
    const counter = { trips: 0, uncork, query }
    Client.prototype.query = function (this: Client, ...args: ReadonlyArray<unknown>) {
      const [first] = args
      const isMessage =
        typeof first === "object" && first !== null && "text" in first && /notify/.test(String(first.text))
      if (!isMessage) asking.add(this.connection.stream)
      return Reflect.apply(query, this, args)
    } as typeof query // the same method, watched
    Socket.prototype.uncork = function () {
      if (this.writableCorked === 1 && asking.delete(this)) counter.trips++
      return uncork.call(this)
    }
    return counter
  }),
  ({ uncork, query }) =>
    Effect.sync(() => {
      Socket.prototype.uncork = uncork
      Client.prototype.query = query
    })
)

/** The most that a batch may take. */
const most = 5

const opened = Effect.gen(function* () {
  const where = yield* Postgres.freshSchema
  const store = yield* PostgresStore.make({ ...where, connections: 1, patienceMs: 60_000 })
  const on = <A, E, R>(made: Effect.Effect<A, E, R | ProcessStore>) => Effect.provideService(made, ProcessStore, store)
  const counter = yield* watched
  const commits = () => store.parts()[0]?.work?.commits ?? 0
  const trips = <A, E>(work: Effect.Effect<A, E>) =>
    Effect.gen(function* () {
      const before = { trips: counter.trips, commits: commits() }
      const answer = yield* work
      return { answer, trips: counter.trips - before.trips, batches: commits() - before.commits }
    })
  const registry = yield* on(Registry.make)
  const waking = (id: ProcessId, session: string) =>
    registry.registerProcess({
      ...registrationOf(id, "externally_owned"),
      wakeTarget: { sessionId: session },
      eventTypes: types
    })
  return {
    where,
    store,
    trips,
    registry,
    waking,
    grants: yield* on(Grants.make),
    retention: yield* on(Retention.make),
    outbox: yield* on(Outbox.make),
    leases: yield* Effect.provide(on(Leases.make), Liveness.layerNoop)
  }
})

const idsOf = (count: number, prefix: string): ReadonlyArray<ProcessId> =>
  Array.from({ length: count }, (_, index) => processId(`${prefix}${index}`))

const atOnce = { concurrency: "unbounded", discard: true } as const

describe.skipIf(!Postgres.hasPostgres)("the round trips of a batch", () => {
  for (const rows of [1, 20, 1_100]) {
    it.live.skipIf(!isWhole && rows > 20)(`are at most ${most} for every operation about ${rows} rows`, () =>
      Effect.gen(function* () {
        const { where, trips, registry, waking, grants, retention, outbox, leases } = yield* opened
        const ids = idsOf(rows, "p")
        const [session, other] = ["s", "t"]
        const owner = yield* freshOwner()
        const each = <A, E>(run: (id: ProcessId) => Effect.Effect<A, E>) => Effect.forEach(ids, run, atOnce)
        const all = { sessionId: session }
        const wakes = (set: string) =>
          Effect.promise(() => Postgres.query(where.url, `UPDATE ${where.schema}.wake_outbox SET ${set}`))
        const watermark = { _tag: "NoProjector" } as const
        const cutoffMs = Date.now() + 600_000
        const enqueue = (claim: WakeClaim) => outbox.settle(claim, { _tag: "Enqueued" })
        const redriveOne = Effect.flatMap(outbox.list({ limit: 1 }), ({ rows: [row] }) =>
          outbox.redrive(row?.wake.wakeId ?? "")
        )
        const prune = retention.pruneTerminalProcesses({ cutoffMs, watermark })

        const work: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown>]> = [
          ["register", each((id) => waking(id, session))],
          ["grant", each((id) => grants.grantHandle(all, id, { kind: "x", label: "y" }))],
          ["append", each((id) => registry.appendEvent(id, look, external))],
          ["signal", each((id) => registry.signal(id, { name: "ready", payload: 1, signalId: "1" }, external))],
          ["acknowledge", each((id) => registry.ackWake(id, 1))],
          ["claim a lease", each((id) => leases.claimProcessLease(id, owner, 60_000))],
          ["request to stop", each((id) => registry.requestProcessCancel(id, null, external))],
          ["name a reference", each((id) => registry.setExternalRef(id, { backend: "b", id, metadata: {} }, external))],
          // Of one that was redriven it is asked whether a later one has been delivered.
          [
            "claim what was redriven",
            Effect.zipRight(wakes("is_open = 0, next_attempt = 0"), outbox.claim(Math.min(1_000, rows)))
          ],
          ["settle", Effect.flatMap(outbox.claim(1), ({ claims }) => Effect.forEach(claims, enqueue))],
          ["transfer", grants.transferHandleGrants(all, { sessionId: other }, ids)],
          ["transfer back", grants.transferHandleGrants({ sessionId: other }, all, ids)],
          ["delete a session", grants.deleteSessionProcessState(session)],
          ["revoke", each((id) => grants.revokeHandle(all, id))],
          ["complete", each((id) => registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" }))],
          ["redrive", Effect.zipRight(wakes("state = 'discarded'"), redriveOne)],
          ["prune what has a wake", prune],
          ["prune", Effect.zipRight(wakes("state = 'enqueued'"), prune)],
          ["compact", retention.compactTombstones(cutoffMs, watermark)]
        ]
        const taken: Array<string> = []
        for (const [name, effect] of work) {
          const found = yield* trips(effect)
          if (found.trips > most * found.batches)
            taken.push(`${name}: ${found.trips} trips of ${found.batches} batches`)
          assert.isAtLeast(found.batches, 1, `${name} wrote nothing`)
        }
        assert.deepStrictEqual(taken, [])
      }).pipe(Effect.scoped, bounded)
    )
  }

  it.live.skipIf(!isWhole)(
    "does not grow, and none is refused, where a session has more targets than one transaction has numbers",
    () =>
      Effect.gen(function* () {
        const { store, trips, waking, grants } = yield* opened
        const ids = idsOf(4_100, "w")
        yield* Effect.forEach(ids, (id) => waking(id, "s"), atOnce)
        const found = yield* trips(grants.deleteSessionProcessState("s"))
        // One more says which numbers there are beyond those of one transaction.
        assert.isAtMost(found.trips, most + 1)
        assert.strictEqual((yield* store.wakers("s")).length, 0)
        const cleared = yield* store.feed.after(0, 10_000)
        assert.strictEqual(new Set(cleared.map(({ change }) => change)).size, 4_100, "each has a number of its own")
        yield* waking(processId("later"), "s")
        const [later] = yield* store.feed.after(cleared.at(-1)?.change ?? 0, 10)
        assert.strictEqual(later?._tag === "Row" ? String(later.row.base.registration.id) : "", "later")
      }).pipe(Effect.scoped, bounded)
  )

  it.live("of a list of grants do not grow with it: its processes come along", () =>
    Effect.gen(function* () {
      const { trips, registry, grants } = yield* opened
      const ids = idsOf(20, "g")
      for (const id of ids) {
        yield* registry.registerProcess(registrationOf(id, "externally_owned"))
        yield* grants.grantHandle({ sessionId: "s" }, id, {})
      }
      const list = (limit: number) => trips(grants.listHandleGrants({ sessionId: "s" }, { limit }))
      yield* list(1) // what it asks once
      const [one, twenty] = [yield* list(1), yield* list(20)]
      assert.lengthOf(twenty.answer.entries, 20)
      assert.isAtLeast(one.trips, 1)
      assert.strictEqual(twenty.trips, one.trips)
    }).pipe(Effect.scoped, bounded)
  )
})
