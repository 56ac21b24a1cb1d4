import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import type { AnyActorScope, AnyStateMachine } from "xstate"
import { createMachine, initialTransition, setup, transition } from "xstate"
import { processMachine } from "../../machines/process/machine.ts"
import * as Step from "../../machines/xstate/step.ts"
import { commandsOf, history, input, overJson, visible } from "./histories.ts"

const deepFreeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) deepFreeze(inner)
  }
  return value
}

describe("the inert scope", () => {
  const seenBy = (run: (logic: never) => void): AnyActorScope => {
    const seen: Array<AnyActorScope> = []
    const logic = {
      getInitialSnapshot: (scope: AnyActorScope) => {
        seen.push(scope)
        return { status: "active" }
      },
      transition: (snapshot: unknown, _event: unknown, scope: AnyActorScope) => {
        seen.push(scope)
        return snapshot
      },
      getPersistedSnapshot: (snapshot: unknown) => snapshot
    }
    run(logic as never) // stands in for a machine: only these two functions are ever called
    return seen.at(-1) as AnyActorScope
  }

  const members = ["actionExecutor", "defer", "emit", "id", "logger", "self", "sessionId", "stopChild", "system"]
  const ofBegin = seenBy((logic) => Step.begin(logic, undefined as never))
  const ofAdvance = seenBy((logic) => Step.advance(logic, {} as never, { type: "x" } as never))

  it("has exactly the members that XState's own pure functions hand to a machine", () => {
    assert.deepStrictEqual(Object.keys(ofBegin).sort(), members)
    assert.deepStrictEqual(Object.keys(seenBy((logic) => initialTransition(logic, undefined as never))).sort(), members)
    assert.deepStrictEqual(
      Object.keys(seenBy((logic) => transition(logic, {} as never, { type: "x" } as never))).sort(),
      members
    )
  })

  it("is one and the same for every machine and every step", () => {
    assert.strictEqual(ofAdvance, ofBegin)
  })

  it("names nobody and does nothing", () => {
    let deferred = false
    ofBegin.defer(() => {
      deferred = true
    })
    assert.strictEqual(deferred, false)
    assert.strictEqual(ofBegin.id, "")
    assert.strictEqual(ofBegin.sessionId, "")
    assert.strictEqual(ofBegin.stopChild(ofBegin.self), undefined)
    assert.strictEqual(ofBegin.emit({ type: "x" }), undefined)
    assert.strictEqual(ofBegin.logger("x"), undefined)
  })

  it("has a self that was never started, in a system of its own", () => {
    assert.strictEqual(ofBegin.self.system, ofBegin.system)
    assert.strictEqual(Reflect.get(ofBegin.self, "_processingStatus"), 0)
  })
})

describe("begin and advance", () => {
  it("entering gives what XState's initialTransition gives", () => {
    const ours = Step.begin(processMachine, input)
    const [theirs, actions] = initialTransition(processMachine, input)
    assert.deepStrictEqual(visible(ours.snapshot), visible(theirs))
    assert.deepStrictEqual(ours.commands as ReadonlyArray<unknown>, commandsOf(actions))
  })

  it.prop("every step of every history gives what XState's transition gives", [history], ([events]) => {
    let snapshot = Step.begin(processMachine, input).snapshot
    for (const event of events) {
      const ours = Step.advance(processMachine, snapshot, event)
      const [theirs, actions] = transition(processMachine, snapshot, event)
      assert.deepStrictEqual(visible(ours.snapshot), visible(theirs))
      assert.deepStrictEqual(ours.commands as ReadonlyArray<unknown>, commandsOf(actions))
      assert.strictEqual(ours.snapshot === snapshot, theirs === snapshot)
      snapshot = ours.snapshot
    }
  })

  it.prop("an event that no state handles answers the same snapshot and no commands", [history], ([events]) => {
    let snapshot = Step.begin(processMachine, input).snapshot
    for (const event of events) {
      const unheard = Step.advance(processMachine, snapshot, { type: "process.unheard_of", atMs: 999 } as never)
      assert.strictEqual(unheard.snapshot, snapshot)
      assert.deepStrictEqual(unheard.commands, [])
      snapshot = Step.advance(processMachine, snapshot, event).snapshot
    }
  })

  it("a guard that refuses every branch answers the same snapshot and no commands", () => {
    const { snapshot } = Step.begin(processMachine, input)
    const refused = Step.advance(processMachine, snapshot, {
      type: "process.wake_target_cleared",
      atMs: 5,
      sessionId: "other"
    })
    assert.strictEqual(refused.snapshot, snapshot)
    assert.deepStrictEqual(refused.commands, [])
  })

  it.prop("equal inputs give equal steps, and frozen ones are left as they were", [history], ([events]) => {
    const frozenInput = deepFreeze(overJson(input))
    let snapshot = Step.begin(processMachine, frozenInput).snapshot
    assert.deepStrictEqual(visible(Step.begin(processMachine, frozenInput).snapshot), visible(snapshot))
    for (const event of events) {
      deepFreeze(snapshot.context)
      deepFreeze(snapshot.value)
      Object.freeze(snapshot)
      const frozenEvent = deepFreeze(overJson(event))
      const before = JSON.stringify([Step.persist(snapshot), frozenEvent])
      const once = Step.advance(processMachine, snapshot, frozenEvent)
      const again = Step.advance(processMachine, snapshot, frozenEvent)
      assert.deepStrictEqual(visible(again.snapshot), visible(once.snapshot))
      assert.deepStrictEqual(again.commands, once.commands)
      assert.strictEqual(JSON.stringify([Step.persist(snapshot), frozenEvent]), before)
      snapshot = once.snapshot
    }
  })

  it("the commands of one step are not changed by a later one", () => {
    const { snapshot } = Step.begin(processMachine, input)
    const first = Step.advance(processMachine, snapshot, { type: "process.cancel_requested", atMs: 2, reason: null })
    Step.advance(processMachine, first.snapshot, { type: "process.abandoned", atMs: 3, output: abandoned })
    Step.begin(processMachine, input)
    assert.deepStrictEqual(first.commands, [{ type: "requestSweep", params: {} }])
  })

  const abandoned = { _tag: "Abandoned", evidence: { writer: "sweep", epochMs: 3 } } as const
})

