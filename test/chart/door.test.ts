import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { AnyStateMachine } from "xstate"
import { assign, createMachine, emit, initialTransition, setup } from "xstate"
import { acceptedIn, structureOf } from "../../machines/chart/definition.ts"
import { Processes } from "../../src/host/Processes.ts"
import { EventNotAccepted, InputInvalid, ProcessAlreadyTerminal, StateNotReached } from "../../src/model/errors.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { bounded, hostOn, sqlite, temporaryFolder } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"
import { stateOf, transitionsOf } from "./charts.ts"
import { onEachStore } from "./stores.ts"

/** A door: it opens for a keyholder, counts who came, and is locked for good. Its last visit is a date, which JSON is not. */
const machine = setup({
  types: {
    context: {} as { readonly visits: number; readonly last: Date },
    events: {} as
      | { readonly type: "open"; readonly by: string; readonly at: Date }
      | { readonly type: "close" }
      | { readonly type: "lock" },
    input: {} as { readonly since: Date },
    output: {} as { readonly visits: number },
    tags: {} as "passable" | "shut",
    emitted: {} as { readonly type: "visited"; readonly by: string }
  },
  actions: { ring: () => {} },
  guards: { isKnown: ({ event }) => event.type === "open" && event.by !== "nobody" }
}).createMachine({
  id: "door",
  context: ({ input }) => ({ visits: 0, last: input.since }),
  initial: "closed",
  states: {
    closed: {
      tags: "shut",
      on: {
        open: {
          guard: "isKnown",
          target: "opened",
          actions: [
            assign(({ context, event }) => ({ visits: context.visits + 1, last: event.at })),
            emit(({ event }) => ({ type: "visited", by: event.by }))
          ]
        },
        lock: "locked"
      }
    },
    opened: { tags: "passable", entry: "ring", on: { close: "closed" } },
    locked: { type: "final" }
  },
  output: ({ context }) => ({ visits: context.visits })
})

const doorOf = (ring: Effect.Effect<void> = Effect.void) =>
  fromMachine(machine, {
    version: "1",
    input: Schema.Struct({ since: Schema.Date }),
    context: Schema.Struct({ visits: Schema.Int, last: Schema.Date }),
    output: Schema.Struct({ visits: Schema.Int }),
    events: {
      open: Schema.Struct({ by: Schema.String, at: Schema.Date }),
      close: Schema.Struct({}),
      lock: Schema.Struct({})
    },
    actions: { ring: () => ring }
  })

const Door = doorOf()
const since = new Date(0)
const noon = new Date(43_200_000)

const started = (id: string, door = Door) =>
  Effect.flatMap(Processes, (processes) => processes.start(door, { id, payload: { since } }))

/** A host on the store in context, which has the door. */
const hosted = <A, E>(effect: Effect.Effect<A, E, Processes | ProcessStore>, door = Door) =>
  Effect.flatMap(ProcessStore, (store) => Effect.provide(effect, hostOn(store, [door])))

