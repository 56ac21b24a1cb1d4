import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import { getShortestPaths } from "xstate/graph"
import type { ProcessSnapshot } from "../../machines/process/lifecycle.ts"
import { isActive, isDormant, isStarted, lifecycleOf, nextAttempt, resume } from "../../machines/process/lifecycle.ts"
import { processMachine } from "../../machines/process/machine.ts"
import type { EndState, Output, ProcessContext, ProcessEvent } from "../../machines/process/types.ts"
import * as Step from "../../machines/xstate/step.ts"

const ana = { ownerId: "ana", incarnationId: "a1", liveness: { _tag: "Opaque" } } as const
const bob = { ownerId: "bob", incarnationId: "b1", liveness: { _tag: "Opaque" } } as const
const waitFor = (key: string, name = "ready", sinceMs = 5) =>
  ({ kind: { _tag: "Signal", name, eventType: `signal.${name}`, key, ordinal: 1 }, sinceMs }) as const
const outputs = {
  completed: { _tag: "Success", value: { n: 1 } },
  failed: { _tag: "Failure", class: "execution", code: "boom", message: "it broke" },
  cancelled: { _tag: "Cancelled", message: "stop" },
  abandoned: { _tag: "Abandoned", evidence: { writer: "sweep", owner: bob, epochMs: 90 } }
} as const satisfies Record<EndState, Output>
const ends = ["completed", "failed", "cancelled", "abandoned"] as const

/** Every event type, in every variant that the chart tells apart; the wait that is open, where one is, has the key `k1`. */
const events = {
  started: { type: "process.started", atMs: 50, owner: bob, startedAtMs: 49, attempt: 7 },
  suspended: { type: "process.suspended", atMs: 50, reason: "handed_back" },
  "suspended for want of its lease": { type: "process.suspended", atMs: 50, reason: "lease_lost" },
  "suspended to wait": { type: "process.suspended", atMs: 50, reason: "passivated" },
  waiting: { type: "process.waiting", atMs: 50, wait: waitFor("k2") },
  "waiting again": { type: "process.waiting", atMs: 50, wait: waitFor("k1", "ready", 6) },
  resumed: { type: "process.resumed", atMs: 50, waitKey: "k1", outcome: { _tag: "Timer" } },
  "resumed elsewhere": { type: "process.resumed", atMs: 50, waitKey: "k9", outcome: { _tag: "Timer" } },
  cancel_requested: { type: "process.cancel_requested", atMs: 50, reason: "stop" },
  abandon_requested: {
    type: "process.abandon_requested",
    atMs: 50,
    request: { requestedBy: "op", requestedAtMs: 48, reason: "stuck" }
  },
  external_ref_set: { type: "process.external_ref_set", atMs: 50, externalRef: { backend: "q", id: "7" } },
  wake_target_cleared: { type: "process.wake_target_cleared", atMs: 50, sessionId: "s" },
  "wake_target_cleared elsewhere": { type: "process.wake_target_cleared", atMs: 50, sessionId: "other" },
  noted: { type: "process.noted", atMs: 50 },
  completed: { type: "process.completed", atMs: 50, output: outputs.completed },
  failed: { type: "process.failed", atMs: 50, output: outputs.failed },
  cancelled: { type: "process.cancelled", atMs: 50, output: outputs.cancelled },
  abandoned: { type: "process.abandoned", atMs: 50, output: outputs.abandoned }
} as const satisfies Record<string, ProcessEvent>
type EventName = keyof typeof events
const eventNames = Object.keys(events) as ReadonlyArray<EventName>

const input = { createdAtMs: 1, wakeTarget: { sessionId: "s", agentFrameId: "f" } }
const start: ProcessEvent = { type: "process.started", atMs: 10, owner: ana, startedAtMs: 9, attempt: 1 }
const reachedBy = (...history: ReadonlyArray<ProcessEvent>): ProcessSnapshot =>
  history.reduce(
    (snapshot, event) => Step.advance(processMachine, snapshot, event).snapshot,
    Step.begin(processMachine, input).snapshot
  )

/** A state as four words, or as one when it is an end. */
const placeOf = ({ value }: ProcessSnapshot): string => {
  if (typeof value === "string") return value
  const { execution, wait, cancel, abandon } = value.running
  return [typeof execution === "string" ? execution : execution.started, wait, cancel, abandon].join(" ")
}

