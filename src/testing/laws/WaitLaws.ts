/**
 * Laws of waits: each is entered once and ended once, by a signal from the log, a timeout or a durable promise.
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import * as EventType from "../../model/EventType.ts"
import type { ProcessUnknown, StoreError } from "../../model/errors.ts"
import type { AppendRequest, WaitOutcome, WaitState } from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import { external } from "../../operations/decisions/authority.ts"
import { acceptWith } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isFold, logOf, note, recordOf, refused, typesOf, writesNothing } from "../evidence.ts"
import { endedByLease, eventTypes, freshId, freshProcess, leasedProcess, outputs, shortMs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, lawsOf } from "../Law.ts"
import { begunProcess, draft, forReady } from "./ExecutionLaws.ts"

const waitLaws: ReadonlyArray<Law> = lawsOf("ADR 0012", {
  *"a wait that was entered is in the record, and in the log under the key of its first occurrence"({ clock, waits }) {
    const id = yield* freshProcess()
    yield* clock.advance(shortMs)
    const wait = waitFor(id, 1)
    const record = yield* waits.setProcessWait(id, wait, external)
    yield* expectEquals("the answer", record, yield* recordOf(id))
    yield* expectEquals("the wait", [record.wait, record.waits, record.status._tag], [wait, [wait], "Running"])
    const [event] = yield* logOf(id)
    const key = `process:${id}:signal.ready:1`
    const kind = { kind: "signal", name: "ready", event_type: "signal.ready", key, ordinal: 1 }
    yield* expectEquals("the payload", event?.payload, { wait: { kind, since_ms: 2 } })
    yield* expectEquals("the event", event?.eventType, "process.waiting")
    yield* expectEquals("its replay key", event?.replayKey, `process:${id}:wait:${key}:1:entered`)
    yield* expectEquals("the time of the record", record.updatedAtMs, event?.occurredAtMs)
    yield* isFold(id)
  },

  *"setting an equal wait while it is open changes nothing"({ clock, waits }) {
    const id = yield* freshProcess()
    const record = yield* waits.setProcessWait(id, waitFor(id, 1), external)
    yield* waits.setProcessWait(id, waitFor(id, 2), external)
    yield* clock.advance(shortMs)
    const again = yield* writesNothing([id], waits.setProcessWait(id, waitFor(id, 1), external))
    yield* expectEquals("the oldest wait", again.wait, record.wait)
  },

  *"ending a wait names its outcome; without a wait nothing happens"({ waits }) {
    for (const [outcome, wire] of outcomes) {
      const id = yield* freshProcess()
      const wait_key = `process:${id}:signal.ready:1`
      yield* writesNothing([id], waits.clearProcessWait(id, external, outcome))
      yield* waits.setProcessWait(id, waitFor(id, 1), external)
      const record = yield* waits.clearProcessWait(id, external, outcome)
      yield* expectEquals("the wait", [record.wait, record.waits], [undefined, []])
      const event = (yield* logOf(id))[1]
      yield* expectEquals("the event", event?.eventType, "process.resumed")
      yield* expectEquals("the payload", event?.payload, { wait_key, outcome: wire })
      yield* expectEquals("its replay key", event?.replayKey, `process:${id}:wait:${wait_key}:1:cleared`)
      yield* writesNothing([id], waits.clearProcessWait(id, external, outcome))
      yield* isFold(id)
    }
  },

  *"a wait entered again under its key is the next occurrence of it"({ waits }) {
    const id = yield* freshProcess()
    for (const _ of [1, 2]) {
      yield* waits.setProcessWait(id, waitFor(id, 1), external)
      yield* waits.clearProcessWait(id, external)
    }
    const key = `process:${id}:wait:process:${id}:signal.ready:1`
    yield* expectEquals(
      "the replay keys",
      (yield* logOf(id)).map((event) => event.replayKey),
      [`${key}:1:entered`, `${key}:1:cleared`, `${key}:2:entered`, `${key}:2:cleared`]
    )
    yield* isFold(id)
  },

  *"ending the waits ends every open one, the oldest first"({ waits }) {
    const id = yield* freshProcess()
    for (const ordinal of [2, 1]) yield* waits.setProcessWait(id, waitFor(id, ordinal), external)
    const heard = yield* commitsOf(id, waits.clearProcessWait(id, external, { _tag: "Timeout" }))
    yield* expectEquals("the commits", heard, [["process.resumed", "process.resumed"]])
    const timeout = { type: "timeout" }
    yield* expectEquals("the outcomes", yield* resumptionsOf(id), [
      [`process:${id}:signal.ready:2`, timeout],
      [`process:${id}:signal.ready:1`, timeout]
    ])
    yield* isFold(id)
  },

  *"an end ends the wait; an ended process enters none, and takes signals as notes"({ registry, waits }) {
    const { id, lease } = yield* leasedProcess()
    yield* waits.setProcessWait(id, waitFor(id, 1), external)
    const record = yield* registry.completeProcessWithLease(lease, outputs.Cancelled)
    yield* expectEquals("the wait", [record.wait, record.waits], [undefined, []])
    const entering = waits.setProcessWait(id, waitFor(id, 2), external)
    const error = yield* refused("it", "ProcessAlreadyTerminal", [id], entering)
    yield* expectEquals("the message", error.message.includes("cannot enter a wait state"), true)
    yield* writesNothing([id], waits.clearProcessWait(id, external))
    yield* registry.appendEvent(id, signal(id, "late"), external)
    const types = ["process.waiting", "process.cancelled", "signal.ready"]
    yield* expectEquals("the log", yield* typesOf(id), types)
    yield* isFold(id)
  },

  *"waits of an unknown process are refused"({ waits }) {
    const id = yield* freshId
    yield* refused("to enter", "ProcessUnknown", [id], waits.setProcessWait(id, waitFor(id, 1), external))
    yield* refused("to end", "ProcessUnknown", [id], waits.clearProcessWait(id, external))
  },

  *"a body enters and ends waits under its lease, and neither once the lease is lost"({ leases, waits }) {
    const { id, lease } = yield* leasedProcess()
    const body = { _tag: "Body", lease } as const
    yield* waits.setProcessWait(id, waitFor(id, 1), body)
    yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    yield* refused("to enter", "LeaseLost", [id], waits.setProcessWait(id, waitFor(id, 2), body))
    yield* refused("to end", "LeaseLost", [id], waits.clearProcessWait(id, body))
    const ended = yield* endedByLease
    yield* refused("another's", "LeaseLost", [ended], waits.setProcessWait(ended, waitFor(ended, 1), body))
  },

  *"a wait from outside never has the key of a body's: the body's next wait passes its key by, the body's are refused"({
    executions,
    waits
  }) {
    const { id, lease } = yield* begunProcess
    const outside = (kind: WaitState["kind"], once?: true): WaitState => ({
      kind,
      sinceMs: 1,
      deadlineMs: Number.MAX_SAFE_INTEGER,
      ...(once && { once })
    })
    const signal = (ordinal: number) =>
      ({ _tag: "Signal", name: "ready", eventType: "signal.ready", key: keyOf(ordinal), ordinal }) as const
    const timer = (key: string) => ({ _tag: "Timer", key: `process:${id}:${key}` }) as const
    const keyOf = (ordinal: number) => `process:${id}:signal.ready:${ordinal}`
    const isRefused = Effect.fnUntraced(function* (wait: WaitState, field: string) {
      const set = waits.setProcessWait(id, wait, external)
      yield* expectEquals("the field", (yield* refused(wait.kind.key, "InputInvalid", [id], set)).field, field)
    })

    for (const ordinal of [2, 3]) yield* waits.setProcessWait(id, outside(signal(ordinal)), external)
    yield* waits.clearProcessWait(id, external)
    yield* isRefused(outside(timer("timer:s1"), true), "wait/once")
    yield* isRefused(outside(signal(9), true), "wait/once")
    yield* isRefused(outside(timer("timer:1")), "wait/kind/key")

    const numbers: Array<string> = []
    for (const position of [1, 2]) {
      const { waitKey } = yield* executions.enterWait(lease, draft(position, "await_signal"), forReady)
      yield* expectEquals("the body's wait", yield* executions.waitOf(id, waitKey), { waitKey })
      numbers.push(waitKey)
    }
    yield* expectEquals("the keys of the body's waits", numbers, [keyOf(4), keyOf(5)])
    const long = { _tag: "Timer", deadlineMs: Number.MAX_SAFE_INTEGER } as const
    const sleep = yield* executions.enterWait(lease, draft(3, "sleep"), long)

    const asBody = [...[4, 5].map((ordinal) => signal(ordinal)), { _tag: "Timer", key: sleep.waitKey } as const]
    for (const kind of asBody) yield* isRefused(outside(kind), "wait/kind/key")
    yield* waits.clearProcessWait(id, external)
    for (const kind of asBody) {
      yield* isRefused(outside(kind), "wait/kind/key")
      const ended = { outcome: { _tag: "Cancelled" } }
      yield* expectEquals("how it ended", yield* executions.waitOf(id, kind.key), { waitKey: kind.key, ended })
    }
    for (const kind of [signal(2), timer("timers")]) yield* waits.setProcessWait(id, outside(kind), external)
    yield* isFold(id)
  }
})

/** A wait for a signal. */
const waitFor = (id: ProcessId, ordinal: number, name = "ready"): WaitState => ({
  kind: { _tag: "Signal", name, eventType: `signal.${name}`, key: `process:${id}:signal.${name}:${ordinal}`, ordinal },
  sinceMs: 2
})

