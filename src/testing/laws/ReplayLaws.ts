/**
 * Laws of replay: the same append twice is one event, and a key stands for one thing only.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { AppendRequest } from "../../model/Append.ts"
import { external } from "../../operations/decisions/authority.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { logOf, note, rejectedAs, writesNothing } from "../evidence.ts"
import { freshProcess, leasedProcess, shortMs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, lawsOf } from "../Law.ts"

/** The laws of replay. */
export const laws: ReadonlyArray<Law> = lawsOf("ADR 0003", {
  "a replay answers the stored event and writes nothing": function* () {
    const registry = yield* ProcessRegistry
    const clock = yield* LawClock
    const id = yield* freshProcess()
    const request = { eventType: "note", payload: { b: 1, a: [2] }, replayKey: "k" }
    const stored = yield* registry.appendEvent(id, request, external)
    yield* registry.appendEvent(id, note(2), external)
    yield* clock.advance(shortMs)
    const reordered = { ...request, payload: { a: [2], b: 1 } }
    for (const again of [request, reordered]) {
      yield* expectEquals("it", yield* writesNothing([id], registry.appendEvent(id, again, external)), stored)
    }
  },

  "a replay key that stands for another type or payload is a conflict": function* () {
    const registry = yield* ProcessRegistry
    const id = yield* freshProcess()
    yield* registry.appendEvent(id, { ...note({ text: "x" }), replayKey: "k" }, external)
    const others: ReadonlyArray<AppendRequest> = [
      { eventType: "note", payload: { text: "y" }, replayKey: "k" },
      { eventType: "line", payload: { text: "x" }, replayKey: "k" }
    ]
    for (const request of others) yield* rejectedAs("replay_conflict", request, id)
  },

  "replay keys belong to one process, and the empty one is a key like any other": function* () {
    const registry = yield* ProcessRegistry
    const [one, two] = [yield* freshProcess(), yield* freshProcess()]
    for (const id of [one, two]) {
      const { event: first } = yield* registry.appendEvent(id, { ...note(1), replayKey: "" }, external)
      yield* expectEquals("its sequence", first.sequence, 1)
      yield* rejectedAs("replay_conflict", { ...note(2), replayKey: "" }, id)
    }
  },

  "requests without a replay key always append": function* () {
    const registry = yield* ProcessRegistry
    const id = yield* freshProcess()
    for (const sequence of [1, 2, 3]) {
      yield* expectEquals("it", (yield* registry.appendEvent(id, note(0), external)).event.sequence, sequence)
    }
  },

  "the replay look-up comes before every other check": function* () {
    const registry = yield* ProcessRegistry
    const clock = yield* LawClock
    const { id, lease } = yield* leasedProcess("rerunnable", shortMs)
    const body = { _tag: "Body", lease } as const
    const request = { eventType: "finished", payload: { result: 1 }, replayKey: "end" }
    const stored = yield* registry.appendEvent(id, request, body)
    yield* clock.advance(shortMs)
    const again = yield* writesNothing([id], registry.appendEvent(id, request, body))
    yield* expectEquals("the answer, with the process ended and the lease expired", again, stored)
    yield* rejectedAs("replay_conflict", { eventType: "process.started", payload: {}, replayKey: "end" }, id)
  },

  "of concurrent appends under one key one is stored and the others replay it": function* () {
    const registry = yield* ProcessRegistry
    const id = yield* freshProcess()
    const request = { ...note(1), replayKey: "k" }
    const append = registry.appendEvent(id, request, external)
    const rival = registry.appendEvent(id, { ...request, payload: 2 }, external)
    const outcomes = yield* Effect.all([append, append, rival, append].map(Effect.either), {
      concurrency: "unbounded"
    })
    yield* expectEquals("the log", (yield* logOf(id)).length, 1)
    const [stored] = yield* logOf(id)
    for (const outcome of outcomes)
      if (Either.isRight(outcome)) yield* expectEquals("an answer", outcome.right.event, stored)
  }
})
