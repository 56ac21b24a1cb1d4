/**
 * Laws of what bodies write, of passivation, and of later starts.
 */
import * as Effect from "effect/Effect"
import type { InputInvalid } from "../../model/errors.ts"
import type { AppendReceipt, AppendRequest } from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { JournalOperation } from "../../model/JournalEntry.ts"
import type { AppendRefusal } from "../../operations/decisions/append.ts"
import { host } from "../../operations/decisions/authority.ts"
import type { Draft } from "../../operations/decisions/execution.ts"
import type { Lookup } from "../../operations/existing.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isFold, logOf, refused, rowOf, typesOf, writesNothing } from "../evidence.ts"
import {
  begin,
  claimed,
  freshId,
  freshOwner,
  freshProcess,
  leasedProcess,
  longMs,
  outputs,
  recoverer,
  registeredOf,
  registrationOf,
  shortMs
} from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, expectFailure, LawClock, lawsOf } from "../Law.ts"

const executionLaws: ReadonlyArray<Law> = lawsOf("ADR 0022", {
  *"a journal is read in order of position, each entry with the log's sequence and the time"({ executions }) {
    const { id, lease } = yield* begunProcess
    const atMs = yield* Effect.flatMap(LawClock, ({ nowMs }) => nowMs)
    yield* executions.record(lease, { ...draft(1, "step"), outcome: { ok: { z: 1, a: [null] } } })
    const { event } = yield* executions.append(lease, note, draft(2, "append_event"))
    yield* executions.record(lease, { ...draft(3, "now"), outcome: 7 })
    const journal = yield* executions.journalOf(id)
    yield* expectEquals(
      "the entries",
      journal.map(({ atMs: _, ...entry }) => entry),
      [
        { ...draft(1, "step"), sequence: 1, outcome: { ok: { z: 1, a: [null] } } },
        { ...draft(2, "append_event"), sequence: 1, outcome: { process_id: id, sequence: 2 } },
        { ...draft(3, "now"), sequence: 2, outcome: 7 }
      ]
    )
    yield* expectEquals(
      "whether none is older than its commit",
      journal.every((entry) => entry.atMs >= atMs),
      true
    )
    yield* expectEquals("the event that was journaled", yield* executions.eventAt(id, 2), event)
    yield* isFold(id)
  },

  *"an event of a body is appended under the key of its own operation, and under no other key of the runtime"({
    executions,
    registry
  }) {
    const { id, lease } = yield* begunProcess
    const { id: other } = yield* begunProcess
    const under = (replayKey: string) => executions.append(lease, { ...note, replayKey }, draft(1, "append_event"))
    for (const rest of [
      "journal:k2#1",
      "journal:k1#1@1",
      "journal:fork:1",
      "started:2",
      "machine:1",
      "signal.ready:a"
    ]) {
      const error = yield* refused(rest, "InputInvalid", [id], under(`process:${id}:${rest}`))
      yield* expectEquals("the field", error.field, "replay.key")
    }
    const own = `process:${id}:journal:k1#1`
    yield* refused("another's", "InputInvalid", [id], registry.appendEvent(id, { ...note, replayKey: own }, host))
    const { event } = yield* under(own)
    yield* expectEquals("the event", [event.payload, event.replayKey], [{ n: 1 }, own])
    yield* expectEquals("a repetition", (yield* under(own)).event.sequence, event.sequence)
    const journal = `process:${other}:journal:k1#1`
    const sent = executions.signalFrom(lease, other, { ...ready(other, "a"), replayKey: journal }, draft(2, "signal"))
    yield* refused("one of another process", "InputInvalid", [other], sent)
    yield* isFold(id)
  },

  *"an entry is written once: a repetition changes neither it nor the log"({ executions }) {
    const { id, lease } = yield* begunProcess
    yield* executions.record(lease, { ...draft(1, "random"), outcome: 1 })
    const before = yield* executions.journalOf(id)
    yield* writesNothing([id], executions.record(lease, { ...draft(1, "random"), outcome: 2 }))
    yield* expectEquals("the journal", yield* executions.journalOf(id), before)
  },

  *"a body journals under its lease, and nothing once the lease is lost"({ executions, leases }) {
    const { id, lease } = yield* begunProcess
    const other = yield* freshProcess()
    yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    const ids = [id, other]
    yield* refused("a record", "LeaseLost", ids, executions.record(lease, { ...draft(1, "step"), outcome: 1 }))
    const sleep = executions.enterWait(lease, draft(1, "sleep"), { _tag: "Timer", deadlineMs: longMs })
    yield* refused("a wait", "LeaseLost", ids, sleep)
    yield* refused("an event", "LeaseLost", ids, executions.append(lease, note, draft(1, "append_event")))
    const signal = executions.signalFrom(lease, other, ready(other, "a"), draft(1, "signal"))
    yield* refused("a signal to another", "LeaseLost", ids, signal)
    yield* expectEquals("the journal", yield* executions.journalOf(id), [])
  },

  *"what a body finds done already is not journaled once its lease is lost"({ activations, executions, leases }) {
    const { id, lease } = yield* begunProcess
    const other = yield* freshProcess()
    const registered = yield* registeredOf(registrationOf(other, "rerunnable"))
    const { event } = yield* executions.append(lease, note, draft(1, "append_event"))
    yield* executions.signalFrom(lease, other, ready(other, "a"), draft(2, "signal"))
    yield* executions.requestFrom(lease, other, { _tag: "Cancel", reason: "enough" }, draft(3, "request"))
    const before = yield* executions.journalOf(id)
    yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    const entry = { ...draft(4, "start_child"), outcome: { process_id: other } }
    const start = activations.start(registered, { _tag: "Body", lease }, undefined, { lease, draft: entry })
    yield* refused("a child that is there", "LeaseLost", [id, other], start)
    const ids = [id, other]
    yield* refused("an event", "LeaseLost", ids, executions.append(lease, note, draft(4, "append_event")))
    const signal = executions.signalFrom(lease, other, ready(other, "a"), draft(4, "signal"))
    yield* refused("a signal", "LeaseLost", ids, signal)
    const cancel = executions.requestFrom(lease, other, { _tag: "Cancel", reason: "enough" }, draft(4, "request"))
    yield* refused("a cancel", "LeaseLost", ids, cancel)
    yield* expectEquals("the journal", yield* executions.journalOf(id), before)
    yield* expectEquals("the event", (yield* logOf(id)).at(-1), event)
  },

  *"a signal that is there ends a wait as it is entered, one that comes later ends it then; each ends one"({
    executions
  }) {
    const { id, lease } = yield* begunProcess
    const { event: early } = yield* sendReady(id, "early")
    const first = yield* executions.enterWait(lease, draft(1, "await_signal"), forReady)
    const ended = { outcome: { _tag: "Signal", sequence: early.sequence }, signal: early }
    yield* expectEquals("the first wait", first, { waitKey: `process:${id}:signal.ready:1`, ended })
    const second = yield* executions.enterWait(lease, draft(2, "await_signal"), forReady)
    yield* expectEquals("the second wait", second, { waitKey: `process:${id}:signal.ready:2` })
    yield* expectEquals("its state", yield* executions.waitOf(id, second.waitKey), second)
    const { event: late } = yield* sendReady(id, "late")
    yield* expectEquals("how it ended", yield* executions.waitOf(id, second.waitKey), {
      ...second,
      ended: { outcome: { _tag: "Signal", sequence: late.sequence }, signal: late }
    })
    yield* expectEquals("the first wait, asked again", yield* executions.waitOf(id, first.waitKey), first)
    yield* expectEquals(
      "what was journaled",
      (yield* executions.journalOf(id)).map(({ outcome }) => outcome),
      [{ wait_key: first.waitKey }, { wait_key: second.waitKey }]
    )
    yield* isFold(id)
  },

  *"waits are counted by the name of their signal"({ executions }) {
    const { id, lease } = yield* begunProcess
    const keys: Array<string> = []
    for (const [index, name] of ["ready", "other", "ready", "rea"].entries()) {
      const awaited = { _tag: "Signal", name } as const
      keys.push((yield* executions.enterWait(lease, draft(index + 1, "await_signal"), awaited)).waitKey)
    }
    const expected = ["ready:1", "other:1", "ready:2", "rea:1"].map((key) => `process:${id}:signal.${key}`)
    yield* expectEquals("the keys", keys, expected)
  },

  "time ends a wait at its deadline and not before, once; a sleep by its timer, a wait for a signal by its timeout":
    function* ({ clock, executions }) {
      const { id, lease } = yield* begunProcess
      const deadlineMs = (yield* clock.nowMs) + longMs
      const sleep = yield* executions.enterWait(lease, draft(1, "sleep"), { _tag: "Timer", deadlineMs })
      const wait = yield* executions.enterWait(lease, draft(2, "await_signal"), { ...forReady, deadlineMs })
      yield* expectEquals("the key of a sleep", sleep.waitKey, `process:${id}:timer:k1#1`)
      yield* writesNothing([id], executions.fireTimers(id))
      if (!clock.isExact) return
      yield* clock.advance(longMs - 1)
      yield* writesNothing([id], executions.fireTimers(id))
      yield* clock.advance(1)
      yield* executions.fireTimers(id)
      const outcomes = yield* Effect.forEach([sleep, wait], ({ waitKey }) => executions.waitOf(id, waitKey))
      yield* expectEquals(
        "the ends",
        outcomes.map(({ ended }) => ended),
        [{ outcome: { _tag: "Timer" } }, { outcome: { _tag: "Timeout" } }]
      )
      yield* writesNothing([id], executions.fireTimers(id))
      yield* sendReady(id, "too late")
      yield* expectEquals("the wait that timed out", yield* executions.waitOf(id, wait.waitKey), outcomes[1])
      const types = (yield* typesOf(id)).slice(1)
      const waiting = ["process.waiting", "process.waiting"]
      yield* expectEquals("the log", types, [...waiting, "process.resumed", "process.resumed", "signal.ready"])
      yield* isFold(id)
    },

  *"timers are due from their deadline on, the earliest first, until they fired or their process ended"({
    clock,
    executions,
    registry
  }) {
    const { execution } = yield* ProcessStore
    const base = yield* clock.nowMs
    const [late, soon, over] = [yield* begunProcess, yield* begunProcess, yield* begunProcess]
    const afterMs = new Map([
      [late, 2 * shortMs],
      [soon, shortMs],
      [over, shortMs]
    ])
    for (const [{ lease }, ms] of afterMs) {
      yield* executions.enterWait(lease, draft(1, "sleep"), { _tag: "Timer", deadlineMs: base + ms })
    }
    const ids: ReadonlyArray<ProcessId> = [late.id, soon.id, over.id]
    const due = (nowMs: number) =>
      Effect.map(execution.timersDue({ nowMs, limit: 1_000_000 }), (all) => all.filter((id) => ids.includes(id)))
    yield* registry.completeProcessWithLease(over.lease, outputs.Success)
    const next = (yield* execution.nextTimer) ?? Number.POSITIVE_INFINITY
    yield* expectEquals("whether the next one is no later", next <= base + shortMs, true)
    yield* expectEquals("before", yield* due(base + shortMs - 1), [])
    yield* expectEquals("at the first", yield* due(base + shortMs), [soon.id])
    yield* expectEquals("at both", yield* due(base + 2 * shortMs), [soon.id, late.id])
    yield* clock.advance(shortMs)
    yield* executions.fireTimers(soon.id)
    yield* expectEquals("after the first fired", yield* due(base + 2 * shortMs), [late.id])
  },

  *"an ended process enters no wait and takes no signal; one that it was sent before is a replay"({
    executions,
    registry
  }) {
    const { id, lease } = yield* begunProcess
    const sender = yield* begunProcess
    const { event } = yield* sendReady(id, "a")
    yield* registry.completeProcessWithLease(lease, outputs.Success)
    const again = yield* writesNothing([id], sendReady(id, "a"))
    yield* expectEquals("the retry", again.event, event)
    const refusedBy = "ProcessAlreadyTerminal"
    yield* refused("another one", refusedBy, [id], sendReady(id, "b"))
    const fromBody = executions.signalFrom(sender.lease, id, ready(id, "b"), draft(1, "signal"))
    yield* refused("one from a body", refusedBy, [id, sender.id], fromBody)
    yield* expectEquals("the sender's journal", yield* executions.journalOf(sender.id), [])
    const unknown = yield* freshId
    yield* refused("to an unknown process", "ProcessUnknown", [unknown], sendReady(unknown, "a"))
    const wait = executions.enterWait(lease, draft(1, "await_signal"), forReady)
    yield* expectFailure("a wait", "LeaseLost", wait)
  },

  *"a body's signal is journaled in the commit that delivers it"({ executions }) {
    const [sender, target] = [yield* begunProcess, yield* begunProcess]
    const wait = yield* executions.enterWait(target.lease, draft(1, "await_signal"), forReady)
    const { event } = yield* executions.signalFrom(sender.lease, target.id, ready(target.id, "a"), draft(1, "signal"))
    yield* expectEquals("the wait", (yield* executions.waitOf(target.id, wait.waitKey)).ended?.signal, event)
    const [entry] = yield* executions.journalOf(sender.id)
    yield* expectEquals("the entry", entry?.outcome, { process_id: target.id, sequence: event.sequence })
    yield* expectEquals("the sender's log", yield* typesOf(sender.id), ["process.started"])
  }
})

