import { assert, describe, it } from "@effect/vitest"
import type { ProcessSnapshot } from "../../machines/process/lifecycle.ts"
import { nextDeadline } from "../../machines/process/lifecycle.ts"
import { processMachine } from "../../machines/process/machine.ts"
import type { ProcessEvent } from "../../machines/process/types.ts"
import * as Step from "../../machines/xstate/step.ts"

const after = (...history: ReadonlyArray<ProcessEvent>): ProcessSnapshot =>
  history.reduce(
    (snapshot, event) => Step.advance(processMachine, snapshot, event).snapshot,
    Step.begin(processMachine, { createdAtMs: 1, wakeTarget: null }).snapshot
  )

const timer = (key: string, deadlineMs?: number): ProcessEvent => ({
  type: "process.waiting",
  atMs: 20,
  wait: { kind: { _tag: "Timer", key }, sinceMs: 20, ...(deadlineMs === undefined ? {} : { deadlineMs }) }
})

describe("the next deadline of a process", () => {
  const ended = { type: "process.resumed", atMs: 50, waitKey: "t2", outcome: { _tag: "Timer" } } as const
  const completed = { type: "process.completed", atMs: 60, output: { _tag: "Success", value: null } } as const
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<ProcessEvent>, number | null]> = [
    ["is none without a wait", [], null],
    ["is none when no wait has one", [timer("t1")], null],
    ["is the earliest, zero among them", [timer("t1", 90), timer("t0"), timer("t2", 0)], 0],
    ["is the next one, once a wait has ended", [timer("t1", 90), timer("t2", 0), ended], 90],
    ["is none once it has ended", [timer("t1", 90), completed], null]
  ]
  for (const [what, history, expected] of cases) {
    it(what, () => assert.strictEqual(nextDeadline(after(...history)), expected))
  }
})
