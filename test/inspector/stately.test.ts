import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import type { AnyStateMachine } from "xstate"
import { createMachine, StateMachine } from "xstate"
import * as Machines from "../../machines/index.ts"
import { followStately, importable } from "../../src/inspector/charts/stately.ts"
import { processId } from "../../src/model/ids.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { outputs } from "../../src/testing/fixtures.ts"
import { memoryStore, note, register, waitForApproval } from "./fixtures.ts"

/** What the types of `@statelyai/inspect` 0.7.2 declare, as far as JSON can say it: undefined is left out. */
const common = {
  rootId: Schema.optional(Schema.String),
  sessionId: Schema.String,
  createdAt: Schema.String.pipe(Schema.pattern(/^\d+$/)),
  id: Schema.String,
  _version: Schema.String
}
const event = Schema.Struct({ type: Schema.String }, Schema.Record({ key: Schema.String, value: Schema.Unknown }))
const snapshot = Schema.Struct({
  status: Schema.optional(Schema.Literal("active", "done", "error", "stopped")),
  context: Schema.optional(Schema.Unknown),
  value: Schema.optional(Schema.Unknown),
  output: Schema.optional(Schema.Unknown)
})
const Message = Schema.Union(
  Schema.Struct({
    ...common,
    type: Schema.Literal("@xstate.actor"),
    name: Schema.String,
    snapshot,
    definition: Schema.optional(Schema.String),
    parentId: Schema.optional(Schema.String)
  }),
  Schema.Struct({
    ...common,
    type: Schema.Literal("@xstate.event"),
    event,
    sourceId: Schema.optional(Schema.String)
  }),
  Schema.Struct({ ...common, type: Schema.Literal("@xstate.snapshot"), event, snapshot })
)

/** Every state of a chart, and every transition with its source, its event and its targets. */
const chart = (machine: AnyStateMachine): ReadonlyArray<string> => {
  const of = (node: AnyStateMachine["root"]): ReadonlyArray<string> => [
    `${node.type} ${node.id}`,
    ...[...node.transitions.values(), node.always ?? []]
      .flat()
      .map(({ eventType, target }) => `${node.id} ${eventType} ${(target ?? []).map(({ id }) => id).join(" ")}`),
    ...Object.values(node.states).flatMap(of)
  ]
  return of(machine.root)
}

const machines = Object.values(Machines)
  .flatMap((module) => Object.values<unknown>(module))
  .filter((exported): exported is AnyStateMachine => exported instanceof StateMachine)

describe("a machine as an editor imports it", () => {
  for (const machine of machines) {
    it(`makes the same chart again: ${machine.id}`, () => {
      assert.deepStrictEqual(chart(createMachine(JSON.parse(JSON.stringify(importable(machine))))), chart(machine))
    })
  }
})

describe("the stream for tools of Stately", () => {
  it.scoped("introduces each process once, then tells its events with the snapshot after them", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5)
      const told = yield* followStately()
      yield* register("p", { identity: { kind: "deploy", label: "Deploy" } })
      yield* note("p", "planned")
      yield* waitForApproval("p")
      yield* register("p/child", { parent: { processId: processId("p"), closePolicy: "cancel" } })
      const events = Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(told, 6)))
      assert.deepStrictEqual(
        events.map(({ type, id }) => `${type} ${id}`),
        [
          "@xstate.actor p#actor",
          "@xstate.event p#1",
          "@xstate.snapshot p#1:snapshot",
          "@xstate.event p#2",
          "@xstate.snapshot p#2:snapshot",
          "@xstate.actor p/child#actor"
        ]
      )
      const [actor, , snapshot, , , child] = events
      assert.deepInclude(actor, { sessionId: "p", name: "Deploy", rootId: "p", createdAt: "5" })
      assert.strictEqual(actor?.type === "@xstate.actor" && JSON.parse(actor.definition).id, "process")
      assert.strictEqual(snapshot?.type === "@xstate.snapshot" && snapshot.snapshot.status, "active")
      assert.deepInclude(child, { parentId: "p", rootId: "p" })
      assert.deepStrictEqual(JSON.parse(JSON.stringify(events)), events)
    }).pipe(Effect.provide(memoryStore))
  )

  it.scoped("tells each message in the shape that the protocol declares, to the end, under the root of the tree", () =>
    Effect.gen(function* () {
      yield* register("p")
      yield* register("p/child", { parent: { processId: processId("p"), closePolicy: "cancel" } })
      // It begins to follow between two generations: the root is found in the store.
      const told = yield* followStately()
      yield* register("p/child/x", { parent: { processId: processId("p/child"), closePolicy: "cancel" } })
      yield* note("p/child/x", "planned")
      yield* register("p/child/x/y", { parent: { processId: processId("p/child/x"), closePolicy: "cancel" } })
      const registry = yield* ProcessRegistry
      yield* registry.completeProcess(processId("p/child/x"), outputs.Success, { _tag: "ExternalOwner" })
      const events = Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(told, 6)))
      for (const event of events) Schema.decodeUnknownSync(Message, { onExcessProperty: "error" })(event)
      assert.deepStrictEqual([...new Set(events.map(({ rootId }) => rootId))], ["p"])
      const [, event, , , last, end] = events
      assert.deepInclude(event, {
        event: { type: "process.noted", sequence: 1, eventType: "note", payload: { text: "planned" } }
      })
      assert.strictEqual(last?.type === "@xstate.event" && last.event.type, "process.completed")
      assert.strictEqual(end?.type === "@xstate.snapshot" && end.snapshot.status, "done")
    }).pipe(Effect.provide(memoryStore))
  )

  it.scoped("hides what a host hides", () =>
    Effect.gen(function* () {
      const told = yield* followStately(() => "hidden")
      yield* register("p")
      yield* note("p", "tea")
      const events = Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(told, 3)))
      assert.include(JSON.stringify(events), "hidden")
      assert.notInclude(JSON.stringify(events), "tea")
    }).pipe(Effect.provide(memoryStore))
  )
})