/** A signal, under the key of its id. */
const signal = (id: ProcessId, signalId: string): AppendRequest => ({
  eventType: "signal.ready",
  payload: signalId,
  replayKey: `process:${id}:signal.ready:${signalId}`
})

/** The keys of the waits that ended, with how. */
const resumptionsOf = (
  id: ProcessId
): Effect.Effect<ReadonlyArray<readonly [string, unknown]>, ProcessUnknown | StoreError, ProcessStore> =>
  Effect.map(logOf(id), (log) =>
    log.flatMap(({ eventType, payload }) => {
      if (eventType !== "process.resumed") return []
      const { wait_key, outcome } = payload as { readonly wait_key: string; readonly outcome: unknown } // its schema
      return [[wait_key, outcome] as const]
    })
  )

/** The types of the events of each commit that an effect makes to a process. */
const commitsOf = <A, E, R>(
  id: ProcessId,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<ReadonlyArray<ReadonlyArray<string>>, E, Exclude<R, Scope> | ProcessStore> =>
  Effect.scoped(
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const heard: Array<ReadonlyArray<string>> = []
      yield* store.onCommit((changes) => {
        for (const { row, events } of changes) {
          if (row.base.registration.id === id) heard.push(events.map((event) => event.eventType))
        }
      })
      yield* effect
      return heard
    })
  )