const into = {
  execution: {
    unstarted: [],
    active: [start],
    suspended: [start, events.suspended],
    dormant: [start, events["suspended to wait"]]
  },
  wait: { clear: [], waiting: [{ type: "process.waiting", atMs: 11, wait: waitFor("k1") }] },
  cancel: { open: [], requested: [{ type: "process.cancel_requested", atMs: 12, reason: "first" }] },
  abandon: {
    open: [],
    requested: [{ type: "process.abandon_requested", atMs: 13, request: { requestedBy: "op", requestedAtMs: 2 } }]
  }
} as const satisfies Record<string, Record<string, ReadonlyArray<ProcessEvent>>>
type Execution = keyof (typeof into)["execution"]

const everyRunning = (Object.keys(into.execution) as ReadonlyArray<Execution>).flatMap((execution) =>
  (["clear", "waiting"] as const).flatMap((wait) =>
    (["open", "requested"] as const).flatMap((cancel) =>
      (["open", "requested"] as const).map((abandon) => ({
        place: [execution, wait, cancel, abandon] as const,
        snapshot: reachedBy(
          ...into.execution[execution],
          ...into.wait[wait],
          ...into.cancel[cancel],
          ...into.abandon[abandon]
        )
      }))
    )
  )
)

const sweep = { type: "requestSweep", params: {} }
const interrupt = { type: "interruptBody", params: { cause: "cancel" } }

type Row = Partial<Record<EventName, readonly [next: string, ...commands: ReadonlyArray<unknown>]>>
/** What each state of each region does with an event; an event without an entry does nothing there. */
const decisions: readonly [
  execution: Record<Execution, Row>,
  wait: Record<"clear" | "waiting", Row>,
  cancel: Record<"open" | "requested", Row>,
  abandon: Record<"open" | "requested", Row>
] = [
  {
    unstarted: { started: ["active"], cancel_requested: ["unstarted", sweep] },
    active: {
      started: ["active"],
      suspended: ["suspended"],
      "suspended for want of its lease": ["suspended"],
      "suspended to wait": ["dormant"],
      cancel_requested: ["active", interrupt]
    },
    suspended: { started: ["active"], cancel_requested: ["suspended", sweep] },
    dormant: {
      started: ["active"],
      resumed: ["suspended", sweep],
      // An end of a wait that it does not have costs one look, and leaves no work undone.
      "resumed elsewhere": ["suspended", sweep],
      cancel_requested: ["dormant", sweep]
    }
  },
  {
    clear: { waiting: ["waiting"], "waiting again": ["waiting"] },
    waiting: { waiting: ["waiting"], "waiting again": ["waiting"], resumed: ["clear"] }
  },
  { open: { cancel_requested: ["requested"] }, requested: { cancel_requested: ["requested"] } },
  { open: { abandon_requested: ["requested", sweep] }, requested: {} }
]
/** What moves no region and is a fact all the same. */
const folded: ReadonlyArray<EventName> = ["external_ref_set", "wake_target_cleared", "noted"]

describe("the decision table", () => {
  for (const execution of Object.keys(into.execution) as ReadonlyArray<Execution>) {
    for (const event of eventNames) {
      const end = ends.find((name) => name === event)
      const [next, ...commands] = decisions[0][execution][event] ?? [execution]
      const says = end ?? next
      it(`${execution}: after ${event} the process is ${says}, whatever its other regions say`, () => {
        for (const { place, snapshot } of everyRunning.filter((each) => each.place[0] === execution)) {
          const step = Step.advance(processMachine, snapshot, events[event])
          if (end !== undefined) {
            assert.strictEqual(placeOf(step.snapshot), end)
            assert.strictEqual(step.snapshot.status, "done")
            assert.deepStrictEqual(step.commands, [{ type: "announceEnd", params: { state: end } }])
            continue
          }
          const others = [
            decisions[1][place[1]][event],
            decisions[2][place[2]][event],
            decisions[3][place[3]][event]
          ] as const
          assert.strictEqual(
            placeOf(step.snapshot),
            [next, others[0]?.[0] ?? place[1], others[1]?.[0] ?? place[2], others[2]?.[0] ?? place[3]].join(" ")
          )
          assert.deepStrictEqual(step.commands as ReadonlyArray<unknown>, [
            ...commands,
            ...others.flatMap((row) => row?.slice(1) ?? [])
          ])
          const moves = decisions[0][execution][event] !== undefined || others.some((row) => row !== undefined)
          assert.strictEqual(step.snapshot !== snapshot, moves || folded.includes(event), place.join(" "))
          // The store ends open waits only: the end of any other is no fact, and folds into nothing.
          const isNoFact = event.startsWith("resumed") && others[0] === undefined
          if (step.snapshot !== snapshot && !isNoFact) assert.strictEqual(step.snapshot.context.updatedAtMs, 50)
        }
      })
    }
  }

  const stillFolded: ReadonlyArray<EventName> = [
    "started",
    "cancel_requested",
    "external_ref_set",
    "wake_target_cleared",
    "noted"
  ]
  for (const end of ends) {
    it(`${end}: no event leads anywhere or asks for anything, and only facts are still folded`, () => {
      const snapshot = reachedBy(events[end])
      for (const event of eventNames) {
        const step = Step.advance(processMachine, snapshot, { ...events[event], atMs: 60 })
        assert.strictEqual(placeOf(step.snapshot), end)
        assert.strictEqual(step.snapshot.status, "done")
        assert.deepStrictEqual(step.commands, [])
        assert.strictEqual(step.snapshot !== snapshot, stillFolded.includes(event), event)
        assert.deepStrictEqual(step.snapshot.context.output, outputs[end])
      }
    })
  }

  it("a process begins unstarted, waits for nothing, and nobody asked anything of it", () => {
    const step = Step.begin(processMachine, input)
    assert.deepStrictEqual(step.snapshot.value, {
      running: { execution: "unstarted", wait: "clear", cancel: "open", abandon: "open" }
    })
    assert.deepStrictEqual(step.commands, [])
  })

  it("of two open waits the first to end leaves the process waiting, the second does not", () => {
    const waiting = reachedBy(start, { type: "process.waiting", atMs: 11, wait: waitFor("k1") }, events.waiting)
    const one = Step.advance(processMachine, waiting, events.resumed).snapshot
    assert.strictEqual(placeOf(one), "active waiting open open")
    assert.deepStrictEqual(one.context.waits, [waitFor("k2")])
    const none = Step.advance(processMachine, one, { ...events.resumed, waitKey: "k2" }).snapshot
    assert.strictEqual(placeOf(none), "active clear open open")
    assert.deepStrictEqual(none.context.waits, [])
  })
})