describe("a handle on a machine", () => {
  onEachStore("sends events and answers what each led to, decoded", () =>
    hosted(
      Effect.gen(function* () {
        const door = yield* started("d")
        const before = yield* door.snapshot
        assert.deepStrictEqual(
          [before.value, before.revision, before.status, before.context.last, [...before.tags]],
          ["closed", 0, "active", since, ["shut"]]
        )
        const open = yield* door.ask({ type: "open", by: "ana", at: noon })
        assert.deepStrictEqual([open.value, open.revision, open.context], ["opened", 1, { visits: 1, last: noon }])
        assert.isTrue(open.matches("opened") && open.hasTag("passable") && !open.hasTag("shut"))
        assert.isTrue(open.can({ type: "close" }))
        assert.isFalse(open.can({ type: "lock" }))
        yield* door.send({ type: "close" })
        const end = yield* door.ask({ type: "lock" })
        assert.deepStrictEqual([end.value, end.status, end.output], ["locked", "done", { visits: 1 }])
        assert.deepStrictEqual(yield* door.await, { visits: 1 })
        const refused = yield* Effect.flip(door.send({ type: "close" }))
        assert.instanceOf(refused, ProcessAlreadyTerminal)
        assert.deepStrictEqual((yield* door.snapshot).accepts, [])
      })
    )
  )

  onEachStore("says what a state takes, as events with their schemas, and judges an event with its guard", () =>
    hosted(
      Effect.gen(function* () {
        const door = yield* started("d")
        const accepts = yield* door.accepts
        assert.deepStrictEqual(
          accepts.map(({ type }) => type),
          ["open", "lock"]
        )
        assert.deepInclude(accepts[0]?.schema as object, { type: "object", required: ["by", "at"] })
        assert.isTrue(yield* door.can({ type: "open", by: "ana", at: noon }))
        assert.isFalse(yield* door.can({ type: "open", by: "nobody", at: noon }))
        assert.isFalse(yield* door.can({ type: "close" }))
      })
    )
  )

  onEachStore("refuses what was to be accepted and is not, and appends nothing", () =>
    hosted(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        const door = yield* started("d")
        const length = Effect.map(store.eventsAfter(door.id, 0), (events) => events.length)
        const before = yield* length
        for (const event of [{ type: "close" }, { type: "open", by: "nobody", at: noon }] as const) {
          const refused = yield* Effect.flip(door.send(event, { expect: "accepted", id: "once" }))
          assert.instanceOf(refused, EventNotAccepted)
          assert.deepInclude({ ...(refused as EventNotAccepted) }, { state: "closed", accepts: ["open", "lock"] })
          assert.strictEqual(
            refused.message,
            `process \`d\` does not take event \`${event.type}\` in state "closed": it takes \`open\`, \`lock\``
          )
        }
        assert.strictEqual(yield* length, before)
        // Without that it is taken, and noted as one that nobody took.
        yield* door.send({ type: "close" })
        assert.deepStrictEqual((yield* transitionsOf("d")).at(-1)?.handled, false)
        // What was accepted once is a replay, whatever the state takes by now.
        const open = { type: "open", by: "ana", at: noon } as const
        for (const _ of [1, 2]) yield* door.send(open, { expect: "accepted", id: "ana-1" })
        assert.deepStrictEqual((yield* door.ask(open, { expect: "accepted", id: "ana-1" })).context.visits, 1)
      })
    )
  )

  onEachStore("judges an event in the state that those before it lead to, while actions hold them up", () =>
    Effect.gen(function* () {
      const bell = yield* Deferred.make<void>()
      const door = doorOf(Deferred.await(bell))
      yield* hosted(
        Effect.gen(function* () {
          const handle = yield* started("d", door)
          yield* handle.send({ type: "open", by: "ana", at: noon }, { expect: "accepted" })
          yield* handle.send({ type: "close" }, { expect: "accepted" })
          // The bell still rings: the door is open, and closed before it takes what comes now.
          assert.strictEqual((yield* stateOf("d"))?.value, "opened")
          const refused = yield* Effect.flip(handle.send({ type: "close" }, { expect: "accepted" }))
          assert.deepInclude({ ...(refused as EventNotAccepted) }, { state: "closed" })
          yield* handle.send({ type: "lock" }, { expect: "accepted" })
          const late = yield* Effect.flip(handle.send({ type: "open", by: "bo", at: noon }, { expect: "accepted" }))
          assert.deepInclude({ ...(late as EventNotAccepted) }, { state: "locked", accepts: [] })
          yield* Deferred.succeed(bell, undefined)
          assert.deepStrictEqual(yield* handle.await, { visits: 1 })
        }),
        door
      )
    })
  )

  onEachStore("names the field that does not fit, and the event that there is not", () =>
    hosted(
      Effect.gen(function* () {
        const door = yield* started("d")
        const wrong = yield* Effect.flip(door.send({ type: "open", by: 7, at: noon } as never))
        assert.instanceOf(wrong, InputInvalid)
        assert.match(wrong.message, /payload\/by of `signal\.open` does not fit its schema/)
        const unknown = yield* Effect.flip(door.ask({ type: "burn" } as never))
        assert.strictEqual(
          unknown.message,
          "type of an event `burn` is no event of machine `door` that may be sent: those are `open`, `close`, `lock`"
        )
        const none = yield* Effect.flip(door.can(undefined as never))
        assert.strictEqual(none.message, "event is undefined; it must be a record")
        const other = fromMachine(setup({}).createMachine({ id: "other" }), { version: "1", input: Schema.Unknown })
        const processes = yield* Processes
        const foreign = yield* Effect.flip(processes.handle(other, "d").snapshot)
        assert.strictEqual(foreign.message, "id `d` is a process of `door`, not of machine `other`")
      })
    )
  )

  onEachStore("shows snapshots as they come, and never misses the last; what it emitted is in the log", () =>
    hosted(
      Effect.gen(function* () {
        const door = yield* started("d")
        const shown = yield* Effect.fork(Stream.runCollect(door.snapshots))
        for (const by of ["ana", "bo"]) {
          yield* door.ask({ type: "open", by, at: noon })
          yield* door.ask({ type: "close" })
        }
        yield* door.send({ type: "lock" })
        const all = Chunk.toReadonlyArray(yield* Fiber.join(shown))
        const revisions = all.map(({ revision }) => revision)
        assert.deepStrictEqual(
          revisions,
          [...new Set(revisions)].toSorted((one, other) => one - other)
        )
        const last = all.at(-1)
        assert.deepStrictEqual([last?.value, last?.status, last?.output], ["locked", "done", { visits: 2 }])
        assert.deepStrictEqual(Chunk.toReadonlyArray(yield* Stream.runCollect(door.emitted)), [
          { type: "visited", by: "ana" },
          { type: "visited", by: "bo" }
        ])
      })
    )
  )

  onEachStore("answers what one event led to although others have followed", () =>
    hosted(
      Effect.gen(function* () {
        const door = yield* started("d")
        const open = { type: "open", by: "ana", at: noon } as const
        yield* door.send(open, { id: "first" })
        yield* door.send({ type: "close" })
        yield* door.send({ type: "lock" })
        yield* door.await
        const then = yield* door.ask(open, { id: "first" })
        assert.deepStrictEqual([then.value, then.revision, then.status], ["opened", 1, "active"])
      })
    )
  )

  onEachStore("answers each of many at once from what its commit left, and reads no log for it", () =>
    Effect.gen(function* () {
      const store = yield* ProcessStore
      let reads = 0
      const counted = {
        ...store,
        eventsAfter: (...of: Parameters<typeof store.eventsAfter>) => {
          reads++
          return store.eventsAfter(...of)
        }
      }
      const Counter = fromMachine(
        setup({
          types: { context: {} as { readonly n: number }, events: {} as { readonly type: "count" } }
        }).createMachine({
          id: "counter",
          context: { n: 0 },
          on: { count: { actions: assign({ n: ({ context }) => context.n + 1 }) } }
        }),
        { version: "1", input: Schema.Undefined, events: { count: Schema.Struct({}) } }
      )
      const answers = yield* Effect.gen(function* () {
        const counter = yield* Effect.flatMap(Processes, (processes) =>
          processes.start(Counter, { id: "c", payload: undefined })
        )
        return yield* Effect.all(
          Array.from({ length: 50 }, () => counter.ask({ type: "count" })),
          { concurrency: "unbounded" }
        )
      }).pipe(Effect.provide(hostOn(counted, [Counter])))
      assert.deepStrictEqual(
        answers.map(({ context }) => context.n),
        Array.from({ length: 50 }, (_, index) => index + 1)
      )
      assert.strictEqual(reads, 0)
    })
  )

  onEachStore("waits for a state, a tag or a predicate, and says when that cannot be", () =>
    hosted(
      Effect.gen(function* () {
        const door = yield* started("d")
        const waiting = yield* Effect.all(
          [
            Effect.fork(door.waitFor({ state: "opened" })),
            Effect.fork(door.waitFor({ tag: "passable" })),
            Effect.fork(door.waitFor(({ context }) => context.visits === 1, { timeout: patienceMs }))
          ],
          { concurrency: "unbounded" }
        )
        yield* door.send({ type: "open", by: "ana", at: noon })
        for (const fiber of waiting) assert.strictEqual((yield* Fiber.join(fiber)).value, "opened")
        const late = yield* Effect.flip(door.waitFor({ state: "locked" }, { timeout: "50 millis" }))
        assert.instanceOf(late, StateNotReached)
        assert.strictEqual(
          late.message,
          'process `d` is still in state "opened", which is not the one that was waited for'
        )
        for (const wrong of [{}, { state: undefined }, { state: "opened", tag: "passable" }, { stat: "opened" }]) {
          const refused = yield* Effect.flip(door.waitFor(wrong as never))
          assert.match(
            refused.message,
            /^what to wait for(\/stat is no option| must name a state or a tag, and not both)/
          )
        }
        const never = yield* Effect.fork(Effect.flip(door.waitFor(({ context }) => context.visits === 9)))
        yield* door.cancel()
        const ended = yield* Fiber.join(never)
        assert.deepInclude({ ...(ended as StateNotReached) }, { ended: true, state: "opened" })
        assert.strictEqual((yield* door.snapshot).status, "stopped")
      })
    )
  )

  onEachStore("of a program without the machine sends what a host with it takes", () =>
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const withDoor = hostOn(store, [Door])
      yield* Effect.provide(started("d"), withDoor)
      yield* Effect.provide(
        Effect.gen(function* () {
          const door = (yield* Processes).handle(Door, "d")
          yield* door.send({ type: "open", by: "ana", at: noon }, { expect: "accepted" })
          assert.deepStrictEqual((yield* door.snapshot).value, "closed")
          // It is judged behind the event that nobody has taken yet.
          const refused = yield* Effect.flip(door.send({ type: "lock" }, { expect: "accepted" }))
          assert.deepInclude({ ...(refused as EventNotAccepted) }, { state: "opened", accepts: ["close"] })
        }),
        hostOn(store, [])
      )
      const open = yield* Effect.provide(
        Effect.flatMap(Processes, (processes) => processes.handle(Door, "d").waitFor({ state: "opened" })),
        withDoor
      )
      assert.strictEqual(open.context.visits, 1)
    })
  )

  it.live("waits for what another host on the same file does", () =>
    bounded(
      Effect.scoped(
        Effect.gen(function* () {
          const filename = `${yield* temporaryFolder}/doors.db`
          const open = yield* Effect.provide(
            Effect.gen(function* () {
              const here = yield* started("d")
              const waiting = yield* Effect.fork(here.waitFor({ tag: "passable" }, { timeout: patienceMs }))
              yield* Effect.provide(
                Effect.flatMap(Processes, (processes) =>
                  processes.handle(Door, "d").ask({ type: "open", by: "there", at: noon })
                ),
                sqlite(filename, [Door])
              )
              return yield* Fiber.join(waiting)
            }),
            sqlite(filename, [Door])
          )
          assert.strictEqual(open.context.visits, 1)
        })
      )
    )
  )
})

describe("the events that a state accepts", () => {
  const events = ["a", "b", "c"] as const

  /** A machine with guards that let all through, forbidden events, wildcards, and states inside and beside each other. */
  const on = fc.dictionary(
    fc.constantFrom(...events, "*"),
    fc.constantFrom(undefined, { actions: [] }, { target: "#m" }, { guard: () => true, target: "#m" }),
    { maxKeys: 3 }
  )
  const node = fc.letrec<{ state: object }>((tie) => ({
    state: fc.oneof(
      { maxDepth: 3 },
      fc.record({ on }),
      fc.record({ on, initial: fc.constant("x"), states: fc.record({ x: tie("state") }) }),
      fc.record({ on, type: fc.constant("parallel"), states: fc.record({ x: tie("state"), y: tie("state") }) })
    )
  })).state

  it("are those for which XState finds a transition that is not there to forbid them", () => {
    fc.assert(
      fc.property(node, (config) => {
        const generated: AnyStateMachine = createMachine({ id: "m", ...config } as never)
        const snapshot = initialTransition(generated)[0]
        assert.deepStrictEqual(
          acceptedIn(structureOf(generated), snapshot.value, events),
          events.filter((type) => snapshot.can({ type } as never))
        )
      })
    )
  })
})
