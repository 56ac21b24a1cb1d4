import { readdirSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Supervisor from "effect/Supervisor"
import { Host } from "../../src/host/Host.ts"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import { processId } from "../../src/model/ids.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import { Leases } from "../../src/operations/Leases.ts"
import * as Liveness from "../../src/operations/OwnerLiveness.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { Owner } from "../../src/supervision/Owner.ts"
import { renderTree } from "../../src/supervision/Supervisor.ts"
import type { Fault } from "../supervision/harness.ts"
import { faultyStore, gated, hostOn, inVirtualTime, logOf, nodeIn, testimony } from "../supervision/harness.ts"
import { bounded, fast, memory, sqlite, temporaryFolder, until } from "../support/hosts.ts"
import { samples } from "../support/samples.ts"

const node = (name: string) =>
  Effect.map(
    Effect.flatMap(Host, ({ tree }) => tree),
    (tree) => nodeIn(tree, name)
  )

const start = (engine: ReturnType<typeof gated>["engine"], id: string) =>
  Effect.flatMap(Processes, (processes) => processes.start(engine, { id, payload: id }))

describe("the tree of a host", () => {
  const writer = {
    name: "store writer",
    kind: "worker",
    state: "running",
    restarts: 2,
    lastFailure: { atMs: 0, problem: "Error: disk\nat a place" },
    children: []
  } as const

  it.live("is a value at any time: who runs, in which state, and is drawn as text", () => {
    const { engine, begun } = gated()
    return Effect.gen(function* () {
      yield* start(engine, "p")
      yield* until(Effect.sync(() => begun.length === 1))
      const { state, tree } = yield* Host
      yield* until(Effect.map(node("change feed"), (feed) => feed?.state === "running"))
      assert.strictEqual(yield* state, "running")
      assert.strictEqual(
        renderTree(yield* tree),
        [
          "host: running",
          "├─ store writer: running, restarted 2 times, last failure: Error: disk",
          "├─ timer driver: running",
          "├─ parent close: running",
          "├─ wake driver: running",
          "├─ change feed: running",
          "└─ owner: running, me",
          "   ├─ lease renewer: running",
          "   ├─ process actors: running, accepting, 1 at work",
          "   │  └─ p: running, attempt 1, fence 1",
          "   ├─ admission: running",
          "   ├─ recheck: running",
          "   └─ sweep: running"
        ].join("\n")
      )
    }).pipe(
      Effect.provide(
        Layer.unwrapEffect(
          Effect.map(MemoryStore.make, (store) => hostOn({ ...store, parts: () => [writer] }, [engine]))
        )
      )
    )
  })
})

describe("a defect in a part of a host", () => {
  /** Where a fault of the store shows, and what it takes to make it happen. */
  const parts: ReadonlyArray<
    readonly [part: string, fault: Fault, provoke: Effect.Effect<unknown, unknown, ProcessRegistry>]
  > = [
    ["sweep", "holders", Effect.void],
    ["lease renewer", "renewKept", Effect.void],
    ["change feed", "changedElsewhere", Effect.void],
    [
      "recheck",
      "find",
      Effect.flatMap(ProcessRegistry, (registry) =>
        registry.requestProcessCancel(processId("idle"), `no. ${Math.random()}`, Authority.host)
      )
    ]
  ]
  for (const [part, fault, provoke] of parts) {
    it.live(`restarts the ${part} after a pause, says why, and what runs here ends as it should, once`, () =>
      Effect.gen(function* () {
        const { store, breaks } = yield* faultyStore
        const { engine, begun, interrupted, open } = gated()
        const options = { leaseRenewal: "20 millis", sweepInterval: part === "recheck" ? false : "20 millis" } as const
        yield* Effect.gen(function* () {
          // Nobody here can run it: it stands for what a hint makes the recheck look at.
          yield* start(gated("rerunnable", "elsewhere").engine, "idle")
          const first = yield* start(engine, "p")
          yield* until(Effect.sync(() => begun.length === 1))
          breaks(fault, 2)
          yield* until(
            Effect.flatMap(Effect.zipRight(provoke, node(part)), (now) =>
              Effect.succeed(now?.restarts === 2 && now.state === "running")
            )
          )
          assert.strictEqual((yield* node(part))?.lastFailure?.problem, `Error: ${fault} broke`)
          for (const other of parts.map(([name]) => name).filter((name) => name !== part)) {
            assert.deepStrictEqual([other, (yield* node(other))?.restarts], [other, 0])
          }
          const second = yield* start(engine, "q")
          yield* open
          assert.deepStrictEqual(yield* bounded(Effect.all([first.await, second.await])), ["p", "q"])
          assert.deepStrictEqual([begun, interrupted], [["p", "q"], []])
          assert.strictEqual(yield* Effect.flatMap(Host, ({ state }) => state), "running")
        }).pipe(Effect.provide(hostOn(store, [engine], options)))
      })
    )
  }

  it.live("in liveness evidence is the sweep's, and a later sweep goes by the evidence", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const { engine, begun } = gated()
      let left = 2
      const liveness = Liveness.make({
        ...Liveness.linux,
        startTime: (pid) => {
          // The first call is the host's, about itself.
          if (begun.length > 0 && left-- > 0) throw new Error("no evidence")
          return Liveness.linux.startTime(pid)
        }
      })
      yield* Effect.gen(function* () {
        yield* start(engine, "p")
        yield* until(Effect.map(node("sweep"), (now) => now?.restarts === 2 && now.state === "running"))
        assert.strictEqual((yield* node("sweep"))?.lastFailure?.problem, "Error: no evidence")
        assert.deepStrictEqual(begun, ["p"])
      }).pipe(Effect.provide(hostOn(store, [engine], { liveness: Layer.succeed(OwnerLiveness, liveness) })))
    })
  )
})

