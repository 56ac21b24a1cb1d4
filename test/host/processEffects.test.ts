import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { ProcessEffects } from "../../src/host/ProcessEffects.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import * as Output from "../../src/model/AwaitOutput.ts"
import { emptyRef } from "../../src/model/Environment.ts"
import * as EventType from "../../src/model/EventType.ts"
import { AttachFailed } from "../../src/model/errors.ts"
import { processId } from "../../src/model/ids.ts"
import type { ProcessEffect } from "../../src/model/ProcessEffect.ts"
import { external, registrationOf } from "../../src/model/StartRequest.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { EngineAttach, WorkDriver } from "../../src/supervision/WorkDriver.ts"
import { bounded, memory, quiet } from "../support/hosts.ts"

const Endless = Engine.make("endless", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: () => Effect.never
})

const host = memory([Endless])

const p = processId("p")
const [s, t] = [{ sessionId: "s" }, { sessionId: "t" }]
const outside = registrationOf(external(p, { _tag: "Host" }, null))

const endless: ProcessEffect = {
  _tag: "Start",
  registration: {
    ...outside,
    input: { _tag: "Engine", kind: "endless", payload: null },
    identity: { kind: "endless", definition: { kind: "endless", version: "1" } },
    disposition: "rerunnable",
    eventTypes: [EventType.plain("signal.ready")],
    envRef: emptyRef
  },
  grant: { sessionScope: s, descriptor: { label: "mine" } },
  executionContext: {
    causalInvocation: { scope: { sessionId: "s" }, subject: { _tag: "TriggerOccurrence", occurrenceId: "o" } }
  }
}

const perform = (effect: ProcessEffect) => Effect.flatMap(ProcessEffects, (effects) => effects.perform(effect))

const listed = (sessionScope: typeof s) =>
  Effect.map(perform({ _tag: "List", sessionScope, mode: "all" }), (outcome) =>
    outcome._tag === "Listed" ? outcome.entries.map(({ grant }) => grant.processId) : []
  )

describe("a wish that is carried out", () => {
  it.live("starts, grants and says what caused it, once, however often it is asked", () =>
    Effect.gen(function* () {
      const first = yield* perform(endless)
      const again = yield* perform(endless)
      assert.strictEqual(first._tag === "Started" ? first.record.id : undefined, "p")
      assert.strictEqual(again._tag, "Started")
      const record = yield* (yield* ProcessRegistry).getProcess(p)
      assert.deepStrictEqual(record?.provenance.causedBy, { _tag: "TriggerOccurrence", occurrenceId: "o" })
      assert.deepStrictEqual(yield* listed(s), [p])
    }).pipe(Effect.provide(host))
  )

  it.live("moves grants, and forgets a session", () =>
    Effect.gen(function* () {
      yield* perform(endless)
      assert.deepStrictEqual(yield* perform({ _tag: "Transfer", from: s, to: t, ids: [p] }), {
        _tag: "Transferred"
      })
      assert.deepStrictEqual([yield* listed(s), yield* listed(t)], [[], [p]])
      const deleted = yield* perform({ _tag: "DeleteSession", sessionId: "t" })
      assert.deepStrictEqual(deleted._tag === "SessionDeleted" ? deleted.report.orphanedProcessIds : [], [p])
    }).pipe(Effect.provide(host))
  )

  it.live("lists a page at a time, and says where the next one goes on", () =>
    Effect.gen(function* () {
      for (const id of ["p", "q", "r"]) {
        yield* perform({ ...endless, registration: { ...endless.registration, id: processId(id) } })
      }
      const list = { _tag: "List", sessionScope: s, mode: "live" } as const
      const pages = [
        yield* perform({ ...list, limit: 2 }),
        yield* perform({ ...list, limit: 2, after: processId("q") })
      ]
      assert.deepStrictEqual(
        pages.map((page) =>
          page._tag === "Listed"
            ? [page.entries.map(({ record }) => String(record.id)), page.next && String(page.next)]
            : []
        ),
        [
          [["p", "q"], "q"],
          [["r"], undefined]
        ]
      )
    }).pipe(Effect.provide(host))
  )

  it.live("signals while the process runs, cancels it, and awaits its end", () =>
    Effect.gen(function* () {
      yield* perform(endless)
      const signal: ProcessEffect = {
        _tag: "Signal",
        processId: p,
        signalName: "ready",
        signalId: "1",
        request: { eventType: "signal.ready", payload: 7 }
      }
      const sent = yield* perform(signal)
      assert.deepInclude(sent._tag === "Signalled" ? sent.event : {}, {
        payload: 7,
        replayKey: "process:p:signal.ready:1"
      })
      const other = yield* Effect.flip(perform({ ...signal, signalName: "other" }))
      assert.strictEqual(other._tag, "EventRejected")
      yield* perform({ _tag: "Cancel", processId: p, reason: "enough" })
      assert.deepStrictEqual(yield* bounded(perform({ _tag: "Await", processId: p })), {
        _tag: "Awaited",
        output: Output.cancelled("enough")
      })
      const late = yield* Effect.flip(perform({ ...signal, signalId: "2" }))
      assert.strictEqual(late._tag, "ProcessAlreadyTerminal")
      assert.deepStrictEqual(yield* perform(signal), sent, "what was sent before the end is a replay")
    }).pipe(Effect.provide(host))
  )
})

