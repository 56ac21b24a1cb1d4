/**
 * A host for the tests of the command line, run as a child process: it fills a database with processes in every posture, says
 * `ready`, and goes on running until it is killed.
 *
 * usage: node hostProgram.js <database>
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Engine, Processes, SingleHost } from "../../src/index.ts"
import { emptyRef } from "../../src/model/Environment.ts"
import * as EventType from "../../src/model/EventType.ts"
import { processId, signalEventType, signalWaitKey } from "../../src/model/ids.ts"
import * as Registration from "../../src/model/Registration.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import { ProcessRegistry, Waits } from "../../src/operations.ts"
import { patienceMs } from "../support/patience.ts"

const [, , filename = ""] = process.argv

const common = { version: "1", payload: Schema.Unknown, success: Schema.Unknown } as const

const Quick = Engine.make("quick", { ...common, disposition: "rerunnable", run: (payload) => Effect.succeed(payload) })

const Work = Engine.make("work", { ...common, disposition: "rerunnable", run: () => Effect.never })

const Charge = Engine.make("charge", { ...common, disposition: "owner_bound", run: () => Effect.never })

const Family = Engine.make("family", {
  ...common,
  disposition: "rerunnable",
  run: (_payload, ctx) =>
    Effect.gen(function* () {
      yield* ctx.start(Quick, { name: "quick", payload: "done" })
      const child = yield* ctx.start(Work, { name: "slow", payload: null })
      return yield* Effect.orDie(child.await)
    })
})

const session = { originator: { _tag: "Session", scope: { sessionId: "s1" } } } as const

const program = Effect.gen(function* () {
  const processes = yield* Processes
  const registry = yield* ProcessRegistry.ProcessRegistry
  const waits = yield* Waits.Waits
  const quick = yield* processes.start(Quick, { id: "quick-1", payload: { text: "a\u001b[31mb\nc" }, label: "first" })
  yield* quick.await
  yield* processes.start(Work, { id: "work-1", payload: null })
  yield* processes.start(Charge, { id: "charge-1", payload: { euro: 5 } })
  yield* processes.start(Family, { id: "family-1", payload: null })

  const review = processId("review-1")
  yield* registry.registerProcess({
    ...Registration.make(review, { _tag: "Engine", kind: "review", payload: null }, "rerunnable", session),
    envRef: emptyRef,
    eventTypes: [EventType.plain(signalEventType("approve"), { type: "object" })]
  })
  const key = signalWaitKey(review, "approve", 1)
  const kind = { _tag: "Signal", name: "approve", eventType: signalEventType("approve"), key, ordinal: 1 } as const
  yield* waits.setProcessWait(review, { kind, sinceMs: 1_700_000_000_000 }, Authority.host)

  const outside = processId("outside-1")
  const input = { _tag: "External", metadata: { label: "vendor" } } as const
  yield* registry.registerProcess(Registration.make(outside, input, "externally_owned", session))
  const unstarted = { _tag: "Engine", kind: "absent", payload: null } as const
  const absent = Registration.make(processId("absent-1"), unstarted, "rerunnable", session)
  yield* registry.registerProcess({ ...absent, envRef: emptyRef })

  const isSettled = Effect.map(
    registry.listProcesses({}),
    ({ records }) =>
      records.some(({ id, firstStarted }) => id === "family-1/slow" && firstStarted !== undefined) &&
      !records.some(({ id, status }) => id === "family-1/quick" && status._tag === "Running")
  )
  yield* Effect.repeat(Effect.delay(isSettled, "10 millis"), { until: (holds) => holds }).pipe(
    Effect.timeout(patienceMs)
  )
  yield* Effect.sync(() => process.stdout.write("ready\n"))
  return yield* Effect.never
})

const host = SingleHost.layerSqlite({ filename, engines: [Quick, Work, Charge, Family], sweepInterval: "50 millis" })

await Effect.runPromise(Effect.provide(program, host))
