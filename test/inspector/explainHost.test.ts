import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { explain } from "../../src/inspector/explain.ts"
import { hostView } from "../../src/inspector/explainHost.ts"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Awaiter from "../../src/runtime/Awaiter.ts"
import * as ChangeHub from "../../src/runtime/ChangeHub.ts"
import * as Engine from "../../src/runtime/Engine.ts"
import * as Engines from "../../src/runtime/Engines.ts"
import * as HostEnvironment from "../../src/runtime/HostEnvironment.ts"
import * as RuntimeConfig from "../../src/runtime/RuntimeConfig.ts"
import { registrationOf } from "../../src/runtime/starting.ts"
import * as Worker from "../../src/runtime/Worker.ts"
import * as Activations from "../../src/store/activations.ts"
import * as Authority from "../../src/store/decisions/authority.ts"
import * as Environments from "../../src/store/environments.ts"
import * as Executions from "../../src/store/executions.ts"
import * as Liveness from "../../src/store/liveness.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import * as Registry from "../../src/store/registry.ts"
import { bounded, quiet } from "../support/hosts.ts"

const engine = (kind: string) =>
  Engine.make(kind, {
    version: "1",
    payload: Schema.Null,
    success: Schema.Null,
    disposition: "rerunnable",
    run: () => Effect.never
  })

const [Work, Other] = [engine("work"), engine("other")]

/** A host with one engine and one place. */
const host = Worker.layer.pipe(
  Layer.provideMerge(Awaiter.layer),
  Layer.provideMerge(ChangeHub.layer),
  Layer.provideMerge(Layer.merge(Engines.layer([Work]), RuntimeConfig.layer({ maxConcurrent: 1 }))),
  Layer.provideMerge(Layer.mergeAll(Registry.layer, Activations.layer, Executions.layer)),
  Layer.provideMerge(Layer.provideMerge(HostEnvironment.layer(), Environments.layer)),
  Layer.provideMerge(Layer.merge(MemoryStore.layer, Liveness.layer)),
  Layer.provide(quiet)
)

const start = (kind: typeof Work, id: string) =>
  Effect.gen(function* () {
    const worker = yield* Worker.Worker
    const registered = yield* registrationOf(kind, { id, payload: null, provenance: Provenance.host })
    yield* worker.start(registered, Authority.host)
  })

describe("a live host", () => {
  it.scopedLive("knows which process runs, which found no place, and which asks for an engine it has not", () =>
    bounded(
      Effect.gen(function* () {
        yield* start(Work, "first")
        yield* start(Work, "second")
        yield* start(Other, "third")
        const view = yield* hostView
        const reasons = yield* Effect.forEach(["first", "second", "third"], (id) =>
          Effect.map(explain(processId(id), view), ({ because }) => because)
        )
        assert.deepStrictEqual(
          reasons.map(({ _tag }) => _tag),
          ["Running", "NoSlot", "NoEngine"]
        )
        assert.deepStrictEqual(reasons[1], { _tag: "NoSlot", slots: 1 })
        assert.deepStrictEqual(reasons[2], { _tag: "NoEngine", kind: "other", version: "1" })
      }).pipe(Effect.provide(host))
    )
  )
})
