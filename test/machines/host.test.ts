import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import type { HostEvent } from "../../machines/host.ts"
import { hostMachine } from "../../machines/host.ts"
import { begun, ledBy, placesOf, reachedBy, stepped } from "./chart.ts"

const events = {
  started: { type: "host.started" },
  escalated: { type: "supervisor.escalated", child: "sweep", problem: "the disk is full" },
  "stop requested": { type: "host.stop_requested" },
  "tree stopped": { type: "tree.stopped" }
} as const satisfies Record<string, HostEvent>
type Name = keyof typeof events
const names = ["started", "escalated", "stop requested", "tree stopped"] as const
const typed = (history: ReadonlyArray<Name>): ReadonlyArray<HostEvent> => history.map((name) => events[name])

const start = { type: "startTree", params: {} }
const stop = { type: "stopTree", params: {} }
const failure = { child: "sweep", problem: "the disk is full" }
const announce = { type: "announceFailure", params: failure }

/** How to come to a place, what is known there, and what each event does; an event without an entry does nothing. */
type Row = readonly [
  history: ReadonlyArray<Name>,
  context: object,
  decisions: Partial<Record<Name, readonly [next: string, ...commands: ReadonlyArray<unknown>]>>
]
const table: Record<string, Row> = {
  starting: [[], {}, { started: ["running"], escalated: ["failing", stop], "stop requested": ["stopping", stop] }],
  running: [["started"], {}, { escalated: ["failing", stop], "stop requested": ["stopping", stop] }],
  stopping: [["started", "stop requested"], {}, { "tree stopped": ["stopped"] }],
  failing: [["started", "escalated"], { failure }, { "tree stopped": ["failed", announce] }],
  stopped: [["stop requested", "escalated", "tree stopped"], {}, {}],
  failed: [["escalated", "stop requested", "tree stopped"], { failure }, {}]
}

describe("the life of a host", () => {
  it("begins with starting its tree", () => {
    const { place, commands } = begun(hostMachine, undefined)
    assert.strictEqual(place, "starting")
    assert.deepStrictEqual<ReadonlyArray<unknown>>(commands, [start])
  })

  for (const [place, [history, context, decisions]] of Object.entries(table)) {
    it(`${place}: ${Object.keys(decisions).join(", ") || "nothing"} leads on, and nothing else does anything`, () => {
      const at = ledBy(hostMachine, undefined, typed(history))
      assert.strictEqual(at.place, place)
      assert.deepStrictEqual<object>(at.snapshot.context, context)
      for (const name of names) {
        const [next, ...commands] = decisions[name] ?? [place]
        const step = stepped(hostMachine, at, events[name])
        assert.strictEqual(step.place, next, name)
        assert.deepStrictEqual<ReadonlyArray<unknown>>(step.commands, commands, name)
        assert.strictEqual(step.snapshot !== at.snapshot, decisions[name] !== undefined, name)
      }
    })
  }

  it("has a row for each of its states, says what each means, and reaches them all", () => {
    assert.strictEqual(placesOf(hostMachine).length, 6)
    assert.deepStrictEqual(placesOf(hostMachine), Object.keys(table).toSorted())
    assert.deepStrictEqual(reachedBy(hostMachine, undefined, typed(names)), placesOf(hostMachine))
  })

  const history = FC.array(FC.constantFrom(...names), { maxLength: 15 })
  it.prop(
    "whatever happens, its tree is stopped at most once and a failure announced only after that",
    [history],
    (args) => {
      const asked: Array<string> = []
      let at = begun(hostMachine, undefined)
      for (const event of typed(args[0])) {
        at = stepped(hostMachine, at, event)
        asked.push(...at.commands.map(({ type }) => type))
      }
      assert.match(asked.join(" "), /^(stopTree( announceFailure)?)?$/)
      assert.strictEqual(at.place === "failed", asked.includes("announceFailure"))
    }
  )
})
