import { assert, describe, it } from "@effect/vitest"
import { supervisorMachine } from "../../machines/supervisor/machine.ts"
import type {
  SupervisorContext,
  SupervisorEvent,
  SupervisorInput,
  SupervisorStrategy
} from "../../machines/supervisor/types.ts"
import { begun, ledBy, placesOf, reachedBy, stepped } from "./chart.ts"

const children = [
  { name: "a", restart: "permanent", shutdownMs: 1 },
  { name: "b", restart: "transient", shutdownMs: 2 },
  { name: "c", restart: "temporary", shutdownMs: 3 }
] as const
const inputOf = (strategy: SupervisorStrategy, maxRestarts = 1): SupervisorInput => ({
  strategy,
  intensity: { maxRestarts, periodMs: 100 },
  backOff: { baseMs: 10, maxMs: 35 },
  children
})

/** An event in short: `start`, `stop`, or what a child did, as in `failed b`. */
const eventOf = (text: string, atMs = 50): SupervisorEvent => {
  const [did, name = ""] = text.split(" ")
  if (did === "start") return { type: "supervisor.start_requested", atMs }
  if (did === "stop") return { type: "supervisor.stop_requested", atMs }
  if (did === "failed") return { type: "child.exited", name, atMs, exit: "failure", problem: `${name} broke` }
  if (did === "ended") return { type: "child.exited", name, atMs, exit: "normal" }
  return { type: did === "due" ? "restart.due" : did === "started" ? "child.started" : "child.stopped", name, atMs }
}
const history = (text: string) =>
  text
    .split(", ")
    .filter((part) => part !== "")
    .map((part) => eventOf(part))
const everyEvent = [
  "start",
  "stop",
  ...["started", "failed", "ended", "due", "stopped"].flatMap((did) => ["a", "b", "c", "z"].map((n) => `${did} ${n}`))
]

/** One letter for each child: `-` is stopped, `b` backs off. */
const letters = { stopped: "-", starting: "s", running: "r", stopping: "k", backing_off: "b" }
const statuses = ({ children: all }: SupervisorContext) => all.map(({ status }) => letters[status]).join("")

const start = (name: string) => ({ type: "startChild", params: { name } })
const stop = (name: "a" | "b" | "c") => ({
  type: "stopChild",
  params: { name, shutdownMs: { a: 1, b: 2, c: 3 }[name] }
})
const schedule = (name: string, delayMs = 10) => ({ type: "scheduleRestart", params: { name, delayMs } })
const announce = { type: "announceStopped", params: {} }
const escalate = (child: string, problem: string) => ({ type: "escalate", params: { child, problem } })

const launching = "starting.launching"
const clearing = "starting.clearing"
const waiting = "starting.waiting"
const orderly = "stopping.orderly"
const escalating = "stopping.escalating"
const up = "start, started a, started b, started c"

