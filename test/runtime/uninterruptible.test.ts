import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FC from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import { interruptedGently } from "../../src/runtime/body/step.ts"
import type * as Engine from "../../src/runtime/engine/Engine.ts"
import { patienceMs } from "../support/patience.ts"
import { isLong } from "../support/samples.ts"
import type { Body } from "./replays.ts"
import { enginesOf } from "./replays.ts"
import { make } from "./schedules.ts"

type Work = Effect.Effect<string>

/** What may be around work that nothing interrupts: whatever forks fibers for it waits for them. */
const around: Readonly<Record<string, (work: Work) => Work>> = {
  "a time limit": (work) => Effect.orDie(Effect.timeout(work, "1 hour")),
  branches: (work) => Effect.map(Effect.all([work, Effect.void], { concurrency: 2 }), ([value]) => value),
  "a race": (work) => Effect.race(work, Effect.interruptible(Effect.never)),
  "a fiber that is joined": (work) => Effect.flatMap(Effect.fork(work), Fiber.join),
  "a fiber beside": (work) => Effect.zipRight(Effect.fork(Effect.interruptible(Effect.never)), work),
  "a finaliser": (work) => Effect.ensuring(work, Effect.void),
  "a region that is restored": (work) => Effect.uninterruptibleMask((restore) => restore(work))
}

const wrapped = FC.array(FC.constantFrom(...Object.keys(around)), { maxLength: 3 })

const workOf = (names: ReadonlyArray<string>, pay: Work): Work =>
  Effect.uninterruptible(names.reduce((work, name) => around[name]?.(work) ?? work, pay))

const timings = { leaseTtl: "90 millis", leaseRenewal: "30 millis", sweepInterval: "20 millis" } as const

/** Runs work as a step or as a body, and lets something happen while it is under way; answers how often it was done, and its end. */
const disturbed = (names: ReadonlyArray<string>, as: "step" | "body", by: "stop" | "cancel") =>
  Effect.gen(function* () {
    const did: Array<string> = []
    const pay = Effect.zipRight(
      Effect.sleep("20 millis"),
      Effect.sync(() => `paid ${did.push("pay")}`)
    )
    const body: Body = {
      effects: (ctx) => (as === "step" ? ctx.step("pay", workOf(names, pay)) : workOf(names, pay))
    }
    const engine = enginesOf("paying", body, () => 0)[0]?.[1] as Engine.Engine<null, string, never, never>
    const world = yield* make
    const boot = world.boot([engine as Engine.Runnable<never>], timings)
    const first = yield* boot
    const handle = Effect.map(Processes, (processes) => processes.handle(engine, "p"))
    yield* first.run(Effect.flatMap(Processes, (processes) => processes.start(engine, { id: "p", payload: null })))
    yield* world.advance(5)
    if (by === "stop") yield* first.stop
    else yield* first.run(Effect.flatMap(handle, (process) => process.cancel("enough")))
    const last = by === "stop" ? yield* boot : first
    yield* last.run(Effect.flatMap(handle, (process) => Effect.exit(process.await)))
    const { status } = yield* last.run(Effect.flatMap(handle, (process) => process.status))
    const journal = yield* world.store.execution.journal(processId("p"))
    return { did, status, steps: journal.map(({ key }) => key) }
  }).pipe(Effect.orDie, Effect.scoped)

describe("work that nothing interrupts, whatever is around it", () => {
  const runs = isLong ? 100 : 6

  it("is done once, and its value recorded, as a step whose host stops", () =>
    FC.assert(
      FC.asyncProperty(wrapped, async (names) => {
        const { did, status } = await Effect.runPromise(disturbed(names, "step", "stop"))
        assert.deepStrictEqual(did, ["pay"])
        assert.deepStrictEqual(status, { _tag: "Completed", output: { _tag: "Success", value: "paid 1" } })
      }),
      { numRuns: runs, examples: [[["a time limit"]], [["a fiber that is joined"]], [["a fiber beside"]]] }
    ))

  it("is recorded, as a step of a process that is asked to stop", () =>
    FC.assert(
      FC.asyncProperty(wrapped, async (names) => {
        const { did, steps } = await Effect.runPromise(disturbed(names, "step", "cancel"))
        assert.deepStrictEqual([did, steps], [["pay"], ["pay#1"]])
      }),
      { numRuns: runs, examples: [[["a time limit"]], [["a fiber that is joined"]], [["a fiber beside"]]] }
    ))

  it("is what the process ends with, as a body that is asked to stop", () =>
    FC.assert(
      FC.asyncProperty(wrapped, async (names) => {
        const { status } = await Effect.runPromise(disturbed(names, "body", "cancel"))
        assert.deepStrictEqual(status, { _tag: "Completed", output: { _tag: "Success", value: "paid 1" } })
      }),
      { numRuns: runs, examples: [[["a time limit"]], [["a fiber that is joined"]], [["a fiber beside"]]] }
    ))

  it("does not keep what can be interrupted from it: a time limit, a race or branches that only wait", async () => {
    const waits: ReadonlyArray<Effect.Effect<unknown>> = [
      Effect.orDie(Effect.timeout(Effect.never, "1 hour")),
      Effect.orDie(Effect.timeout(Effect.timeout(Effect.never, "1 hour"), "1 hour")),
      Effect.race(Effect.never, Effect.never),
      Effect.all([Effect.never, Effect.orDie(Effect.timeout(Effect.never, "1 hour"))], { concurrency: 2 }),
      Effect.flatMap(Effect.fork(Effect.never), Fiber.join)
    ]
    for (const wait of waits) {
      const ended = Effect.gen(function* () {
        const fiber = yield* Effect.forkDaemon(wait)
        yield* Effect.yieldNow()
        return yield* Effect.timeout(interruptedGently(fiber), patienceMs)
      })
      assert.isTrue(Exit.isInterrupted(await Effect.runPromise(ended)))
    }
  })
})
