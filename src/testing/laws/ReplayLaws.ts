/**
 * Laws of replay: what a body lets go of, and the place of each end in its log.
 */
import * as Effect from "effect/Effect"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { isFold, logOf, refused, rowOf, typesOf, writesNothing } from "../evidence.ts"
import { claimed, endOf, freshId, freshOwner, longMs, outputs, registrationOf } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, law, lawsOf } from "../Law.ts"
import { begunProcess, draft, forReady, sendReady } from "./ExecutionLaws.ts"

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [
  ...lawsOf("ADR 0025", {
    *"a wait that its body drops takes no signal and fires no timer; dropping it is journaled, once"({
      clock,
      executions
    }) {
      const { id, lease } = yield* begunProcess
      const deadlineMs = (yield* clock.nowMs) + longMs
      const { waitKey } = yield* executions.enterWait(lease, draft(1, "await_signal"), { ...forReady, deadlineMs })
      const dropped = { ...draft(2, "dropped"), outcome: null }
      yield* executions.drop(lease, dropped, { waitKey, signal: "ready" })
      yield* expectEquals("the open waits", (yield* rowOf(id)).snapshot.context.waits, [])
      yield* executions.drop(lease, dropped, { waitKey, signal: "ready" })
      const { event } = yield* sendReady(id, "a")
      const next = yield* executions.enterWait(lease, draft(3, "await_signal"), forReady)
      yield* expectEquals("what the next wait took", next.ended?.signal, event)
      yield* expectEquals("how it ended", (yield* executions.waitOf(id, waitKey)).ended, {
        outcome: { _tag: "Dropped" }
      })
      if (clock.isExact) {
        yield* clock.advance(longMs)
        yield* writesNothing([id], executions.fireTimers(id))
      }
      const keys = (yield* executions.journalOf(id)).map(({ key }) => key)
      yield* expectEquals("the journal", keys, ["k1#1", "k2#1", "k3#1"])
      yield* isFold(id)
    },

    *"a signal that had ended a dropped wait goes to the next one, before later signals; to an open one at once"({
      executions
    }) {
      const { id, lease } = yield* begunProcess
      const first = yield* executions.enterWait(lease, draft(1, "await_signal"), forReady)
      const { event: early } = yield* sendReady(id, "early")
      const { event: late } = yield* sendReady(id, "late")
      yield* executions.drop(
        lease,
        { ...draft(2, "dropped"), outcome: null },
        { waitKey: first.waitKey, signal: "ready" }
      )
      const second = yield* executions.enterWait(lease, draft(3, "await_signal"), forReady)
      yield* expectEquals("the second wait took", second.ended?.signal, early)
      const third = yield* executions.enterWait(lease, draft(4, "await_signal"), forReady)
      yield* expectEquals("the third wait took", third.ended?.signal, late)
      const fourth = yield* executions.enterWait(lease, draft(5, "await_signal"), forReady)
      const fifth = yield* executions.enterWait(lease, draft(6, "await_signal"), forReady)
      const { event: last } = yield* sendReady(id, "last")
      yield* executions.drop(
        lease,
        { ...draft(7, "dropped"), outcome: null },
        { waitKey: fourth.waitKey, signal: "ready" }
      )
      yield* expectEquals("the open wait took", (yield* executions.waitOf(id, fifth.waitKey)).ended?.signal, last)
      yield* isFold(id)
    },

    *"a wait that comes ahead takes a signal before those that are open"({ executions }) {
      const { id, lease } = yield* begunProcess
      const older = yield* executions.enterWait(lease, draft(1, "await_signal"), forReady)
      const newer = yield* executions.enterWait(lease, draft(2, "await_signal"), { ...forReady, ahead: true })
      yield* sendReady(id, "a")
      const isOpen = ({ waitKey }: { readonly waitKey: string }) =>
        Effect.map(executions.waitOf(id, waitKey), ({ ended }) => ended === undefined)
      yield* expectEquals("which are open", [yield* isOpen(older), yield* isOpen(newer)], [true, false])
      yield* isFold(id)
    },

    *"entries that need no commit of their own go with the next write, before it"({ executions }) {
      const { id, lease } = yield* begunProcess
      const now = { ...draft(1, "now"), outcome: 7 }
      yield* executions.record(lease, { ...draft(2, "step"), outcome: { ok: 1 }, after: [now] })
      const journal = yield* executions.journalOf(id)
      yield* expectEquals(
        "the journal",
        journal.map(({ atMs: _, ...entry }) => entry),
        [
          { ...now, sequence: 1 },
          { ...draft(2, "step"), sequence: 1, outcome: { ok: 1 } }
        ]
      )
      yield* expectEquals("an entry by its position", yield* executions.entryAt(id, 2), journal[1])
      yield* expectEquals("a page", yield* executions.journalOf(id, { after: 1, limit: 1 }), journal.slice(1))
    },

    *"the progress of a step is kept under its lease in place of what was kept before, and goes with its record"({
      executions,
      leases
    }) {
      const { id, lease } = yield* begunProcess
      yield* executions.keepProgress(lease, "k1#1", { done: 1 })
      yield* executions.keepProgress(lease, "k2#1", "other")
      yield* executions.keepProgress(lease, "k1#1", { done: [2] })
      const kept = Effect.map(executions.progressOf(id), (steps) => steps.map(({ key, detail }) => [key, detail]))
      yield* expectEquals("what is kept", yield* kept, [
        ["k1#1", { done: [2] }],
        ["k2#1", "other"]
      ])
      yield* expectEquals("the log", yield* typesOf(id), ["process.started"])
      yield* executions.record(lease, { ...draft(1, "step"), outcome: { ok: 1 }, progress: "k1#1" })
      yield* expectEquals("what is kept after the record", yield* kept, [["k2#1", "other"]])
      yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
      yield* refused("without the lease", "LeaseLost", [id], executions.keepProgress(lease, "k2#1", "late"))
      yield* expectEquals("what is kept then", yield* kept, [["k2#1", "other"]])
    },

    *"the snapshot of a process does not grow with its waits"({ clock, executions }) {
      const { id, lease } = yield* begunProcess
      const sizeOf = Effect.map(rowOf(id), ({ snapshot }) => JSON.stringify(snapshot.context).length)
      const sizes: Array<number> = []
      for (let position = 1; position <= 9; position++) {
        const deadlineMs = yield* clock.nowMs
        yield* executions.enterWait(lease, draft(position, "sleep"), { _tag: "Timer", deadlineMs })
        yield* executions.fireTimers(id)
        sizes.push(yield* sizeOf)
      }
      yield* expectEquals("the growth of the last", (sizes.at(-1) ?? 0) - (sizes[1] ?? 0), 0)
    }
  }),

  ...Object.values(outputs).map((output) =>
    law(
      `a child that ends with ${output._tag} is in its running parent's log, in the same commit`,
      "ADR 0025",
      Effect.gen(function* () {
        const { id: parent } = yield* begunProcess
        const child = yield* freshId
        const registration = registrationOf(child, "rerunnable", { parent: { processId: parent, closePolicy: "keep" } })
        const registry = yield* ProcessRegistry
        yield* registry.registerProcess(registration)
        yield* expectEquals("before", yield* typesOf(parent), ["process.started"])
        const state = endOf(output).status._tag.toLowerCase()
        yield* registry.completeProcessWithLease(yield* claimed(child, yield* freshOwner()), output)
        const event = (yield* logOf(parent)).at(-1)
        yield* expectEquals("the event", event?.eventType, "process.child_ended")
        yield* expectEquals("what it says", event?.payload, { child_id: child, state })
        yield* isFold(parent)
      })
    )
  )
]