/** Where a history leads, and what each event does there; an event without an entry does nothing. */
type Row = readonly [
  strategy: SupervisorStrategy,
  place: string,
  statuses: string,
  history: string,
  decisions: Record<string, readonly [next: string, statuses: string, ...commands: ReadonlyArray<unknown>]>
]
const table: ReadonlyArray<Row> = [
  ["one_for_one", "idle", "---", "", { start: [launching, "s--", start("a")], stop: ["stopped", "---", announce] }],
  [
    "one_for_one",
    launching,
    "rs-",
    "start, started a",
    {
      "started b": [launching, "rrs", start("c")],
      "failed a": [launching, "bs-", schedule("a")],
      "ended a": [launching, "bs-", schedule("a")],
      "failed b": [launching, "rb-", schedule("b")],
      "ended b": [launching, "r-s", start("c")],
      stop: [orderly, "rk-", stop("b")]
    }
  ],
  [
    "one_for_one",
    "running",
    "rrr",
    up,
    {
      "failed a": ["running", "brr", schedule("a")],
      "ended a": ["running", "brr", schedule("a")],
      "failed b": ["running", "rbr", schedule("b")],
      "ended b": ["running", "r-r"],
      "failed c": ["running", "rr-"],
      "ended c": ["running", "rr-"],
      stop: [orderly, "rrk", stop("c")]
    }
  ],
  [
    "one_for_one",
    "running",
    "rbr",
    `${up}, failed b`,
    {
      "due b": ["running", "rsr", start("b")],
      "failed a": [escalating, "--k", stop("c")],
      "ended a": [escalating, "--k", stop("c")],
      "failed c": ["running", "rb-"],
      "ended c": ["running", "rb-"],
      stop: [orderly, "r-k", stop("c")]
    }
  ],
  [
    "one_for_one",
    orderly,
    "rrk",
    `${up}, stop`,
    {
      "stopped c": [orderly, "rk-", stop("b")],
      "failed c": [orderly, "rk-", stop("b")],
      "ended c": [orderly, "rk-", stop("b")],
      "failed b": [orderly, "r-k"],
      "ended b": [orderly, "r-k"],
      "failed a": [orderly, "-rk"],
      "ended a": [orderly, "-rk"]
    }
  ],
  [
    "one_for_one",
    escalating,
    "--k",
    `${up}, failed b, failed a`,
    {
      "stopped c": ["escalated", "---", escalate("a", "a broke")],
      "failed c": ["escalated", "---", escalate("a", "a broke")],
      "ended c": ["escalated", "---", escalate("a", "a broke")]
    }
  ],
  ["one_for_one", "stopped", "---", "stop", {}],
  ["one_for_one", "escalated", "---", "start, failed a, due a, ended a", {}],
  [
    "one_for_all",
    launching,
    "rs-",
    "start, started a",
    {
      "started b": [launching, "rrs", start("c")],
      "failed a": [clearing, "bk-", stop("b")],
      "ended a": [clearing, "bk-", stop("b")],
      "failed b": [clearing, "kb-", stop("a")],
      "ended b": [launching, "r-s", start("c")],
      stop: [orderly, "rk-", stop("b")]
    }
  ],
  [
    "one_for_all",
    clearing,
    "rbk",
    `${up}, failed b`,
    {
      "stopped c": [clearing, "kb-", stop("a")],
      "failed c": [clearing, "kb-", stop("a")],
      "ended c": [clearing, "kb-", stop("a")],
      "failed a": [clearing, "-bk"],
      "ended a": [clearing, "-bk"],
      stop: [orderly, "r-k"]
    }
  ],
  [
    "one_for_all",
    waiting,
    "-b-",
    `${up}, failed b, stopped c, stopped a`,
    { "due b": [launching, "s--", start("a")], stop: ["stopped", "---", announce] }
  ],
  [
    "rest_for_one",
    "running",
    "rrr",
    up,
    {
      "failed a": [clearing, "brk", stop("c")],
      "ended a": [clearing, "brk", stop("c")],
      "failed b": [clearing, "rbk", stop("c")],
      "ended b": ["running", "r-r"],
      "failed c": ["running", "rr-"],
      "ended c": ["running", "rr-"],
      stop: [orderly, "rrk", stop("c")]
    }
  ],
  [
    "rest_for_one",
    clearing,
    "rbk",
    `${up}, failed b`,
    {
      "stopped c": [waiting, "rb-", schedule("b")],
      "failed c": [waiting, "rb-", schedule("b")],
      "ended c": [waiting, "rb-", schedule("b")],
      "failed a": [escalating, "--k"],
      "ended a": [escalating, "--k"],
      stop: [orderly, "r-k"]
    }
  ],
  [
    "rest_for_one",
    waiting,
    "rb-",
    `${up}, failed b, stopped c`,
    {
      "due b": [launching, "rs-", start("b")],
      "failed a": ["escalated", "---", escalate("a", "a broke")],
      "ended a": ["escalated", "---", escalate("a", "it ended although it is permanent")],
      stop: [orderly, "k--", stop("a")]
    }
  ]
]

describe("the decision table of a supervisor", () => {
  for (const [strategy, place, letter, made, decisions] of table) {
    it(`${strategy}, ${place} ${letter}: only ${Object.keys(decisions).join(", ") || "nothing"} does anything`, () => {
      const at = ledBy(supervisorMachine, inputOf(strategy), history(made))
      assert.strictEqual(at.place, place)
      assert.strictEqual(statuses(at.snapshot.context), letter)
      for (const text of everyEvent) {
        const decided = decisions[text]
        const step = stepped(supervisorMachine, at, eventOf(text))
        if (decided === undefined) {
          assert.strictEqual(step.snapshot, at.snapshot, text)
          assert.deepStrictEqual(step.commands, [])
          continue
        }
        const [next, after, ...commands] = decided
        assert.strictEqual(`${step.place} ${statuses(step.snapshot.context)}`, `${next} ${after}`, text)
        assert.deepStrictEqual<ReadonlyArray<unknown>>(step.commands, commands, text)
      }
    })
  }

  it("has a row for each state, says what each means, and reaches them all", () => {
    assert.strictEqual(placesOf(supervisorMachine).length, 9)
    assert.deepStrictEqual([...new Set(table.map(([, place]) => place))].toSorted(), placesOf(supervisorMachine))
    const events = everyEvent.filter((text) => !text.endsWith("z")).map((text) => eventOf(text))
    const reached = reachedBy(supervisorMachine, inputOf("rest_for_one"), events, statuses)
    assert.deepStrictEqual(reached, placesOf(supervisorMachine))
  })
})

