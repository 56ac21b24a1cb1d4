import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import type { OwnerEvent } from "../../machines/owner.ts"
import { ownerMachine } from "../../machines/owner.ts"
import { begun, ledBy, placesOf, reachedBy, stepped } from "./chart.ts"

type Name = OwnerEvent["type"]
const names = ["owner.stop_requested", "bodies.let_go", "deadline.passed", "drain.finished"] as const
const typed = (history: ReadonlyArray<Name>): ReadonlyArray<OwnerEvent> => history.map((type) => ({ type }))
const events = typed(names)

const interrupt = { type: "interruptBodies", params: {} }
const drain = { type: "drainOwnerBoundWork", params: {} }
const announce = (inTime: boolean) => ({ type: "announceStopped", params: { inTime } })

/** How to come to a place, and what each event does there; an event without an entry does nothing. */
type Row = readonly [
  place: string,
  history: ReadonlyArray<Name>,
  decisions: Partial<Record<Name, readonly [next: string, inTime: boolean, ...commands: ReadonlyArray<unknown>]>>
]
const stop = "owner.stop_requested"
const table: ReadonlyArray<Row> = [
  ["accepting", [], { "owner.stop_requested": ["interrupting", true, interrupt] }],
  [
    "interrupting",
    [stop],
    { "bodies.let_go": ["draining", true, drain], "deadline.passed": ["draining", false, drain] }
  ],
  [
    "draining",
    [stop, "bodies.let_go"],
    { "drain.finished": ["stopped", true, announce(true)], "deadline.passed": ["stopped", false, announce(false)] }
  ],
  [
    "draining",
    [stop, "deadline.passed"],
    { "drain.finished": ["stopped", false, announce(false)], "deadline.passed": ["stopped", false, announce(false)] }
  ],
  ["stopped", [stop, "bodies.let_go", "drain.finished"], {}]
]

describe("the life of an owner", () => {
  it("begins with taking work", () => {
    const { place, commands } = begun(ownerMachine, undefined)
    assert.strictEqual(place, "accepting")
    assert.deepStrictEqual(commands, [])
  })

  for (const [place, history, decisions] of table) {
    it(`${place} after ${history.join(", ") || "nothing"}: only ${Object.keys(decisions).join(", ") || "nothing"} leads on`, () => {
      const at = ledBy(ownerMachine, undefined, typed(history))
      assert.strictEqual(at.place, place)
      for (const event of events) {
        const decided = decisions[event.type]
        const step = stepped(ownerMachine, at, event)
        if (decided === undefined) {
          assert.strictEqual(step.snapshot, at.snapshot, event.type)
          assert.deepStrictEqual(step.commands, [])
          continue
        }
        const [next, inTime, ...commands] = decided
        assert.strictEqual(step.place, next, event.type)
        assert.deepStrictEqual(step.snapshot.context, { inTime })
        assert.deepStrictEqual<ReadonlyArray<unknown>>(step.commands, commands, event.type)
      }
    })
  }

  it("has a row for each of its states, says what each means, and reaches them all", () => {
    const places = ["accepting", "draining", "interrupting", "stopped"]
    assert.deepStrictEqual(placesOf(ownerMachine), places)
    assert.deepStrictEqual([...new Set(table.map(([place]) => place))].toSorted(), places)
    assert.deepStrictEqual(reachedBy(ownerMachine, undefined, events), places)
  })

  const history = FC.array(FC.constantFrom(...names), { maxLength: 15 })
  it.prop("whatever happens, a stop and two deadlines end it", [history], ([before]) => {
    const at = ledBy(ownerMachine, undefined, typed([...before, stop, "deadline.passed", "deadline.passed"]))
    assert.strictEqual(at.place, "stopped")
  })
})
