import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import type * as Engine from "../../src/runtime/engine/Engine.ts"
import { checkReplay } from "../../src/testing/Certify.ts"
import { isLong, isWhole } from "../support/samples.ts"
import { enginesOf, Go, plays } from "./replays.ts"
import type { Changed } from "./schedules.ts"

/** What the pauses of a body are around, and within. Units: milliseconds. */
const parts = (ctx: ExecutionContext) => {
  const ways: Array<string> = []
  const say = (way: string) => Effect.sync(() => void ways.push(way))
  return {
    ways,
    say,
    slept: (ms: number) => Effect.orDie(ctx.sleep(ms)),
    /** Nothing interrupts it. */
    insisted: (ms: number) => Effect.uninterruptible(Effect.orDie(ctx.sleep(ms))),
    step: (name: string) => Effect.orDie(ctx.step(name, Effect.void)),
    limited: <E>(ms: number, part: Effect.Effect<unknown, E>) =>
      Effect.flatMap(
        Effect.timeoutTo(part, { duration: ms, onTimeout: () => "late", onSuccess: () => "in time" }),
        (way) => say(`${ms} ${way}`)
      ),
    all: (of: ReadonlyArray<Effect.Effect<unknown>>) => Effect.all(of, { concurrency: "unbounded", discard: true })
  }
}

type Parts = ReturnType<typeof parts>

/** Bodies with pauses of their own, and the way that each takes. */
const bodies: Readonly<Record<string, readonly [body: (by: Parts) => Effect.Effect<unknown>, way: string]>> = {
  "several limits that are open at once": [
    ({ all, limited, insisted }) => all([50, 20, 10].map((ms) => limited(ms, insisted(30)))),
    "50 in time, 20 late, 10 late"
  ],
  "a limit around a race, of which one contestant has a limit": [
    ({ limited, insisted, slept }) => limited(40, Effect.race(limited(10, insisted(20)), slept(60))),
    "10 late, 40 in time"
  ],
  "a limit around a race that nothing interrupts": [
    ({ limited, insisted }) => limited(10, Effect.race(insisted(30), insisted(40))),
    "10 late"
  ],
  "a limit around branches, of which one has a limit": [
    ({ all, limited, insisted }) => limited(40, all([limited(10, insisted(25)), insisted(60)])),
    "10 late, 40 late"
  ],
  "a limit around branches, of which one has a limit that it keeps": [
    ({ all, limited, insisted }) => limited(40, all([limited(30, insisted(25)), insisted(60)])),
    "30 in time, 40 late"
  ],
  "limits within limits, where nothing can be interrupted": [
    ({ limited, slept }) => Effect.uninterruptible(limited(50, limited(30, limited(10, slept(20))))),
    "10 late, 30 in time, 50 in time"
  ],
  "a limit within a finaliser that outlasts a limit": [
    ({ limited, slept }) => limited(20, Effect.ensuring(slept(5), limited(10, slept(40)))),
    "10 late, 20 late"
  ],
  "a limit within a finaliser that a limit began": [
    ({ limited, slept }) => limited(10, Effect.ensuring(slept(100), limited(20, slept(5)))),
    "20 in time, 10 late"
  ],
  "a finaliser with a limit within a finaliser with a limit": [
    ({ limited, slept }) =>
      Effect.ensuring(Effect.void, limited(10, Effect.ensuring(slept(20), limited(5, slept(15))))),
    "5 late, 10 late"
  ],
  "a race of a pause with what nothing interrupts": [
    ({ say, insisted, step }) =>
      Effect.zipRight(
        Effect.flatMap(Effect.race(Effect.as(Effect.sleep(10), "pause"), Effect.as(insisted(30), "sleep")), say),
        step("after")
      ),
    "pause"
  ],
  "pauses of several branches, and a step after each": [
    ({ all, say, step }) =>
      all([30, 10, 20].map((ms) => Effect.all([Effect.sleep(ms), step(`s${ms}`), say(`${ms}`)], { discard: true }))),
    "10, 20, 30"
  ],
  "several pauses of one fiber under one limit": [
    ({ limited, insisted }) =>
      limited(22, Effect.all([Effect.sleep(10), insisted(5), Effect.sleep(10), insisted(5)], { discard: true })),
    "22 late"
  ],
  "a pause before what nothing interrupts, under one limit": [
    ({ limited, insisted }) => limited(22, Effect.zipRight(Effect.sleep(10), insisted(30))),
    "22 late"
  ],
  "a pause between two that nothing interrupts, under one limit": [
    ({ limited, slept }) => {
      const work = Effect.all([slept(20), Effect.sleep(5), slept(20)], { discard: true })
      return Effect.zipRight(limited(10, Effect.uninterruptible(work)), limited(10, Effect.uninterruptible(slept(20))))
    },
    "10 late, 10 late"
  ],
  "a sleep and a pause, which take longer than the limit around them": [
    ({ limited, slept }) => limited(20, Effect.zipRight(slept(10), Effect.sleep(15))),
    "20 late"
  ],
  "a sleep and a pause that nothing interrupts, and a limit that is over before": [
    ({ limited, slept }) => limited(20, Effect.uninterruptible(Effect.zipRight(slept(10), Effect.sleep(15)))),
    "20 late"
  ],
  "sleeps and pauses by turns in a finaliser, and a limit that is over before": [
    ({ limited, slept }) =>
      limited(80, Effect.ensuring(Effect.void, Effect.repeatN(Effect.zipRight(slept(10), Effect.sleep(20)), 2))),
    "80 late"
  ],
  "sleeps and pauses by turns, and other pauses beside them": [
    ({ all, limited, slept, step, say }) =>
      all([
        limited(200, Effect.repeatN(Effect.zipRight(slept(10), Effect.sleep(7)), 3)),
        Effect.repeatN(Effect.sleep(11), 4),
        Effect.zipRight(Effect.sleep(45), Effect.zipRight(step("beside"), say("beside")))
      ]),
    "beside, 200 in time"
  ],
  "a pause within a limit that is within another, with a limit after it": [
    ({ limited, insisted }) =>
      limited(2_000, Effect.all([limited(30, Effect.sleep(10)), limited(10, insisted(20)), limited(40, insisted(20))])),
    "30 in time, 10 late, 40 in time, 2000 in time"
  ]
}

