import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import type { ProcessEvent as MachineEvent } from "../../machines/process/types.ts"
import type { AwaitOutput } from "../../src/model/AwaitOutput.ts"
import * as Facts from "../../src/model/facts.ts"
import * as Ids from "../../src/model/ids.ts"
import type { ProcessEvent } from "../../src/model/ProcessEvent.ts"
import * as ChartFacts from "../../src/operations/decisions/chartFacts.ts"

const { processId } = Ids
const p = processId("p")
const local = {
  ownerId: "w",
  incarnationId: "i",
  liveness: { _tag: "LocalProcess", hostId: "h", bootId: "b", pid: 7, processStart: "9" }
} as const
const localWire = {
  owner_id: "w",
  incarnation_id: "i",
  liveness: { kind: "local_process", host_id: "h", boot_id: "b", pid: 7, process_start: "9" }
}

interface Expected {
  readonly eventType: string
  readonly payload: unknown
  readonly replayKey: string
  readonly terminal?: unknown
  readonly lifecycle: Facts.LifecycleEvent
}

const end = (
  id: string,
  state: string,
  wire: unknown,
  output: AwaitOutput
): readonly [string, Facts.Fact, Expected] => [
  `the end as ${id}`,
  Facts.ended(p, output),
  {
    eventType: `process.${state}`,
    payload: { await_output: wire },
    replayKey: `process:p:terminal:process.${state}`,
    terminal: { state, awaitOutput: output },
    lifecycle: { type: `process.${state}`, output } as Facts.LifecycleEvent
  }
]

const facts: ReadonlyArray<readonly [string, Facts.Fact, Expected]> = [
  [
    "a start",
    Facts.started(p, 3, { owner: local, startedAtMs: 11, attempt: 2, fencingToken: 5 }),
    {
      eventType: "process.started",
      payload: { started: { owner: localWire, started_at_ms: 11, attempt: 2, fencing_token: 5 } },
      replayKey: "process:p:started:3",
      lifecycle: { type: "process.started", owner: local, startedAtMs: 11, attempt: 2 }
    }
  ],
  [
    "a start by an opaque owner",
    Facts.started(p, 1, {
      owner: { ownerId: "w", incarnationId: "i", liveness: { _tag: "Opaque" } },
      startedAtMs: 0,
      attempt: 1,
      fencingToken: 1
    }),
    {
      eventType: "process.started",
      payload: {
        started: {
          owner: { owner_id: "w", incarnation_id: "i", liveness: { kind: "opaque" } },
          started_at_ms: 0,
          attempt: 1,
          fencing_token: 1
        }
      },
      replayKey: "process:p:started:1",
      lifecycle: {
        type: "process.started",
        owner: { ownerId: "w", incarnationId: "i", liveness: { _tag: "Opaque" } },
        startedAtMs: 0,
        attempt: 1
      }
    }
  ],
  ...(["handed_back", "passivated", "lease_lost"] as const).map((reason): readonly [string, Facts.Fact, Expected] => [
    `a hand-back because of ${reason}`,
    Facts.suspended(p, 2, reason),
    {
      eventType: "process.suspended",
      payload: { reason },
      replayKey: "process:p:suspended:2",
      lifecycle: { type: "process.suspended", reason }
    }
  ]),
  [
    "a cancel request",
    Facts.cancelRequested(p, "stop"),
    {
      eventType: "process.cancel_requested",
      payload: { reason: "stop" },
      replayKey: "process:p:cancel_requested:85a6238fa9840bc3105d1a06ca03df61803080fefa838ab687d36662275be019",
      lifecycle: { type: "process.cancel_requested", reason: "stop" }
    }
  ],
  [
    "a cancel request without a reason",
    Facts.cancelRequested(p, null),
    {
      eventType: "process.cancel_requested",
      payload: { reason: null },
      replayKey: "process:p:cancel_requested:5532b5f3befaa3efc27b125b501ee870e6405e058b099410f23165e543d2a782",
      lifecycle: { type: "process.cancel_requested", reason: null }
    }
  ],
  [
    "a request to give it up",
    Facts.abandonRequested(p, { requestedBy: "op", requestedAtMs: 4, reason: "stuck" }),
    {
      eventType: "process.abandon_requested",
      payload: { request: { requested_by: "op", requested_at_ms: 4, reason: "stuck" } },
      replayKey: "process:p:abandon-requested",
      lifecycle: {
        type: "process.abandon_requested",
        request: { requestedBy: "op", requestedAtMs: 4, reason: "stuck" }
      }
    }
  ],
  [
    "a request to give it up without a reason",
    Facts.abandonRequested(p, { requestedBy: "op", requestedAtMs: 4 }),
    {
      eventType: "process.abandon_requested",
      payload: { request: { requested_by: "op", requested_at_ms: 4 } },
      replayKey: "process:p:abandon-requested",
      lifecycle: { type: "process.abandon_requested", request: { requestedBy: "op", requestedAtMs: 4 } }
    }
  ],
  end("completed", "completed", { type: "success", value: { a: [1] } }, { _tag: "Success", value: { a: [1] } }),
  end(
    "failed",
    "failed",
    { type: "failure", class: "external", code: "c", message: "m", raw: { r: 1 } },
    { _tag: "Failure", class: "external", code: "c", message: "m", raw: { r: 1 } }
  ),
  end("cancelled", "cancelled", { type: "cancelled", message: "m" }, { _tag: "Cancelled", message: "m" }),
  end(
    "abandoned",
    "abandoned",
    { type: "abandoned", evidence: { writer: "sweep", owner: localWire, epoch_ms: 8 } },
    { _tag: "Abandoned", evidence: { writer: "sweep", owner: local, epochMs: 8 } }
  ),
  end(
    "abandoned without an owner",
    "abandoned",
    { type: "abandoned", evidence: { writer: "reconciled_request", epoch_ms: 8 } },
    { _tag: "Abandoned", evidence: { writer: "reconciled_request", epochMs: 8 } }
  )
]

