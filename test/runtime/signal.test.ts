import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Processes } from "../../src/host/Processes.ts"
import { InputInvalid } from "../../src/model/errors.ts"
import type { RuntimeError } from "../../src/model/failures.ts"
import { processId } from "../../src/model/ids.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { bounded, memory, until } from "../support/hosts.ts"

const Go = Signal.make("go", { payload: Schema.Struct({ by: Schema.NonEmptyString }) })
const Stranger = Signal.make("stranger", { payload: Schema.Null })
const Undeclared = Signal.event("undeclared", { payload: Schema.Null })

/** Waits for `go`, until somebody sends it. */
const Waiter = Engine.make("waiter", {
  version: "1",
  payload: Schema.Null,
  success: Schema.String,
  signals: [Go],
  disposition: "rerunnable",
  run: (_, ctx) => Effect.map(ctx.awaitSignal(Go), ({ by }) => by)
})

/** Does what a test wants, and answers the tag and message of what it failed with. */
const attempting = (
  attempt: (ctx: ExecutionContext) => Effect.Effect<unknown, { readonly _tag: string; readonly message: string }>
) =>
  Engine.make("attempting", {
    version: "1",
    payload: Schema.Null,
    success: Schema.String,
    disposition: "rerunnable",
    run: (_, ctx) =>
      Effect.match(attempt(ctx), { onSuccess: () => "done", onFailure: ({ _tag, message }) => `${_tag}: ${message}` })
  })

/** What comes of an attempt, while `open` waits for `go` and `over` has had it. */
const outcomeOf = (attempt: Parameters<typeof attempting>[0]) => {
  const engine = attempting(attempt)
  return Effect.gen(function* () {
    const processes = yield* Processes
    yield* processes.start(Waiter, { id: "open", payload: null })
    const over = yield* processes.start(Waiter, { id: "over", payload: null })
    yield* over.signal(Go, { by: "ana" }, { id: "first" })
    assert.strictEqual(yield* bounded(over.await), "ana")
    const handle = yield* processes.start(engine, { id: "attempt", payload: null })
    return yield* bounded(handle.await)
  }).pipe(Effect.provide(memory([Waiter, engine])))
}

const ok = { by: "bo" }
const unfit = { by: "" }

const attempts: ReadonlyArray<readonly [does: string, attempt: Parameters<typeof attempting>[0], outcome: RegExp]> = [
  [
    "sends a signal that the target does not declare",
    (ctx) => ctx.signal("open", Stranger, null),
    /^EventRejected: .*signal\.stranger/
  ],
  [
    "sends a payload that does not fit",
    (ctx) => ctx.signal("open", Go, unfit),
    /^InputInvalid: .*payload\/by of `signal\.go`/
  ],
  ["signals a process that is not there", (ctx) => ctx.signal("nobody", Go, ok), /^ProcessUnknown: .*nobody/],
  ["signals a process that has ended", (ctx) => ctx.signal("over", Go, ok), /^ProcessAlreadyTerminal: .*over/],
  [
    "sends again what a process got before it ended",
    (ctx) => ctx.signal("over", Go, { by: "ana" }, { id: "first" }),
    /^done$/
  ],
  [
    "sends something else under an id that was used",
    (ctx) => ctx.signal("over", Go, ok, { id: "first" }),
    /^EventRejected: .*conflict/
  ],
  [
    "appends an event that it does not declare",
    (ctx) => ctx.appendEvent(Undeclared, null),
    /^EventRejected: .*undeclared/
  ],
  [
    "does a step whose value is no JSON",
    (ctx) => ctx.step("map", Effect.succeed({ at: new Map() })),
    /^InputInvalid: .*step `map`\/at/
  ],
  [
    "does a step whose value does not fit its schema",
    (ctx) => ctx.step("name", Effect.succeed(""), { schema: Schema.NonEmptyString }),
    /^InputInvalid: .*step `name`/
  ],
  ["waits longer than it wants to", (ctx) => ctx.awaitSignal(Go, { timeout: "1 millis" }), /^WaitTimedOut: .*go/],
  [
    "does two steps of one name at once",
    (ctx) => Effect.all([ctx.step("a", Effect.sleep("20 millis")), ctx.step("a", Effect.void)], { concurrency: 2 }),
    /^StepNameAmbiguous: .*a/
  ]
]

