/**
 * Laws of forks: a process resumed from an entry of its journal goes on as if it had not got there.
 */
import * as Effect from "effect/Effect"
import { afterForks } from "../../model/JournalEntry.ts"
import { BodyWrites } from "../../operations/BodyWrites.ts"
import { host } from "../../operations/decisions/authority.ts"
import { Leases } from "../../operations/Leases.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import type { ResumeOptions } from "../../operations/resume.ts"
import { resumeFrom } from "../../operations/resume.ts"
import { verify } from "../../operations/verify.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isFold, logOf, refused, rowOf, typesOf, writesNothing } from "../evidence.ts"
import { claimed, freshId, freshOwner, longMs, outputs, registeredOf, registrationOf } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, lawsOf } from "../Law.ts"
import { begunProcess, draft, forReady, sendReady } from "./ExecutionLaws.ts"

/** A process at rest, whose body waits for `ready` at 1, stepped at 2 and waits for `ready` at 3 and a time at 4. */
const resting = Effect.gen(function* () {
  const { id, lease } = yield* begunProcess
  const executions = yield* BodyWrites
  const leases = yield* Leases
  const entered = (position: number) => executions.enterWait(lease, draft(position, "await_signal"), forReady)
  const first = yield* entered(1)
  yield* executions.record(lease, { ...draft(2, "step"), outcome: { ok: 1 } })
  const third = yield* entered(3)
  const sleep = yield* executions.enterWait(lease, draft(4, "sleep"), { _tag: "Timer", deadlineMs: 10 * longMs })
  const rest = leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
  return { id, lease, first, third, sleep, rest }
})