describe("a host whose owner gave up", () => {
  it.live("starts it again, and the owner takes its work on again: that was no failed attempt", () =>
    Effect.gen(function* () {
      const { store, breaks, mends } = yield* faultyStore
      const { engine, begun, interrupted, open } = gated()
      const record = yield* Effect.gen(function* () {
        const handle = yield* start(engine, "p")
        for (const fault of ["holders", "renewKept"] as const) breaks(fault)
        yield* until(Effect.map(node("owner"), (owner) => owner?.restarts === 1))
        for (const fault of ["holders", "renewKept"] as const) mends(fault)
        yield* until(Effect.sync(() => begun.length > interrupted.length))
        assert.strictEqual(yield* Effect.flatMap(Host, ({ state }) => state), "running")
        yield* open
        assert.strictEqual(yield* handle.await, "p")
        return yield* handle.status
      }).pipe(Effect.provide(hostOn(store, [engine], { leaseTtl: "10 minutes" })), inVirtualTime)
      assert.strictEqual(record.attempts, 1)
      assert.deepStrictEqual(yield* logOf(store, "p"), [
        ...interrupted.flatMap(() => ["process.started", "process.suspended"]),
        "process.started",
        "process.completed"
      ])
      assert.isAbove(interrupted.length, 0)
    })
  )
})

describe("a host that fails", () => {
  it.live("says so once its tree cannot be kept up, and has handed its work back by then", () =>
    Effect.gen(function* () {
      const { store, breaks } = yield* faultyStore
      const { engine, begun, interrupted } = gated()
      let started = 0
      const parts = yield* Effect.gen(function* () {
        const host = yield* Host
        // There is always something to renew, and somebody who listens to changes.
        const work = Effect.flatMap(start(engine, `p-${started++}`), (handle) => Effect.fork(Effect.exit(handle.await)))
        yield* Effect.fork(Effect.forever(Effect.zipRight(work, Effect.sleep("500 millis"))))
        // Two parts of the owner fail again and again, and the change feed beside it: each rests longer than the last time,
        // and one alone would never make a host give up.
        for (const fault of ["holders", "renewKept", "changedElsewhere"] as const) breaks(fault)
        const { child, problem } = yield* host.awaitFailure
        assert.oneOf(`${child}: ${problem}`, [
          "owner: Error: renewKept broke",
          "owner: Error: holders broke",
          "change feed: Error: changedElsewhere broke"
        ])
        assert.strictEqual(yield* host.state, "failed")
        assert.isAtLeast(begun.length, 1)
        assert.deepStrictEqual(interrupted.toSorted(), begun.toSorted())
        for (const id of begun) {
          assert.strictEqual((yield* logOf(store, id)).at(-1), "process.suspended")
          assert.isUndefined(yield* store.leases.of(processId(id)))
        }
        const tree = yield* host.tree
        assert.strictEqual(tree.lastFailure?.problem, problem)
        return [tree, ...tree.children]
      }).pipe(Effect.provide(hostOn(store, [engine], { leaseTtl: "10 minutes" })), inVirtualTime)
      assert.deepStrictEqual(
        parts.map(({ name, state }) => `${name} ${state}`),
        [
          "host failed",
          "timer driver stopped",
          "parent close stopped",
          "wake driver stopped",
          "change feed stopped",
          "owner stopped"
        ]
      )
    })
  )
})

