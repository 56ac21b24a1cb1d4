import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Explanations from "../../src/explain/Explanation.ts"
import { explain } from "../../src/explain/explain.ts"
import { Host } from "../../src/host/Host.ts"
import { Processes } from "../../src/host/Processes.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { InspectorSource } from "../../src/inspector/InspectorSource.ts"
import type { OverviewView } from "../../src/inspector/OverviewView.ts"
import { reasonOf } from "../../src/inspector/reason.ts"
import type { ListView, PartView, ProcessView } from "../../src/inspector/View.ts"
import { processId } from "../../src/model/ids.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { RecoverySweep } from "../../src/supervision/RecoverySweep.ts"
import { approvalNoting } from "../chart/charts.ts"
import { bounded, memory, quiet, until } from "../support/hosts.ts"
import { asked } from "./fixtures.ts"

const engine = (kind: string) =>
  Engine.make(kind, {
    version: "1",
    payload: Schema.Null,
    success: Schema.Null,
    disposition: "rerunnable",
    run: () => Effect.never
  })

const Approval = approvalNoting([])

const [Work, Other] = [engine("work"), engine("other")]

const Stepping = Engine.make("stepping", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Number,
  disposition: "rerunnable",
  run: (_payload, ctx) => ctx.step("count", Effect.succeed(7))
})

/** A host with one engine and one place, and its inspector. It sweeps only when a test asks for it. */
const host = Layer.provide(
  Layer.provideMerge(
    Inspector.layerHost({ token: "secret" }),
    memory([Work], { maxConcurrent: 1, sweepInterval: false, leaseTtl: "5 minutes" })
  ),
  quiet
)

/** Starts one that runs, one that finds no place, and one whose engine is not here; a sweep has met them. */
const furnish = Effect.gen(function* () {
  const processes = yield* Processes
  for (const id of ["first", "second"]) yield* processes.start(Work, { id, payload: null })
  yield* processes.start(Other, { id: "third", payload: null })
  yield* (yield* RecoverySweep).sweep
})

const part = (path: string) =>
  Effect.map(asked<PartView>(path), (view) => (view.available ? view.value : assert.fail(`${path} is not available`)))

interface Node {
  readonly name: string
  readonly children: ReadonlyArray<Node>
}

const namesIn = ({ name, children }: Node): ReadonlyArray<string> => [name, ...children.flatMap(namesIn)]