describe("the chart", () => {
  interface Node {
    readonly description?: unknown
    readonly states?: Readonly<Record<string, Node>>
  }
  const walk = (path: string, node: Node): ReadonlyArray<readonly [string, Node]> => [
    [path, node],
    ...Object.entries(node.states ?? {}).flatMap(([name, child]) => walk(`${path}.${name}`, child))
  ]

  it("every state says what it means, in a sentence", () => {
    const states = walk("process", processMachine.config as Node)
    assert.strictEqual(states.length, 21)
    for (const [path, { description }] of states) assert.match(String(description), /^[A-Z].{8,}\.$/, path)
  })

  it("every state is reached from the first one, and no other", () => {
    const paths = getShortestPaths(processMachine, {
      input,
      events: eventNames.map((name) => events[name]),
      serializeState: (snapshot) => JSON.stringify(snapshot.value)
    })
    const reached = paths.map((path) => placeOf(path.state as ProcessSnapshot)).sort()
    assert.deepStrictEqual(reached, [...everyRunning.map(({ place }) => place.join(" ")), ...ends].sort())
    assert.strictEqual(new Set(reached).size, 36)
  })

  it("carries the version that stored snapshots are compared with", () => {
    assert.strictEqual(processMachine.version, "1")
  })
})

describe("the fold", () => {
  const before = reachedBy(start, { type: "process.waiting", atMs: 11, wait: waitFor("k1") })
  const folds: ReadonlyArray<readonly [EventName, Partial<ProcessContext>]> = [
    ["started", { activations: 2, attempts: 7 }],
    ["suspended", {}],
    ["suspended to wait", {}],
    ["waiting", { waits: [waitFor("k1"), waitFor("k2")], waitCounts: { k1: 1, k2: 1 } }],
    ["waiting again", { waits: [waitFor("k1", "ready", 6)], waitCounts: { k1: 2 } }],
    ["resumed", { waits: [] }],
    ["cancel_requested", { cancelRequest: { reason: "stop", requestedAtMs: 50 } }],
    ["abandon_requested", { abandonRequest: { requestedBy: "op", requestedAtMs: 48, reason: "stuck" } }],
    ["external_ref_set", { externalRef: { backend: "q", id: "7" } }],
    ["wake_target_cleared", { wakeTarget: null }],
    ["noted", {}],
    ["completed", { waits: [], output: outputs.completed }],
    ["failed", { waits: [], output: outputs.failed }],
    ["cancelled", { waits: [], output: outputs.cancelled }],
    ["abandoned", { waits: [], output: outputs.abandoned }]
  ]
  for (const [event, delta] of folds) {
    const fields = Object.keys(delta)
    it(`${event} changes ${["updatedAtMs", ...fields].join(", ")} and nothing else`, () => {
      assert.deepStrictEqual(Step.advance(processMachine, before, events[event]).snapshot.context, {
        updatedAtMs: 50,
        activations: 1,
        attempts: 1,
        firstStarted: { owner: ana, startedAtMs: 9 },
        wakeTarget: { sessionId: "s", agentFrameId: "f" },
        waits: [waitFor("k1")],
        waitCounts: { k1: 1 },
        consumedSignals: {},
        ...delta
      })
    })
  }

  it("a wait that a signal ended consumes the signals of its name up to that one", () => {
    const signalled = (waitKey: string, sequence: number): ProcessEvent =>
      ({ type: "process.resumed", atMs: 50, waitKey, outcome: { _tag: "Signal", sequence } }) as const
    const opened = (key: string, name: string): ProcessEvent => ({
      type: "process.waiting",
      atMs: 40,
      wait: waitFor(key, name)
    })
    const { context } = reachedBy(
      opened("k1", "ready"),
      opened("k2", "go"),
      signalled("k1", 3),
      signalled("k9", 99),
      opened("k3", "ready"),
      signalled("k3", 8),
      { ...events.resumed, waitKey: "k2", outcome: { _tag: "Timeout" } }
    )
    assert.deepStrictEqual(context.consumedSignals, { ready: 8 })
    assert.deepStrictEqual(context.waitCounts, { k1: 1, k2: 1, k3: 1 })
  })

  it("the first request to cancel is kept, a later one only moves the time", () => {
    const { context } = reachedBy(events.cancel_requested, { ...events.cancel_requested, atMs: 70, reason: null })
    assert.deepStrictEqual(context.cancelRequest, { reason: "stop", requestedAtMs: 50 })
    assert.strictEqual(context.updatedAtMs, 70)
  })

  it("the first request to give it up is kept, a later one changes nothing", () => {
    const once = reachedBy(events.abandon_requested)
    const again = Step.advance(processMachine, once, {
      ...events.abandon_requested,
      atMs: 70,
      request: { requestedBy: "else", requestedAtMs: 69 }
    })
    assert.strictEqual(again.snapshot, once)
  })

  it("an ended process still notes events, an external reference, a cleared wake target and its first start", () => {
    const ended = reachedBy(events.failed, { ...events.noted, atMs: 61 })
    assert.strictEqual(ended.context.updatedAtMs, 61)
    const { context } = [events.external_ref_set, events.wake_target_cleared, start, events.started].reduce(
      (snapshot: ProcessSnapshot, event) => Step.advance(processMachine, snapshot, event).snapshot,
      ended
    )
    assert.deepStrictEqual(context, {
      updatedAtMs: 50,
      activations: 0,
      attempts: 0,
      firstStarted: { owner: ana, startedAtMs: 9 },
      externalRef: { backend: "q", id: "7" },
      wakeTarget: null,
      waits: [],
      waitCounts: {},
      consumedSignals: {},
      output: outputs.failed
    })
  })

  it("a request to cancel that comes after the end is no cancel request of the record", () => {
    const { context } = reachedBy(events.completed, { ...events.cancel_requested, atMs: 80 })
    assert.strictEqual("cancelRequest" in context, false)
    assert.strictEqual(context.updatedAtMs, 80)
  })

  it("a second end changes nothing, neither the same one nor another", () => {
    for (const first of ends) {
      const ended = reachedBy(start, events[first])
      for (const second of ends) {
        const step = Step.advance(processMachine, ended, { ...events[second], atMs: 90 })
        assert.strictEqual(step.snapshot, ended)
        assert.deepStrictEqual(step.commands, [])
      }
    }
  })

  const history = FC.array(FC.constantFrom(...eventNames, ...eventNames.slice(0, 14)), { maxLength: 20 })
  it.prop("whatever happens, the context is plain JSON and survives it unchanged", [history], ([names]) => {
    let snapshot = reachedBy()
    names.forEach((name, index) => {
      snapshot = Step.advance(processMachine, snapshot, { ...events[name], atMs: 100 + index }).snapshot
      const { value, context } = Step.persist(snapshot)
      const overJson = JSON.parse(JSON.stringify({ value, context }))
      assert.deepStrictEqual(overJson, { value, context })
      snapshot = Step.restore(processMachine, overJson)
    })
  })

  it.prop("whatever happens, the state and the context agree with each other", [history], ([names]) => {
    const snapshot = reachedBy(...names.map((name) => events[name]))
    const { context } = snapshot
    const place = placeOf(snapshot)
    const ended = ends.some((end) => end === place)
    assert.strictEqual(ended, context.output !== undefined)
    if (ended) return
    const [execution, wait, cancel, abandon] = place.split(" ")
    assert.strictEqual(execution === "unstarted", context.activations === 0)
    assert.strictEqual(execution === "unstarted", context.firstStarted === undefined)
    assert.strictEqual(wait === "waiting", context.waits.length > 0)
    assert.strictEqual(cancel === "requested", context.cancelRequest !== undefined)
    assert.strictEqual(abandon === "requested", context.abandonRequest !== undefined)
    assert.strictEqual(new Set(context.waits.map((each) => each.kind.key)).size, context.waits.length)
  })
})

