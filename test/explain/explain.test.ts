import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as TestClock from "effect/TestClock"
import type { NoHost } from "../../src/explain/Explanation.ts"
import * as Explanations from "../../src/explain/Explanation.ts"
import { explain, noHost } from "../../src/explain/explain.ts"
import { brief, render } from "../../src/explain/render.ts"
import { processId } from "../../src/model/ids.ts"
import { Activations } from "../../src/operations/Activations.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { outputs, registrationOf } from "../../src/testing/fixtures.ts"
import type { Services } from "./cases.ts"
import {
  abandon,
  alive,
  begin,
  cases,
  dead,
  far,
  layerOn,
  leave,
  p,
  register,
  run,
  stop,
  waitForReady
} from "./cases.ts"

const layer = layerOn(MemoryStore.layer)

describe("a process is explained as", () => {
  for (const [tag, expected] of Object.entries(cases)) {
    it.effect(tag, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(0)
        yield* expected.make
        const explanation = yield* explain(p, expected.view)
        assert.strictEqual(explanation.because._tag, tag)
        assert.strictEqual(brief(explanation.because, explanation.lookedAtMs), expected.brief)
        assert.deepStrictEqual(
          explanation.moves.map(({ by }) => by),
          expected.moves
        )
        assert.deepStrictEqual(
          explanation.moves.flatMap(({ command }) => command ?? []),
          expected.commands
        )
        assert.deepStrictEqual(explanation.detail?.sweep.verdict, expected.verdict)
        assert.strictEqual(explanation.detail?.sweep.looksNow ?? false, expected.looksNow)
        const wire: unknown = JSON.parse(JSON.stringify(Explanations.encode(explanation)))
        assert.deepStrictEqual(Explanations.decode(wire), Either.right(explanation))
        assert.include(render(explanation), explanation.meaning)
      }).pipe(Effect.provide(layer))
    )
  }
})

