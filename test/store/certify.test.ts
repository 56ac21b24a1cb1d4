import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import type { Change, Tombstone, Write } from "../../src/store/Decision.ts"
import { accept, acceptWith } from "../../src/store/Decision.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { allLaws, certify, render } from "../../src/testing/Certify.ts"
import { projectRoot } from "../support/projectRoot.ts"
import { isLong } from "../support/samples.ts"

type Store = typeof ProcessStore.Service

/** A memory store, broken in one place. */
const brokenIn = (tamper: (store: Store) => Partial<Store>) =>
  Layer.effect(
    ProcessStore,
    Effect.map(MemoryStore.make, (store) => ProcessStore.of({ ...store, ...tamper(store) }))
  )

const rewriting = (rewrite: (change: Change) => Change) =>
  brokenIn((store) => ({
    transact: (plan, decide) =>
      store.transact(plan, (view) => {
        const decision = decide(view)
        return decision._tag === "Refused" ? decision : { ...decision, changes: decision.changes.map(rewrite) }
      })
  }))

const seeing = (change: (view: Parameters<Parameters<Store["transact"]>[1]>[0]) => typeof view) =>
  brokenIn((store) => ({ transact: (plan, decide) => store.transact(plan, (view) => decide(change(view))) }))

const rewritingBeside = (rewrite: (write: Write) => ReadonlyArray<Write>) =>
  brokenIn((store) => ({
    transact: (plan, decide) =>
      store.transact(plan, (view) => {
        const decision = decide(view)
        return decision._tag === "Refused" ? decision : { ...decision, writes: decision.writes.flatMap(rewrite) }
      })
  }))

/** Writes the grants of what it locks away before it refuses. */
const losingGrants = brokenIn((store) => ({
  transact: (plan, decide) =>
    store
      .transact(plan, (view) => {
        const decision = decide(view)
        const refusal = decision._tag === "Refused" ? (decision.error as { readonly _tag?: unknown }) : undefined
        return acceptWith(
          decision,
          refusal?._tag !== "GrantMissing"
            ? []
            : plan.lock
                .flatMap((id) => view.grantsOf(id))
                .map(({ scopeId, processId }) => ({ _tag: "RemoveGrant", scopeId, processId }))
        )
      })
      .pipe(Effect.flatMap((decision) => store.transact(plan, () => decision)))
}))

/** With what a prune may take, it takes everything that runs. */
const pruningWhatRuns = brokenIn((store) => ({
  transact: (plan, decide) =>
    Effect.flatMap(store.listNonTerminal, (running) =>
      store.transact(plan, (view) => {
        const decision = decide(view)
        if (decision._tag === "Refused" || !decision.writes.some((write) => write._tag === "Prune")) return decision
        const burials = running.map(({ base, sequence, lease }): Write => {
          const processId = base.registration.id
          const { fencingToken: lastFence } = lease
          const state = { terminalState: "completed", prunedAtMs: view.nowMs, compacted: false }
          return { _tag: "Prune", tombstone: { ...state, processId, lastSequence: sequence, lastFence } }
        })
        return { ...decision, writes: [...decision.writes, ...burials] }
      })
    )
}))

const withTombstone = (change: (tombstone: Tombstone) => Tombstone) =>
  rewritingBeside((write) => (write._tag === "Prune" ? [{ ...write, tombstone: change(write.tombstone) }] : [write]))

const ignoring = (field: "waiting" | "identityLabel" | "ownerId" | "definition") =>
  brokenIn((store) => ({
    list: ({ filter: { [field]: _ignored, ...filter }, ...page }) => store.list({ ...page, filter })
  }))