const outcomes: ReadonlyArray<readonly [WaitOutcome | undefined, unknown]> = [
  [undefined, { type: "cancelled" }],
  [{ _tag: "Timeout" }, { type: "timeout" }],
  [{ _tag: "Timer" }, { type: "timer" }],
  [{ _tag: "Promise" }, { type: "promise" }],
  [
    { _tag: "Child", processId: "c" },
    { type: "child", process_id: "c" }
  ]
]

const signalLaws: ReadonlyArray<Law> = lawsOf("ADR 0012", {
  *"early signals are kept, and each later wait is resolved at once by the earliest that is left"({ registry, waits }) {
    const id = yield* freshProcess()
    for (const request of [signal(id, "a"), note("between"), signal(id, "b")]) {
      yield* registry.appendEvent(id, request, external)
    }
    for (const ordinal of [1, 2]) {
      const heard = yield* commitsOf(id, waits.setProcessWait(id, waitFor(id, ordinal), external))
      yield* expectEquals("one commit", heard, [["process.waiting", "process.resumed"]])
      yield* expectEquals("an open wait", (yield* recordOf(id)).wait, undefined)
    }
    yield* expectEquals("the outcomes", yield* resumptionsOf(id), [
      [`process:${id}:signal.ready:1`, { type: "signal", sequence: 1 }],
      [`process:${id}:signal.ready:2`, { type: "signal", sequence: 3 }]
    ])
    const third = yield* waits.setProcessWait(id, waitFor(id, 3), external)
    yield* expectEquals("a third wait", third.wait, waitFor(id, 3))
    yield* isFold(id)
  },

  *"a signal resolves the oldest open wait for its name, in its own commit"({ registry, waits }) {
    const id = yield* freshProcess("rerunnable", { eventTypes: [...eventTypes, EventType.plain("signal.other")] })
    const foreign = waitFor(id, 1, "other")
    for (const wait of [foreign, waitFor(id, 1), waitFor(id, 2)]) yield* waits.setProcessWait(id, wait, external)
    const heard = yield* commitsOf(id, registry.appendEvent(id, signal(id, "a"), external))
    yield* expectEquals("the commits", heard, [["signal.ready", "process.resumed"]])
    yield* expectEquals("what is open", (yield* recordOf(id)).waits, [foreign, waitFor(id, 2)])
    yield* registry.appendEvent(id, signal(id, "b"), external)
    yield* expectEquals("what is left", (yield* recordOf(id)).waits, [foreign])
    yield* expectEquals("the outcomes", yield* resumptionsOf(id), [
      [`process:${id}:signal.ready:1`, { type: "signal", sequence: 4 }],
      [`process:${id}:signal.ready:2`, { type: "signal", sequence: 6 }]
    ])
    yield* isFold(id)
  },

  *"a retried signal is a replay and resolves no second wait"({ registry, waits }) {
    const id = yield* freshProcess()
    const send = registry.appendEvent(id, signal(id, "a"), external)
    for (const ordinal of [1, 2]) yield* waits.setProcessWait(id, waitFor(id, ordinal), external)
    const first = yield* send
    yield* expectEquals("the answer", yield* writesNothing([id], send), first)
    yield* expectEquals("what is open", (yield* recordOf(id)).waits, [waitFor(id, 2)])
  },

  *"the ordinal of a wait never decides which signal ends it"({ registry, waits }) {
    const id = yield* freshProcess()
    for (const signalId of ["a", "b"]) yield* registry.appendEvent(id, signal(id, signalId), external)
    for (const ordinal of [7, 1]) yield* waits.setProcessWait(id, waitFor(id, ordinal), external)
    yield* expectEquals("the outcomes", yield* resumptionsOf(id), [
      [`process:${id}:signal.ready:7`, { type: "signal", sequence: 1 }],
      [`process:${id}:signal.ready:1`, { type: "signal", sequence: 2 }]
    ])
  },

  *"a wait that timed out loses nothing: the signal that came too late ends the next one"({ registry, waits }) {
    const id = yield* freshProcess()
    yield* waits.setProcessWait(id, waitFor(id, 1), external)
    yield* waits.clearProcessWait(id, external, { _tag: "Timeout" })
    yield* registry.appendEvent(id, signal(id, "late"), external)
    yield* expectEquals("the log", yield* typesOf(id), ["process.waiting", "process.resumed", "signal.ready"])
    yield* waits.setProcessWait(id, waitFor(id, 2), external)
    yield* expectEquals("the outcomes", yield* resumptionsOf(id), [
      [`process:${id}:signal.ready:1`, { type: "timeout" }],
      [`process:${id}:signal.ready:2`, { type: "signal", sequence: 3 }]
    ])
    yield* isFold(id)
  },

  *"signal names and wait keys are any text, also the name of something every object has"({ registry, waits }) {
    for (const name of ["constructor", "__proto__", "hasOwnProperty"]) {
      const id = yield* freshProcess("rerunnable", { eventTypes: [EventType.plain(`signal.${name}`)] })
      const wait = (ordinal: number): WaitState => {
        const { kind, sinceMs } = waitFor(id, ordinal, name)
        return { kind: { ...kind, key: ordinal === 1 ? name : kind.key }, sinceMs }
      }
      const append = (payload: string) => registry.appendEvent(id, { eventType: `signal.${name}`, payload }, external)
      yield* append("early")
      yield* waits.setProcessWait(id, wait(1), external)
      yield* waits.setProcessWait(id, wait(2), external)
      yield* append("late")
      yield* expectEquals(`the outcomes of ${name}`, yield* resumptionsOf(id), [
        [name, { type: "signal", sequence: 1 }],
        [`process:${id}:signal.${name}:2`, { type: "signal", sequence: 5 }]
      ])
      const { waitCounts } = yield* recordOf(id)
      yield* expectEquals("the occurrences", Object.values(waitCounts), [1, 1])
      yield* isFold(id)
    }
  },

  *"an ended process refuses a signal and a person's cancel; a signal it took before is a replay"({ registry }) {
    const { id, lease } = yield* leasedProcess()
    const send = (signalId: string, payload = signalId) =>
      registry.signal(id, { name: "ready", payload, signalId }, external)
    const { event } = yield* send("a")
    yield* expectEquals("the key", event.replayKey, `process:${id}:signal.ready:a`)
    yield* registry.completeProcessWithLease(lease, outputs.Success)
    yield* expectEquals("the repeat", (yield* writesNothing([id], send("a"))).event, event)
    yield* refused("another payload under its id", "EventRejected", [id], send("a", "b"))
    yield* refused("another one", "ProcessAlreadyTerminal", [id], send("b"))
    yield* refused("a cancel", "ProcessAlreadyTerminal", [id], registry.cancelRunning(id, null, external))
    const unknown = yield* freshId
    const signal = { name: "ready", payload: null, signalId: "a" }
    yield* refused("one to an unknown process", "ProcessUnknown", [unknown], registry.signal(unknown, signal, external))
    yield* refused(
      "a name that is none",
      "InputInvalid",
      [id],
      registry.signal(id, { ...signal, name: "a.b" }, external)
    )
  }
})