describe("a body that", () => {
  for (const [does, attempt, outcome] of attempts) {
    it.live(`${does} is told: ${String(outcome).slice(2).split(/[:$]/)[0]}`, () =>
      Effect.map(outcomeOf(attempt), (told) => assert.match(told, outcome))
    )
  }

  it.live("is asked to stop may wait while it cleans up, for longer than it would be kept in memory otherwise", () => {
    const Cleaning = Engine.make("cleaning", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Null,
      signals: [Go],
      disposition: "rerunnable",
      // Short enough to be due during the cleaning, and too long to be due before.
      passivateAfter: "50 millis",
      run: (_, ctx) =>
        ctx.step("work", Effect.never).pipe(Effect.onInterrupt(() => Effect.orDie(ctx.sleep("1500 millis"))))
    })
    return Effect.gen(function* () {
      const processes = yield* Processes
      const handle = yield* processes.start(Cleaning, { id: "c", payload: null })
      yield* handle.cancel("enough")
      const end = yield* bounded(Effect.flip(handle.await))
      assert.strictEqual(end._tag, "ProcessCancelled")
    }).pipe(Effect.provide(memory([Cleaning])))
  })
})

/** A body under its own name, which is kept in memory for a moment only. */
const restless = (run: (ctx: ExecutionContext) => Effect.Effect<unknown, RuntimeError>) =>
  Engine.make("restless", {
    version: "1",
    payload: Schema.Null,
    success: Schema.Null,
    signals: [Go],
    disposition: "rerunnable",
    passivateAfter: "10 millis",
    run: (_, ctx) => Effect.as(run(ctx), null)
  })

/** How often the process was put away, once it has ended. */
const timesAway = (engine: ReturnType<typeof restless>, during: Effect.Effect<unknown, unknown, Processes>) =>
  Effect.gen(function* () {
    const handle = yield* (yield* Processes).start(engine, { id: "r", payload: null })
    yield* during
    yield* bounded(handle.await)
    const events = yield* Effect.map(Stream.runCollect(handle.events), Chunk.toReadonlyArray)
    return events.filter(({ eventType }) => eventType === "process.suspended").length
  }).pipe(Effect.provide(memory([engine])))

describe("a context that outlives its body", () => {
  it.live("does nothing, and says that it is outside of its process: steps, starts, branches", () => {
    let kept: ExecutionContext | undefined
    let ran = 0
    const Keeping = attempting((ctx) => Effect.sync(() => (kept = ctx)))
    return Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Keeping, { id: "k", payload: null })
      yield* bounded(handle.await)
      const ctx = kept
      if (ctx === undefined) return yield* Effect.dieMessage("the body ran")
      const step = ctx.step(
        "late",
        Effect.sync(() => ran++)
      )
      const operations: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>> = [
        step,
        ctx.scope("s", step),
        ctx.sleep("1 millis"),
        ctx.awaitSignal(Go),
        ctx.signal("k", Go, ok),
        ctx.appendEvent(Undeclared, null),
        ctx.now,
        ctx.random,
        ctx.start(Waiter, { name: "late", payload: null })
      ]
      const told = yield* Effect.forEach(operations, (operation) =>
        Effect.map(Effect.flip(operation), ({ _tag }) => _tag)
      )
      assert.deepStrictEqual(new Set(told), new Set(["OutsideProcess"]))
      assert.strictEqual(ran, 0)
      assert.strictEqual(yield* (yield* ProcessRegistry).getProcess(processId("k/late")), undefined)
    }).pipe(Effect.provide(memory([Keeping, Waiter])))
  })
})

