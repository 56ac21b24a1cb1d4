import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import type { RunEvent } from "../../machines/run.ts"
import { runMachine } from "../../machines/run.ts"
import { begun, ledBy, placesOf, reachedBy, stepped } from "./chart.ts"

type Name = RunEvent["type"]
const names = [
  "cancel.requested",
  "host.stopping",
  "passivation.due",
  "lease.lost",
  "process.ended",
  "body.exited",
  "conclusion.written",
  "conclusion.deferred",
  "conclusion.refused"
] as const satisfies ReadonlyArray<Name>
const events: ReadonlyArray<RunEvent> = names.map((type) => ({ type }))

const run = { type: "runBody", params: {} }
const interrupt = (cause: string) => ({ type: "interruptBody", params: { cause } })
const conclude = (cause: string) => ({ type: "conclude", params: { cause } })

/** How to come to a place, and what each event does there; an event without an entry does nothing. */
type Row = readonly [
  history: ReadonlyArray<Name>,
  decisions: Partial<Record<Name, readonly [next: string, ...commands: ReadonlyArray<unknown>]>>
]
const outranked = {
  "lease.lost": ["running.fenced", interrupt("lease_lost")],
  "process.ended": ["running.superseded", interrupt("superseded")]
} as const
const answered = {
  "conclusion.written": ["completed"],
  "conclusion.deferred": ["deferred"],
  "conclusion.refused": ["zombie"]
} as const
const outrankedLate = { "lease.lost": ["completing.fenced"], "process.ended": ["completing.superseded"] } as const
const refused = {
  "conclusion.written": ["zombie"],
  "conclusion.deferred": ["zombie"],
  "conclusion.refused": ["zombie"]
} as const

const table: Record<string, Row> = {
  "running.undisturbed": [
    [],
    {
      ...outranked,
      "cancel.requested": ["running.cancelling", interrupt("cancel")],
      "host.stopping": ["running.stopping", interrupt("host_stop")],
      "passivation.due": ["running.passivating", interrupt("passivated")],
      "body.exited": ["completing.undisturbed", conclude("none")]
    }
  ],
  "running.cancelling": [
    ["cancel.requested"],
    { ...outranked, "body.exited": ["completing.cancelling", conclude("cancel")] }
  ],
  "running.stopping": [
    ["host.stopping"],
    { ...outranked, "body.exited": ["completing.stopping", conclude("host_stop")] }
  ],
  "running.passivating": [
    ["passivation.due"],
    { ...outranked, "body.exited": ["completing.passivating", conclude("passivated")] }
  ],
  "running.fenced": [["lease.lost"], { "body.exited": ["completing.fenced", conclude("lease_lost")] }],
  "running.superseded": [
    ["cancel.requested", "process.ended"],
    { "body.exited": ["completing.superseded", conclude("superseded")] }
  ],
  "completing.undisturbed": [["body.exited"], { ...answered, ...outrankedLate }],
  "completing.cancelling": [["cancel.requested", "body.exited"], { ...answered, ...outrankedLate }],
  "completing.stopping": [["host.stopping", "body.exited"], { ...answered, ...outrankedLate }],
  "completing.passivating": [["passivation.due", "body.exited"], { ...answered, ...outrankedLate }],
  "completing.fenced": [["lease.lost", "body.exited"], refused],
  "completing.superseded": [["body.exited", "process.ended"], refused],
  completed: [["body.exited", "conclusion.written"], {}],
  deferred: [["body.exited", "conclusion.deferred"], {}],
  zombie: [["body.exited", "conclusion.refused"], {}]
}

const typed = (history: ReadonlyArray<Name>): ReadonlyArray<RunEvent> => history.map((type) => ({ type }))

describe("one activation", () => {
  it("begins by running its body", () => {
    const { place, commands, snapshot } = begun(runMachine, undefined)
    assert.strictEqual(place, "running.undisturbed")
    assert.deepStrictEqual<ReadonlyArray<unknown>>(commands, [run])
    assert.deepStrictEqual(snapshot.context, {})
  })

  for (const [place, [history, decisions]] of Object.entries(table)) {
    it(`${place}: ${Object.keys(decisions).join(", ") || "nothing"} leads on, and nothing else does anything`, () => {
      const at = ledBy(runMachine, undefined, typed(history))
      assert.strictEqual(at.place, place)
      for (const event of events) {
        const [next, ...commands] = decisions[event.type] ?? [place]
        const step = stepped(runMachine, at, event)
        assert.strictEqual(step.place, next, event.type)
        assert.deepStrictEqual<ReadonlyArray<unknown>>(step.commands, commands, event.type)
        assert.strictEqual(step.snapshot !== at.snapshot, decisions[event.type] !== undefined, event.type)
      }
    })
  }

  it("has a row for each of its states, says what each means, and reaches them all", () => {
    assert.strictEqual(placesOf(runMachine).length, 15)
    assert.deepStrictEqual(placesOf(runMachine), Object.keys(table).toSorted())
    assert.deepStrictEqual(reachedBy(runMachine, undefined, events), placesOf(runMachine))
  })

  const history = FC.array(FC.constantFrom(...names), { maxLength: 30 })
  it.prop(
    "whatever happens, a body runs once, and is concluded at most once and only after it ran",
    [history],
    (args) => {
      const asked: Array<string> = []
      let at = begun(runMachine, undefined)
      asked.push(...at.commands.map(({ type }) => type))
      for (const event of typed(args[0])) {
        at = stepped(runMachine, at, event)
        asked.push(...at.commands.map(({ type }) => type))
      }
      // At most two interrupts: by the first of cancel, host stop and passivation, and by what outranks them.
      assert.match(asked.join(" "), /^runBody( interruptBody){0,2}( conclude)?$/)
    }
  )
})
