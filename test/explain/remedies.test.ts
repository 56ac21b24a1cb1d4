import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Reason } from "../../src/explain/Explanation.ts"
import * as Explanations from "../../src/explain/Explanation.ts"
import type { About } from "../../src/explain/remedies.ts"
import { duration, moment, remediesFor } from "../../src/explain/remedies.ts"
import { brief } from "../../src/explain/render.ts"
import { processId, quoted } from "../../src/model/ids.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import { projectRoot } from "../support/projectRoot.ts"

const holder = opaqueOwner("w", "i")
const doing = {
  key: "charge#1",
  name: "charge",
  operation: "step",
  sinceMs: 0,
  tries: 3,
  error: "HTTP 503",
  nextTryAtMs: 9
} as const
const wait = { key: "k", sinceMs: 0 }

/** One of each, with the name that it has on the wire. */
const reasons: { readonly [Tag in Reason["_tag"]]: readonly [Extract<Reason, { readonly _tag: Tag }>, string] } = {
  Ended: [{ _tag: "Ended", state: "failed" }, "ended"],
  Pruned: [{ _tag: "Pruned", state: "completed", prunedAtMs: 0 }, "pruned"],
  Running: [{ _tag: "Running", holder, expiresAtMs: 9, doing }, "running"],
  HeldByUnprovable: [{ _tag: "HeldByUnprovable", holder, expiresAtMs: 9 }, "held_by_unprovable"],
  HolderDead: [{ _tag: "HolderDead", holder, doing }, "holder_dead"],
  LeaseLapsed: [{ _tag: "LeaseLapsed", holder, expiredAtMs: 0 }, "lease_lapsed"],
  WaitingForSignal: [{ _tag: "WaitingForSignal", name: "go", ...wait, deadlineAtMs: 9 }, "waiting_for_signal"],
  WaitingForTimer: [{ _tag: "WaitingForTimer", ...wait, dueAtMs: 9 }, "waiting_for_timer"],
  WaitingForChild: [
    {
      _tag: "WaitingForChild",
      child: processId("p/c"),
      sinceMs: 0,
      leaf: { processId: processId("p/c/d"), through: [processId("p/c")], state: "running" },
      noHost: { sinceMs: 1 }
    },
    "waiting_for_child"
  ],
  ChartWaits: [
    {
      _tag: "ChartWaits",
      state: { pay: "waiting", mail: { sent: "twice" } },
      lastEventAtMs: 0,
      signals: ["go"],
      timer: { id: "late", atMs: 9 },
      children: [processId("p/c:1")]
    },
    "chart_waits"
  ],
  ExternallyOwned: [{ _tag: "ExternallyOwned" }, "externally_owned"],
  OutcomeUnknown: [{ _tag: "OutcomeUnknown", startedBy: holder }, "outcome_unknown"],
  AbandonWaitsForLease: [{ _tag: "AbandonWaitsForLease", holder, expiresAtMs: 9 }, "abandon_waits_for_lease"],
  AbandonDue: [{ _tag: "AbandonDue" }, "abandon_due"],
  CancelRequested: [{ _tag: "CancelRequested", holder, expiresAtMs: 9 }, "cancel_requested"],
  CancelDue: [{ _tag: "CancelDue", runs: true }, "cancel_due"],
  AttemptsExhausted: [{ _tag: "AttemptsExhausted", attempts: 3, most: 3 }, "attempts_exhausted"],
  NoEngine: [{ _tag: "NoEngine", kind: "k", version: "2" }, "no_engine"],
  BackingOff: [{ _tag: "BackingOff", untilMs: 9, failures: 2, problem: "no" }, "backing_off"],
  BeginsLater: [{ _tag: "BeginsLater", atMs: 9 }, "begins_later"],
  NoSlot: [{ _tag: "NoSlot", slots: 64 }, "no_slot"],
  DueNow: [{ _tag: "DueNow", sinceMs: 0 }, "due_now"]
}

const about: About = {
  id: processId("p"),
  nowMs: 5,
  disposition: "owner_bound",
  hasAbandonRequest: false,
  runningChildren: []
}

const guide = readFileSync(`${projectRoot}/docs/guide/why-is-it-stuck.md`, "utf8")

describe("every reason", () => {
  for (const [reason, wire] of Object.values(reasons)) {
    it(`${wire} has a meaning, what would move it, a place in the guide, and survives the wire`, () => {
      const { meaning, moves } = remediesFor(reason, about)
      assert.match(meaning, /^.+[.?]$/)
      assert.strictEqual(moves.length > 0, !["Ended", "Pruned"].includes(reason._tag))
      for (const { sentence } of moves) assert.match(sentence, /\.$/)
      assert.isNotEmpty(brief(reason, 5))
      const encoded = Schema.encodeSync(Explanations.Reason)(reason)
      assert.strictEqual(encoded.reason, wire)
      assert.deepStrictEqual(Schema.decodeUnknownEither(Explanations.Reason)(encoded), Either.right(reason))
      assert.include(guide, `\`${wire}\``)
    })
  }
})

describe("what is shown", () => {
  it("is a word that a shell reads back", () => {
    assert.strictEqual(quoted("family-1/slow"), "family-1/slow")
    assert.strictEqual(quoted("it's; rm"), "'it'\\''s; rm'")
    assert.strictEqual(quoted("--all"), "'--all'")
    assert.strictEqual(quoted(""), "''")
  })

  it("has times as people read them", () => {
    assert.strictEqual(moment(1_700_000_000_000), "2023-11-14 22:13:20.000Z")
    assert.deepStrictEqual([0, 999, 1_000, 61_000, 120_000, 3_660_000, 200_000_000].map(duration), [
      "0 ms",
      "999 ms",
      "1 s",
      "1 min 1 s",
      "2 min",
      "1 h 1 min",
      "2 d 7 h"
    ])
  })
})