/** A process whose first activation has begun, under a lease that no law outlasts. */
export const begunProcess = Effect.gen(function* () {
  const { id, lease } = yield* leasedProcess("rerunnable", 10 * longMs)
  yield* begin(lease, yield* freshOwner())
  return { id, lease }
})

/** The entry of an operation, before its outcome is known. */
export const draft = (position: number, operation: JournalOperation): Omit<Draft, "outcome"> => ({
  key: `k${position}#1`,
  position,
  operation
})

const note = { eventType: "note", payload: { n: 1 }, replayKey: "journal:note" }

/** What a body waits for that waits for the signal `ready`. */
export const forReady: { readonly _tag: "Signal"; readonly name: string } = { _tag: "Signal", name: "ready" }

/** That signal, under an id of its sender's choice. */
const ready = (id: ProcessId, signalId: string): AppendRequest => ({
  eventType: "signal.ready",
  payload: signalId,
  replayKey: `process:${id}:signal.ready:${signalId}`
})

/** Sends the same from outside. */
export const sendReady = (
  id: ProcessId,
  signalId: string
): Effect.Effect<AppendReceipt, AppendRefusal | InputInvalid | Lookup, ProcessRegistry> =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.signal(id, { name: "ready", payload: signalId, signalId }, host)
  )

