import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assign, setup } from "xstate"
import { Processes } from "../../src/host/Processes.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import type { Chart } from "../../src/operations/decisions/chartStep.ts"
import { migrateAll } from "../../src/operations/migration.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { bounded, hostOn, until } from "../support/hosts.ts"
import { pathOf, stateOf } from "./charts.ts"

const input = Schema.Undefined as Schema.Schema<undefined, unknown>
const Go = Signal.make("go", { payload: Schema.Struct({}) })

interface Counted {
  readonly n: number
}

/** A machine that counts in `from` until it has gone to `to`. */
const machine = (from: string, to: string) =>
  setup({ types: { context: {} as Counted, events: {} as { readonly type: "go" } } }).createMachine({
    id: "counter",
    context: { n: 0 },
    initial: from,
    states: {
      [from]: {
        on: {
          go: {
            actions: assign({ n: ({ context }) => context.n + 1 }),
            target: to,
            guard: ({ context }) => context.n > 0
          }
        },
        after: { 777600000: to }
      },
      [to]: { type: "final" }
    },
    on: { go: { actions: assign({ n: ({ context }) => context.n + 1 }) } }
  })

const events = { go: Schema.Struct({}) }
const One = fromMachine(machine("waiting", "over"), { version: "1", input, events })
const waiting = { value: "waiting", context: { n: 0 } }
const illegal = /State 'waiting' does not exist on 'counter'/

const onMemory = <A, E>(effect: Effect.Effect<A, E, ProcessStore>) => bounded(Effect.provide(effect, MemoryStore.layer))

const started = (ids: ReadonlyArray<string>) =>
  Effect.flatMap(ProcessStore, (store) =>
    Effect.flatMap(Processes, (processes) =>
      Effect.forEach(ids, (id) => processes.start(One, { id, payload: undefined }))
    ).pipe(Effect.provide(hostOn(store, [One])))
  )

