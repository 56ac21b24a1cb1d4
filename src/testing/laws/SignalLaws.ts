/**
 * Laws of signals: they are consumed from the log, in its order, and none is lost between a sender and a wait.
 */
import * as Effect from "effect/Effect"
import * as EventType from "../../model/EventType.ts"
import type { WaitState } from "../../model/facts.ts"
import { external } from "../../operations/decisions/authority.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { Waits } from "../../operations/Waits.ts"
import { isFold, note, recordOf, refused, typesOf, writesNothing } from "../evidence.ts"
import { eventTypes, freshId, freshProcess, leasedProcess, outputs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, law } from "../Law.ts"
import { commitsOf, resumptionsOf, signal, waitFor } from "./WaitLaws.ts"

/** The laws of signals. */
export const laws: ReadonlyArray<Law> = [
  law(
    "early signals are kept, and each later wait is resolved at once by the earliest that is left",
    "R6",
    Effect.gen(function* () {
      const waits = yield* Waits
      const registry = yield* ProcessRegistry
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
    })
  ),

  law(
    "a signal resolves the oldest open wait for its name, in its own commit",
    "R6",
    Effect.gen(function* () {
      const waits = yield* Waits
      const registry = yield* ProcessRegistry
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
    })
  ),

  law(
    "a retried signal is a replay and resolves no second wait",
    "R6",
    Effect.gen(function* () {
      const waits = yield* Waits
      const registry = yield* ProcessRegistry
      const id = yield* freshProcess()
      const send = registry.appendEvent(id, signal(id, "a"), external)
      for (const ordinal of [1, 2]) yield* waits.setProcessWait(id, waitFor(id, ordinal), external)
      const first = yield* send
      yield* expectEquals("the answer", yield* writesNothing([id], send), first)
      yield* expectEquals("what is open", (yield* recordOf(id)).waits, [waitFor(id, 2)])
    })
  ),

  law(
    "the ordinal of a wait never decides which signal ends it",
    "R6",
    Effect.gen(function* () {
      const waits = yield* Waits
      const registry = yield* ProcessRegistry
      const id = yield* freshProcess()
      for (const signalId of ["a", "b"]) yield* registry.appendEvent(id, signal(id, signalId), external)
      for (const ordinal of [7, 1]) yield* waits.setProcessWait(id, waitFor(id, ordinal), external)
      yield* expectEquals("the outcomes", yield* resumptionsOf(id), [
        [`process:${id}:signal.ready:7`, { type: "signal", sequence: 1 }],
        [`process:${id}:signal.ready:1`, { type: "signal", sequence: 2 }]
      ])
    })
  ),

  law(
    "a wait that timed out loses nothing: the signal that came too late ends the next one",
    "R6",
    Effect.gen(function* () {
      const waits = yield* Waits
      const registry = yield* ProcessRegistry
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
    })
  ),

  law(
    "signal names and wait keys are any text, also the name of something every object has",
    "R6",
    Effect.gen(function* () {
      const waits = yield* Waits
      const registry = yield* ProcessRegistry
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
    })
  ),

  law(
    "an ended process refuses a signal and a person's cancel; a signal it took before is a replay",
    "R6",
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
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
      yield* refused(
        "one to an unknown process",
        "ProcessUnknown",
        [unknown],
        registry.signal(unknown, signal, external)
      )
      yield* refused(
        "a name that is none",
        "InputInvalid",
        [id],
        registry.signal(id, { ...signal, name: "a.b" }, external)
      )
    })
  )
]
