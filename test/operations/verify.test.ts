import { assert, describe, it } from "@effect/vitest"
import type { Database } from "better-sqlite3"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { processId } from "../../src/model/ids.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import { external, host } from "../../src/operations/decisions/authority.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import * as Pruning from "../../src/operations/Retention.ts"
import type { Difference } from "../../src/operations/verify.ts"
import { pageSize, verify } from "../../src/operations/verify.ts"
import * as Waits from "../../src/operations/Waits.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { outputs, registrationOf } from "../../src/testing/fixtures.ts"
import { damagedFile, fieldsOf, open, raw, temporaryFile } from "../store/sqliteFixtures.ts"

const p = processId("p")
const wait = {
  kind: { _tag: "Signal", name: "ready", eventType: "signal.ready", key: "process:p:signal.ready:1", ordinal: 1 },
  sinceMs: 5
} as const

/** A process of which every kind of fact is told: it waits, is asked to stop, is told notes, ends. */
const eventful = (id = p) =>
  Effect.gen(function* () {
    const registry = yield* Registry.make
    const waits = yield* Waits.make
    yield* registry.registerProcess(registrationOf(id, "externally_owned"))
    yield* registry.recordFirstStarted(id, { owner: opaqueOwner("w", "i"), startedAtMs: 3 })
    yield* waits.setProcessWait(id, wait, host)
    yield* registry.appendEvent(id, { eventType: "signal.ready", payload: { go: true } }, external)
    yield* registry.requestProcessCancel(id, "enough", host)
    yield* registry.appendEvent(id, { eventType: "progress", payload: { urgent: true, text: "soon" } }, external)
    yield* registry.setExternalRef(id, { backend: "b", id: "1", metadata: { "a/b": [1] } }, external)
    yield* registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
    yield* registry.appendEvent(id, { eventType: "note", payload: null }, external)
  })

const many = (count: number) =>
  Effect.gen(function* () {
    const registry = yield* Registry.make
    for (let index = 0; index < count; index++) {
      yield* registry.registerProcess(registrationOf(processId(`q-${index}`), "rerunnable"))
    }
  })

const sqlite = Effect.flatMap(temporaryFile, (file) => Effect.map(open(file), ({ store }) => store))

for (const [backend, make] of [
  ["memory", MemoryStore.make],
  ["sqlite", sqlite]
] as const) {
  /** Runs what needs a store on a fresh one. */
  const on = <A, E, R>(effect: Effect.Effect<A, E, R | ProcessStore>) =>
    Effect.flatMap(make, (store) => Effect.provideService(effect, ProcessStore, store))

  describe(`${backend}: a store that only the library wrote`, () => {
    it.scopedLive("an empty one has no differences", () =>
      on(Effect.map(verify(), (report) => assert.deepStrictEqual(report, { checked: 0, retaken: 0, differences: [] })))
    )

    it.scopedLive("every kind of fact folds to what is stored", () =>
      on(
        Effect.gen(function* () {
          yield* eventful()
          assert.deepStrictEqual(yield* verify(), { checked: 1, retaken: 0, differences: [] })
        })
      )
    )

    it.scopedLive("more processes and events than fit a page are all verified", () =>
      on(
        Effect.gen(function* () {
          yield* many(pageSize + 1)
          const registry = yield* Registry.make
          for (let index = 0; index <= pageSize; index++) {
            yield* registry.appendEvent(processId("q-7"), { eventType: "note", payload: index }, external)
          }
          assert.deepStrictEqual(yield* verify(), { checked: pageSize + 1, retaken: 0, differences: [] })
        })
      )
    )

    it.scopedLive("a later life of a pruned id goes on with its sequence, and that is no gap", () =>
      on(
        Effect.gen(function* () {
          yield* eventful()
          const retention = yield* Pruning.make
          const registry = yield* Registry.make
          yield* retention.pruneTerminalProcesses({
            cutoffMs: Number.MAX_SAFE_INTEGER,
            watermark: { _tag: "NoProjector" }
          })
          yield* retention.compactTombstones(Number.MAX_SAFE_INTEGER, { _tag: "NoProjector" })
          yield* registry.registerProcess(registrationOf(p, "rerunnable"))
          assert.deepStrictEqual(yield* verify(), { checked: 1, retaken: 0, differences: [] })
          yield* registry.appendEvent(p, { eventType: "note", payload: 1 }, external)
          assert.deepStrictEqual(yield* verify(), { checked: 1, retaken: 0, differences: [] })
        })
      )
    )

    it.scopedLive("named processes and samples are verified once each, and no others", () =>
      on(
        Effect.gen(function* () {
          yield* many(5)
          const [a, b] = [processId("q-0"), processId("q-1")]
          const checked = (options: Parameters<typeof verify>[0]) => Effect.map(verify(options), (all) => all.checked)
          assert.strictEqual(yield* checked({ ids: [a, b, a] }), 2)
          assert.strictEqual(yield* checked({ ids: [] }), 0)
          assert.strictEqual(yield* checked({ sample: 0 }), 0)
          assert.strictEqual(yield* checked({ sample: 3 }), 3)
          assert.strictEqual(yield* checked({ sample: 99 }), 5)
          assert.strictEqual(yield* checked({ ids: [a, b], sample: 1 }), 1)
        })
      )
    )

    it.scopedLive("a sample that is no count, and an id that nobody has, are refused by name", () =>
      on(
        Effect.gen(function* () {
          for (const sample of [-1, 0.5, Number.NaN]) {
            const error = yield* Effect.flip(verify({ sample }))
            assert.deepInclude(fieldsOf(error), { _tag: "InputInvalid", field: "sample" })
          }
          const unknown = yield* Effect.flip(verify({ ids: [p] }))
          assert.deepInclude(fieldsOf(unknown), { _tag: "ProcessUnknown", processId: "p" })
        })
      )
    )
  })
}

