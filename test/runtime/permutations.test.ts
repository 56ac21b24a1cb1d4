import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import type { ProcessEvent } from "../../src/model/ProcessEvent.ts"
import { verify } from "../../src/operations/verify.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { isFold } from "../../src/testing/evidence.ts"
import { samples } from "../support/samples.ts"
import type { Life, World } from "./schedules.ts"
import { make } from "./schedules.ts"

/** How many orders are tried. */
const runs = samples(15, 10_000)

const id = processId("p")
const Go = Signal.make("go", { payload: Schema.String })
const Close = Signal.make("close", { payload: Schema.Null })
const terminals = ["process.completed", "process.failed", "process.cancelled", "process.abandoned"]

/**
 * What may happen around a waiting body. `timeout` and `passivation` are time that passes, long and short; in a `meeting` a
 * signal comes while the body is being put away.
 */
const deeds = [
  "signal",
  "signal",
  "signal",
  "timeout",
  "cancel",
  "crash",
  "crash",
  "restart",
  "passivation",
  "meeting"
] as const
type Deed = (typeof deeds)[number]
/** A deed, and for how many turns of the loop everybody may go on before the next one. */
type Step = readonly [deed: Deed, turns: number]

const schedule: FC.Arbitrary<ReadonlyArray<Step>> = FC.shuffledSubarray([...deeds], { minLength: 2 }).chain((order) =>
  FC.array(FC.constantFrom(0, 1, 2, 3, 5, 8, 20), { minLength: order.length, maxLength: order.length }).map((pauses) =>
    order.map((deed, index): Step => [deed, pauses[index] ?? 0])
  )
)

const timings = { leaseTtl: "90 millis", leaseRenewal: "30 millis", sweepInterval: "20 millis" } as const

/**
 * Waits three times: with a timeout, for time alone, and for as long as it takes. It waits to be closed all the while, which
 * comes last: so every wait of the three ends while another one stays open.
 */
const waiter = (ran: Array<string>) => {
  const counted = (name: string) => Effect.sync(() => ran.push(name)).pipe(Effect.as(name))
  return Engine.make("waiter", {
    version: "1",
    payload: Schema.Null,
    success: Schema.Array(Schema.String),
    signals: [Go, Close],
    disposition: "rerunnable",
    passivateAfter: "10 millis",
    run: (_, ctx) => {
      const work = Effect.gen(function* () {
        yield* ctx.step("first", counted("first"))
        const one = yield* ctx
          .awaitSignal(Go, { timeout: "60 millis" })
          .pipe(Effect.catchTag("WaitTimedOut", () => Effect.succeed("nobody")))
        yield* ctx.sleep("25 millis")
        yield* ctx.step("second", counted("second"))
        const two = yield* ctx.awaitSignal(Go)
        yield* ctx.step("third", counted("third"))
        return [one, two]
      })
      const both = [ctx.scope("work", work), ctx.scope("end", ctx.awaitSignal(Close))] as const
      return Effect.map(Effect.all(both, { concurrency: "unbounded" }), ([done]) => done)
    }
  })
}

const logOf = ({ store }: World) => Effect.orDie(store.eventsAfter(id, 0))
const rowOf = ({ store }: World) =>
  Effect.map(Effect.orDie(store.find(id)), (found) => (found._tag === "Present" ? found.row : undefined))

/** Everybody has done what there is to do now: then nobody may need what nothing will bring. */
const restsWell = (world: World) =>
  Effect.gen(function* () {
    yield* world.turns(30)
    const row = yield* rowOf(world)
    if (row === undefined || lifecycleOf(row.snapshot) !== "running") return
    if (row.lease.held !== undefined || row.dueAtMs !== null) return
    assert.isAbove(row.snapshot.context.waits.length, 0, "nobody holds it, it is not due, and it waits for nothing")
  })

