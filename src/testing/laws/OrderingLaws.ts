/**
 * Laws of order: gapless logs, sorted lists, commits heard in order, and a change feed without gaps.
 */
import * as Effect from "effect/Effect"
import { processId } from "../../model/ids.ts"
import type { Cursor, StoreChange } from "../../operations/ChangeFeed.ts"
import { ChangeFeed } from "../../operations/ChangeFeed.ts"
import { external } from "../../operations/decisions/authority.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isFold, keptOf, logOf, note, recordOf, refused, rowOf } from "../evidence.ts"
import {
  claimed,
  freshId,
  freshOwner,
  freshProcess,
  leasedProcess,
  longMs,
  outputs,
  registrationOf,
  shortMs
} from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, expectFailure, lawsOf } from "../Law.ts"

const orderingLaws: ReadonlyArray<Law> = lawsOf("ADR 0003", {
  *"concurrent appends to one process are numbered 1 to n without a gap"({ registry }) {
    const id = yield* freshProcess()
    const payloads = Array.from({ length: 64 }, (_, index) => index)
    const events = yield* Effect.forEach(
      payloads,
      (payload) =>
        Effect.map(registry.appendEvent(id, { eventType: "note", payload }, external), (receipt) => receipt.event),
      { concurrency: "unbounded" }
    )
    const log = yield* logOf(id)
    yield* expectEquals(
      "the sequences",
      log.map((event) => event.sequence),
      payloads.map((index) => index + 1)
    )
    const answered = [...events].sort((a, b) => a.sequence - b.sequence)
    yield* expectEquals("the answers", answered, log)
    yield* isFold(id)
  },

  *"refused appends among concurrent ones leave no gap and harm no other"({ registry }) {
    const ids = [yield* freshProcess(), yield* freshProcess()]
    yield* Effect.forEach(
      Array.from({ length: 48 }, (_, index) => index),
      (index) =>
        Effect.forEach(ids, (id) =>
          Effect.either(
            registry.appendEvent(id, { eventType: index % 3 === 0 ? "unheard.of" : "note", payload: index }, external)
          )
        ),
      { concurrency: "unbounded" }
    )
    for (const id of ids) {
      yield* expectEquals("the length of the log", (yield* logOf(id)).length, 32)
      yield* isFold(id)
    }
  },

  *"a committed write is read by everybody at once"({ registry, store }) {
    const { id, lease } = yield* leasedProcess()
    const record = yield* registry.completeProcessWithLease(lease, outputs.Failure)
    yield* expectEquals("the record", yield* registry.getProcess(id), record)
    yield* expectEquals("the end", (yield* store.eventsAfter(id, 0)).length, 1)
    yield* expectEquals("the lease", yield* store.leases.of(id), undefined)
    const running = (yield* registry.listNonTerminal).filter((other) => other.id === id)
    yield* expectEquals("the list of what has not ended", running, [])
  },

  *"what has not ended is listed by id, compared bytewise"({ registry }) {
    const prefix = yield* freshId
    const ids = unordered.map((suffix) => processId(`${prefix}-${suffix}`))
    yield* Effect.forEach(ids, (id) => registry.registerProcess(registrationOf(id, "externally_owned")))
    yield* registry.completeProcess(processId(`${prefix}-m`), outputs.Success, { _tag: "ExternalOwner" })
    const listed = (yield* registry.listNonTerminal).filter((record) => record.id.startsWith(prefix))
    yield* expectEquals(
      "the list",
      listed.map((record) => record.id.slice(prefix.length + 1)),
      bytewise
    )
    const first = processId(`${prefix}-${bytewise[0]}`)
    yield* expectEquals("a record of it", listed[0], yield* registry.getProcess(first))
  },

  "commits are heard once each, in their order, before the writer goes on, until the listener's scope ends":
    function* ({ registry, store }) {
      const id = yield* freshProcess()
      const heard: Array<number> = []
      const append = (payload: number) => registry.appendEvent(id, { eventType: "note", payload }, external)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* store.onCommit((changes) => {
            for (const { row, events } of changes) {
              if (row.base.registration.id === id) heard.push(...events.map((event) => event.sequence))
            }
          })
          yield* append(1)
          yield* expectEquals("what was heard when the writer goes on", heard, [1])
          yield* Effect.all([2, 3, 4, 5, 6].map(append), { concurrency: "unbounded" })
        })
      )
      yield* append(7)
      yield* expectEquals("what was heard", heard, [1, 2, 3, 4, 5, 6])
    },

  "a replay is not heard, and a listener that throws keeps no one from hearing what follows, itself included":
    Effect.scoped(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        const registry = yield* ProcessRegistry
        const id = yield* freshProcess()
        const heard: Array<string> = []
        const append = (payload: number) =>
          registry.appendEvent(id, { eventType: "note", payload, replayKey: `note ${payload}` }, external)
        for (const name of ["throws", "hears"]) {
          yield* store.onCommit((changes) => {
            for (const { row, events } of changes) {
              if (row.base.registration.id !== id) continue
              heard.push(...events.map(({ sequence }) => `${name} ${sequence}`))
              if (name === "throws") throw new Error("a listener's own fault")
            }
          })
        }
        yield* append(1)
        yield* append(1)
        yield* append(2)
        yield* expectEquals("what was heard", heard, ["throws 1", "hears 1", "throws 2", "hears 2"])
      })
    ),

  "a commit's listeners hear the row before and after, and what it asks of the runtime": Effect.scoped(
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const registry = yield* ProcessRegistry
      const id = yield* freshProcess()
      const heard: Array<unknown> = []
      yield* store.onCommit((changes) => {
        for (const { before, row, commands } of changes) {
          if (row.base.registration.id === id) heard.push([before?.sequence, row.sequence, commands])
        }
      })
      yield* registry.requestProcessCancel(id, "stop", external)
      yield* expectEquals("what was heard", heard, [[0, 1, [{ type: "requestSweep", params: {} }]]])
    })
  ),

  *"own writes are no changes of elsewhere"({ store }) {
    yield* store.externalChanges
    const id = yield* freshProcess()
    yield* expectEquals("the changes", (yield* store.externalChanges).includes(id), false)
  },

  *"rows are due in the order of their registration, unless they are held, ended or waiting"({
    clock,
    registry,
    store
  }) {
    const free = yield* freshProcess()
    const outside = yield* freshProcess("externally_owned")
    const short = (yield* leasedProcess("owner_bound", shortMs)).id
    const { id: ended, lease } = yield* leasedProcess()
    yield* registry.completeProcessWithLease(lease, outputs.Success)
    const begun = yield* freshProcess("owner_bound")
    yield* registry.recordFirstStarted(begun, { owner: yield* freshOwner(), startedAtMs: 1 })
    const held = yield* freshProcess()
    yield* claimed(held, yield* freshOwner(), longMs)
    const last = yield* freshProcess()
    const mine = [free, outside, short, ended, begun, held, last]
    const due = Effect.gen(function* () {
      const ids = yield* store.due({ nowMs: yield* clock.nowMs, limit: 1_000_000 })
      return ids.filter((id) => mine.includes(id))
    })
    yield* expectEquals("before a lease expired", yield* due, [free, last])
    yield* clock.advance(shortMs)
    yield* expectEquals("once it expired", yield* due, [free, short, last])
    for (const id of [outside, begun]) {
      yield* registry.requestProcessAbandon(id, { requestedBy: "operator", requestedAtMs: 1 }, external)
    }
    yield* expectEquals("once it was asked for", yield* due, [free, outside, short, begun, last])
    const [one] = yield* store.due({ nowMs: yield* clock.nowMs, limit: 1 })
    yield* expectEquals("at most one", one === undefined, false)
    yield* expectEquals("when each is due", (yield* keptOf(ended)).dueAtMs, null)
  }
})

