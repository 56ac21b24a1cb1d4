import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import { processId } from "../../src/model/ids.ts"
import type { ListFilter } from "../../src/model/ListFilter.ts"
import { check, decode, listMode, matches } from "../../src/model/ListFilter.ts"
import type { ProcessStatus } from "../../src/model/ProcessRecord.ts"
import * as ProcessRecord from "../../src/model/ProcessRecord.ts"
import * as Registration from "../../src/model/Registration.ts"
import { outputs, registrationOf } from "../../src/testing/fixtures.ts"

describe("decoding what a model wrote", () => {
  const refusals: ReadonlyArray<readonly [unknown, string]> = [
    [null, "processes.list expects a record of process filters"],
    [undefined, "processes.list expects a record of process filters"],
    [[], "processes.list expects a record of process filters"],
    ["running", "processes.list expects a record of process filters"],
    [5, "processes.list expects a record of process filters"],
    [{ colour: "red" }, "processes.list unknown filter `colour`"],
    [{ identityKind: "k" }, "processes.list unknown filter `identityKind`"],
    [{ constructor: 1 }, "processes.list unknown filter `constructor`"],
    [{ toString: 1 }, "processes.list unknown filter `toString`"],
    [JSON.parse('{"__proto__":{}}'), "processes.list unknown filter `__proto__`"],
    [
      { status: "nonsense" },
      "processes.list filter `status` must be one of running, completed, failed, cancelled, abandoned, any"
    ],
    [
      { status: "" },
      "processes.list filter `status` must be one of running, completed, failed, cancelled, abandoned, any"
    ],
    [{ waiting: null }, "processes.list filter `waiting` must be a boolean"],
    [{ waiting: "yes" }, "processes.list filter `waiting` must be a boolean"],
    [{ originator_scope_id: 5 }, "processes.list filter `originator_scope_id` must be a string"],
    [{ identity_kind: null }, "processes.list filter `identity_kind` must be a string"],
    [{ identity_label: {} }, "processes.list filter `identity_label` must be a string"],
    [
      { created_at_start_ms: "1" },
      "processes.list filter `created_at_start_ms` must be a whole number of milliseconds"
    ],
    [{ created_at_end_ms: 0.5 }, "processes.list filter `created_at_end_ms` must be a whole number of milliseconds"],
    [
      { created_at_end_ms: Number.NaN },
      "processes.list filter `created_at_end_ms` must be a whole number of milliseconds"
    ],
    [{ has_abandon_request: 1 }, "processes.list filter `has_abandon_request` must be a boolean"],
    [
      { disposition: "sometimes" },
      "processes.list filter `disposition` must be one of rerunnable, owner_bound, externally_owned"
    ],
    [
      { disposition: null },
      "processes.list filter `disposition` must be one of rerunnable, owner_bound, externally_owned"
    ],
    [{ owner_id: 5 }, "processes.list filter `owner_id` must be a string"]
  ]
  for (const [index, [input, message]] of refusals.entries()) {
    it(`${index + 1}: ${message}`, () => {
      const error = Either.getOrThrow(Either.flip(decode(input)))
      assert.strictEqual(error._tag, "InputInvalid")
      assert.strictEqual(error.message, message)
    })
  }

  it("a definition that JSON cannot say is refused by name", () => {
    const cyclic: { self?: unknown } = {}
    cyclic.self = cyclic
    for (const definition of [cyclic, undefined, Number.NaN, "\ud800"]) {
      const decoded = decode({ definition })
      assert.isTrue(Either.isLeft(decoded), "it was accepted")
      assert.match(Either.getOrThrow(Either.flip(decoded)).message, /`definition`/)
    }
  })

  it("a program's filter that is named, but undefined, is refused: it would narrow nothing", () => {
    for (const name of ["status", "definition", "waiting"]) {
      const checked = check({ [name]: undefined })
      assert.strictEqual(Either.isLeft(checked) ? checked.left.field : "accepted", `filter/${name}`)
    }
  })

  const accepted: ReadonlyArray<readonly [string, unknown, ListFilter]> = [
    ["nothing", {}, {}],
    ["a status that is no string", { status: 5 }, {}],
    ["a status of null", { status: null }, {}],
    ["a definition of null", { definition: null }, { definition: null }],
    [
      "every key",
      {
        status: "any",
        definition: { version: 1 },
        waiting: false,
        originator_scope_id: "host",
        identity_kind: "k",
        identity_label: "L",
        created_at_start_ms: 0,
        created_at_end_ms: 9,
        has_abandon_request: true,
        disposition: "owner_bound",
        owner_id: "w"
      },
      {
        status: "any",
        definition: { version: 1 },
        waiting: false,
        originatorScopeId: "host",
        identityKind: "k",
        identityLabel: "L",
        createdAtStartMs: 0,
        createdAtEndMs: 9,
        hasAbandonRequest: true,
        disposition: "owner_bound",
        ownerId: "w"
      }
    ]
  ]
  for (const [what, input, filter] of accepted) {
    it(`${what} is accepted`, () => assert.deepStrictEqual(Either.getOrThrow(decode(input)), filter))
  }
})