/** The event that a store makes of a fact, after it went through the database. */
const stored = (fact: Facts.Fact, occurredAtMs: number): ProcessEvent =>
  JSON.parse(
    JSON.stringify({
      processId: p,
      sequence: 1,
      eventType: fact.eventType,
      payload: fact.payload,
      replayKey: fact.replayKey,
      semantics: fact.semantics,
      occurredAtMs
    })
  ) as ProcessEvent

describe("the replay keys of the runtime", () => {
  const timer = { id: "t", at: 1, event: { type: "go" } }
  /** A key of each function that makes one: all that the files of facts export, but for those that make none. */
  const made: Readonly<Record<string, string | undefined>> = {
    started: Facts.started(p, 1, { owner: local, startedAtMs: 1, attempt: 1, fencingToken: 1 }).replayKey,
    suspended: Facts.suspended(p, 1, "passivated").replayKey,
    cancelRequested: Facts.cancelRequested(p, null).replayKey,
    abandonRequested: Facts.abandonRequested(p, { requestedBy: "o", requestedAtMs: 1 }).replayKey,
    externalRefSet: Facts.externalRefSet(p, { backend: "b", id: "i" }).replayKey,
    wakeTargetCleared: Facts.wakeTargetCleared(p, "s").replayKey,
    waiting: Facts.waiting(p, { kind: { _tag: "Timer", key: "t" }, sinceMs: 1 }, 1).replayKey,
    enteredKey: Facts.enteredKey(p, "t", 1),
    resumedKey: Facts.resumedKey(p, "t", 1),
    resumed: Facts.resumed(p, "t", 1, { _tag: "Timer" }).replayKey,
    signalReturned: Facts.signalReturned(p, "w", "go", 1).replayKey,
    journalForked: Facts.journalForked(p, 1, { from: 1, to: 2, by: "o" }).replayKey,
    childEnded: Facts.childEnded(p, { childId: processId("c"), state: "completed", createdAtMs: 1 }).replayKey,
    childEndedKey: Facts.childEndedKey(p, processId("c"), 1),
    ended: Facts.ended(p, { _tag: "Success", value: 1 }).replayKey,
    transitioned: ChartFacts.transitioned(p, { revision: 3 } as never).replayKey,
    machineInput: ChartFacts.machineInput(p, "k", { type: "go" }).replayKey,
    machineTimed: ChartFacts.machineTimed(p, "k", timer, 1).replayKey,
    machineSent: ChartFacts.machineSent(p, "k", timer as never).replayKey,
    machineActed: ChartFacts.machineActed(p, { revision: 1, index: 0, name: "a" }).replayKey,
    terminalReplayKey: Ids.terminalReplayKey(p, "process.failed"),
    startedReplayKey: Ids.startedReplayKey(p, 1),
    suspendedReplayKey: Ids.suspendedReplayKey(p, 1),
    journalReplayKey: Ids.journalReplayKey(p, "a#1"),
    cancelReplayKey: Ids.cancelReplayKey(p, "stop"),
    runtimeReplayKey: Ids.runtimeReplayKey(p, "machine", 1)
  }
  const others = ["isNews", "isChartInput", "noted", "lifecycleEventOf", "signalReplayKey", "isReservedReplayKey"]

  it("are made by the functions that are listed here, and no fact is without one", () => {
    const keyed = Object.entries(Ids).filter(([name]) => name.endsWith("ReplayKey"))
    const exported: ReadonlyArray<[string, unknown]> = [...Object.entries({ ...Facts, ...ChartFacts }), ...keyed]
    const functions = exported.flatMap(([name, value]) =>
      typeof value === "function" && !Schema.isSchema(value) ? [name] : []
    )
    assert.deepStrictEqual(functions.sort(), [...Object.keys(made), ...others].sort())
  })

  for (const [name, key = "none"] of Object.entries(made)) {
    it(`\`${key}\` of ${name} is kept from every other event of the process, and not from those of another process`, () => {
      assert.deepStrictEqual(
        ["note", "signal.go", "process.completed"].map((type) => Ids.isReservedReplayKey(p, key, type)),
        [true, true, true]
      )
      assert.strictEqual(Ids.isReservedReplayKey(processId("q"), key, "note"), false)
    })
  }

  it("leave the keys of a signal to that signal, and all others to authors", () => {
    const key = Ids.signalReplayKey(p, "go", "1")
    assert.strictEqual(key, "process:p:signal.go:1")
    assert.strictEqual(Ids.isReservedReplayKey(p, key, "signal.go"), false)
    assert.deepStrictEqual(
      ["note", "signal.g", "signal.go2", "process.completed"].map((type) => Ids.isReservedReplayKey(p, key, type)),
      [true, true, true, true]
    )
    for (const free of ["", "k", "process:p", "process:p:", "process:p:note:1", "process:p:started2", "started:1"]) {
      assert.strictEqual(Ids.isReservedReplayKey(p, free, "note"), false, free)
    }
  })
})

