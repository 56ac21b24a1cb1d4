import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FC from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import { interrupted } from "../../src/runtime/body/interruption.ts"
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

/** Runs a body, and lets something happen while it is under way; answers how it ended, and the keys of its operations. */
const disturbed = (effects: Body["effects"] & {}, by: "stop" | "cancel") =>
  Effect.gen(function* () {
    const engine = enginesOf("paying", { effects }, () => 0)[0]?.[1] as Engine.Engine<null, string, never, never>
    const world = yield* make
    const boot = world.boot([engine as Engine.Runnable<never>], timings)
    const first = yield* boot
    const handle = Effect.map(Processes, (processes) => processes.handle(engine, "p"))
    yield* first.run(Effect.flatMap(Processes, (processes) => processes.start(engine, { id: "p", payload: null })))
    yield* world.advance(5)
    if (by === "stop") yield* first.stop
    else yield* first.run(Effect.flatMap(handle, (process) => process.cancel("enough")))
    const last = by === "stop" ? yield* boot : first
    yield* Effect.timeout(last.run(Effect.flatMap(handle, (process) => Effect.exit(process.await))), patienceMs)
    const { status } = yield* last.run(Effect.flatMap(handle, (process) => process.status))
    const journal = yield* world.store.execution.journal(processId("p"))
    return { status, steps: journal.map(({ key }) => key) }
  }).pipe(Effect.orDie, Effect.scoped)

/** Pays, as a step or as a body, in a way of its own; answers how often that was done, too. */
const paying = async (as: "step" | "body", by: "stop" | "cancel", how: (pay: Work) => Work) => {
  const did: Array<string> = []
  const pay = Effect.zipRight(
    Effect.sleep("20 millis"),
    Effect.sync(() => `paid ${did.push("pay")}`)
  )
  const ended = await Effect.runPromise(disturbed((ctx) => (as === "step" ? ctx.step("pay", how(pay)) : how(pay)), by))
  return { ...ended, did }
}

describe("work that nothing interrupts, whatever is around it", () => {
  const runs = isLong ? 100 : 6

  it("is done once, and its value recorded, as a step whose host stops", () =>
    FC.assert(
      FC.asyncProperty(wrapped, async (names) => {
        const { did, status } = await paying("step", "stop", (pay) => workOf(names, pay))
        assert.deepStrictEqual(did, ["pay"])
        assert.deepStrictEqual(status, { _tag: "Completed", output: { _tag: "Success", value: "paid 1" } })
      }),
      { numRuns: runs, examples: [[["a time limit"]], [["a fiber that is joined"]], [["a fiber beside"]]] }
    ))

  it("is recorded, as a step of a process that is asked to stop", () =>
    FC.assert(
      FC.asyncProperty(wrapped, async (names) => {
        const { did, steps } = await paying("step", "cancel", (pay) => workOf(names, pay))
        assert.deepStrictEqual([did, steps], [["pay"], ["pay#1"]])
      }),
      { numRuns: runs, examples: [[["a time limit"]], [["a fiber that is joined"]], [["a fiber beside"]]] }
    ))

  it("is what the process ends with, as a body that is asked to stop", () =>
    FC.assert(
      FC.asyncProperty(wrapped, async (names) => {
        const { status } = await paying("body", "cancel", (pay) => workOf(names, pay))
        assert.deepStrictEqual(status, { _tag: "Completed", output: { _tag: "Success", value: "paid 1" } })
      }),
      { numRuns: runs, examples: [[["a time limit"]], [["a fiber that is joined"]], [["a fiber beside"]]] }
    ))

  it("is over at its end: a body does nothing after it that is asked to stop, and neither does a step that goes on without end", async () => {
    const brief = Effect.sleep("5 millis")
    const region = Effect.uninterruptible(brief)
    const bodies: Readonly<Record<string, Body["effects"] & {}>> = {
      "a loop of regions": () => Effect.forever(region),
      "a loop of regions, with a time limit": () => Effect.orDie(Effect.timeout(Effect.forever(region), "1 hour")),
      "a step that is a loop of regions": (ctx) => ctx.step("poll", Effect.forever(region)),
      "a step that is a loop of regions, with a time limit": (ctx) =>
        ctx.step("poll", Effect.orDie(Effect.timeout(Effect.forever(region), "1 hour"))),
      "a step that waits after a region": (ctx) => ctx.step("wait", Effect.zipRight(region, Effect.never)),
      "a step that works on after a region": (ctx) =>
        ctx.step("work", Effect.zipRight(region, Effect.forever(Effect.void)))
    }
    for (const [name, effects] of Object.entries(bodies)) {
      const { status } = await Effect.runPromise(disturbed(effects, "cancel"))
      assert.strictEqual(status._tag, "Cancelled", name)
    }
  })

  it("is over at its end, so a second one is not begun", async () => {
    const steps = (ctx: ExecutionContext, names: ReadonlyArray<string>) =>
      Effect.forEach(names, (name) => Effect.uninterruptible(ctx.step(name, Effect.sleep("20 millis"))))
    const limited = (work: Effect.Effect<unknown, unknown>) => Effect.timeout(work, "1 hour")
    for (const around of [
      (work: Effect.Effect<unknown, unknown>) => work,
      limited,
      (work: Effect.Effect<unknown, unknown>) => limited(limited(work))
    ]) {
      const { steps: keys, status } = await Effect.runPromise(
        disturbed((ctx) => Effect.as(around(steps(ctx, ["reserve", "charge"])), "done"), "cancel")
      )
      assert.deepStrictEqual([keys, status._tag], [["reserve#1"], "Cancelled"])
    }
  })

  it("is recorded as what a step makes of it, though its host stops", async () => {
    const { did, status } = await paying("step", "stop", (pay) =>
      Effect.map(Effect.uninterruptible(pay), (paid) => `${paid} in full`)
    )
    assert.deepStrictEqual(did, ["pay"])
    assert.deepStrictEqual(status, { _tag: "Completed", output: { _tag: "Success", value: "paid 1 in full" } })
  })

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
        return yield* Effect.timeout(interrupted(fiber, "at once"), patienceMs)
      })
      assert.isTrue(Exit.isInterrupted(await Effect.runPromise(ended)))
    }
  })
})