/** Makes an eventful process beside a sound one, lets somebody spoil the file, and verifies all. */
const spoilt = (spoil: (db: Database) => void) =>
  Effect.gen(function* () {
    const file = yield* damagedFile
    const { on } = yield* open(file)
    yield* on(eventful())
    yield* on(eventful(processId("sound")))
    const db = yield* raw(file)
    spoil(db)
    return { report: yield* on(verify()) }
  })

const ofP = "pk = (SELECT pk FROM process WHERE process_id = 'p')"

describe("what somebody else wrote into the file", () => {
  const found = (
    name: string,
    sql: string | ReadonlyArray<string>,
    expected: ReadonlyArray<Omit<Difference, "processId">>
  ): void => {
    it.scopedLive(
      `${name} is named exactly`,
      (): Effect.Effect<void, unknown, Scope.Scope> =>
        Effect.gen(function* () {
          const at = `UPDATE state SET snapshot = json_set(snapshot, '$.context.cancelRequest.requestedAtMs', 77) WHERE ${ofP}`
          const then = `UPDATE event SET occurred_at = 77 WHERE sequence = 5 AND ${ofP}`
          const { report } = yield* spoilt((db) => db.exec([at, then, ...[sql].flat()].join(";")))
          assert.deepStrictEqual(report, {
            checked: 2,
            retaken: 0,
            differences: expected.map((difference) => ({ processId: p, ...difference }))
          })
        })
    )
  }
  const set = (path: string, value: string) =>
    `UPDATE state SET snapshot = json_set(snapshot, '${path}', json('${value}')) WHERE ${ofP}`

  found("a changed number of the snapshot", set("$.context.attempts", "9"), [
    { field: "context/attempts", stored: 9, folded: 1 }
  ])
  found("a changed value deep inside", set('$.context.externalRef.metadata."a/b"[0]', '"x"'), [
    { field: "context/externalRef/metadata/a~1b/0", stored: "x", folded: 1 }
  ])
  found(
    "a removed field",
    `UPDATE state SET snapshot = json_remove(snapshot, '$.context.cancelRequest.reason') WHERE ${ofP}`,
    [{ field: "context/cancelRequest/reason", folded: "enough" }]
  )
  found("a field that nobody folds", set("$.context.waitCounts.extra", "3"), [
    { field: "context/waitCounts/extra", stored: 3 }
  ])
  found("another end", set("$.value", '"failed"'), [{ field: "value", stored: "failed", folded: "completed" }])
  found("a sequence beyond the log", `UPDATE state SET sequence = 99 WHERE ${ofP}`, [
    { field: "sequence", stored: 99, folded: 9 }
  ])
  found("a sequence behind the log", `UPDATE state SET sequence = 8 WHERE ${ofP}`, [
    { field: "sequence", stored: 8, folded: 9 }
  ])
  found("a deleted event without meaning", `DELETE FROM event WHERE sequence = 6 AND ${ofP}`, [
    { field: "log/6", stored: 7, folded: 6 }
  ])
  found("a deleted request to stop", `DELETE FROM event WHERE sequence = 5 AND ${ofP}`, [
    { field: "log/5", stored: 6, folded: 5 },
    { field: "context/cancelRequest", stored: { reason: "enough", requestedAtMs: 77 } }
  ])
  found(
    "the deleted last event",
    [
      `DELETE FROM event WHERE sequence = 9 AND ${ofP}`,
      `UPDATE state SET snapshot = json_set(snapshot, '$.context.updatedAtMs',
         (SELECT occurred_at FROM event WHERE sequence = 8 AND ${ofP})) WHERE ${ofP}`
    ],
    [{ field: "sequence", stored: 9, folded: 8 }]
  )
  found("a deleted end", `DELETE FROM event WHERE sequence = 8 AND ${ofP}`, [
    { field: "log/8", stored: 9, folded: 8 },
    {
      field: "value",
      stored: "completed",
      folded: { running: { execution: { started: "active" }, wait: "clear", cancel: "requested", abandon: "open" } }
    },
    { field: "context/output", stored: { _tag: "Success", value: { answer: 42 } } }
  ])
  found(
    "an end after the end",
    [
      `INSERT INTO event SELECT pk, 10, 'process.cancelled', NULL, occurred_at, payload,
         '{"terminal":{"state":"cancelled","awaitOutput":{"_tag":"Cancelled","message":"m"}}}', NULL
       FROM event WHERE sequence = 9 AND ${ofP}`,
      `UPDATE state SET sequence = 10 WHERE ${ofP}`
    ],
    [{ field: "log/10/semantics/terminal", stored: "cancelled" }]
  )
  found("a fact that says nothing", `UPDATE event SET payload = '{"no":1}' WHERE sequence = 7 AND ${ofP}`, [
    { field: "log/7/payload", stored: { no: 1 } },
    { field: "context/externalRef", stored: { backend: "b", id: "1", metadata: { "a/b": [1] } } }
  ])

  it.scopedLive("an event that is no JSON is named, and the other processes are verified all the same", () =>
    Effect.gen(function* () {
      const { report } = yield* spoilt((db) => db.exec(`UPDATE event SET payload = '{' WHERE sequence = 6 AND ${ofP}`))
      assert.strictEqual(report.checked, 2)
      assert.deepStrictEqual(
        report.differences.map(({ processId: id, field }) => [id, field]),
        [["p", "log/6"]]
      )
    })
  )

  it.scopedLive("a registration that is not the one that was hashed is named", () =>
    Effect.gen(function* () {
      const { report } = yield* spoilt((db) =>
        db.exec(`UPDATE process SET registration = json_set(registration, '$.disposition', 'rerunnable') WHERE ${ofP}`)
      )
      assert.deepStrictEqual(
        report.differences.map(({ processId: id, field }) => [id, field]),
        [["p", "registrationHash"]]
      )
    })
  )

  for (const snapshot of ["{", '{"value":"nowhere","context":{}}']) {
    it.scopedLive(`a row whose snapshot is ${snapshot} cannot be read, and the failure says where`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          spoilt((db) => db.prepare(`UPDATE state SET snapshot = ? WHERE ${ofP}`).run(snapshot))
        )
        assert.deepInclude(fieldsOf(error), { _tag: "StoreError", operation: "verify", reason: "corrupt" })
        assert.match(error.message, /the row at the first id cannot be read/)
      })
    )
  }
})