/** In UTF-16 units the crab (a surrogate pair) would come before the last character of the basic plane. */
const bytewise = ["", "A", "a", "a\u0000", "a!", "b", "\u00e9", "\u20ac", "\ufffd", "\u{1f980}"]

const unordered = ["\u{1f980}", "b", "\ufffd", "m", "a!", "", "\u20ac", "A", "a\u0000", "\u00e9", "a"]

const changeFeedLaws: ReadonlyArray<Law> = lawsOf("Write your own store: The one write", {
  *"a registration, an append and a completion each show the process as it is then"({ feed, registry }) {
    let cursor = yield* end
    const id = yield* freshId
    for (const step of [
      registry.registerProcess(registrationOf(id, "externally_owned")),
      registry.appendEvent(id, note(1), external),
      registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
    ]) {
      yield* step
      const page = yield* feed.changesSince(cursor, 10)
      yield* expectEquals("the changes", page.changes, [{ _tag: "Upsert", record: yield* recordOf(id) }])
      yield* expectEquals("whether the cursor moved", page.next !== cursor, true)
      cursor = page.next
    }
  },

  *"a process appears once, at its latest change"({ feed, registry }) {
    const cursor = yield* end
    const ids = [yield* freshProcess(), yield* freshProcess(), yield* freshProcess()] as const
    for (const value of [1, 2]) yield* registry.appendEvent(ids[0], note(value), external)
    const { changes } = yield* feed.changesSince(cursor, 10)
    yield* expectEquals("the changes", changes.map(idOf), [ids[1], ids[2], ids[0]])
  },

  *"pages follow each other without a gap or a repetition, whatever their length"() {
    const cursor = yield* end
    const ids = yield* Effect.forEach([1, 2, 3, 4, 5], () => freshProcess())
    for (const limit of [1, 2, 5, 100]) {
      const pages = yield* pagesSince(cursor, limit)
      yield* expectEquals(
        `pages of ${limit}`,
        pages.map((page) => page.length),
        lengths[limit]
      )
      yield* expectEquals("their changes", pages.flat().map(idOf), ids)
    }
  },

  *"a page of none, and one when there is nothing new, are empty and keep the cursor"({ feed }) {
    yield* freshProcess()
    const before = yield* end
    yield* expectEquals("nothing new", yield* feed.changesSince(before, 10), { changes: [], next: before })
    yield* freshProcess()
    yield* expectEquals("a page of none", yield* feed.changesSince(before, 0), { changes: [], next: before })
    yield* expectEquals("the change after it", (yield* feed.changesSince(before, 1)).changes.length, 1)
  },

  *"a replay, a refusal, a lease, a grant and a back-off change no row; an acknowledgement does, once"({
    activations,
    feed,
    grants,
    leases,
    registry
  }) {
    const id = yield* freshProcess()
    const request = { ...note(1), replayKey: "k" }
    yield* registry.appendEvent(id, request, external)
    const cursor = yield* end
    yield* registry.appendEvent(id, request, external)
    const undeclared = registry.appendEvent(id, { eventType: "unheard.of", payload: 1 }, external)
    yield* refused("it", "EventRejected", [id], undeclared)
    const lease = yield* claimed(id, yield* freshOwner())
    yield* leases.renewProcessLease(lease, longMs)
    yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    yield* grants.grantHandle({ sessionId: "s" }, id, {})
    const backOff = yield* activations.backOff(id, "no such thing")
    yield* expectEquals("whether it backs off", (yield* rowOf(id)).backOff, backOff)
    yield* expectEquals("the feed", yield* feed.changesSince(cursor, 10), { changes: [], next: cursor })
    yield* registry.ackWake(id, 1)
    const { changes, next } = yield* feed.changesSince(cursor, 10)
    yield* expectEquals("the change", changes, [{ _tag: "Upsert", record: yield* recordOf(id) }])
    yield* registry.ackWake(id, 1)
    yield* expectEquals("again", yield* feed.changesSince(next, 10), { changes: [], next })
  },

  *"a pruned process is shown as deleted, with how it ended and when it was pruned, in place of its record"({
    feed,
    registry,
    retention
  }) {
    const scope = yield* freshId
    const provenance = { originator: { _tag: "Host", scope } } as const
    const before = yield* end
    const id = yield* freshProcess("externally_owned", { provenance })
    yield* registry.completeProcess(id, outputs.Failure, { _tag: "ExternalOwner" })
    const ended = yield* end
    yield* retention.pruneTerminalProcesses({
      cutoffMs: Number.MAX_SAFE_INTEGER,
      filter: { originatorScopeId: `host:${scope}` },
      watermark: { _tag: "NoProjector" }
    })
    const { prunedAtMs } = yield* expectFailure("a read", "ProcessPruned", registry.getProcess(id))
    for (const cursor of [before, ended]) {
      const { changes } = yield* feed.changesSince(cursor, 10)
      const shown = changes.map((change) => {
        if (change._tag === "Upsert") return [change._tag, change.record.id]
        const { processId, terminalState } = change.tombstone
        return [change._tag, processId, terminalState, change.tombstone.prunedAtMs]
      })
      yield* expectEquals("the changes", shown, [["Deleted", id, "failed", prunedAtMs]])
    }
  },

  *"the beginning comes before everything"({ feed }) {
    const id = yield* freshProcess()
    const pages = yield* pagesSince(feed.beginning, 100)
    yield* expectEquals("its places in the feed", pages.flat().filter((change) => idOf(change) === id).length, 1)
    yield* expectEquals("the last change", idOf(pages.flat().at(-1)), id)
  },

  *"a cursor of another store, or of none, is refused"({ feed }) {
    for (const text of ["", "7", `${crypto.randomUUID()}:0`, `${feed.beginning}x`, `x${feed.beginning}`]) {
      const cursor = text as Cursor // what a host may have kept of another store
      yield* refused(`the cursor "${text}"`, "InputInvalid", [], feed.changesSince(cursor, 10))
    }
    for (const limit of [-1, 0.5]) {
      yield* refused("a limit", "InputInvalid", [], feed.changesSince(feed.beginning, limit))
    }
  },

  *"a reader beside writers misses no process and ends with each as it is"({ feed, registry }) {
    const start = yield* end
    const seen = new Map<string, StoreChange>()
    let cursor = start
    const read = Effect.gen(function* () {
      const { changes, next } = yield* feed.changesSince(cursor, 3)
      for (const change of changes) seen.set(idOf(change), change)
      const isNew = next !== cursor
      cursor = next
      return isNew
    })
    const write = Effect.gen(function* () {
      const id = yield* freshProcess()
      yield* Effect.yieldNow()
      yield* registry.appendEvent(id, note(1), external)
      return id
    })
    const [ids] = yield* Effect.all(
      [
        Effect.forEach(Array.from({ length: 24 }), () => write, { concurrency: "unbounded" }),
        Effect.repeatN(Effect.zipRight(read, Effect.yieldNow()), 30)
      ],
      { concurrency: "unbounded" }
    )
    yield* Effect.repeat(read, { while: (isNew) => isNew })
    for (const id of ids) {
      yield* expectEquals("what is known of it", seen.get(id), { _tag: "Upsert", record: yield* recordOf(id) })
    }
  }
})

/** The pages from a cursor to the end. */
const pagesSince = (from: Cursor, limit: number) =>
  Effect.gen(function* () {
    const feed = yield* ChangeFeed
    const pages: Array<ReadonlyArray<StoreChange>> = []
    let cursor = from
    while (true) {
      const { changes, next } = yield* feed.changesSince(cursor, limit)
      yield* expectEquals("whether a page keeps the cursor", next === cursor, changes.length === 0)
      if (changes.length === 0) return pages
      pages.push(changes)
      cursor = next
    }
  })

/** The cursor after everything so far. */
export const end = Effect.gen(function* () {
  const feed = yield* ChangeFeed
  let cursor = feed.beginning
  while (true) {
    const { next } = yield* feed.changesSince(cursor, 1_000)
    if (next === cursor) return cursor
    cursor = next
  }
})

const idOf = (change: StoreChange | undefined): string => {
  if (change === undefined) return "nothing"
  return change._tag === "Upsert" ? change.record.id : change.tombstone.processId
}

const lengths: Readonly<Record<number, ReadonlyArray<number>>> = { 1: [1, 1, 1, 1, 1], 2: [2, 2, 1], 5: [5], 100: [5] }

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...orderingLaws, ...changeFeedLaws]
