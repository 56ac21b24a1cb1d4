import { assert, describe, it } from "@effect/vitest"
import * as Step from "../../machines/xstate/step.ts"
import type { AwaitOutput } from "../../src/model/AwaitOutput.ts"
import type { EnvironmentRef } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import type { ProcessEvent } from "../../src/model/ProcessEvent.ts"
import * as ProcessRecord from "../../src/model/ProcessRecord.ts"

const p = processId("p")
const base: ProcessRecord.Base = {
  registration: {
    id: p,
    input: { _tag: "Engine", kind: "k", payload: { a: 1 } },
    disposition: "rerunnable",
    identity: { kind: "k", label: "L" },
    eventTypes: [],
    provenance: { originator: { _tag: "Host" } },
    envRef: "process-env:sha256:00" as EnvironmentRef,
    wakeTarget: { sessionId: "s", agentFrameId: "f" },
    parent: { processId: processId("boss"), closePolicy: "keep" },
    maxAttempts: 3
  },
  registrationHash: "hash",
  createdAtMs: 1000
}

/** What every record of that base has, whatever happened. */
const constant = {
  id: "p",
  input: { _tag: "Engine", kind: "k", payload: { a: 1 } },
  disposition: "rerunnable",
  identity: { kind: "k", label: "L" },
  eventTypes: [],
  provenance: { originator: { _tag: "Host" } },
  envRef: "process-env:sha256:00",
  parent: { processId: "boss", closePolicy: "keep" },
  maxAttempts: 3,
  registrationHash: "hash",
  createdAtMs: 1000
}
const pristine = {
  ...constant,
  updatedAtMs: 1000,
  activations: 0,
  attempts: 0,
  wakeTarget: { sessionId: "s", agentFrameId: "f" },
  waits: [],
  waitCounts: {},
  consumedSignals: {},
  status: { _tag: "Running" }
}

type Entry = readonly [eventType: string, payload: unknown, semantics?: ProcessEvent["semantics"]]
/** A log as it stands in the store: sequence 1, 2, …, one event every ten milliseconds. */
const log = (...entries: ReadonlyArray<Entry>): ReadonlyArray<ProcessEvent> =>
  entries.map(([eventType, payload, semantics = {}], index) => ({
    processId: p,
    sequence: index + 1,
    eventType,
    payload,
    semantics,
    occurredAtMs: 1010 + index * 10
  }))
const recordOf = (...entries: ReadonlyArray<Entry>): ProcessRecord.ProcessRecord =>
  ProcessRecord.make(base, Step.persist(ProcessRecord.fold(base, log(...entries))))

const ownerWire = { owner_id: "w", incarnation_id: "i", liveness: { kind: "opaque" } }
const owner = { ownerId: "w", incarnationId: "i", liveness: { _tag: "Opaque" } }
const started = (attempt: number): Entry => [
  "process.started",
  { started: { owner: ownerWire, started_at_ms: 1005, attempt, fencing_token: attempt } }
]
const waitWire = (key: string, name: string) => ({
  kind: { kind: "signal", name, event_type: `signal.${name}`, key, ordinal: 1 },
  since_ms: 2
})
const wait = (key: string, name: string) => ({
  kind: { _tag: "Signal", name, eventType: `signal.${name}`, key, ordinal: 1 },
  sinceMs: 2
})
const end = (
  eventType: string,
  state: "completed" | "failed" | "cancelled" | "abandoned",
  output: AwaitOutput
): Entry => [eventType, {}, { terminal: { state, awaitOutput: output } }]
const success: AwaitOutput = { _tag: "Success", value: { url: "u" } }