describe("the questions asked of a snapshot", () => {
  it("an activation that left no fact costs an attempt, one that was handed back does not", () => {
    let snapshot = reachedBy()
    const counts: Array<readonly [activations: number, attempts: number]> = []
    const begin = () => {
      const attempt = nextAttempt(snapshot)
      snapshot = Step.advance(processMachine, snapshot, { ...start, attempt }).snapshot
      counts.push([snapshot.context.activations, snapshot.context.attempts])
    }
    const handBack = () => {
      snapshot = Step.advance(processMachine, snapshot, events.suspended).snapshot
    }
    begin()
    begin()
    handBack()
    begin()
    handBack()
    begin()
    begin()
    assert.deepStrictEqual(counts, [
      [1, 1],
      [2, 2],
      [3, 2],
      [4, 2],
      [5, 3]
    ])
    handBack()
    assert.strictEqual(nextAttempt(snapshot), 3)
  })

  it("the first attempt is number one", () => {
    assert.strictEqual(nextAttempt(reachedBy()), 1)
    assert.strictEqual(nextAttempt(reachedBy(events.cancel_requested, events.waiting)), 1)
  })

  it("a request, a wait or a note leaves the number of the next attempt as it is", () => {
    const notes = [events.cancel_requested, events.abandon_requested, events.waiting, events.noted]
    assert.strictEqual(nextAttempt(reachedBy(start, ...notes)), 2)
    assert.strictEqual(nextAttempt(reachedBy(start, events.suspended, ...notes)), 1)
    assert.strictEqual(nextAttempt(reachedBy(start, events["suspended to wait"], ...notes)), 1)
  })

  const hints: Readonly<Record<string, ReadonlyArray<unknown>>> = {
    "unstarted open open": [],
    "unstarted open requested": [sweep],
    "unstarted requested open": [sweep],
    "unstarted requested requested": [sweep],
    "active open open": [],
    "active open requested": [],
    "active requested open": [interrupt],
    "active requested requested": [interrupt],
    "suspended open open": [],
    "suspended open requested": [sweep],
    "suspended requested open": [sweep],
    "suspended requested requested": [sweep],
    "dormant open open": [],
    "dormant open requested": [sweep],
    "dormant requested open": [sweep],
    "dormant requested requested": [sweep]
  }
  it("what a running snapshot still calls for follows from its requests and from whether a body is active", () => {
    for (const { place, snapshot } of everyRunning) {
      const [execution, , cancel, abandon] = place
      assert.deepStrictEqual<unknown>(resume(snapshot), hints[`${execution} ${cancel} ${abandon}`], place.join(" "))
    }
  })

  it("what an ended snapshot still calls for is that its end be announced", () => {
    for (const state of ends) {
      assert.deepStrictEqual(resume(reachedBy(start, events.cancel_requested, events[state])), [
        { type: "announceEnd", params: { state } }
      ])
    }
  })

  it("a process is running until it ended, and then is its end", () => {
    for (const { snapshot } of everyRunning) assert.strictEqual(lifecycleOf(snapshot), "running")
    for (const end of ends) assert.strictEqual(lifecycleOf(reachedBy(start, events[end])), end)
  })

  it("it is active between a start and the next hand-back or end, and dormant between a passivation and what follows", () => {
    for (const { place, snapshot } of everyRunning) {
      assert.strictEqual(isActive(snapshot), place[0] === "active")
      assert.strictEqual(isDormant(snapshot), place[0] === "dormant")
    }
    for (const end of ends) {
      assert.strictEqual(isActive(reachedBy(start, events[end])), false)
      assert.strictEqual(isDormant(reachedBy(start, events["suspended to wait"], events[end])), false)
    }
  })

  it("it is started from its first start on, ended or not", () => {
    for (const { place, snapshot } of everyRunning) assert.strictEqual(isStarted(snapshot), place[0] !== "unstarted")
    for (const end of ends) {
      assert.strictEqual(isStarted(reachedBy(start, events[end])), true)
      assert.strictEqual(isStarted(reachedBy(events[end])), false)
      assert.strictEqual(isStarted(reachedBy(events[end], start)), true)
    }
  })
})