describe("every fact", () => {
  for (const [what, fact, expected] of facts) {
    it(`${what} is one event and one transition`, () => {
      assert.deepStrictEqual<unknown>(fact, {
        eventType: expected.eventType,
        payload: expected.payload,
        replayKey: expected.replayKey,
        semantics: expected.terminal === undefined ? {} : { terminal: expected.terminal },
        lifecycle: expected.lifecycle
      })
    })

    it(`${what} tells the machine the same when it is read back from the log`, () => {
      assert.deepStrictEqual<unknown>(Facts.lifecycleEventOf(stored(fact, 99)), { ...expected.lifecycle, atMs: 99 })
    })
  }

  it("an end on an authority notes it beside the output, and tells the machine nothing of it", () => {
    const output = { _tag: "Success", value: 1 } as const
    const plain = Facts.ended(p, output)
    const authorised = Facts.ended(p, output, "external_owner")
    assert.deepStrictEqual(authorised, {
      ...plain,
      payload: { await_output: { type: "success", value: 1 }, completion_authority: "external_owner" }
    })
    assert.deepStrictEqual<unknown>(Facts.lifecycleEventOf(stored(authorised, 5)), {
      type: "process.completed",
      atMs: 5,
      output
    })
  })
})

describe("the log, read by the machine", () => {
  const event = (eventType: string, payload: unknown, semantics: ProcessEvent["semantics"] = {}): ProcessEvent => ({
    processId: p,
    sequence: 4,
    eventType,
    payload,
    semantics,
    occurredAtMs: 70
  })
  const waitWire = {
    kind: { kind: "signal", name: "ready", event_type: "signal.ready", key: "process:p:signal.ready:1", ordinal: 1 },
    since_ms: 2
  }
  const outcomes: ReadonlyArray<readonly [unknown, unknown]> = [
    [
      { type: "signal", sequence: 3 },
      { _tag: "Signal", sequence: 3 }
    ],
    [{ type: "timer" }, { _tag: "Timer" }],
    [
      { type: "child", process_id: "c" },
      { _tag: "Child", processId: "c" }
    ],
    [{ type: "promise" }, { _tag: "Promise" }],
    [{ type: "timeout" }, { _tag: "Timeout" }],
    [{ type: "cancelled" }, { _tag: "Cancelled" }]
  ]
  const read: ReadonlyArray<readonly [string, ProcessEvent, unknown]> = [
    [
      "an opened wait",
      event("process.waiting", { wait: waitWire }),
      {
        type: "process.waiting",
        wait: {
          kind: {
            _tag: "Signal",
            name: "ready",
            eventType: "signal.ready",
            key: "process:p:signal.ready:1",
            ordinal: 1
          },
          sinceMs: 2
        }
      }
    ],
    ...outcomes.map(
      ([wire, outcome]) =>
        [
          `a wait that ended as ${JSON.stringify(wire)}`,
          event("process.resumed", { wait_key: "process:p:signal.ready:1", outcome: wire }),
          { type: "process.resumed", waitKey: "process:p:signal.ready:1", outcome }
        ] as const
    ),
    [
      "an external reference",
      event("process.external_ref_set", { external_ref: { backend: "q", id: "7", metadata: { n: null } } }),
      { type: "process.external_ref_set", externalRef: { backend: "q", id: "7", metadata: { n: null } } }
    ],
    [
      "an external reference without metadata",
      event("process.external_ref_set", { external_ref: { backend: "q", id: "7" } }),
      { type: "process.external_ref_set", externalRef: { backend: "q", id: "7" } }
    ],
    [
      "a cleared wake target",
      event("process.wake_target_cleared", { session_id: "s" }),
      { type: "process.wake_target_cleared", sessionId: "s" }
    ],
    ["a signal", event("signal.ready", { any: 1 }), { type: "process.noted", isSignal: true }],
    [
      "a producer's event that wakes",
      event("line", "x", { wake: { input: "x", dedupeKey: "p:4" } }),
      { type: "process.noted" }
    ],
    [
      "a producer's own end",
      event(
        "deploy.rolled_out",
        { url: "u" },
        { terminal: { state: "completed", awaitOutput: { _tag: "Success", value: "u" } } }
      ),
      { type: "process.completed", output: { _tag: "Success", value: "u" } }
    ],
    [
      "an end that is also a wake",
      event("done", 1, {
        terminal: { state: "cancelled", awaitOutput: { _tag: "Cancelled", message: "m" } },
        wake: { input: "1", dedupeKey: "k" }
      }),
      { type: "process.cancelled", output: { _tag: "Cancelled", message: "m" } }
    ],
    ["an event that is called an end but means none", event("process.completed", {}), { type: "process.noted" }],
    ["a name that objects inherit", event("constructor", {}), { type: "process.noted" }]
  ]
  for (const [what, storedEvent, machineEvent] of read) {
    it(`${what} becomes ${(machineEvent as MachineEvent).type}, at the time it was stored`, () => {
      assert.deepStrictEqual<unknown>(Facts.lifecycleEventOf(storedEvent), { ...(machineEvent as object), atMs: 70 })
    })
  }

  const torn: ReadonlyArray<ProcessEvent> = [
    event("process.started", { started: { owner: localWire, started_at_ms: 1, fencing_token: 1 } }),
    event("process.suspended", { reason: "bored" }),
    event("process.waiting", {}),
    event("process.cancel_requested", {}),
    event("process.wake_target_cleared", null)
  ]
  for (const broken of torn) {
    it(`a stored ${broken.eventType} whose payload is not its own is a defect, never a guess`, () => {
      assert.throws(() => Facts.lifecycleEventOf(broken))
    })
  }
})