const broken: ReadonlyArray<readonly [string, Layer.Layer<ProcessStore>, string]> = [
  [
    "a store whose leases never expire",
    seeing((view) => ({ ...view, nowMs: 0 })),
    "a lease is live until one millisecond before its expiry, and expired at it"
  ],
  [
    "a store whose completion does not release",
    rewriting((change) =>
      change.before !== undefined && lifecycleOf(change.row.snapshot) !== "running"
        ? { ...change, row: { ...change.row, lease: change.before.lease } }
        : change
    ),
    "a leased completion writes the end and releases the lease in one commit"
  ],
  [
    "a store that forgets replay keys",
    seeing((view) => ({ ...view, replayed: () => undefined })),
    "a replay answers the stored event and writes nothing"
  ],
  [
    "a store that looks for replays of running processes only",
    seeing((view) => ({
      ...view,
      replayed: (id, key) => {
        const row = view.row(id)
        return row !== undefined && lifecycleOf(row.snapshot) === "running" ? view.replayed(id, key) : undefined
      }
    })),
    "the replay look-up comes before every other check"
  ],
  [
    "a store that forgets the fence with the lease",
    rewriting((change) =>
      change.row.lease.held === undefined ? { ...change, row: { ...change.row, lease: { fencingToken: 0 } } } : change
    ),
    "the fence survives a release and rises with every later claim"
  ],
  [
    "a store that keeps the events and loses the projection",
    rewriting((change) =>
      change.before === undefined ? change : { ...change, row: { ...change.row, snapshot: change.before.snapshot } }
    ),
    "the record is the fold of the log after every step of a long life"
  ],
  [
    "a store that writes what was decided on a stale row",
    brokenIn((store) => ({
      transact: (plan, decide) =>
        store
          .transact(plan, (view) => accept(decide(view)))
          .pipe(
            Effect.tap(Effect.yieldNow()),
            Effect.flatMap((decision) => store.transact(plan, () => decision))
          )
    })),
    "concurrent appends to one process are numbered 1 to n without a gap"
  ],
  [
    "a store that sorts by UTF-16 units",
    brokenIn((store) => ({
      listNonTerminal: Effect.map(store.listNonTerminal, (rows) =>
        [...rows].sort((a, b) => (a.base.registration.id < b.base.registration.id ? -1 : 1))
      )
    })),
    "what has not ended is listed by id, compared bytewise"
  ],
  [
    "a store that hides expired leases",
    brokenIn((store) => ({
      leases: {
        ...store.leases,
        of: (id) =>
          Effect.zipWith(store.leases.of(id), Effect.clock, (lease, clock) =>
            lease !== undefined && lease.expiresAtMs > clock.unsafeCurrentTimeMillis() ? lease : undefined
          )
      }
    })),
    "an expired lease is still shown, a released one is not"
  ],
  [
    "a store that tells its listeners later",
    brokenIn((store) => ({
      onCommit: (listener) => store.onCommit((changes) => queueMicrotask(() => listener(changes)))
    })),
    "commits are heard once each, in their order, before the writer goes on, until the listener's scope ends"
  ],
  [
    "a store that reads events from the given sequence on",
    brokenIn((store) => ({ eventsAfter: (id, sequence, limit) => store.eventsAfter(id, sequence - 1, limit) })),
    "events are read after a sequence, in order, up to a limit, and beyond the end there are none"
  ],
  [
    "a store that answers wrong dues",
    brokenIn((store) => ({ due: ({ limit }) => store.due({ nowMs: Number.MAX_SAFE_INTEGER, limit }) })),
    "rows are due in the order of their registration, unless they are held, ended or waiting"
  ],
  [
    "a store that loses grants when it refuses their transfer",
    losingGrants,
    "a transfer of which one grant is missing moves none"
  ],
  [
    "a store that forgets revocations",
    rewritingBeside((write) => (write._tag === "RemoveGrant" ? [] : [write])),
    "a revoked grant is gone; revoking again, or what never was, is silent"
  ],
  [
    "a store that knows a session without its frames",
    seeing((view) => ({
      ...view,
      sessionGrants: () => view.sessionGrants().filter((grant) => grant.scopeId === `session:${grant.sessionId}`)
    })),
    "deleting a session takes the grants of all its frames and reports the running processes that lost one"
  ],
  [
    "a store that forgets whom an ended process wakes",
    seeing((view) => ({
      ...view,
      sessionTargets: () =>
        view.sessionTargets().filter((id) => {
          const row = view.row(id)
          return row !== undefined && lifecycleOf(row.snapshot) === "running"
        })
    })),
    "deleting a session clears it as wake target, of every frame, on ended and ungranted processes too"
  ],
  [
    "a store that does not look for early signals",
    seeing((view) => ({ ...view, firstEventAfter: () => undefined })),
    "early signals are kept, and each later wait is resolved at once by the earliest that is left"
  ],
  [
    "a store that always finds the first signal",
    seeing((view) => ({ ...view, firstEventAfter: (id, type) => view.firstEventAfter(id, type, 0) })),
    "the ordinal of a wait never decides which signal ends it"
  ],
  [
    "a store that ignores acknowledgements",
    rewritingBeside((write) => (write._tag === "AckWake" ? [] : [write])),
    "wakes are listed after a sequence, in order, until they are acknowledged; the record is not touched"
  ],
  [
    "a store that lists acknowledged wakes from the given sequence on",
    brokenIn((store) => ({ wakeEventsAfter: (id, sequence) => store.wakeEventsAfter(id, sequence - 1) })),
    "wakes are listed after a sequence, in order, until they are acknowledged; the record is not touched"
  ],
  [
    "a store that counts events without their type",
    brokenIn((store) => ({
      countEvents: (id, _type, upto) =>
        Effect.map(store.eventsAfter(id, 0), (log) => log.filter((event) => event.sequence <= upto).length)
    })),
    "events are counted by their exact type, through a sequence and with it"
  ],
  [
    "a store whose recent events are the first ones",
    brokenIn((store) => ({ recentEvents: (id, limit) => store.eventsAfter(id, 0, limit) })),
    "recent events are the last ones, ascending, all of them when there are fewer"
  ],
  ["a store that ignores waiting", ignoring("waiting"), "a list by waiting shows exactly the processes it names"],
  [
    "a store that ignores labels",
    ignoring("identityLabel"),
    "a list by identityLabel shows exactly the processes it names"
  ],
  ["a store that ignores holders", ignoring("ownerId"), "a list by ownerId shows exactly the processes it names"],
  [
    "a store that lists the definitions of charts as they come",
    brokenIn(({ definitions }) => ({
      definitions: { ...definitions, all: Effect.map(definitions.all, (all) => all.toReversed()) }
    })),
    "every definition of a chart is listed once, by kind, version and hash"
  ],
  ["a store that ignores definitions", ignoring("definition"), "combined filters show what the plain predicate admits"],
  [
    "a store whose pages begin at the id they are given",
    brokenIn((store) => ({
      list: ({ after, ...query }) =>
        Effect.map(store.list({ filter: query.filter }), (rows) =>
          rows.filter(({ base }) => after === undefined || base.registration.id >= after).slice(0, query.limit)
        )
    })),
    "pages are cut from one order by id, bytewise, and begin after the id they are given"
  ],
  [
    "a store that prunes what runs",
    pruningWhatRuns,
    "a process that has not ended is never pruned, whatever the cutoff and the filter"
  ],
  [
    "a store that prunes what changed at the cutoff",
    brokenIn((store) => ({
      retention: {
        ...store.retention,
        endedBefore: (query) => store.retention.endedBefore({ ...query, cutoffMs: query.cutoffMs + 1 })
      }
    })),
    "a row that last changed at the cutoff is kept, one millisecond earlier it is not"
  ],
  [
    "a store that prunes what no projection has read",
    brokenIn((store) => ({
      retention: {
        ...store.retention,
        endedBefore: (query) =>
          Effect.map(store.retention.endedBefore(query), (found) =>
            query.afterChange === 0 ? found.map((candidate) => ({ ...candidate, change: 0 })) : []
          )
      }
    })),
    "what projections have not read is kept, and the report says so"
  ],
  [
    "a store that forgets what events owe",
    rewriting(({ wakes: _lost, ...change }) => change),
    "a wake is in the outbox with its event: fresh, due at once, and for as long as wakes last"
  ],
  [
    "a store that merges nothing",
    rewriting(({ wakes = [], ...change }) => ({
      ...change,
      wakes: wakes.map((wake) => ({ ...wake, wakeId: `${wake.wakeId}:${wake.sequence}` }))
    })),
    "unseen wakes of one key merge; a later event arms them again"
  ],
  [
    "a store that hands out a wake that others hold",
    seeing((view) => ({
      ...view,
      outbox: { ...view.outbox, stale: () => [], dueHeads: () => view.outbox.dueHeads(9).slice(0, 9) }
    })),
    "a claim takes at most what it asks for, each row once, under a fresh token"
  ],
  [
    "a store that prunes what still owes wakes",
    seeing((view) => ({ ...view, outbox: { ...view.outbox, hasUndelivered: () => false } })),
    "a prune keeps a process with pending wakes, and says so; delivered and discarded wakes go with it"
  ],
  [
    "a store that never takes back a stale claim",
    seeing((view) => ({
      ...view,
      outbox: {
        ...view.outbox,
        dueHeads: (limit) => view.outbox.dueHeads(limit).filter(({ state }) => state === "pending")
      }
    })),
    "a claim that is not settled in its time goes to the next, under another token; the first claim is lost"
  ],
  [
    "a store that forgets what it pruned",
    withTombstone((tombstone) => ({ ...tombstone, compacted: true })),
    "every operation on a pruned process says how it ended and when it was pruned, and every list leaves it out"
  ],
  [
    "a store that forgets the fence of what it pruned",
    withTombstone((tombstone) => ({ ...tombstone, lastFence: 0 })),
    "once the tombstone is compacted the id is unknown, and a new process under it goes on with sequence and fence"
  ],
  [
    "a store whose feed skips",
    brokenIn((store) => ({ feed: { after: (change, limit) => store.feed.after(change + 1, limit) } })),
    "pages follow each other without a gap or a repetition, whatever their length"
  ],
  [
    "a store whose feed repeats",
    brokenIn((store) => ({ feed: { after: (change, limit) => store.feed.after(Math.max(0, change - 1), limit) } })),
    "a page of none, and one when there is nothing new, are empty and keep the cursor"
  ],
  [
    "a store whose feed leaves out what was pruned",
    brokenIn((store) => ({
      feed: {
        after: (change, limit) =>
          Effect.map(store.feed.after(change, limit), (found) => found.filter((entry) => entry._tag === "Row"))
      }
    })),
    "a pruned process is shown as deleted, with how it ended and when it was pruned, in place of its record"
  ]
]