describe("the record of an empty log", () => {
  it("is the registration, running, untouched since its creation", () => {
    assert.deepStrictEqual<unknown>(recordOf(), pristine)
  })

  it("without a wake target has none", () => {
    const { wakeTarget: _w, ...registration } = base.registration
    const sleepless = { ...base, registration }
    const record = ProcessRecord.make(sleepless, Step.persist(ProcessRecord.fold(sleepless, [])))
    const { wakeTarget: _, ...rest } = pristine
    assert.deepStrictEqual<unknown>(record, rest)
  })

  it("is what a new process is stored with, however many were made before", () => {
    const { wakeTarget: _w, ...registration } = base.registration
    const other = { registration: { ...registration, id: processId("q") }, registrationHash: "h2", createdAtMs: 5 }
    for (const each of [base, other, base]) {
      assert.deepStrictEqual(Step.persist(ProcessRecord.initial(each)), Step.persist(ProcessRecord.fold(each, [])))
    }
    assert.deepStrictEqual<unknown>(ProcessRecord.make(base, Step.persist(ProcessRecord.initial(base))), pristine)
  })
})

describe("the fold of a log", () => {
  it("of a waiting process has its first start, its waits and the oldest of them", () => {
    const waiting = recordOf(
      started(1),
      ["process.waiting", { wait: waitWire("k1", "ready") }],
      ["process.waiting", { wait: waitWire("k2", "go") }]
    )
    assert.deepStrictEqual<unknown>(waiting, {
      ...pristine,
      updatedAtMs: 1030,
      activations: 1,
      attempts: 1,
      firstStarted: { owner, startedAtMs: 1005 },
      waits: [wait("k1", "ready"), wait("k2", "go")],
      waitCounts: { k1: 1, k2: 1 },
      wait: wait("k1", "ready")
    })
  })

  it("of a process whose oldest wait ended has the next one, and knows what was consumed", () => {
    const resumed = recordOf(
      ["process.waiting", { wait: waitWire("k1", "ready") }],
      ["process.waiting", { wait: waitWire("k2", "go") }],
      ["signal.ready", { any: 1 }],
      ["process.resumed", { wait_key: "k1", outcome: { type: "signal", sequence: 3 } }]
    )
    assert.deepStrictEqual<unknown>(resumed, {
      ...pristine,
      updatedAtMs: 1040,
      waits: [wait("k2", "go")],
      waitCounts: { k1: 1, k2: 1 },
      consumedSignals: { ready: 3 },
      wait: wait("k2", "go")
    })
  })

  it("of a life with everything in it keeps each fact, and the wait is over at the end", () => {
    const record = recordOf(
      started(1),
      ["process.suspended", { reason: "handed_back" }],
      started(1),
      started(2),
      ["process.external_ref_set", { external_ref: { backend: "q", id: "7" } }],
      ["process.waiting", { wait: waitWire("k1", "ready") }],
      ["process.cancel_requested", { reason: "stop" }],
      ["process.cancel_requested", { reason: null }],
      ["process.abandon_requested", { request: { requested_by: "op", requested_at_ms: 9 } }],
      end("process.failed", "failed", { _tag: "Failure", class: "external", code: "c", message: "m" })
    )
    assert.deepStrictEqual<unknown>(record, {
      ...pristine,
      updatedAtMs: 1100,
      activations: 3,
      attempts: 2,
      firstStarted: { owner, startedAtMs: 1005 },
      externalRef: { backend: "q", id: "7" },
      cancelRequest: { reason: "stop", requestedAtMs: 1070 },
      abandonRequest: { requestedBy: "op", requestedAtMs: 9 },
      waitCounts: { k1: 1 },
      status: { _tag: "Failed", output: { _tag: "Failure", class: "external", code: "c", message: "m" } }
    })
  })

  const producersEnds: ReadonlyArray<readonly [Entry, ProcessRecord.ProcessStatus]> = [
    [end("deploy.done", "completed", success), { _tag: "Completed", output: success }],
    [
      end("deploy.broke", "failed", { _tag: "Failure", class: "execution", code: "c", message: "m" }),
      { _tag: "Failed", output: { _tag: "Failure", class: "execution", code: "c", message: "m" } }
    ],
    [
      end("deploy.stopped", "cancelled", { _tag: "Cancelled", message: "m" }),
      { _tag: "Cancelled", output: { _tag: "Cancelled", message: "m" } }
    ],
    [
      end("deploy.lost", "abandoned", { _tag: "Abandoned", evidence: { writer: "owner_drain", epochMs: 0 } }),
      { _tag: "Abandoned", output: { _tag: "Abandoned", evidence: { writer: "owner_drain", epochMs: 0 } } }
    ]
  ]
  for (const [entry, status] of producersEnds) {
    it(`a producer's own ${entry[0]} ends the process as ${status._tag}`, () => {
      const record = recordOf(entry)
      assert.deepStrictEqual<unknown>(record, { ...pristine, updatedAtMs: 1010, status })
      assert.isTrue(ProcessRecord.isTerminal(record))
    })
  }

  it("an event without lifecycle meaning moves the time of the last change and nothing else", () => {
    assert.deepStrictEqual<unknown>(recordOf(["deploy.progress", { percent: 5 }]), { ...pristine, updatedAtMs: 1010 })
  })

  it("what is noted after the end leaves the end as it is", () => {
    const record = recordOf(
      end("process.completed", "completed", success),
      ["signal.ready", {}],
      ["process.cancel_requested", { reason: null }],
      started(1),
      ["process.external_ref_set", { external_ref: { backend: "q", id: "7" } }],
      ["process.wake_target_cleared", { session_id: "s" }]
    )
    assert.deepStrictEqual<unknown>(record, {
      ...constant,
      updatedAtMs: 1060,
      activations: 0,
      attempts: 0,
      firstStarted: { owner, startedAtMs: 1005 },
      externalRef: { backend: "q", id: "7" },
      waits: [],
      waitCounts: {},
      consumedSignals: {},
      status: { _tag: "Completed", output: success }
    })
  })

  it("a cleared wake target is gone from the record, that of another session stays", () => {
    assert.isFalse("wakeTarget" in recordOf(["process.wake_target_cleared", { session_id: "s" }]))
    assert.deepStrictEqual<unknown>(recordOf(["process.wake_target_cleared", { session_id: "other" }]), pristine)
  })

  it("reads any sequence of events once, and leaves base and log as they were", () => {
    const events = log(started(1), end("done", "completed", success))
    const before = JSON.stringify([base, events])
    const once = ProcessRecord.fold(base, new Set(events))
    assert.deepStrictEqual(Step.persist(once), Step.persist(ProcessRecord.fold(base, events)))
    assert.strictEqual(JSON.stringify([base, events]), before)
  })

  it("goes on from any point to the same record", () => {
    const events = log(
      started(1),
      ["process.waiting", { wait: waitWire("k1", "ready") }],
      ["process.resumed", { wait_key: "k1", outcome: { type: "timeout" } }],
      ["process.suspended", { reason: "lease_lost" }],
      started(1),
      end("done", "completed", success)
    )
    const stored = JSON.parse(JSON.stringify(events)) as ReadonlyArray<ProcessEvent>
    assert.deepStrictEqual(
      Step.persist(ProcessRecord.fold(base, stored)),
      Step.persist(ProcessRecord.fold(base, events))
    )
  })
})

describe("the label of a record", () => {
  const labels: ReadonlyArray<readonly [string, ReadonlyArray<Entry>]> = [
    ["running", []],
    ["running", [started(1), ["process.waiting", { wait: waitWire("k1", "ready") }]]],
    ["completed", [end("process.completed", "completed", success)]],
    ["failed", [end("process.failed", "failed", { _tag: "Failure", class: "internal", code: "c", message: "m" })]],
    ["cancelled", [end("process.cancelled", "cancelled", { _tag: "Cancelled", message: "m" })]],
    [
      "abandoned",
      [
        end("process.abandoned", "abandoned", {
          _tag: "Abandoned",
          evidence: { writer: "reconciled_request", epochMs: 1 }
        })
      ]
    ]
  ]
  for (const [label, entries] of labels) {
    it(`is ${label} after ${entries.map(([type]) => type).join(", ") || "nothing"}`, () => {
      const record = recordOf(...entries)
      assert.strictEqual(ProcessRecord.lifecycleLabel(record), label)
      assert.strictEqual(ProcessRecord.isTerminal(record), label !== "running")
    })
  }
})