/** Each is interrupted some forty times: a whole run has one of sixteen bodies, a long one all. */
const interrupted = Object.keys(bodies).filter((_, index) => isLong || (isWhole && index % 16 === 4))

for (const [title, [body, way]] of Object.entries(bodies)) {
  const effects = (ctx: ExecutionContext) => {
    const by = parts(ctx)
    return Effect.flatMap(body(by), () => Effect.map(ctx.awaitSignal(Go), () => by.ways.join(", ")))
  }

  plays(`a body with ${title} takes its way again`, { effects }, ({ again, send, journaled, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* again
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, `Completed: ${way}`)
    })
  )

  describe.runIf(interrupted.includes(title))(`a body with ${title}`, () => {
    it("keeps the law of replay, interrupted at every commit", async () => {
      const [[, engine] = []] = enginesOf("paused", { effects }, () => 0)
      const checked = await Effect.runPromise(
        checkReplay(engine as Engine.Engine<null, string, never, never, typeof Go>, {
          payload: null,
          inputs: [{ after: "1 second", signal: Go, payload: 7 }],
          // A limit begins anew with each activation.
          isTimed: true
        })
      )
      assert.strictEqual(checked.end, `Completed: ${JSON.stringify(way)}`)
    })
  })
}

/** Lets the activations of a body go on that does something outside of its context. */
const outside: Array<() => void> = []

plays(
  "a host stops while a pause that nothing interrupts waits for its place in the order",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const { all, step } = parts(ctx)
        const gate = Effect.async<void>((resume) => void outside.push(() => resume(Effect.void)))
        yield* all([
          Effect.zipRight(gate, step("x")),
          Effect.sleep(10),
          Effect.zipRight(Effect.uninterruptible(Effect.sleep(20)), step("after"))
        ])
        return String(yield* ctx.awaitSignal(Go))
      })
  },
  ({ world, host, boot, journaled, send, end, row }) =>
    Effect.gen(function* () {
      outside[0]?.()
      yield* journaled("signal.go#1")
      yield* host().stop
      yield* boot()
      yield* world.advance(50)
      assert.strictEqual(outside.length, 2)
      const stoppedMs = world.nowMs()
      yield* host().stop
      // Within two of the looks at what waits for too long, and not at the deadline of the host.
      assert.isBelow(world.nowMs() - stoppedMs, 2_500)
      assert.strictEqual((yield* row).lease.held, undefined)
      yield* boot()
      yield* world.advance(50)
      outside[2]?.()
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: 7")
    }),
  { interruptions: ["stop"] }
)

/** Reads journals as they were before the order of pauses was kept: a limit that was over takes its time again. */
const withoutTurns: Changed = (store) => ({
  ...store,
  execution: {
    ...store.execution,
    journal: (id, page) =>
      Effect.map(store.execution.journal(id, page), (entries) =>
        entries.filter(({ operation }) => operation !== "turns")
      )
  }
})

plays(
  "a host that stopped leaves nothing behind that waits for a limit to be over again",
  {
    effects: (ctx) =>
      Effect.race(Effect.as(Effect.sleep(10), "pause"), Effect.as(parts(ctx).insisted(30), "sleep")).pipe(
        Effect.flatMap((first) => Effect.as(ctx.awaitSignal(Go), first))
      )
  },
  ({ world, host, boot, journaled }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* world.advance(50)
      yield* host().stop
      yield* boot()
      yield* world.advance(5)
      yield* host().stop
      yield* world.advance(60_000)
      assert.isFalse(world.time.ring())
    }),
  { interruptions: ["stop"], store: withoutTurns }
)