const promiseLaws: ReadonlyArray<Law> = lawsOf("Write your own store: The one write", {
  *"a promise that was never ended has no end"() {
    const { promises } = yield* ProcessStore
    yield* expectEquals("the end", yield* promises.get(crypto.randomUUID()), undefined)
  },

  *"the first end of a promise is kept, and says who wrote it"() {
    const { promises } = yield* ProcessStore
    const keyId = crypto.randomUUID()
    yield* end(keyId, "first")
    yield* end(keyId, "second")
    yield* expectEquals("the end", yield* promises.get(keyId), { body: '"first"', token: "token of first" })
  },

  *"of many that end a promise at once, one is the first, for every reader"() {
    const { promises } = yield* ProcessStore
    const keyId = crypto.randomUUID()
    const names = ["a", "b", "c", "d", "e", "f"]
    const seen = yield* Effect.forEach(names, (name) => Effect.zipRight(end(keyId, name), promises.get(keyId)), {
      concurrency: "unbounded"
    })
    const winner = yield* promises.get(keyId)
    yield* expectEquals("who was seen", new Set(seen.map((one) => one?.token)).size, 1)
    yield* expectEquals("whether it is one of them", names.includes(winner?.token.slice(-1) ?? ""), true)
  }
})

const end = (keyId: string, name: string): Effect.Effect<void, StoreError, ProcessStore> =>
  Effect.flatMap(ProcessStore, (store) =>
    store.transact({ lock: [] }, () =>
      acceptWith(undefined, [{ _tag: "EndPromise", keyId, body: JSON.stringify(name), token: `token of ${name}` }])
    )
  )

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...waitLaws, ...signalLaws, ...promiseLaws]