const played = (steps: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const ran: Array<string> = []
    const engine = waiter(ran)
    const world = yield* make
    let life: Life = yield* world.boot([engine], timings)
    let sent = 0
    const handle = Effect.map(Processes, (processes) => processes.handle(engine, id))
    const send = Effect.flatMap(handle, (to) => to.signal(Go, `signal ${++sent}`, { id: String(sent) }))
    yield* life.run(Effect.flatMap(Processes, (processes) => processes.start(engine, { id, payload: null })))
    for (const [deed, pause] of steps) {
      switch (deed) {
        case "signal":
          yield* life.begin(send)
          break
        case "cancel":
          yield* life.begin(Effect.flatMap(handle, (to) => to.cancel("enough")))
          break
        case "timeout":
          yield* world.advance(70)
          break
        case "passivation":
          yield* world.advance(15)
          yield* life.passivate
          break
        case "meeting":
          yield* world.advance(15)
          yield* life.passivate
          yield* life.begin(send)
          break
        case "crash":
          yield* life.crash
          life = yield* world.boot([engine], timings)
          break
        case "restart":
          yield* life.stop
          life = yield* world.boot([engine], timings)
          break
      }
      yield* world.turns(pause)
      if (pause === 20) yield* restsWell(world)
    }
    // Whatever happened: one more signal for each wait that may be open, and time, bring it to its last wait.
    for (let round = 0; round < 3; round++) {
      yield* life.begin(Effect.ignore(send))
      yield* world.advance(400)
      yield* restsWell(world)
    }
    const row = yield* rowOf(world)
    if (row !== undefined && lifecycleOf(row.snapshot) === "running") {
      // One of two waits ended, and nothing will end the other: the body must have heard of it all the same.
      assert.include(ran, "third", "a wait ended while another stayed open, and the body was not told")
    }
    yield* life.begin(Effect.ignore(Effect.flatMap(handle, (to) => to.signal(Close, null, { id: "close" }))))
    yield* world.advance(400)
    yield* restsWell(world)
    return { world, ran, steps, log: yield* logOf(world) }
  })

type Played = Effect.Effect.Success<ReturnType<typeof played>>

const resumedBy = ({ payload }: ProcessEvent) =>
  payload as { readonly wait_key: string; readonly outcome: { readonly type: string; readonly sequence?: number } } // a fact of the library's

const judged = ({ world, ran, steps, log }: Played) =>
  Effect.gen(function* () {
    const types = log.map(({ eventType }) => eventType)
    assert.strictEqual(types.filter((type) => terminals.includes(type)).length, 1, types.join(" "))
    const wasCancelled = steps.some(([deed]) => deed === "cancel")
    assert.include(
      wasCancelled ? ["process.cancelled", "process.completed"] : ["process.completed"],
      types.find((type) => terminals.includes(type))
    )

    const waits = new Map(
      log
        .filter(({ eventType }) => eventType === "process.waiting")
        .map(({ payload }) => {
          const { wait } = payload as {
            readonly wait: { readonly kind: { readonly key: string }; readonly deadline_ms?: number }
          } // as above
          return [wait.kind.key, wait.deadline_ms] as const
        })
    )
    assert.strictEqual(
      waits.size,
      types.filter((type) => type === "process.waiting").length,
      "a wait was entered twice"
    )
    const ends = log.filter(({ eventType }) => eventType === "process.resumed")
    assert.strictEqual(new Set(ends.map((end) => resumedBy(end).wait_key)).size, ends.length, "a wait ended twice")
    const taken = ends.flatMap((end) => resumedBy(end).outcome.sequence ?? [])
    assert.deepStrictEqual(
      taken,
      [...new Set(taken)].toSorted((a, b) => a - b),
      "signals were taken twice, or out of order"
    )
    for (const end of ends) {
      const { wait_key, outcome } = resumedBy(end)
      if (outcome.type === "signal") continue
      assert.isAtLeast(end.occurredAtMs, waits.get(wait_key) ?? Number.POSITIVE_INFINITY, `${wait_key} ended early`)
      const untaken = log.filter(
        ({ eventType, sequence }) => eventType === "signal.go" && sequence < end.sequence && !taken.includes(sequence)
      )
      if (outcome.type === "timeout") assert.deepStrictEqual(untaken, [], "it timed out although a signal was there")
    }

    const journal = yield* world.store.execution.journal(id)
    const keys = journal.map(({ key }) => key)
    assert.deepStrictEqual([...new Set(keys)], keys, "an operation is journaled twice")
    const crashes = steps.filter(([deed]) => deed === "crash").length
    for (const name of ["first", "second", "third"]) {
      assert.isAtMost(ran.filter((each) => each === name).length, 1 + crashes, `the step ${name} ran too often`)
    }
    assert.deepStrictEqual((yield* verify()).differences, [])
    yield* isFold(id)
  }).pipe(Effect.provideService(ProcessStore, world.store))

describe("a waiting body", () => {
  it(`loses no wake-up in ${runs} orders of signals, timeouts, cancels, crashes, restarts and passivations`, async () => {
    let dormant = 0
    let crashed = 0
    await FC.assert(
      FC.asyncProperty(schedule, async (steps) => {
        const outcome = await Effect.runPromise(Effect.scoped(Effect.tap(played(steps), judged)))
        if (outcome.log.some(({ payload }) => JSON.stringify(payload) === '{"reason":"passivated"}')) dormant += 1
        if (outcome.log.filter(({ eventType }) => eventType === "process.started").length > 1) crashed += 1
      }),
      { numRuns: runs, endOnFailure: false }
    )
    // The orders come to what they are about.
    assert.isAbove(dormant, runs / 10)
    assert.isAbove(crashed, runs / 10)
  })
})