describe("a host that stops", () => {
  const facts = (store: typeof ProcessStore.Service) => {
    const said: Array<string> = []
    return Effect.as(
      store.onCommit((changes) => {
        for (const { events } of changes) for (const event of events) said.push(`${event.processId} ${event.eventType}`)
      }),
      said
    )
  }

  it.scopedLive(
    "interrupts, hands back, and only then gives up what its owner began and no worker holds, with evidence",
    () =>
      Effect.gen(function* () {
        const store = yield* MemoryStore.make
        const said = yield* facts(store)
        const bound = gated("owner_bound", "bound")
        const slow = Engine.make("slow", {
          version: "1",
          payload: Schema.String,
          success: Schema.Null,
          disposition: "rerunnable",
          run: () => Effect.onInterrupt(Effect.never, () => Effect.sleep("60 millis"))
        })
        yield* Effect.gen(function* () {
          const leases = yield* Leases
          const owner = yield* Owner
          yield* (yield* Processes).start(slow, { id: "slow", payload: "" })
          yield* start(bound.engine, "left")
          yield* start(bound.engine, "bound")
          yield* until(Effect.sync(() => bound.begun.length === 2))
          // Somebody takes its lease away: its body lets go and writes nothing, and nobody holds it.
          const lease = yield* leases.getProcessLease(processId("left"))
          yield* leases.completeProcessLease({ processId: processId("left"), leaseToken: lease?.leaseToken ?? "" })
          yield* until(Effect.sync(() => owner.processes().every(({ name }) => name !== "left")))
          assert.deepStrictEqual(bound.interrupted, ["left"])
          said.length = 0
        }).pipe(Effect.provide(hostOn(store, [bound.engine, slow], { leaseRenewal: "20 millis" })))
        assert.deepStrictEqual(said.toSorted(), [
          "bound process.abandoned",
          "left process.abandoned",
          "slow process.suspended"
        ])
        assert.strictEqual(said.at(-1), "left process.abandoned")
        for (const id of ["left", "bound"]) {
          const found = yield* store.find(processId(id))
          const output = found._tag === "Present" ? found.row.snapshot.context.output : undefined
          assert.deepInclude(output?._tag === "Abandoned" ? output.evidence : {}, {
            writer: "owner_drain",
            owner: { ownerId: "me", incarnationId: "life-1", liveness: { _tag: "Opaque" } }
          })
        }
      })
  )

  it.scopedLive("renews the leases of bodies that have not let go yet, and writes what they leave", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      let begun = false
      const expiry = Effect.map(store.leases.of(processId("p")), (lease) => lease?.expiresAtMs ?? 0)
      const renewed = Effect.flatMap(expiry, (before) => until(Effect.map(expiry, (now) => now > before)))
      const Slow = Engine.make("slow", {
        version: "1",
        payload: Schema.Null,
        success: Schema.Null,
        disposition: "rerunnable",
        run: () =>
          Effect.sync(() => {
            begun = true
          }).pipe(
            Effect.zipRight(Effect.never),
            Effect.onInterrupt(() => Effect.ignore(Effect.repeatN(renewed, 2)))
          )
      })
      const options = { leaseTtl: "9 seconds", leaseRenewal: "20 millis", shutdown: "8 seconds" } as const
      yield* Effect.gen(function* () {
        yield* (yield* Processes).start(Slow, { id: "p", payload: null })
        yield* until(Effect.sync(() => begun))
      }).pipe(Effect.provide(hostOn(store, [Slow], options)))
      assert.deepStrictEqual(yield* logOf(store, "p"), ["process.started", "process.suspended"])
      assert.strictEqual(yield* store.leases.of(processId("p")), undefined)
    })
  )

  it.scopedLive(
    "says which process and step outlast its deadline, and hands the row over: what they still do is refused",
    () =>
      Effect.gen(function* () {
        const store = yield* MemoryStore.make
        const said: Array<string> = []
        const logger = Logger.make(({ message }) => said.push(String(message)))
        const release = yield* Deferred.make<void>()
        let runs = 0
        const Deaf = Engine.make("deaf", {
          version: "1",
          payload: Schema.Null,
          success: Schema.Number,
          disposition: "rerunnable",
          run: (_, ctx) =>
            ctx.step(
              "pay",
              Effect.suspend(() => {
                const run = ++runs
                return run === 1 ? Effect.as(Deferred.await(release), run) : Effect.succeed(run)
              }).pipe(Effect.uninterruptible)
            )
        })
        const Bound = Engine.make("bound", {
          version: "1",
          payload: Schema.Null,
          success: Schema.Null,
          disposition: "owner_bound",
          run: () => Effect.as(Effect.uninterruptible(Deferred.await(release)), null)
        })
        const hosted = { ...fast, shutdown: "50 millis", engines: [Deaf, Bound] } as const
        const scope = yield* Scope.make()
        const layer = SingleHost.onStore(hosted, testimony().layer).pipe(
          Layer.provide(Layer.succeed(ProcessStore, store)),
          Layer.provide(Logger.replace(Logger.defaultLogger, logger))
        )
        const context = yield* Layer.buildWithScope(layer, scope)
        yield* Effect.provide(
          Effect.flatMap(Processes, (processes) =>
            Effect.zipRight(
              processes.start(Deaf, { id: "p", payload: null }),
              processes.start(Bound, { id: "q", payload: null })
            )
          ),
          context
        )
        yield* until(Effect.sync(() => runs === 1))
        yield* bounded(Scope.close(scope, Exit.void))
        assert.deepStrictEqual(said, [
          "2 processes did not stop within 50 ms: `p` in step `pay` (handed over), `q` (its lease will expire)"
        ])
        assert.isUndefined(yield* store.leases.of(processId("p")))
        assert.isDefined(yield* store.leases.of(processId("q")))
        // Another host takes it at once; the late outcome of the first one is refused.
        yield* Effect.gen(function* () {
          const { handle } = yield* Processes
          assert.strictEqual(yield* bounded(handle(Deaf, "p").await), 2)
        }).pipe(Effect.provide(hostOn(store, [Deaf])))
        yield* Deferred.succeed(release, undefined)
        yield* Effect.sleep("20 millis")
        assert.deepStrictEqual(yield* logOf(store, "p"), [
          "process.started",
          "process.suspended",
          "process.started",
          "process.completed"
        ])
      })
  )
})

