import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { ProcessEffects } from "../../src/host/ProcessEffects.ts"
import { Processes } from "../../src/host/Processes.ts"
import { SessionProcesses } from "../../src/host/SessionProcesses.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import { emptyRef } from "../../src/model/Environment.ts"
import type { EnvironmentRef } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Registration from "../../src/model/Registration.ts"
import { Environments } from "../../src/operations/Environments.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Tool from "../../src/runtime/engine/Tool.ts"
import { acceptWith } from "../../src/store/Decision.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { bounded, memory, sqlite, temporaryFolder, until } from "../support/hosts.ts"

const Work = Engine.make("work", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: () => Effect.succeed(null)
})

const Parent = Engine.make("parent", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: (_, ctx) =>
    Effect.gen(function* () {
      const child = yield* ctx.start(Work, { name: "child", payload: null })
      yield* Effect.orDie(child.await)
      return null
    })
})

const Call = Tool.make("call", {
  description: "Answers",
  args: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: () => Effect.succeed(null)
})

const environment = { pluginOptions: { search: { depth: 2 } }, policy: { provider: "p" } }

// SHA-256 of `{"plugin_options":{"search":{"depth":2}},"policy":{"provider":"p"}}`
const ref = "process-env:sha256:b2eaf96aa6ab14712635ab4ca024592b5c6377026cd8830571b0c444e4d37723"

const recordOf = (id: string) => Effect.flatMap(ProcessRegistry, (registry) => registry.getProcess(processId(id)))

const rowOf = (id: string) =>
  Effect.map(
    Effect.flatMap(ProcessStore, (store) => store.find(processId(id))),
    (found) => (found._tag === "Present" ? found.row : undefined)
  )

/** A process that was registered under an environment of which only the address is known here. */
const registered = (id: string, envRef: string) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.registerProcess({
      ...Registration.make(
        processId(id),
        { _tag: "Engine", kind: "work", payload: null },
        "rerunnable",
        Provenance.host
      ),
      identity: { kind: "work", definition: { kind: "work", version: "1" } },
      envRef: envRef as EnvironmentRef // as stored by another host
    })
  )

describe("the environment of a host", () => {
  it.live("is captured by what starts there, stored under its content, and inherited by children", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      yield* bounded((yield* processes.start(Parent, { id: "p", payload: null })).await)
      yield* bounded((yield* processes.start(Call, { id: "c", payload: null })).await)
      for (const id of ["p", "p/child", "c"]) assert.strictEqual((yield* recordOf(id))?.envRef, ref)
      assert.deepStrictEqual(yield* (yield* Environments).load(ref as EnvironmentRef), environment)
    }).pipe(Effect.provide(memory([Work, Parent], { tools: [Call], environment })))
  )

  it.live("is not that of a process which was started under another, nor of its children", () =>
    Effect.gen(function* () {
      const own = { pluginOptions: {}, policy: { provider: "q" } }
      const input = { _tag: "Engine", kind: "parent", payload: null } as const
      const originator = { _tag: "Host" } as const
      yield* (yield* SessionProcesses).startVerbatim({
        id: processId("p"),
        input,
        disposition: "rerunnable",
        envSpec: own,
        originator,
        eventTypes: Parent.eventTypes
      })
      yield* bounded((yield* Processes).handle(Parent, "p").await)
      const child = yield* recordOf("p/child")
      assert.deepStrictEqual(yield* (yield* Environments).load(child?.envRef ?? emptyRef), own)
      assert.strictEqual((yield* recordOf("p"))?.envRef, child?.envRef)
    }).pipe(Effect.provide(memory([Work, Parent], { environment })))
  )

  it.live("outlives the host: another one on the same file runs what was started under it", () =>
    Effect.gen(function* () {
      const filename = `${yield* temporaryFolder}/host.db`
      yield* Effect.gen(function* () {
        yield* (yield* Processes).start(Work, { id: "w", payload: null })
      }).pipe(Effect.provide(sqlite(filename, [], { environment })))
      yield* Effect.gen(function* () {
        yield* bounded((yield* Processes).handle(Work, "w").await)
        assert.deepStrictEqual(yield* (yield* Environments).load(ref as EnvironmentRef), environment)
      }).pipe(Effect.provide(sqlite(filename, [Work])))
    }).pipe(Effect.scoped)
  )

  it.live("is refused when it is no JSON", () =>
    Effect.gen(function* () {
      const options = { engines: [], environment: { pluginOptions: { at: new Date(0) }, policy: {} } }
      const error = yield* Effect.flip(Effect.scoped(Layer.build(SingleHost.layerMemory(options))))
      assert.deepInclude(error, { _tag: "InputInvalid", field: "environment/pluginOptions/at" })
    })
  )
})

describe("a process whose environment cannot be had", () => {
  it.live("is not begun, says why, and runs once it is there", () =>
    Effect.gen(function* () {
      yield* registered("w", ref)
      yield* until(Effect.map(rowOf("w"), (row) => row?.backOff !== undefined))
      const resting = yield* rowOf("w")
      assert.strictEqual(resting?.backOff?.problem, `missing process execution env \`${ref}\``)
      assert.strictEqual(resting?.sequence, 0)
      assert.strictEqual((yield* recordOf("w"))?.firstStarted, undefined)
      yield* (yield* Environments).persist(environment)
      yield* bounded((yield* Processes).handle(Work, "w").await)
    }).pipe(Effect.provide(memory([Work])))
  )

  it.live("is there after its start, at rest, and its place is free for others", () =>
    Effect.gen(function* () {
      const registration = {
        ...Registration.make(
          processId("w"),
          { _tag: "Engine", kind: "work", payload: null },
          "rerunnable",
          Provenance.host
        ),
        identity: { kind: "work", definition: { kind: "work", version: "1" } },
        envRef: ref as EnvironmentRef
      }
      yield* (yield* ProcessEffects).perform({ _tag: "Start", registration })
      assert.strictEqual((yield* rowOf("w"))?.backOff?.problem, `missing process execution env \`${ref}\``)
      assert.strictEqual((yield* rowOf("w"))?.sequence, 0)
      yield* bounded((yield* (yield* Processes).start(Work, { id: "other", payload: null })).await)
    }).pipe(Effect.provide(memory([Work], { maxConcurrent: 1 })))
  )

  it.live("rests also when what is stored does not decode", () =>
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const write = { _tag: "PutEnvironment", ref: ref as EnvironmentRef, body: '{"session":"live"}' } as const
      yield* store.transact({ lock: [] }, () => acceptWith(undefined, [write]))
      yield* registered("w", ref)
      yield* until(Effect.map(rowOf("w"), (row) => row?.backOff !== undefined))
      assert.include((yield* rowOf("w"))?.backOff?.problem, "failed to decode process execution env")
    }).pipe(Effect.provide(memory([Work])))
  )
})
