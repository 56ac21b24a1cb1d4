import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as TestClock from "effect/TestClock"
import * as Explanations from "../../src/explain/Explanation.ts"
import { explain } from "../../src/explain/explain.ts"
import { lines } from "../../src/explain/render.ts"
import { maxExplained } from "../../src/explain/wakes.ts"
import { scopeId } from "../../src/model/Provenance.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { WakeOutbox } from "../../src/operations/WakeOutbox.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { p, register } from "./cases.ts"
import { wakeCases, wakesOn } from "./wakeCases.ts"

const layer = wakesOn(MemoryStore.layer)

const wake = (payload: object, wakeTargetScope?: { readonly sessionId: string }) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.appendEvent(
      p,
      {
        eventType: "progress",
        payload: { urgent: true, ...payload },
        ...(wakeTargetScope === undefined ? {} : { wakeTargetScope })
      },
      Authority.host
    )
  )

describe("a wake that does not move is explained as", () => {
  for (const [standing, { make, sight, text, isRedriven = false }] of Object.entries(wakeCases)) {
    it.scoped(standing, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(0)
        yield* make
        const explanation = yield* explain(p)
        const last = explanation.detail?.wakes.at(-1)
        assert.deepInclude(last, sight)
        if (last?.state !== "no_target") assert.match(last?.wakeId ?? "", /^wake:[0-9a-f]{64}$/)
        const said = lines(explanation)
        assert.match(said.map((line) => line.text).join("\n"), text)
        const commands = said.filter(({ role, text: line }) => role === "command" && line.includes("redrive"))
        assert.deepStrictEqual(
          commands.map((line) => line.text),
          isRedriven ? [`holdfast redrive ${last?.wakeId}`] : []
        )
        const wire: unknown = JSON.parse(JSON.stringify(Explanations.encode(explanation)))
        assert.deepStrictEqual(Explanations.decode(wire), Either.right(explanation))
      }).pipe(Effect.provide(layer))
    )
  }
})

describe("the wakes of a process", () => {
  it.effect("name the delivery that unblocks them, also where it has their own id", () =>
    Effect.gen(function* () {
      const merging = {
        name: "merging",
        payloadSchema: { schema: {} },
        semantics: { wake: { input: "payload", dedupeKey: { const: "one" } } }
      } as const
      yield* register("rerunnable", { wakeTarget: { sessionId: "s" }, eventTypes: [merging] })
      const registry = yield* ProcessRegistry
      const outbox = yield* WakeOutbox
      const append = registry.appendEvent(p, { eventType: "merging", payload: null }, Authority.host)
      yield* append
      yield* outbox.claim(1)
      yield* append
      yield* append
      const { detail } = yield* explain(p)
      const [first, second, third] = detail?.wakes ?? []
      assert.strictEqual(first?.state, "enqueuing")
      assert.isUndefined(first?.blockedBy)
      assert.strictEqual(second?.state, "pending")
      assert.strictEqual(second?.blockedBy, first?.wakeId)
      assert.deepStrictEqual(third, { ...second, sequence: 3 }, "it has merged into the one before it")
    }).pipe(Effect.provide(layer))
  )

  it.effect("are found where an append named another session than the process has", () =>
    Effect.gen(function* () {
      yield* register("rerunnable", { wakeTarget: { sessionId: "s" } })
      yield* wake({ text: "look" }, { sessionId: "other" })
      const outbox = yield* WakeOutbox
      for (const claim of (yield* outbox.claim(1)).claims) {
        yield* outbox.settle(claim, { _tag: "Discard", reason: "target_gone" })
      }
      const [only] = (yield* explain(p)).detail?.wakes ?? []
      assert.deepInclude(only, {
        state: "discarded",
        targetScopeId: scopeId({ sessionId: "other" }),
        discardReason: "target_gone"
      })
    }).pipe(Effect.provide(layer))
  )

  it.effect("are the last hundred where a session takes notice of none, and it is said how many came before", () =>
    Effect.gen(function* () {
      yield* register("rerunnable", { wakeTarget: { sessionId: "s" } })
      yield* Effect.forEach(Array.from({ length: maxExplained + 3 }), () => wake({ text: "look" }))
      const explanation = yield* explain(p)
      assert.strictEqual(explanation.detail?.wakes.length, maxExplained)
      assert.strictEqual(explanation.detail?.wakes[0]?.sequence, 4)
      assert.strictEqual(explanation.detail?.earlierWakes, 3)
      assert.include(
        lines(explanation).map((line) => line.text),
        "3 earlier ones, not shown"
      )
    }).pipe(Effect.provide(layer))
  )
})
