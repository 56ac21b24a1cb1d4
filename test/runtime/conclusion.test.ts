import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Schema from "effect/Schema"
import type { Disturbance } from "../../machines/run.ts"
import type { LogLine } from "../../src/host/embed/createHost.ts"
import { createHost } from "../../src/host/embed/createHost.ts"
import type { AwaitOutput } from "../../src/model/AwaitOutput.ts"
import { LeaseLost, ParentClosing, ProcessCancelled, ReplayDiverged, StoreError } from "../../src/model/errors.ts"
import type { RuntimeError } from "../../src/model/failures.ts"
import { processId } from "../../src/model/ids.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import type { Conclusion, Ending } from "../../src/runtime/worker/conclusion.ts"
import { conclude } from "../../src/runtime/worker/conclusion.ts"

const owner = opaqueOwner("worker", "life-1")
const done: AwaitOutput = { _tag: "Success", value: 7 }
const succeeded = Exit.succeed(done)
const interrupted = Exit.failCause(Cause.interrupt(FiberId.none))
const died = Exit.die(new TypeError("no such thing"))
const storeOut = new StoreError({ operation: "write", reason: "full", written: "no", detail: "the disk is full" })
const failing = (error: RuntimeError): Ending["exit"] => Exit.fail(error)
const lost = (id: string) => new LeaseLost({ processId: id, fencingToken: 1, currentFence: 2 })
const closing = failing(new ParentClosing({ processId: "p", childId: "p/c" }))
const diverged = new ReplayDiverged({ processId: "p", position: 1, key: "a#1", expected: "step", actual: "sleep" })
const childCancelled = new ProcessCancelled({ processId: "p/child", reason: "why not" })

const drop: Conclusion = { _tag: "Drop" }
const handBack: Conclusion = { _tag: "HandBack", reason: "handed_back" }
const complete = (output: AwaitOutput): Conclusion => ({ _tag: "Complete", output })
const cancelled = complete({ _tag: "Cancelled", message: "enough" })
const defect = complete({
  _tag: "Failure",
  class: "internal",
  code: "process_defect",
  message: "TypeError: no such thing"
})

/** What was thrown is described where descriptions are tested. */
const withoutThrown = (conclusion: Conclusion): Conclusion => {
  if (conclusion._tag !== "Complete" || conclusion.output._tag !== "Failure") return conclusion
  const { thrown: _thrown, ...output } = conclusion.output
  return { ...conclusion, output }
}

type Row = readonly [
  name: string,
  exit: Ending["exit"],
  stop: Disturbance | undefined,
  disposition: "rerunnable" | "owner_bound",
  expected: Conclusion
]

const table: ReadonlyArray<Row> = [
  ["a body that completes is completed", succeeded, undefined, "rerunnable", complete(done)],
  ["a body that completes after a cancel request stays completed", succeeded, "cancel", "rerunnable", complete(done)],
  ["a body that completes while the host stops is completed", succeeded, "host_stop", "owner_bound", complete(done)],
  ["a body that completes after its lease was lost writes nothing", succeeded, "lease_lost", "rerunnable", drop],
  ["a body whose process ended elsewhere writes nothing", succeeded, "superseded", "rerunnable", drop],
  ["an interruption by a cancel request is a cancellation", interrupted, "cancel", "owner_bound", cancelled],
  ["rerunnable work is handed back when the host stops", interrupted, "host_stop", "rerunnable", handBack],
  [
    "owner-bound work is given up by its owner when the host stops",
    interrupted,
    "host_stop",
    "owner_bound",
    complete({ _tag: "Abandoned", evidence: { writer: "owner_drain", owner, epochMs: 5_000 } })
  ],
  [
    "an interruption that nobody asked for is a failure, not a cancellation",
    interrupted,
    undefined,
    "rerunnable",
    complete({
      _tag: "Failure",
      class: "internal",
      code: "process_interrupted",
      message: "the body interrupted itself"
    })
  ],
  ["a defect is the outcome, whatever the disposition", died, undefined, "rerunnable", defect],
  ["a defect after a cancel request is still a defect", died, "cancel", "owner_bound", defect],
  ["a body that is told its own lease is lost writes nothing", failing(lost("p")), undefined, "rerunnable", drop],
  [
    "another process's lost lease is an ordinary failure",
    failing(lost("q")),
    undefined,
    "rerunnable",
    complete({ _tag: "Failure", class: "execution", code: "LeaseLost", message: lost("q").message })
  ],
  ["a body refused a child because it was asked to stop is cancelled", closing, undefined, "rerunnable", cancelled],
  [
    "a body whose code does not fit its journal backs off, and writes no end",
    failing(diverged),
    undefined,
    "rerunnable",
    { _tag: "Diverged", problem: diverged.message }
  ],
  [
    "a body whose code does not fit its journal is cancelled where it was asked to stop",
    failing(diverged),
    "cancel",
    "rerunnable",
    cancelled
  ],
  ["a store that is out says nothing about rerunnable work", failing(storeOut), undefined, "rerunnable", handBack],
  [
    "owner-bound work that the store failed cannot run again, so it fails",
    failing(storeOut),
    undefined,
    "owner_bound",
    complete({
      _tag: "Failure",
      class: "unavailable",
      code: "StoreError",
      message: "the store could not write: the disk is full"
    })
  ],
  [
    "a child's end that the body lets through fails it under that error's name",
    failing(childCancelled),
    undefined,
    "rerunnable",
    complete({
      _tag: "Failure",
      class: "execution",
      code: "ProcessCancelled",
      message: "process `p/child` was cancelled: why not"
    })
  ]
]

describe("the conclusion of an activation", () => {
  for (const [name, exit, stop, disposition, expected] of table) {
    it(name, () => {
      const ending: Ending = {
        processId: processId("p"),
        exit,
        stop,
        disposition,
        cancelReason: stop === "cancel" || exit === closing ? "enough" : null,
        owner,
        nowMs: 5_000
      }
      assert.deepStrictEqual(withoutThrown(conclude(ending)), expected)
    })
  }

  it("a cancellation without a reason says only that it was cancelled", () => {
    const ending = { processId: processId("p"), exit: interrupted, stop: "cancel", disposition: "rerunnable" } as const
    assert.deepStrictEqual(
      conclude({ ...ending, cancelReason: null, owner, nowMs: 0 }),
      complete({ _tag: "Cancelled", message: "cancelled" })
    )
  })
})

describe("the failure of a process", () => {
  it("is one line of the log, which says what was thrown and where; one that its engine declares is none", async () => {
    const lines: Array<LogLine> = []
    const base = { version: "1", payload: Schema.Null, success: Schema.Null, disposition: "rerunnable" } as const
    const Thrown = Engine.make("thrown", { ...base, run: () => Effect.die(new Error("no card", { cause: "offline" })) })
    const Declared = Engine.make("declared", { ...base, error: Schema.String, run: () => Effect.fail("no card") })
    const host = await createHost({ engines: [Thrown, Declared], memory: true, log: (line) => lines.push(line) })
    try {
      for (const engine of [Thrown, Declared]) {
        const handle = await host.start(engine as typeof Thrown, { id: engine.kind, payload: null }) // both take null
        await handle.result().catch(() => undefined)
      }
    } finally {
      await host.stop()
    }
    const failures = lines.filter(({ message }) => message.includes("failed ("))
    assert.deepStrictEqual(
      failures.map(({ level }) => level),
      ["error"]
    )
    assert.match(
      failures[0]?.message ?? "",
      /^thrown failed \(internal, process_defect\): Error: no card\n +at .*conclusion\.test(.|\n)*offline/
    )
  })
})