describe("whether a process belongs into a list", () => {
  const { registration, hash } = Either.getOrThrow(
    Registration.prepare(
      registrationOf(processId("p"), "rerunnable", {
        identity: { kind: "k", label: "L", definition: { a: 1, b: [2] } },
        provenance: { originator: { _tag: "Session", scope: { sessionId: "s", agentFrameId: "f" } } }
      })
    )
  )
  const base = { registration, registrationHash: hash, createdAtMs: 100 }
  const record = ProcessRecord.make(base, ProcessRecord.initial(base))
  const wait = {
    kind: { _tag: "Signal", name: "r", eventType: "signal.r", key: "process:p:signal.r:1", ordinal: 1 },
    sinceMs: 1
  } as const
  const waiting = { ...record, wait, waits: [wait] }
  const plain = { ...record, identity: { kind: "k" } }
  const ended = (status: ProcessStatus) => ({ ...record, status })
  const failed = ended({ _tag: "Failed", output: outputs.Failure })
  const undefinedNull = { ...record, identity: { kind: "k", definition: null } }

  const table: ReadonlyArray<readonly [string, ListFilter, ProcessRecord.ProcessRecord, boolean]> = [
    ["the default shows what runs", {}, record, true],
    ["the default hides what ended", {}, failed, false],
    ["what waits runs", { status: "running" }, waiting, true],
    ["any shows what ended", { status: "any" }, failed, true],
    ["failed shows what failed", { status: "failed" }, failed, true],
    ["completed hides what failed", { status: "completed" }, failed, false],
    ["cancelled shows it", { status: "cancelled" }, ended({ _tag: "Cancelled", output: outputs.Cancelled }), true],
    ["abandoned shows it", { status: "abandoned" }, ended({ _tag: "Abandoned", output: outputs.Abandoned }), true],
    ["an equal definition, whatever the order of its keys", { definition: { b: [2], a: 1 } }, record, true],
    ["another definition", { definition: { a: 1 } }, record, false],
    ["a definition of null is not the absence of one", { definition: null }, plain, false],
    ["a definition of null", { definition: null }, undefinedNull, true],
    ["waiting wanted and true", { waiting: true }, waiting, true],
    ["waiting wanted and false", { waiting: true }, record, false],
    ["not waiting wanted and true", { waiting: false }, record, true],
    ["not waiting wanted and false", { waiting: false }, waiting, false],
    ["the scope it came from", { originatorScopeId: "session:s/frame:f" }, record, true],
    ["the session without the frame", { originatorScopeId: "session:s" }, record, false],
    ["its kind", { identityKind: "k" }, record, true],
    ["another kind", { identityKind: "K" }, record, false],
    ["its label", { identityLabel: "L" }, record, true],
    ["a label when it has none", { identityLabel: "L" }, plain, false],
    ["from its time on", { createdAtStartMs: 100 }, record, true],
    ["from later on", { createdAtStartMs: 101 }, record, false],
    ["before its time", { createdAtEndMs: 100 }, record, false],
    ["before later", { createdAtEndMs: 101 }, record, true],
    ["an abandon request that is not there", { hasAbandonRequest: true }, record, false],
    ["no abandon request", { hasAbandonRequest: false }, record, true],
    [
      "an abandon request",
      { hasAbandonRequest: true },
      { ...record, abandonRequest: { requestedBy: "o", requestedAtMs: 1 } },
      true
    ],
    ["its disposition", { disposition: "rerunnable" }, record, true],
    ["another disposition", { disposition: "owner_bound" }, record, false],
    ["its holder", { ownerId: "w" }, record, true],
    ["another holder", { ownerId: "v" }, record, false],
    ["all that is wanted must hold", { identityKind: "k", identityLabel: "no" }, record, false]
  ]
  for (const [name, filter, candidate, expected] of table) {
    it(`${name}: ${expected ? "shown" : "hidden"}`, () => assert.strictEqual(matches(filter, candidate, "w"), expected))
  }

  it("a process that nobody holds has no holder", () => assert.isFalse(matches({ ownerId: "w" }, record, undefined)))
})

describe("the mode of a list", () => {
  it("only a list of what runs is live", () => {
    assert.strictEqual(listMode({}), "live")
    assert.strictEqual(listMode({ status: "running" }), "live")
    for (const status of ["any", "completed", "failed", "cancelled", "abandoned"] as const) {
      assert.strictEqual(listMode({ status }), "all")
    }
  })
})
