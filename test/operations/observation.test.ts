import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { processId } from "../../src/model/ids.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import type { Originator, SessionScope } from "../../src/model/Provenance.ts"
import type { ProcessInput } from "../../src/model/Registration.ts"
import * as Registration from "../../src/model/Registration.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import * as Grants from "../../src/operations/HandleGrants.ts"
import { HandleGrants } from "../../src/operations/HandleGrants.ts"
import * as Leases from "../../src/operations/Leases.ts"
import * as Observing from "../../src/operations/Observation.ts"
import { Observation } from "../../src/operations/Observation.ts"
import * as Liveness from "../../src/operations/OwnerLiveness.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import type { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { temporaryFolder } from "../support/hosts.ts"

const host: Originator = { _tag: "Host" }
const external: ProcessInput = { _tag: "External", metadata: { label: "a delivery" } }

const add = (
  id: string,
  options: { readonly originator?: Originator; readonly wakeTarget?: SessionScope; readonly input?: ProcessInput } = {}
) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.registerProcess({
      ...Registration.make(processId(id), options.input ?? external, "externally_owned", {
        originator: options.originator ?? host
      }),
      eventTypes: [{ name: "note", payloadSchema: { schema: {} }, semantics: {} }],
      ...(options.wakeTarget === undefined ? {} : { wakeTarget: options.wakeTarget })
    })
  )

const grant = (scope: SessionScope, id: string) =>
  Effect.flatMap(HandleGrants, (grants) =>
    grants.grantHandle(scope, processId(id), { label: `${id} for ${scope.sessionId}` })
  )

const end = (id: string, output: Parameters<(typeof ProcessRegistry.Service)["completeProcess"]>[1]) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.completeProcess(processId(id), output, { _tag: "ExternalOwner" })
  )

const operations = Layer.mergeAll(Registry.layer, Grants.layer, Leases.layer, Observing.layer).pipe(
  Layer.provide(Liveness.layerNoop)
)

const stores: ReadonlyArray<readonly [string, Layer.Layer<ProcessStore, unknown>]> = [
  ["memory", MemoryStore.layer],
  [
    "sqlite",
    Layer.unwrapScoped(Effect.map(temporaryFolder, (folder) => SqliteStore.layer({ filename: `${folder}/o.db` })))
  ]
]