describe("an explanation", () => {
  it.effect("tells a failure by name and message, then where it was thrown and because of what", () =>
    Effect.gen(function* () {
      yield* register("rerunnable")
      const registry = yield* ProcessRegistry
      const cause = { name: "ENOENT", message: "no such file", stack: "    at open (disk.ts:3:1)" }
      const thrown = { name: "RangeError", message: "out of range", stack: "    at build (build.ts:7:2)", cause }
      const output = {
        _tag: "Failure",
        class: "internal",
        code: "process_defect",
        message: "out of range",
        thrown
      } as const
      yield* registry.completeProcessWithLease(yield* begin(alive), output)
      const explanation = yield* explain(p)
      assert.include(
        explanation.meaning,
        "It has ended as failed (RangeError: out of range). The line that threw: build (build.ts:7:2), caused by ENOENT: no such file."
      )
      const failure = { class: "internal", code: "process_defect", message: "out of range", thrown }
      assert.deepStrictEqual(explanation.detail?.failure, failure)
      assert.include(
        render(explanation),
        [
          "Failure",
          "  out of range (internal, process_defect)",
          "  RangeError: out of range",
          "      at build (build.ts:7:2)",
          "  caused by ENOENT: no such file",
          "      at open (disk.ts:3:1)"
        ].join("\n")
      )
      const wire: unknown = JSON.parse(JSON.stringify(Explanations.encode(explanation)))
      assert.deepStrictEqual(Explanations.decode(wire), Either.right(explanation))
      const hidden = yield* explain(p, { ...noHost, redact: () => "hidden" })
      assert.notMatch(JSON.stringify(hidden), /range|such file|build\.ts|disk\.ts/)
      assert.include(hidden.meaning, "RangeError: hidden")
    }).pipe(Effect.provide(layer))
  )

  it.effect("shows the holder of a lease, until when, and what is known of its life", () =>
    Effect.gen(function* () {
      yield* register("rerunnable")
      yield* begin(far)
      const { detail } = yield* explain(p)
      assert.deepStrictEqual(detail?.lease, {
        holder: far,
        fencingToken: 1,
        claimedAtMs: 0,
        expiresAtMs: 60_000,
        isExpired: false,
        liveness: "unprovable"
      })
    }).pipe(Effect.provide(layer))
  )

  it.effect("says both verdicts when nobody knows whether a host has the engine", () =>
    Effect.gen(function* () {
      yield* register("rerunnable")
      const { detail } = yield* explain(p)
      assert.deepStrictEqual(detail?.sweep, { looksNow: true, verdict: run, withoutEngine: leave("no_engine") })
      assert.deepStrictEqual(detail?.engine, { kind: "law.engine", version: "", presence: "unknown" })
    }).pipe(Effect.provide(layer))
  )

  it.effect("lists the events that are accepted from here, and who may send each", () =>
    Effect.gen(function* () {
      yield* register("owner_bound")
      yield* begin(alive)
      yield* waitForReady
      const { detail } = yield* explain(p)
      const accepts = new Map(detail?.accepts.map(({ eventType, from }) => [eventType, from.join(" ")]))
      assert.strictEqual(accepts.get("process.started"), undefined)
      assert.strictEqual(accepts.get("process.suspended"), "owner")
      assert.strictEqual(accepts.get("process.resumed"), "signal_sender timer child owner")
      assert.strictEqual(accepts.get("process.completed"), "owner")
      assert.strictEqual(accepts.get("process.abandon_requested"), "operator")
      assert.strictEqual(accepts.get("signal.ready"), "signal_sender")
      assert.strictEqual(accepts.get("finished"), "owner")
      const registry = yield* ProcessRegistry
      const store = yield* ProcessStore
      const lease = yield* store.leases.of(p)
      if (lease === undefined) return assert.fail("it is leased")
      yield* registry.completeProcessWithLease(lease, outputs.Success)
      const ended = (yield* explain(p)).detail?.accepts.map(({ eventType }) => eventType) ?? []
      assert.notInclude(ended, "process.completed")
      assert.notInclude(ended, "finished")
      assert.include(ended, "note")
    }).pipe(Effect.provide(layer))
  )

  it.effect("names the children that still run, and the wakes that nobody took notice of", () =>
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      yield* register("rerunnable", { wakeTarget: { sessionId: "s" } })
      yield* begin(alive)
      const parent = { processId: p, closePolicy: "cancel" } as const
      yield* registry.registerProcess(registrationOf(processId("p/child"), "rerunnable", { parent }))
      yield* registry.registerProcess(registrationOf(processId("stranger"), "rerunnable"))
      const progress = { eventType: "progress", payload: { urgent: true, text: "look" } }
      yield* registry.appendEvent(p, progress, Authority.host)
      const explanation = yield* explain(p)
      assert.deepStrictEqual(explanation.detail?.runningChildren, [processId("p/child")])
      assert.deepStrictEqual(
        explanation.detail?.wakes.map(({ sequence, state }) => `${sequence} ${state}`),
        ["2 pending"]
      )
      assert.deepStrictEqual(
        explanation.moves.flatMap(({ command }) => command ?? []),
        ["holdfast explain p/child", stop]
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("says that a request to give up rerunnable work has no effect", () =>
    Effect.gen(function* () {
      yield* register("rerunnable")
      yield* abandon
      const { because, meaning } = yield* explain(p)
      assert.strictEqual(because._tag, "DueNow")
      assert.include(meaning, "has no effect")
    }).pipe(Effect.provide(layer))
  )

  it.effect("of a row that is not due yet names its start, also where its engine is missing", () =>
    Effect.gen(function* () {
      yield* register("rerunnable", { startAtMs: 60_000 })
      const { because, detail } = yield* explain(p, { engine: () => "missing", slots: () => "unknown" })
      assert.deepStrictEqual(because, { _tag: "BeginsLater", atMs: 60_000 })
      assert.deepStrictEqual(detail?.sweep.verdict, leave("not_yet"))
    }).pipe(Effect.provide(layer))
  )

  const send = "holdfast signal p ready --payload '{}'"
  const handBack = Effect.gen(function* () {
    const activations = yield* Activations
    const lease = yield* begin(alive)
    yield* waitForReady
    yield* TestClock.adjust("5 seconds")
    yield* activations.suspend(lease, "handed_back")
  })
  const untaken: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown, Services>, NoHost, string]> = [
    ["was handed back", handBack, { sinceMs: 5_000 }, "No host has taken it up since 1970-01-01 00:00:05.000Z"],
    ["had a host that died", Effect.zipRight(begin(dead), waitForReady), { holder: dead }, "is gone."],
    [
      "had a host whose lease expired",
      Effect.zipRight(begin(far, 1_000), Effect.zipRight(waitForReady, TestClock.adjust("2 seconds"))),
      { holder: far, sinceMs: 1_000 },
      "The lease of far expired at 1970-01-01 00:00:01.000Z (1 s ago), and no host has taken it up"
    ]
  ]
  for (const [what, make, noHost, sentence] of untaken) {
    it.effect(`of a process that ${what} says what it waits for, and besides that no host runs it`, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(0)
        yield* register("rerunnable")
        yield* make
        const { because, meaning, moves } = yield* explain(p)
        assert.deepStrictEqual(because, { _tag: "WaitingForSignal", name: "ready", key: "k", sinceMs: 0, noHost })
        assert.include(meaning, "It has waited for the signal ready since")
        assert.include(meaning, sentence)
        assert.deepStrictEqual(
          moves.map(({ by, command }) => [by, command]),
          [
            ["signal_sender", send],
            ["host", undefined],
            ["operator", stop]
          ]
        )
      }).pipe(Effect.provide(layer))
    )
  }

  it.effect("of a machine that rests says besides how its child is, whose end it may wait for", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(0)
      yield* cases.ChartWaits.make
      const parent = { processId: p, closePolicy: "cancel" } as const
      const child = processId("p/c:1")
      yield* (yield* ProcessRegistry).registerProcess(registrationOf(child, "rerunnable", { parent }))
      const explanation = yield* explain(p)
      const { because, meaning } = explanation
      assert.deepInclude(because, {
        leaf: { processId: child, through: [], state: "due for 0 ms, no host took it" }
      })
      assert.match(meaning, /waits for an event; .* Its child p\/c:1: due for 0 ms, no host took it\.$/)
      assert.strictEqual(brief(because, 0), "waits in open.waiting; its child: due for 0 ms, no host took it")
      const wire: unknown = JSON.parse(JSON.stringify(Explanations.encode(explanation)))
      assert.deepStrictEqual(Explanations.decode(wire), Either.right(explanation))
    }).pipe(Effect.provide(layer))
  )

  it.effect("of a process whose deadline has passed says that it is due", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(0)
      yield* cases.WaitingForTimer.make
      assert.strictEqual((yield* explain(p)).because._tag, "WaitingForTimer")
      yield* TestClock.adjust("90 seconds")
      assert.deepStrictEqual((yield* explain(p)).because, { _tag: "DueNow", sinceMs: 90_000 })
    }).pipe(Effect.provide(layer))
  )

  it.effect("fails for a process that nobody knows", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(explain(processId("nobody")))
      assert.strictEqual(error._tag, "ProcessUnknown")
    }).pipe(Effect.provide(layer))
  )

  it.effect("of a row that rests says why, how often that was, and until when", () =>
    Effect.gen(function* () {
      yield* cases.BackingOff.make
      const activations = yield* Activations
      yield* TestClock.adjust("1 seconds")
      yield* activations.backOff(p, "still not")
      const { because } = yield* explain(p)
      assert.deepStrictEqual(because, { _tag: "BackingOff", untilMs: 3_000, failures: 2, problem: "still not" })
    }).pipe(Effect.provide(layer))
  )
})