describe("commands", () => {
  const chatty = setup({
    types: { context: {} as { readonly n: number }, events: {} as { type: "go"; by: string } | { type: "stop" } },
    actions: {
      greet: Step.command<{ readonly who: string; readonly n: number }>(),
      bow: Step.command(),
      explode: () => {
        throw new Error("an action was executed")
      }
    }
  }).createMachine({
    id: "chatty",
    context: { n: 1 },
    initial: "idle",
    entry: { type: "bow", params: {} },
    states: {
      idle: {
        on: {
          go: {
            target: "busy",
            actions: [{ type: "greet", params: ({ context, event }) => ({ who: event.by, n: context.n }) }, "explode"]
          }
        }
      },
      busy: { entry: { type: "bow", params: {} } }
    }
  })

  it("an entry action of the initial state is asked for by begin", () => {
    assert.deepStrictEqual(Step.begin(chatty, undefined as never).commands as ReadonlyArray<unknown>, [
      { type: "bow", params: {} }
    ])
  })

  it("carry computed parameters, keep their order, and are never executed", () => {
    const { snapshot } = Step.begin(chatty, undefined as never)
    const step = Step.advance(chatty, snapshot, { type: "go", by: "ana" })
    assert.deepStrictEqual(step.commands as ReadonlyArray<unknown>, [
      { type: "greet", params: { who: "ana", n: 1 } },
      { type: "explode", params: {} },
      { type: "bow", params: {} }
    ])
  })

  it("a restored snapshot asks for no entry action again", () => {
    const { snapshot } = Step.begin(chatty, undefined as never)
    const busy = Step.advance(chatty, snapshot, { type: "go", by: "ana" }).snapshot
    const step = Step.advance(chatty, Step.restore(chatty, overJson(Step.persist(busy))), { type: "stop" })
    assert.deepStrictEqual(step.commands, [])
    assert.strictEqual(step.snapshot.value, "busy")
  })
})

describe("restore and persist", () => {
  it("only the state value and the context are stored", () => {
    const { snapshot } = Step.begin(processMachine, { createdAtMs: 1, wakeTarget: null })
    assert.deepStrictEqual(Step.persist(snapshot) as unknown, {
      value: { running: { execution: "unstarted", wait: "clear", cancel: "open", abandon: "open" } },
      context: {
        updatedAtMs: 1,
        activations: 0,
        attempts: 0,
        wakeTarget: null,
        waits: [],
        waitCounts: {},
        consumedSignals: {}
      }
    })
  })

  const restores = { restore: (at: never) => Step.restore(processMachine, at), restorer: Step.restorer(processMachine) }

  it.prop(
    "a snapshot that went through JSON behaves like the one that stayed in memory",
    [history, history, fc.constantFrom(...Object.keys(restores))],
    ([before, after, how]) => {
      let live = Step.begin(processMachine, input).snapshot
      for (const event of before) live = Step.advance(processMachine, live, event).snapshot
      let restored = restores[how as keyof typeof restores](overJson(Step.persist(live)) as never)
      assert.deepStrictEqual(visible(restored), visible(live))
      for (const event of after) {
        const expected = Step.advance(processMachine, live, event)
        const actual = Step.advance(processMachine, restored, event)
        assert.deepStrictEqual(visible(actual.snapshot), visible(expected.snapshot))
        assert.deepStrictEqual(actual.commands, expected.commands)
        assert.strictEqual(actual.snapshot === restored, expected.snapshot === live)
        live = expected.snapshot
        restored = actual.snapshot
      }
    }
  )

  const regions = { execution: "unstarted", wait: "clear", cancel: "open", abandon: "open" }
  const unknown: ReadonlyArray<readonly [string, unknown]> = [
    ["at the root", "vanished"],
    ["in a region", { running: { ...regions, wait: "vanished" } }],
    ["below a region", { running: { ...regions, execution: { started: "vanished" } } }],
    ["as a region", { running: { ...regions, vanished: "open" } }]
  ]
  for (const [where, value] of unknown) {
    it(`a state that the machine does not have, ${where}, throws`, () => {
      const { context } = Step.begin(processMachine, input).snapshot
      assert.throws(() => Step.restore(processMachine, { value: value as never, context }))
    })
  }

  it("a machine of another shape is restored by its own states", () => {
    const door: AnyStateMachine = createMachine({ initial: "open", states: { open: {}, shut: {} } })
    assert.strictEqual(Step.restore(door, { value: "shut", context: {} }).value, "shut")
    assert.throws(() => Step.restore(door, { value: "ajar", context: {} }))
  })
})
