import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import type { SweepContext, SweepEvent } from "../../machines/sweep.ts"
import { sweepMachine } from "../../machines/sweep.ts"
import { begun, ledBy, placesOf, reachedBy, stepped } from "./chart.ts"

const events = {
  due: { type: "sweep.due" },
  nudged: { type: "sweep.woken" },
  "found some": { type: "rows.found", count: 3 },
  "found none": { type: "rows.found", count: 0 },
  finished: { type: "sweep.finished" },
  failed: { type: "sweep.failed" },
  disabled: { type: "sweep.disabled" },
  requested: { type: "sweep.requested" }
} as const satisfies Record<string, SweepEvent>
type Name = keyof typeof events
const names = Object.keys(events) as ReadonlyArray<Name> // the keys of a literal
const typed = (history: ReadonlyArray<Name>): ReadonlyArray<SweepEvent> => history.map((name) => events[name])

const look = { type: "look", params: {} }
const act = { type: "act", params: {} }
const arm = (delayMs: number) => ({ type: "arm", params: { delayMs } })

const on = { enabled: true, intervalMs: 1_000, failures: 0, again: false }
const off = { enabled: false, intervalMs: 1_000, failures: 0, again: false }
const again = { ...on, again: true }
const offAgain = { ...off, again: true }

/** Where a loop is after a history, and what each event does there; an event without an entry does nothing. */
type Row = readonly [
  place: string,
  history: ReadonlyArray<Name>,
  decisions: Partial<Record<Name, readonly [next: string, context: object, ...commands: ReadonlyArray<unknown>]>>
]
const table: ReadonlyArray<Row> = [
  [
    "idle",
    [],
    {
      due: ["looking", on, look],
      nudged: ["looking", on, look],
      requested: ["looking", on, look],
      disabled: ["off", off]
    }
  ],
  [
    "looking",
    ["due"],
    {
      nudged: ["looking", again],
      requested: ["looking", again],
      "found some": ["acting", on, act],
      "found none": ["idle", on, arm(1_000)],
      failed: ["idle", { ...on, failures: 1 }, arm(2_000)],
      disabled: ["looking", off]
    }
  ],
  [
    "looking",
    ["due", "nudged"],
    {
      nudged: ["looking", again],
      requested: ["looking", again],
      "found some": ["acting", again, act],
      "found none": ["idle", on, arm(0)],
      failed: ["idle", { ...on, failures: 1 }, arm(0)],
      disabled: ["looking", off]
    }
  ],
  [
    "acting",
    ["nudged", "found some"],
    {
      nudged: ["acting", again],
      requested: ["acting", again],
      finished: ["idle", on, arm(1_000)],
      failed: ["idle", { ...on, failures: 1 }, arm(2_000)],
      disabled: ["acting", off]
    }
  ],
  [
    "acting",
    ["due", "found some", "nudged"],
    {
      nudged: ["acting", again],
      requested: ["acting", again],
      finished: ["idle", on, arm(0)],
      failed: ["idle", { ...on, failures: 1 }, arm(0)],
      disabled: ["acting", off]
    }
  ],
  ["off", ["disabled"], { requested: ["looking", off, look] }],
  [
    "looking",
    ["disabled", "requested"],
    {
      requested: ["looking", offAgain],
      "found some": ["acting", off, act],
      "found none": ["off", off],
      failed: ["off", { ...off, failures: 1 }],
      disabled: ["looking", off]
    }
  ],
  [
    "acting",
    ["disabled", "requested", "found some", "requested"],
    {
      requested: ["acting", offAgain],
      finished: ["looking", off, look],
      failed: ["looking", { ...off, failures: 1 }, look],
      disabled: ["acting", off]
    }
  ]
]
const input = { intervalMs: 1_000 }

describe("the sweep's loop", () => {
  it("is armed from the beginning, and not at all with an interval of 0", () => {
    const loop = begun(sweepMachine, input)
    assert.strictEqual(loop.place, "idle")
    assert.deepStrictEqual<ReadonlyArray<unknown>>(loop.commands, [arm(1_000)])
    const none = begun(sweepMachine, { intervalMs: 0 })
    assert.strictEqual(none.place, "off")
    assert.deepStrictEqual(none.commands, [])
  })

  for (const [place, history, decisions] of table) {
    it(`${place} after ${history.join(", ") || "nothing"}: only ${Object.keys(decisions).join(", ")} do anything`, () => {
      const at = ledBy(sweepMachine, input, typed(history))
      assert.strictEqual(at.place, place)
      for (const name of names) {
        const decided = decisions[name]
        const step = stepped(sweepMachine, at, events[name])
        if (decided === undefined) {
          assert.strictEqual(step.snapshot, at.snapshot, name)
          assert.deepStrictEqual(step.commands, [])
          continue
        }
        const [next, context, ...commands] = decided
        assert.strictEqual(step.place, next, name)
        assert.deepStrictEqual<object>(step.snapshot.context, context, name)
        assert.deepStrictEqual<ReadonlyArray<unknown>>(step.commands, commands, name)
      }
    })
  }

  it("says what each state means, and reaches them all", () => {
    const places = ["acting", "idle", "looking", "off"]
    assert.deepStrictEqual(placesOf(sweepMachine), places)
    // The count of failures has no end.
    const tells = ({ enabled, again }: SweepContext) => [enabled, again]
    assert.deepStrictEqual(reachedBy(sweepMachine, input, typed(names), tells), places)
  })

  it("pauses twice as long after each failure in a row, at most 30 s, until a round succeeds", () => {
    let at = begun(sweepMachine, input)
    const pauses: Array<unknown> = []
    for (const name of ["failed", "failed", "failed", "failed", "failed", "failed", "found none", "failed"] as const) {
      at = stepped(sweepMachine, stepped(sweepMachine, at, events.due), events[name])
      pauses.push(...at.commands)
    }
    assert.deepStrictEqual(
      pauses,
      [2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 1_000, 2_000].map((delayMs) => arm(delayMs))
    )
  })

  it("never armed, it makes one round for each request, and pauses for nothing", () => {
    const asked = ledBy(sweepMachine, { intervalMs: 0 }, typed(["requested", "nudged", "found some"]))
    assert.deepStrictEqual<ReadonlyArray<unknown>>(asked.commands, [act])
    const done = stepped(sweepMachine, asked, events.finished)
    assert.strictEqual(done.place, "off")
    assert.deepStrictEqual(done.commands, [])
  })

  const history = FC.array(FC.constantFrom(...names), { maxLength: 30 })
  it.prop("whatever happens, it is armed whenever it idles, and never once it is disabled", [history], ([made]) => {
    let at = begun(sweepMachine, input)
    for (const event of typed(made)) {
      const before = at.place
      at = stepped(sweepMachine, at, event)
      const armed = at.commands.filter(({ type }) => type === "arm").length
      assert.strictEqual(armed, at.place === "idle" && before !== "idle" ? 1 : 0)
      assert.strictEqual(at.place === "off" && at.snapshot.context.enabled, false)
      assert.strictEqual(at.place === "idle" && !at.snapshot.context.enabled, false)
    }
  })
})