for (const [name, store] of stores) {
  const on = Layer.provide(operations, store)

  describe(`observation on ${name}`, () => {
    it.effect("shows what a process is, how it stands, and its lease as stored", () =>
      Effect.gen(function* () {
        const observation = yield* Observation
        yield* add("p")
        const owner = opaqueOwner("w", "life-1")
        yield* Effect.flatMap(Leases.Leases, (leases) => leases.claimProcessLease(processId("p"), owner, 50))
        yield* TestClock.adjust("1 second")
        const seen = yield* observation.observe(processId("p"))
        assert.deepStrictEqual(
          [seen?.graphKey, seen?.kind, seen?.label, seen?.lifecycle, seen?.terminal, seen?.error],
          ["process:p", "external", "a delivery", "running", false, undefined]
        )
        assert.deepStrictEqual([seen?.leaseHolder, seen?.leaseExpiresAtMs], [owner, 50])
        assert.isUndefined(yield* observation.observe(processId("nobody")))
      }).pipe(Effect.provide(on))
    )

    it.effect("shows the message of failures and cancellations, and of nothing else", () =>
      Effect.gen(function* () {
        for (const id of ["a", "b", "c", "d"]) yield* add(id)
        yield* end("a", { _tag: "Failure", class: "external", code: "lost", message: "the parcel is lost" })
        yield* end("b", { _tag: "Cancelled", message: "not wanted" })
        yield* end("c", { _tag: "Success", value: "fine" })
        yield* end("d", { _tag: "Abandoned", evidence: { writer: "sweep", epochMs: 0 } })
        const errors = yield* Effect.forEach(["a", "b", "c", "d"], (id) =>
          Effect.flatMap(Observation, (observation) => observation.observe(processId(id)))
        )
        assert.deepStrictEqual(
          errors.map((seen) => seen?.error),
          ["the parcel is lost", "not wanted", undefined, undefined]
        )
        assert.isTrue(errors.every((seen) => seen?.terminal === true))
      }).pipe(Effect.provide(on))
    )

    it.effect("a label falls back to the kind, and a session's turn names its child session", () =>
      Effect.gen(function* () {
        yield* add("turn", {
          input: { _tag: "SessionTurn", createRequest: { session_id: "child" }, turnInput: null, outputContract: null }
        })
        yield* add("plain", { input: { _tag: "External", metadata: null } })
        const observation = yield* Observation
        const turn = yield* observation.observe(processId("turn"))
        assert.deepStrictEqual([turn?.kind, turn?.label, turn?.childSessionId], ["session_turn", "child", "child"])
        assert.strictEqual((yield* observation.observe(processId("plain")))?.label, "external")
      }).pipe(Effect.provide(on))
    )

    it.effect("a session sees what is granted to its plain scope and what wakes any of its frames, newest first", () =>
      Effect.gen(function* () {
        const registry = yield* ProcessRegistry
        yield* add("granted")
        yield* TestClock.adjust("1 second")
        yield* add("waking", { wakeTarget: { sessionId: "s", agentFrameId: "f" } })
        yield* TestClock.adjust("1 second")
        yield* add("both", { wakeTarget: { sessionId: "s" } })
        yield* add("of-a-frame")
        yield* add("started-only", { originator: { _tag: "Session", scope: { sessionId: "s" } } })
        yield* add("of-another", { wakeTarget: { sessionId: "t" } })
        yield* grant({ sessionId: "s" }, "granted")
        yield* grant({ sessionId: "s" }, "both")
        yield* grant({ sessionId: "s", agentFrameId: "f" }, "of-a-frame")
        yield* TestClock.adjust("1 second")
        for (let count = 1; count <= 40; count++) {
          yield* registry.appendEvent(processId("granted"), { eventType: "note", payload: count }, Authority.external)
        }
        const seen = yield* Effect.flatMap(Observation, (observation) => observation.snapshotForSession("s"))
        assert.deepStrictEqual(
          seen.map(({ record, descriptor }) => [record.id, descriptor]),
          [
            [processId("granted"), { label: "granted for s" }],
            [processId("both"), { label: "both for s" }],
            [processId("waking"), { kind: "external", label: "a delivery" }]
          ]
        )
        assert.deepStrictEqual(
          seen[0]?.events.map((event) => event.sequence),
          Array.from({ length: 32 }, (_, index) => index + 9)
        )
        assert.deepStrictEqual(yield* Effect.flatMap(Observation, (o) => o.snapshotForSession("nobody")), [])
      }).pipe(Effect.provide(on))
    )

    it.effect("lists by grant and by originator are filtered, and a named frame counts", () =>
      Effect.gen(function* () {
        const session = (agentFrameId?: string): Originator => ({
          _tag: "Session",
          scope: { sessionId: "s", ...(agentFrameId === undefined ? {} : { agentFrameId }) }
        })
        yield* add("a", { originator: session() })
        yield* add("b", { originator: session("f") })
        yield* add("c", { originator: session("g") })
        yield* add("d", { originator: host })
        yield* end("c", { _tag: "Success", value: null })
        for (const id of ["a", "c", "d"]) yield* grant({ sessionId: "s" }, id)
        const observation = yield* Observation
        const originated = (scope: SessionScope, status: "running" | "any") =>
          Effect.map(observation.listOriginatedBy(scope, { status }), ({ records }) =>
            records.map(({ id }) => String(id))
          )
        const granted = (status: "running" | "any") =>
          Effect.map(observation.listGrantedTo({ sessionId: "s" }, { status }), ({ entries }) =>
            entries.map(({ record }) => String(record.id))
          )
        assert.deepStrictEqual(yield* originated({ sessionId: "s" }, "running"), ["a", "b"])
        assert.deepStrictEqual(yield* originated({ sessionId: "s" }, "any"), ["a", "b", "c"])
        assert.deepStrictEqual(yield* originated({ sessionId: "s", agentFrameId: "f" }, "any"), ["b"])
        assert.deepStrictEqual(yield* originated({ sessionId: "s", agentFrameId: "" }, "any"), ["a", "b", "c"])
        assert.deepStrictEqual(yield* originated({ sessionId: "t" }, "any"), [])
        assert.deepStrictEqual(yield* granted("running"), ["a", "d"])
        assert.deepStrictEqual(yield* granted("any"), ["a", "c", "d"])
      }).pipe(Effect.provide(on))
    )
  })
}
