import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { StoreError } from "../../src/model/errors.ts"
import { processId } from "../../src/model/ids.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { Owner } from "../../src/supervision/Owner.ts"
import { backends } from "../store/callers.ts"
import { gated, hostOn } from "./harness.ts"
import { rowsOn } from "./rows.ts"

/** The identity under which `rowsOn` begins rows for this name. */
const liveness = Layer.succeed(
  OwnerLiveness,
  OwnerLiveness.of({
    identify: () => Effect.succeed(opaqueOwner("me", "me")),
    isDefinitelyDead: () => Effect.succeed(false)
  })
)

describe("a drain", () => {
  for (const [backend, layer] of Object.entries(backends)) {
    it.scopedLive(
      `on ${backend} gives up what the rows say this owner began, also what its memory does not know, and reports each failure`,
      () =>
        Effect.gen(function* () {
          const kept = Context.get(yield* Layer.build(layer), ProcessStore)
          const refuses = new StoreError({
            operation: "write",
            reason: "full",
            written: "no",
            detail: "the disk is full"
          })
          let refusal: Effect.Effect<never, StoreError> | undefined = Effect.fail(refuses)
          const store = ProcessStore.of({
            ...kept,
            transact: (plan, decide) =>
              refusal !== undefined && plan.lock.includes(processId("b")) ? refusal : kept.transact(plan, decide)
          })
          const rows = yield* rowsOn(kept)
          const once = gated("owner_bound", "once")
          const again = gated()
          for (const id of ["a", "b", "c", "d", "held", "other", "earlier", "elsewhere", "unstarted"]) {
            yield* rows.register(once.engine, id)
          }
          yield* rows.register(again.engine, "rerunnable")
          for (const id of ["a", "b", "c", "rerunnable"]) yield* rows.begin(id, "me", 0)
          yield* rows.begin("held", "me", 60_000)
          yield* rows.begin("other", "another", 0)
          yield* rows.begin("earlier", opaqueOwner("me", "an earlier life"), 0)
          yield* rows.begin("elsewhere", { ...opaqueOwner("me", "me"), liveness: ofAnotherKind }, 0)
          yield* Effect.gen(function* () {
            const { drainOwnerBoundWork } = yield* Owner
            assert.deepStrictEqual(yield* drainOwnerBoundWork, {
              abandoned: ["a", "c"].map(processId),
              failed: [{ id: processId("b"), problem: refuses.message }]
            })
            yield* rows.begin("d", "me", 0)
            refusal = Effect.die(new Error("a broken store"))
            assert.deepStrictEqual(yield* drainOwnerBoundWork, {
              abandoned: [processId("d")],
              failed: [{ id: processId("b"), problem: "a broken store" }]
            })
            refusal = undefined
            assert.deepStrictEqual(yield* drainOwnerBoundWork, { abandoned: [processId("b")], failed: [] })
          }).pipe(Effect.provide(hostOn(store, [], { sweepInterval: false, liveness })))
          const left = ["held", "other", "earlier", "elsewhere", "unstarted", "rerunnable"]
          const states = yield* Effect.forEach(["a", "b", "c", "d", ...left], (id) =>
            Effect.map(rows.record(id), (record) => `${id} ${record?.status._tag}`)
          )
          assert.deepStrictEqual(states, [
            ...["a", "b", "c", "d"].map((id) => `${id} Abandoned`),
            ...left.map((id) => `${id} Running`)
          ])
        })
    )
  }
})

/** Evidence that the owner of this test does not show: full equality compares it too. */
const ofAnotherKind = {
  _tag: "LocalProcess",
  hostId: "another",
  bootId: "boot",
  pid: 1,
  processStart: "1"
} as const