describe("certification", () => {
  // Other tests try each law of this store by itself.
  const laws = allLaws.filter((_, index) => isLong || index % 5 === 0)

  it.live(`the memory store keeps the laws: ${laws.length} of ${allLaws.length}`, () =>
    Effect.gen(function* () {
      const report = yield* certify(MemoryStore.layer, isLong ? {} : { laws })
      assert.deepStrictEqual(report.failed, [])
      assert.strictEqual(report.passed.length, laws.length)
    })
  )

  for (const [store, layer, law] of broken) {
    it.live(`${store} breaks the law named for it`, () =>
      Effect.gen(function* () {
        const report = yield* certify(layer, { laws: allLaws.filter(({ name }) => name === law) })
        assert.deepStrictEqual(
          report.failed.map((failure) => failure.law),
          [law]
        )
      })
    )
  }

  it.live("a store that never answers breaks laws instead of hanging the certification", () =>
    Effect.gen(function* () {
      const silent = brokenIn(() => ({ find: () => Effect.never }))
      const { passed, failed } = yield* certify(silent, { laws: allLaws.slice(0, 1), patience: "50 millis" })
      assert.deepStrictEqual(passed, [])
      assert.deepStrictEqual(
        failed.map(({ problem }) => problem),
        ["it did not end within 50ms"]
      )
    })
  )

  it.live("a store that dies breaks laws, and the report says of what", () =>
    Effect.gen(function* () {
      const dying = brokenIn(({ leases }) => ({
        leases: { ...leases, of: () => Effect.die(new Error("no such table")) }
      }))
      const report = yield* certify(dying, { laws: allLaws.slice(0, 1) })
      assert.include(report.failed[0]?.problem, "no such table")
    })
  )

  it("the names of the laws are unique, so that a report points to one", () => {
    const names = allLaws.map((law) => law.name)
    assert.strictEqual(new Set(names).size, names.length)
  })

  it("every law cites a decision or a part of a guide that exists", () => {
    const read = (folder: string) =>
      readdirSync(join(projectRoot, folder)).map((name) => [
        name,
        readFileSync(join(projectRoot, folder, name), "utf8")
      ])
    const decisions = read("docs/adr").map(([name = ""]) => `ADR ${name.slice(0, 4)}`)
    const parts = read("docs/guide").flatMap(([, text = ""]) => {
      const title = /^# ([^\n…]+)/.exec(text)?.[1]
      return [...text.matchAll(/^## (?:\d+\. )?(.+)$/gm)].map(([, heading]) => `${title}: ${heading}`)
    })
    const cited = new Set(allLaws.map(({ section }) => section))
    assert.deepStrictEqual(
      [...cited].filter((section) => ![...decisions, ...parts].includes(section)),
      []
    )
  })

  it("a report reads as totals and then each broken law with its problem", () => {
    const report = { passed: ["one", "two"], failed: [{ law: "three", problem: "expected 1, got 2" }] }
    assert.strictEqual(render(report), "2 of 3 laws are kept\n✗ three\n    expected 1, got 2")
  })

  it.live("a broken law says what was looked at, where it differs, what was expected and what was there", () =>
    Effect.gen(function* () {
      const laws = allLaws.filter(({ name }) => name.startsWith("the first event has sequence 1"))
      const { failed } = yield* certify(
        seeing((view) => ({ ...view, nowMs: 0 })),
        { laws }
      )
      assert.strictEqual(
        failed[0]?.problem,
        '"the first event has sequence 1, the next one 2, and the record takes over its time" (ADR 0003) is broken: ' +
          "whether time passed: expected true, got false"
      )
    })
  )
})