describe("the work driver", () => {
  const asked: Array<string> = []
  const attached = Layer.provide(
    Layer.provide(
      SingleHost.layerMemory({ engines: [] }),
      Layer.succeed(EngineAttach, {
        awaitTerminal: (id) =>
          Effect.suspend(() => {
            asked.push(id)
            return Effect.fail(new AttachFailed({ processId: id, problem: "not reachable" }))
          })
      })
    ),
    quiet
  )

  it.live("asks the attached engine about what runs, hands its failure on, and never asks about what has ended", () =>
    Effect.gen(function* () {
      const driver = yield* WorkDriver
      const registry = yield* ProcessRegistry
      yield* registry.registerProcess(outside)
      const error = yield* bounded(Effect.flip(driver.awaitTerminal(p)))
      assert.strictEqual(error.message, "the attached engine could not wait for `p`: not reachable")
      yield* registry.completeProcess(p, Output.success(1), { _tag: "ExternalOwner" })
      assert.deepStrictEqual(yield* bounded(driver.awaitTerminal(p)), Output.success(1))
      assert.deepStrictEqual(asked, ["p"])
    }).pipe(Effect.provide(attached))
  )

  it.live("waits on the store when no engine is attached; nobody waits for what is unknown", () =>
    Effect.gen(function* () {
      const driver = yield* WorkDriver
      const unknown = yield* Effect.flip(driver.awaitTerminal(p))
      assert.strictEqual(unknown.message, "unknown process `p`")
      const registry = yield* ProcessRegistry
      yield* registry.registerProcess(outside)
      const [output] = yield* bounded(
        Effect.all(
          [driver.awaitTerminal(p), registry.completeProcess(p, Output.success(1), { _tag: "ExternalOwner" })],
          { concurrency: "unbounded" }
        )
      )
      assert.deepStrictEqual(output, Output.success(1))
    }).pipe(Effect.provide(host))
  )

  it.live("sweeps once when asked to", () =>
    Effect.gen(function* () {
      const report = yield* (yield* WorkDriver).claimAndRunPending("test")
      assert.isDefined(report)
    }).pipe(Effect.provide(host))
  )
})

describe("a host whose effects are to be durable", () => {
  it.live("is refused on a store in memory, naming the facet", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.scoped(Layer.build(SingleHost.layerMemory({ engines: [], effects: "durable" })))
      )
      assert.strictEqual(error.message, "effects must be durable where effects are: the process env store is not")
    })
  )
})