describe("a host that came and went", () => {
  const files = () => readdirSync("/proc/self/fd").length
  /** How many of each kind keep this program alive; timers are the tests' own. */
  const resources = () => process.getActiveResourcesInfo().filter((kind) => kind !== "Timeout" && kind !== "Immediate")

  /** Runs something often, and waits until nothing of it is left. */
  const leavesNothing = <E>(cycles: number, cycle: Effect.Effect<unknown, E>) =>
    Effect.gen(function* () {
      yield* cycle
      const before = { files: files(), resources: resources().length }
      const tracker = yield* Supervisor.track
      yield* Effect.supervised(Effect.repeatN(cycle, cycles - 1), tracker)
      yield* until(
        Effect.map(
          tracker.value,
          (fibers) => fibers.length === 0 && files() <= before.files && resources().length <= before.resources
        )
      )
    })

  const cycles = { memory: samples(30, 1_000), sqlite: samples(5, 50) }

  it.live(`${cycles.memory} times in memory, each with a body at work, leaves no fiber and no handle`, () => {
    const { engine, begun } = gated()
    return Effect.gen(function* () {
      yield* leavesNothing(cycles.memory, Effect.provide(start(engine, "p"), memory([engine])))
      assert.strictEqual(begun.length, cycles.memory + 1)
    })
  })

  it.scopedLive(`${cycles.sqlite} times on a file leaves no fiber, no handle and no open file`, () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const { engine } = gated()
      yield* leavesNothing(cycles.sqlite, Effect.provide(start(engine, "p"), sqlite(`${folder}/a.db`, [engine])))
    })
  )
})