describe("a supervisor", () => {
  /** All commands that a history asks for, in order; a part `failed a@70` happens at 70. */
  const asked = (input: SupervisorInput, text: string) => {
    let at = begun(supervisorMachine, input)
    const commands: Array<unknown> = [...at.commands]
    for (const part of text.split(", ")) {
      const [event = "", atMs] = part.split("@")
      at = stepped(supervisorMachine, at, eventOf(event, atMs === undefined ? 50 : Number(atMs)))
      commands.push(...at.commands)
    }
    return { ...at, commands }
  }

  it("without children it runs at once, and stops at once", () => {
    const running = ledBy(supervisorMachine, { ...inputOf("one_for_all"), children: [] }, history("start"))
    assert.strictEqual(running.place, "running")
    const stopped = stepped(supervisorMachine, running, eventOf("stop"))
    assert.strictEqual(stopped.place, "stopped")
    assert.deepStrictEqual<ReadonlyArray<unknown>>(stopped.commands, [announce])
  })

  it("a group comes back in order without the temporary child and the one that ended for good", () => {
    const { place, commands, snapshot } = asked(
      inputOf("one_for_all"),
      `${up}, ended b, failed a, stopped c, due a, started a`
    )
    assert.strictEqual(place, "running")
    assert.strictEqual(statuses(snapshot.context), "r--")
    assert.deepStrictEqual(commands, [start("a"), start("b"), start("c"), stop("c"), schedule("a"), start("a")])
  })

  it("a child that fails before the group that waits makes it larger, and the alarm of the smaller one does nothing", () => {
    const { place, commands } = asked(
      inputOf("rest_for_one", 2),
      `${up}, failed b, stopped c, failed a, due b, due a, started a, started b`
    )
    assert.strictEqual(place, "running")
    assert.deepStrictEqual(commands.slice(3), [stop("c"), schedule("b"), schedule("a"), start("a"), start("b")])
  })

  it("a start that fails is an exit, and what comes after it waits for its restart", () => {
    const { commands } = asked(inputOf("one_for_one"), "start, failed a, due a, started a")
    assert.deepStrictEqual(commands, [start("a"), schedule("a"), start("a"), start("b")])
  })

  it("pauses twice as long for each restart in a row, up to the longest pause, and begins anew after a quiet period", () => {
    const { commands, snapshot } = asked(
      { ...inputOf("one_for_one", 4), children: children.slice(0, 1) },
      "start@0, failed a@0, due a, failed a@40, due a, failed a@80, due a, failed a@100, due a, failed a@201"
    )
    assert.deepStrictEqual(
      commands.filter((command) => JSON.stringify(command).includes("scheduleRestart")),
      [10, 20, 35, 35, 10].map((delayMs) => schedule("a", delayMs))
    )
    assert.deepStrictEqual(snapshot.context.restartTimesMs, [201])
  })

  it("gives up when one restart more than allowed falls into a period, to the millisecond", () => {
    const one = { ...inputOf("one_for_one"), children: children.slice(0, 1) }
    assert.strictEqual(asked(one, "start@0, failed a@0, due a@10, failed a@101").place, launching)
    const over = asked(one, "start@0, failed a@0, due a@10, failed a@100")
    assert.strictEqual(over.place, "escalated")
    assert.deepStrictEqual(over.snapshot.context.failure, { child: "a", problem: "a broke" })
    assert.deepStrictEqual(over.snapshot.context.restartTimesMs, [0, 100])
    assert.strictEqual(
      asked({ ...one, intensity: { maxRestarts: 0, periodMs: 1 } }, "start, failed a").place,
      "escalated"
    )
  })

  it("keeps a child's last failure, a temporary one's too", () => {
    const { snapshot } = asked(inputOf("one_for_one"), `${up}, failed c@70`)
    assert.deepStrictEqual(snapshot.context.children[2], {
      name: "c",
      restart: "temporary",
      shutdownMs: 3,
      status: "stopped",
      wanted: false,
      restarts: 0,
      lastFailure: { atMs: 70, problem: "c broke" }
    })
  })
})