const passivationLaws: ReadonlyArray<Law> = lawsOf("ADR 0011", {
  *"a passivated process is due when one of its waits ends, and not before"({ activations, executions }) {
    const { id, lease } = yield* begunProcess
    const { waitKey } = yield* executions.enterWait(lease, draft(1, "await_signal"), forReady)
    yield* activations.suspend(lease, "passivated", { waits: [waitKey] })
    yield* expectEquals("when it is due", (yield* rowOf(id)).dueAtMs, null)
    yield* expectEquals("its lease", (yield* rowOf(id)).lease.held, undefined)
    const { event } = yield* sendReady(id, "a")
    yield* expectEquals("when it is due after", (yield* rowOf(id)).dueAtMs, event.occurredAtMs)
    yield* isFold(id)
  },

  *"a body whose wait ended while it was passivated is handed back, and due at once"({ activations, executions }) {
    const { id, lease } = yield* begunProcess
    const { waitKey } = yield* executions.enterWait(lease, draft(1, "await_signal"), forReady)
    yield* executions.enterWait(lease, draft(2, "sleep"), { _tag: "Timer", deadlineMs: Number.MAX_SAFE_INTEGER })
    yield* sendReady(id, "a")
    const parked = [waitKey, `process:${id}:timer:k2#1`]
    const row = yield* activations.suspend(lease, "passivated", { waits: parked })
    yield* expectEquals("the hand-back", (yield* logOf(id)).at(-1)?.payload, { reason: "handed_back" })
    yield* expectEquals("whether it is due", row.dueAtMs !== null, true)
  },

  *"a process that left memory to wait for a child is due when that ends"({ activations, registry }) {
    const { id, lease } = yield* begunProcess
    const child = yield* freshId
    yield* registry.registerProcess(
      registrationOf(child, "rerunnable", { parent: { processId: id, closePolicy: "keep" } })
    )
    yield* activations.suspend(lease, "passivated", { children: [child] })
    yield* expectEquals("when it is due", (yield* rowOf(id)).dueAtMs, null)
    yield* registry.completeProcessWithLease(yield* claimed(child, yield* freshOwner()), outputs.Success)
    yield* expectEquals("whether it is due after", (yield* rowOf(id)).dueAtMs !== null, true)
    yield* isFold(id)
  },

  *"a body whose child ended while it was passivated is handed back, and due at once"({ activations, registry }) {
    const { id, lease } = yield* begunProcess
    const child = yield* freshId
    yield* registry.registerProcess(
      registrationOf(child, "rerunnable", { parent: { processId: id, closePolicy: "keep" } })
    )
    yield* registry.completeProcessWithLease(yield* claimed(child, yield* freshOwner()), outputs.Success)
    const row = yield* activations.suspend(lease, "passivated", { children: [child] })
    yield* expectEquals("the hand-back", (yield* logOf(id)).at(-1)?.payload, { reason: "handed_back" })
    yield* expectEquals("whether it is due", row.dueAtMs !== null, true)
  },

  *"a process with a later start is not due before it, and a sweep leaves it until then"({ activations, clock }) {
    const id = yield* freshId
    const startAtMs = (yield* clock.nowMs) + longMs
    const registered = yield* registeredOf(registrationOf(id, "rerunnable", { startAtMs }))
    yield* activations.start(registered, host)
    yield* expectEquals("when it is due", (yield* rowOf(id)).dueAtMs, startAtMs)
    const early = yield* writesNothing(
      [id],
      Effect.flatMap(recoverer(), (by) => activations.recover(id, by))
    )
    yield* expectEquals("before its time", early._tag === "Deferred" ? early.reason.why : early._tag, "not_yet")
    if (!clock.isExact) return
    yield* clock.advance(longMs)
    const outcome = yield* Effect.flatMap(recoverer(), (by) => activations.recover(id, by))
    yield* expectEquals("at its time", outcome._tag, "Run")
  }
})

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...executionLaws, ...passivationLaws]
