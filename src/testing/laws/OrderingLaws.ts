/**
 * Laws of order and concurrency: gapless logs, sorted lists, commits heard in the order in which they happened.
 */
import * as Effect from "effect/Effect"
import { processId } from "../../model/ids.ts"
import { external } from "../../operations/decisions/authority.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isFold, keptOf, logOf } from "../evidence.ts"
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
import { expectEquals, LawClock, lawsOf } from "../Law.ts"

/** The laws of order and concurrency. */
export const laws: ReadonlyArray<Law> = lawsOf("ADR 0003", {
  "concurrent appends to one process are numbered 1 to n without a gap": function* () {
    const registry = yield* ProcessRegistry
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

  "refused appends among concurrent ones leave no gap and harm no other": function* () {
    const registry = yield* ProcessRegistry
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

  "a committed write is read by everybody at once": function* () {
    const registry = yield* ProcessRegistry
    const store = yield* ProcessStore
    const { id, lease } = yield* leasedProcess()
    const record = yield* registry.completeProcessWithLease(lease, outputs.Failure)
    yield* expectEquals("the record", yield* registry.getProcess(id), record)
    yield* expectEquals("the end", (yield* store.eventsAfter(id, 0)).length, 1)
    yield* expectEquals("the lease", yield* store.leaseOf(id), undefined)
    const running = (yield* registry.listNonTerminal).filter((other) => other.id === id)
    yield* expectEquals("the list of what has not ended", running, [])
  },

  "what has not ended is listed by id, compared bytewise": function* () {
    const registry = yield* ProcessRegistry
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
    function* () {
      const store = yield* ProcessStore
      const registry = yield* ProcessRegistry
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

  "a commit tells its listeners the row before and after, and what it asks of the runtime": Effect.scoped(
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

  "own writes are no changes of elsewhere": function* () {
    const store = yield* ProcessStore
    yield* store.externalChanges
    const id = yield* freshProcess()
    yield* expectEquals("the changes", (yield* store.externalChanges).includes(id), false)
  },

  "rows are due in the order of their registration, unless they are held, ended or wait for somebody": function* () {
    const registry = yield* ProcessRegistry
    const clock = yield* LawClock
    const store = yield* ProcessStore
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