describe("versions of a machine", () => {
  it.live("a process stays on the version that it began with, beside others", () =>
    onMemory(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        const Two = fromMachine(machine("idle", "done"), { version: "2", input, events })
        yield* started(["old"])
        yield* Effect.flatMap(Processes, (processes) =>
          Effect.gen(function* () {
            const fresh = yield* processes.start(Two, { id: "new", payload: undefined })
            for (const handle of [fresh, processes.handle(One, "old")]) {
              yield* handle.signal(Go, {})
              yield* handle.signal(Go, {})
              yield* handle.await
            }
          })
        ).pipe(Effect.provide(hostOn(store, [One, Two])))
        assert.deepStrictEqual((yield* pathOf("old")).at(-1), 'go: "waiting" -> "over"')
        assert.deepStrictEqual((yield* pathOf("new")).at(-1), 'go: "idle" -> "done"')
      })
    )
  )

  it.live("a host is refused whose machine is another one under the same version, with the differences", () =>
    onMemory(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        yield* started(["old"])
        const Changed = fromMachine(machine("idle", "over"), { version: "1", input, events })
        const refusal = yield* Effect.flip(Effect.provide(Processes, hostOn(store, [Changed])))
        assert.include(
          refusal.message,
          "is in version 1 another machine than the one that processes began with (state counter has other initial; state counter.waiting is gone; state counter.idle is new)"
        )
      })
    )
  )

  it.live("a migration takes a process over when it next takes an event, and names what it does not know", () =>
    onMemory(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        const Two = fromMachine(machine("idle", "done"), {
          version: "2",
          input,
          events,
          migrate: {
            "1": ({ context }) => ({ value: "idle" as never, context: { n: (context as unknown as Counted).n + 10 } })
          }
        })
        yield* started(["old"])
        yield* Effect.flatMap(Processes, (processes) =>
          Effect.gen(function* () {
            assert.deepStrictEqual((yield* stateOf("old"))?.definition.version, "1")
            const handle = processes.handle(Two, "old")
            yield* handle.signal(Go, {})
            yield* handle.await
          })
        ).pipe(Effect.provide(hostOn(store, [Two])))
        assert.deepStrictEqual(yield* pathOf("old"), [
          'xstate.init: "" -> "waiting"',
          'machine.migrated: "waiting" -> "idle"',
          'go: "idle" -> "done"'
        ])
        const chart = yield* stateOf("old")
        assert.deepStrictEqual([chart?.definition.version, chart?.context], ["2", { n: 11 }])
        const log = yield* store.eventsAfter("old" as never, 0)
        const migrated = log.find(({ payload }) => JSON.stringify(payload).includes("machine.migrated"))
        assert.deepStrictEqual(
          (migrated as { readonly payload: { readonly event: unknown } } | undefined)?.payload.event,
          {
            type: "machine.migrated",
            from: "1",
            unknown: { timers: ["xstate.after.777600000.counter.waiting"], children: [] }
          }
        )
      })
    )
  )

  it.live("a state that is not legal in the new version stays as it is, and says why", () =>
    onMemory(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        const Two = fromMachine(machine("idle", "done"), {
          version: "2",
          input,
          events,
          migrate: { "1": () => waiting as never }
        })
        yield* started(["old"])
        yield* Effect.gen(function* () {
          const processes = yield* Processes
          const tried = yield* processes.migrate(Two, { dryRun: true })
          assert.deepStrictEqual(tried.moved, [])
          assert.match(tried.kept[0]?.why ?? "", illegal)
          yield* processes.handle(Two, "old").signal(Go, {})
          yield* until(
            Effect.map(
              store.find("old" as never),
              (found) => found._tag === "Present" && illegal.test(found.row.backOff?.problem ?? "")
            )
          )
        }).pipe(Effect.provide(hostOn(store, [Two])))
        assert.deepStrictEqual((yield* stateOf("old"))?.value, "waiting")
      })
    )
  )

  it.live("all are taken over at once, and a dry run says what would be and writes nothing", () =>
    onMemory(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        const Two = fromMachine(machine("idle", "done"), {
          version: "2",
          input,
          events,
          migrate: {
            "1": ({ context, timers }) => ({
              value: "idle" as never,
              context: context as unknown as Counted,
              cancel: { timers: timers.map(({ id }) => id) }
            })
          }
        })
        yield* started(["a", "b"])
        yield* Effect.gen(function* () {
          const processes = yield* Processes
          assert.deepStrictEqual(yield* processes.migrate(Two, { dryRun: true }), {
            moved: ["a", "b"] as never,
            kept: [],
            unknown: []
          })
          assert.deepStrictEqual((yield* stateOf("a"))?.definition.version, "1")
          assert.deepStrictEqual(yield* processes.migrate(Two), { moved: ["a", "b"] as never, kept: [], unknown: [] })
          const chart = yield* stateOf("a")
          assert.deepStrictEqual([chart?.definition.version, chart?.value, chart?.timers], ["2", "idle", []])
          assert.deepStrictEqual(yield* processes.migrate(Two), { moved: [], kept: [], unknown: [] })
        }).pipe(Effect.provide(hostOn(store, [Two])))
      })
    )
  )

  it.live("one that moved has moved, although an event that waited for it throws in the new version", () =>
    onMemory(
      Effect.gen(function* () {
        const broken = setup({
          types: { context: {} as Counted, events: {} as { readonly type: "go" } },
          guards: {
            isThrown: () => {
              throw new Error("no way")
            }
          }
        }).createMachine({
          id: "counter",
          context: { n: 0 },
          initial: "idle",
          states: { idle: { on: { go: { guard: "isThrown", target: "done" } } }, done: { type: "final" } }
        })
        const Two = fromMachine(broken, {
          version: "2",
          input,
          events,
          migrate: { "1": () => ({ value: "idle" as const, context: { n: 0 } }) }
        })
        yield* started(["old"])
        const registry = yield* ProcessRegistry
        yield* registry.signal("old" as never, { name: "go", payload: {}, signalId: "s" }, Authority.external)
        const { moved, kept } = yield* migrateAll(Two.chart as Chart)
        assert.deepStrictEqual([moved, kept], [["old"], []])
        assert.deepStrictEqual((yield* stateOf("old"))?.definition.version, "2")
      }).pipe(Effect.provide(Registry.layer))
    )
  )

  it.live("a version whose structure is the same is another version all the same", () =>
    onMemory(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        const Two = fromMachine(machine("waiting", "over"), {
          version: "2",
          input,
          events,
          migrate: { "1": () => ({ value: "waiting" as never, context: { n: 5 } }) }
        })
        yield* started(["old"])
        yield* Effect.flatMap(Processes, (processes) =>
          Effect.zipRight(processes.handle(Two, "old").send({ type: "go" }), processes.handle(Two, "old").await)
        ).pipe(Effect.provide(hostOn(store, [Two])))
        const chart = yield* stateOf("old")
        assert.deepStrictEqual([chart?.definition.version, chart?.context], ["2", { n: 6 }])
      })
    )
  )

  it.live(
    "a process that was taken over runs in its new version, where both versions are and its input has changed",
    () =>
      onMemory(
        Effect.gen(function* () {
          const store = yield* ProcessStore
          const performed: Array<number> = []
          const telling = setup({
            types: {
              context: {} as Counted,
              events: {} as { readonly type: "go" },
              input: {} as { readonly from: number }
            },
            actions: { tell: () => {} }
          }).createMachine({
            id: "counter",
            context: ({ input: { from } }) => ({ n: from }),
            initial: "idle",
            states: { idle: { on: { go: { target: "done", actions: "tell" } } }, done: { type: "final" } }
          })
          const Two = fromMachine(telling, {
            version: "2",
            kind: "counter",
            input: Schema.Struct({ from: Schema.Int }),
            events,
            actions: { tell: ({ context }) => Effect.sync(() => void performed.push(context.n)) },
            migrate: { "1": () => ({ value: "idle" as const, context: { n: 7 } }) }
          })
          yield* started(["old"])
          yield* Effect.gen(function* () {
            const processes = yield* Processes
            assert.deepStrictEqual((yield* processes.migrate(Two)).moved, ["old"] as never)
            const handle = processes.handle(Two, "old")
            yield* handle.send({ type: "go" })
            yield* handle.await
          }).pipe(Effect.provide(hostOn(store, [One, Two])))
          assert.deepStrictEqual(performed, [7])
        })
      )
  )

  it.live("what is no machine is refused by name, and nothing is moved", () =>
    onMemory(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        yield* Effect.gen(function* () {
          const processes = yield* Processes
          for (const given of [undefined, null, 7, {}]) {
            const refusal = yield* Effect.flip(processes.migrate(given as never))
            assert.deepInclude(refusal, { _tag: "InputInvalid", field: "engine" })
          }
          const refusal = yield* Effect.flip(processes.migrate(One, 7 as never))
          assert.deepInclude(refusal, { _tag: "InputInvalid", field: "options" })
        }).pipe(Effect.provide(hostOn(store, [One])))
      })
    )
  )
})