describe("a journal", () => {
  const entry = (key: string, position: number) =>
    ({ key, position, operation: "step", sequence: 0, atMs: 5, outcome: null }) as const
  const journals: ReadonlyArray<readonly [string, ReadonlyArray<ReturnType<typeof entry>>, ReadonlyArray<string>]> = [
    ["in which an operation that failed left a place empty is whole", [entry("a#1", 1), entry("b#1", 3)], []],
    ["that is read in another order is whole", [entry("b#1", 2), entry("a#1", 1)], []],
    ["in which a position is taken twice is told", [entry("a#1", 1), entry("b#1", 1)], ["journal/1"]],
    ["whose positions do not begin at one is told", [entry("a#1", 0)], ["journal/0"]],
    ["that has two entries for one operation is told", [entry("a#1", 1), entry("a#1", 2)], ["journal/2/key"]]
  ]
  for (const [what, journal, fields] of journals) {
    it.scopedLive(what, () =>
      Effect.gen(function* () {
        const store = yield* MemoryStore.make
        const kept = { ...store, execution: { ...store.execution, journal: () => Effect.succeed(journal) } }
        yield* Effect.gen(function* () {
          yield* eventful()
          const { differences } = yield* verify()
          assert.deepStrictEqual(
            differences.map(({ field }) => field),
            fields
          )
        }).pipe(Effect.provideService(ProcessStore, kept))
      })
    )
  }
})