describe("the inspector of a live host", () => {
  it.scopedLive("knows which process runs, which found no place, and which asks for an engine it has not", () =>
    bounded(
      Effect.gen(function* () {
        yield* furnish
        const { facts } = yield* Host
        for (const [id, reason] of [
          ["first", { _tag: "Running" }],
          ["second", { _tag: "NoSlot", slots: 1 }],
          ["third", { _tag: "NoEngine", kind: "other", version: "1" }]
        ] as const) {
          const before = yield* explain(processId(id), facts)
          assert.deepInclude(before.because, reason)
          const shown = yield* part(`/api/explain?id=${id}`)
          // A renewal in between moves the lease.
          const said = [before, yield* explain(processId(id), facts)].map(({ because, meaning }) => ({
            because: Schema.encodeSync(Explanations.Reason)(because),
            meaning
          }))
          const { because, meaning } = shown as (typeof said)[number] // compared with it
          assert.deepInclude(said, { because, meaning })
        }
      }).pipe(Effect.provide(host))
    )
  )

  it.scopedLive("counts a body as at work as long as its lease is renewed, which no change of its row says", () =>
    bounded(
      Effect.gen(function* () {
        yield* (yield* Processes).start(Work, { id: "long", payload: null })
        const { leases } = yield* ProcessStore
        const expiry = Effect.map(leases.of(processId("long")), (lease) => lease?.expiresAtMs ?? 0)
        const first = yield* expiry
        assert.deepInclude(yield* asked<OverviewView>("/api/overview"), { active: 1, late: 0 })
        yield* until(Effect.map(expiry, (atMs) => atMs > first && Date.now() > first))
        assert.deepInclude(yield* asked<OverviewView>("/api/overview"), { active: 1, late: 0 })
        const { rows, now_ms: nowMs } = yield* asked<ListView>("/api/processes")
        assert.deepStrictEqual(
          rows.map((row) => reasonOf(row, nowMs)?.text),
          ["at work"]
        )
      }).pipe(
        Effect.provide(
          Layer.provide(Layer.provideMerge(Inspector.layerHost({ token: "secret" }), memory([Work])), quiet)
        )
      )
    )
  )

  it.scopedLive("counts a machine that takes several signals once among those that need a person", () =>
    bounded(
      Effect.gen(function* () {
        const processes = yield* Processes
        for (const id of ["a", "b"]) yield* processes.start(Approval, { id, payload: { n: 3 } })
        const inbox = Effect.map(asked<OverviewView>("/api/overview"), (overview) => overview.inbox)
        yield* until(Effect.map(inbox, (groups) => groups[0]?.count === 2))
        assert.deepStrictEqual(
          (yield* inbox).map(({ kind, asks, count, rows }) => [
            kind,
            asks,
            count,
            rows.map((row) => row.process_id).toSorted()
          ]),
          [["approval", ["approve", "remind"], 2, ["a", "b"]]]
        )
        const found = (asks: string) => asked<ListView>(`/api/processes?kind=approval&asks=${asks}&sort=id&order=asc`)
        assert.deepStrictEqual(
          (yield* found("approve+remind")).rows.map((row) => row.process_id),
          ["a", "b"]
        )
        assert.strictEqual((yield* found("approve")).total, 0)
      }).pipe(
        Effect.provide(
          Layer.provide(Layer.provideMerge(Inspector.layerHost({ token: "secret" }), memory([Approval])), quiet)
        )
      )
    )
  )

  it.scopedLive("says of a machine that rests what its child is about", () =>
    bounded(
      Effect.gen(function* () {
        const Hanging = approvalNoting([], Effect.never)
        yield* Effect.gen(function* () {
          const handle = yield* (yield* Processes).start(Hanging, { id: "a", payload: { n: 3 } })
          yield* handle.send({ type: "approve", by: "ana" }, { id: "approval" })
          const reason = Effect.map(asked<ListView>("/api/processes?kind=approval"), ({ rows, now_ms: nowMs }) =>
            rows.map((row) => reasonOf(row, nowMs)?.text ?? "").find((text) => text.startsWith("rests in paying"))
          )
          yield* until(Effect.map(reason, (text = "") => /^rests in paying; its child: step charge, \d/.test(text)))
        }).pipe(
          Effect.provide(
            Layer.provide(Layer.provideMerge(Inspector.layerHost({ token: "secret" }), memory([Hanging])), quiet)
          )
        )
      })
    )
  )

  it.scopedLive("shows the tree as it stands, with a node for each body", () =>
    bounded(
      Effect.gen(function* () {
        yield* furnish
        const names = namesIn((yield* part("/api/tree")) as Node) // a tree is nodes all the way down
        assert.strictEqual(names[0], "host")
        assert.includeMembers([...names], ["owner", "lease renewer", "sweep", "timer driver", "change feed"])
        assert.isTrue(names.some((name) => name.includes("first")))
        assert.isFalse(names.some((name) => name.includes("second")))
      }).pipe(Effect.provide(host))
    )
  )

  it.scopedLive("remembers the sweeps that met something, newest first, and no more than twenty", () =>
    bounded(
      Effect.gen(function* () {
        const sweep = yield* RecoverySweep
        yield* furnish
        for (let round = 0; round < 25; round++) yield* sweep.sweep
        const { eventful } = yield* sweep.latest
        assert.strictEqual(eventful.length, 20)
        const shown = yield* part("/api/sweeps")
        assert.isArray(shown)
        const times = (shown as ReadonlyArray<{ readonly at_ms: number }>).map(({ at_ms }) => at_ms) // as the source says
        assert.deepStrictEqual(
          times,
          times.toSorted((a, b) => b - a)
        )
        assert.isAtMost(times.length, 21)
      }).pipe(Effect.provide(host))
    )
  )

  it.scopedLive("shows what the program provides instead of its own part", () =>
    bounded(
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* part("/api/tree"), { id: "mine" })
        assert.isArray(yield* part("/api/sweeps"))
        assert.deepStrictEqual(yield* part("/api/wakes"), {
          counts: {
            pending: 0,
            enqueuing: 0,
            enqueued: 0,
            discarded: { expired: 0, target_gone: 0, retargeted: 0 }
          },
          rows: [],
          rows_left_off: 0,
          blocked: [],
          blocked_left_off: 0
        })
      }).pipe(Effect.provide(host), Effect.provideService(InspectorSource, { tree: Effect.succeed({ id: "mine" }) }))
    )
  )

  it.scopedLive("shows what the operations of a body came to", () =>
    bounded(
      Effect.gen(function* () {
        const processes = yield* Processes
        const handle = yield* processes.start(Stepping, { id: "s", payload: null })
        assert.strictEqual(yield* handle.await, 7)
        const { journal, journal_length: length } = yield* asked<ProcessView>("/api/process?id=s")
        assert.strictEqual(length, 1)
        assert.deepInclude(journal[0], { position: 1, operation: "step", key: "count#1" })
        assert.include(JSON.stringify(journal[0]?.outcome), "7")
      }).pipe(
        Effect.provide(
          Layer.provide(Layer.provideMerge(Inspector.layerHost({ token: "secret" }), memory([Stepping])), quiet)
        )
      )
    )
  )
})