/** The laws of this file. */
export const laws: ReadonlyArray<Law> = lawsOf("ADR 0028", {
  *"a process resumed from an entry has the entries before it, closes the waits behind it, and is due"({ executions }) {
    const { id, first, third, sleep, rest } = yield* resting
    yield* rest
    const before = yield* executions.journalOf(id)
    const log = yield* logOf(id)
    const resumed = yield* resumeFrom(id, { from: 2, repeat: true, by: "me", reason: "new code" })
    const effects = [{ position: 2, key: "k2#1", operation: "step" }]
    yield* expectEquals("what it answers", resumed, { from: 2, to: 4, effects, children: [] })
    const row = yield* rowOf(id)
    yield* expectEquals(
      "the open waits",
      row.snapshot.context.waits.map(({ kind }) => kind.key),
      [first.waitKey]
    )
    const dropped = { outcome: { _tag: "Dropped" } }
    yield* expectEquals("the signal wait", (yield* executions.waitOf(id, third.waitKey)).ended, dropped)
    yield* expectEquals("the sleep", (yield* executions.waitOf(id, sleep.waitKey)).ended, dropped)
    yield* expectEquals("the journal", yield* executions.journalOf(id), before)
    const counting = afterForks(before, row.snapshot.context.forks).counting.map(({ key }) => key)
    yield* expectEquals("what counts of it", counting, ["k1#1"])
    yield* expectEquals("the log before", (yield* logOf(id)).slice(0, log.length), log)
    yield* expectEquals("the log after", (yield* typesOf(id)).slice(log.length), [
      "process.journal_forked",
      "process.resumed",
      "process.resumed"
    ])
    yield* expectEquals("what the event says", (yield* logOf(id))[log.length]?.payload, {
      from: 2,
      to: 4,
      by: "me",
      reason: "new code"
    })
    yield* expectEquals("whether it is due", row.dueAtMs !== null, true)
    yield* isFold(id)
    yield* expectEquals("what verify finds", (yield* verify({ ids: [id] })).differences, [])
  },

  *"signals that waits behind a fork had taken go to the waits before it, and then to the next, in their order"({
    executions,
    leases
  }) {
    const { id, lease } = yield* begunProcess
    const entered = (position: number, held = lease) =>
      executions.enterWait(held, draft(position, "await_signal"), forReady)
    const outer = yield* entered(1)
    yield* executions.enterWait(lease, draft(2, "await_signal"), { ...forReady, ahead: true })
    const { event: one } = yield* sendReady(id, "one")
    yield* executions.enterWait(lease, draft(3, "await_signal"), { ...forReady, ahead: true })
    const { event: two } = yield* sendReady(id, "two")
    yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    yield* resumeFrom(id, { from: 2 })
    yield* expectEquals("the wait before it took", (yield* executions.waitOf(id, outer.waitKey)).ended?.signal, one)
    const again = yield* claimed(id, yield* freshOwner())
    yield* expectEquals("the next one took", (yield* entered(5, again)).ended?.signal, two)
    yield* isFold(id)
  },

  *"a timer behind a fork is not the timer that is entered under its key again"({ executions }) {
    const { id, sleep, rest } = yield* resting
    yield* rest
    yield* resumeFrom(id, { from: 4 })
    const lease = yield* claimed(id, yield* freshOwner())
    const opened = { ...draft(4, "sleep"), position: 5 }
    const next = yield* executions.enterWait(lease, opened, { _tag: "Timer", deadlineMs: 10 * longMs })
    yield* expectEquals("whether it is another", next.waitKey === sleep.waitKey, false)
    yield* expectEquals("whether it is open", (yield* executions.waitOf(id, next.waitKey)).ended, undefined)
    yield* expectEquals("what verify finds", (yield* verify({ ids: [id] })).differences, [])
    yield* isFold(id)
  },

  *"what was let go of behind a fork is left behind as a whole, and its signal is given back once"({
    executions,
    leases
  }) {
    const { id, lease } = yield* begunProcess
    const { waitKey } = yield* executions.enterWait(lease, draft(1, "await_signal"), forReady)
    const { event } = yield* sendReady(id, "a")
    const drop = { key: "k1#1!", position: 2, operation: "dropped", outcome: null } as const
    yield* executions.drop(lease, drop, { waitKey, signal: "ready" })
    yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    yield* resumeFrom(id, { from: 2 })
    const { forks } = (yield* rowOf(id)).snapshot.context
    yield* expectEquals("what counts", afterForks(yield* executions.journalOf(id), forks).counting, [])
    const next = { ...draft(1, "await_signal"), position: 3 }
    const again = yield* executions.enterWait(yield* claimed(id, yield* freshOwner()), next, forReady)
    yield* expectEquals("what the wait took", again.ended?.signal, event)
    yield* isFold(id)
  },

  *"effects and children behind a fork are left only by a decision about them; a child is kept, or asked to stop"({
    activations,
    executions
  }) {
    for (const children of ["keep", "cancel"] as const) {
      const { id, lease, rest } = yield* resting
      const child = yield* freshId
      const registration = registrationOf(child, "rerunnable", { parent: { processId: id, closePolicy: "keep" } })
      const outcome = { process_id: child }
      const journal = { lease, draft: { ...draft(5, "start_child"), outcome } }
      yield* activations.start(yield* registeredOf(registration), host, undefined, journal)
      yield* rest
      const ids = [id, child]
      const tried = (options: Omit<ResumeOptions, "from">) =>
        refused("a resumption", "ResumeRefused", ids, resumeFrom(id, { from: 2, ...options }))
      yield* tried({ children })
      yield* tried({ repeat: true })
      const seen = yield* writesNothing(ids, resumeFrom(id, { from: 2, dryRun: true }))
      const effects = [{ position: 2, key: "k2#1", operation: "step" }]
      yield* expectEquals("a dry run", seen, { from: 2, to: 5, effects, children: [child] })
      yield* resumeFrom(id, { from: 2, repeat: true, children })
      const asked = (yield* rowOf(child)).snapshot.context.cancelRequest !== undefined
      yield* expectEquals("whether the child is to stop", asked, children === "cancel")
      yield* isFold(child)
    }
    const { id } = yield* resting
    yield* refused("one that is held", "ResumeRefused", [id], resumeFrom(id, { from: 5 }))
    yield* expectEquals("its journal", (yield* executions.journalOf(id)).length, 4)
  },

  *"a holder whose lease expired before the fork does not get it back"({ activations, clock }) {
    if (!clock.isExact) return
    const { id, lease } = yield* resting
    yield* clock.advance(10 * longMs)
    yield* resumeFrom(id, { from: 4 })
    const claimant = { owner: lease.owner, ttlMs: longMs, token: "again" }
    yield* refused("a lease that was slept through", "LeaseLost", [id], activations.reacquire(lease, claimant))
  },

  *"entries that its last holder wrote while it was looked at are not passed over"({ executions, leases }) {
    const { id, lease } = yield* begunProcess
    const store = yield* ProcessStore
    yield* executions.enterWait(lease, draft(1, "await_signal"), forReady)
    const meanwhile = Effect.zipRight(
      executions.record(lease, { ...draft(2, "step"), outcome: { ok: 1 } }),
      leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    ).pipe(Effect.orDie)
    const readTogether: typeof store.readTogether = (read) => Effect.zipLeft(store.readTogether(read), meanwhile)
    const resumed = resumeFrom(id, { from: 1, repeat: true })
    const ended = yield* Effect.match(Effect.provideService(resumed, ProcessStore, { ...store, readTogether }), {
      onFailure: ({ _tag }) => _tag,
      onSuccess: () => "resumed"
    })
    yield* expectEquals("its end", ended, "ResumeRefused")
    yield* expectEquals("the open waits", (yield* rowOf(id)).snapshot.context.waits.length, 1)
    yield* expectEquals("the forks", (yield* rowOf(id)).snapshot.context.forks, undefined)
  },

  *"what was kept of the progress of steps is no longer there after a fork"({ executions }) {
    const { id, lease, rest } = yield* resting
    const store = yield* ProcessStore
    yield* executions.keepProgress(lease, "k5#1", { done: 1 })
    yield* rest
    yield* resumeFrom(id, { from: 4 })
    yield* expectEquals("the progress", yield* store.execution.progress(id), [])
  },

  *"only a process at rest that has not ended is resumed, from an entry that is there"({ clock }) {
    const { id, rest } = yield* resting
    yield* refused("one that is held", "ResumeRefused", [id], resumeFrom(id, { from: 4 }))
    yield* rest
    yield* refused("beyond the journal", "ResumeRefused", [id], resumeFrom(id, { from: 5 }))
    yield* refused("no position", "InputInvalid", [id], resumeFrom(id, { from: 0 }))
    yield* clock.advance(1)
    const registry = yield* ProcessRegistry
    const lease = yield* claimed(id, yield* freshOwner())
    yield* registry.completeProcessWithLease(lease, outputs.Success)
    yield* refused("one that has ended", "ProcessAlreadyTerminal", [id], resumeFrom(id, { from: 4 }))
  }
})