describe("a body that is put away while it waits", () => {
  it.live("stays where it cannot be interrupted, and goes on when its wait ends", () =>
    Effect.gen(function* () {
      const away = yield* timesAway(
        restless((ctx) =>
          Effect.uninterruptible(Effect.all([ctx.sleep("1500 millis"), ctx.sleep("1 millis", { name: "b" })]))
        ),
        Effect.void
      )
      assert.strictEqual(away, 0)
    })
  )

  it.live("begins nothing in its finalisers, which are for its end: its next activation finds what it left", () =>
    Effect.gen(function* () {
      let cleaned = 0
      let asked = 0
      const cleaning = restless((ctx) =>
        Effect.onInterrupt(ctx.awaitSignal(Go), () =>
          Effect.sync(() => asked++).pipe(
            Effect.zipRight(
              ctx.step(
                "undo",
                Effect.sync(() => cleaned++)
              )
            ),
            Effect.zipRight(ctx.sleep("1 millis")),
            Effect.orDie
          )
        )
      )
      const away = yield* timesAway(
        cleaning,
        Effect.gen(function* () {
          yield* until(Effect.sync(() => asked > 0))
          yield* (yield* Processes).handle(cleaning, "r").signal(Go, { by: "ana" })
        })
      )
      assert.isAtLeast(away, 1)
      assert.strictEqual(cleaned, 0)
    })
  )

  it.live("goes on when it hides a wait from its interruption", () =>
    Effect.gen(function* () {
      const away = yield* timesAway(
        restless((ctx) =>
          Effect.uninterruptible(
            Effect.flatMap(Effect.forkDaemon(Effect.interruptible(ctx.sleep("1500 millis"))), Fiber.join)
          )
        ),
        Effect.void
      )
      assert.isAtMost(away, 1)
    })
  )
})

describe("a signal from outside", () => {
  it.live("is refused by what is wrong with it, and kept when nothing is", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const handle = yield* processes.start(Waiter, { id: "open", payload: null })
      yield* until(
        Effect.flatMap(ProcessRegistry, (registry) =>
          Effect.map(registry.getProcess(handle.id), (record) => record?.wait !== undefined)
        )
      )
      assert.strictEqual((yield* Effect.flip(handle.signal(Go, unfit)))._tag, "InputInvalid")
      const nobody = processes.handle(Waiter, "nobody")
      assert.strictEqual((yield* Effect.flip(nobody.signal(Go, ok)))._tag, "ProcessUnknown")
      yield* handle.signal(Go, ok, { id: "a" })
      assert.strictEqual(yield* bounded(handle.await), "bo")
      yield* handle.signal(Go, ok, { id: "a" })
      assert.strictEqual((yield* Effect.flip(handle.signal(Go, ok, { id: "b" })))._tag, "ProcessAlreadyTerminal")
    }).pipe(Effect.provide(memory([Waiter])))
  )
})

describe("a declaration", () => {
  it.effect("encodes what fits its schema, and decodes it again", () =>
    Effect.gen(function* () {
      const At = Signal.make("at", { payload: Schema.Struct({ at: Schema.Date }) })
      const wire = yield* At.encode({ at: new Date(0) })
      assert.deepStrictEqual(wire, { at: "1970-01-01T00:00:00.000Z" })
      assert.deepStrictEqual(yield* At.decode(wire), { at: new Date(0) })
      const error = yield* Effect.flip(At.decode({ at: 5 }))
      assert.deepStrictEqual([error._tag, error.field], ["InputInvalid", "payload/at of `signal.at`"])
    })
  )

  it("under a name that is none is a mistake of the program, at once", () => {
    for (const name of ["", "a b", "a.b", "ü"]) {
      assert.throws(() => Signal.make(name, { payload: Schema.Null }), /signal name must be non-empty/)
    }
  })

  for (const [what, jsonSchema] of Object.entries({
    "a pattern that is none": { type: "string", pattern: "(" },
    "a type that is none": { type: "text" },
    "a reference to nothing": { $ref: "#/nowhere" }
  })) {
    it(`with ${what} in its schema is a mistake of the program, at once`, () => {
      const payload = Schema.String.annotations({ jsonSchema })
      for (const [declare, name] of [
        [() => Signal.make("go", { payload }), "signal.go"],
        [() => Signal.event("gone", { payload }), "gone"]
      ] as const) {
        assert.throws(declare, InputInvalid, `payload of \`${name}\``)
      }
    })
  }
})
