import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import type { SupervisorCommand } from "../../machines/supervisor/machine.ts"
import { supervisorMachine } from "../../machines/supervisor/machine.ts"
import type { ChildSpec, SupervisorEvent, SupervisorInput } from "../../machines/supervisor/types.ts"
import type { Visit } from "./chart.ts"
import { begun, stepped } from "./chart.ts"

type At = Visit<typeof supervisorMachine>

/** A runtime as seen from outside: it knows its children by what it was asked for and what it reported, by no status. */
interface World {
  readonly phase: Map<string, "starting" | "up" | "stopping">
  readonly alarms: Set<string>
  /** Children that ended and are not to come back. */
  readonly over: Set<string>
  nowMs: number
}

const restarts: ReadonlyArray<ChildSpec["restart"]> = ["permanent", "transient", "temporary"]
const input: FC.Arbitrary<SupervisorInput> = FC.record({
  strategy: FC.constantFrom("one_for_one", "one_for_all", "rest_for_one"),
  intensity: FC.record({ maxRestarts: FC.nat({ max: 3 }), periodMs: FC.integer({ min: 1, max: 60 }) }),
  backOff: FC.record({ baseMs: FC.integer({ min: 1, max: 9 }), maxMs: FC.integer({ min: 10, max: 40 }) }),
  children: FC.array(FC.constantFrom(...restarts), {
    maxLength: 5
  }).map((chosen) => chosen.map((restart, index) => ({ name: `c${index}`, restart, shutdownMs: index })))
})
const picks = FC.array(FC.record({ which: FC.nat({ max: 999 }), afterMs: FC.nat({ max: 12 }) }), { maxLength: 40 })

/** What may happen at this moment. */
const possible = ({ phase, alarms, nowMs: atMs }: World): ReadonlyArray<SupervisorEvent> => [
  ...[...phase].flatMap(([name, is]): ReadonlyArray<SupervisorEvent> => {
    if (is === "stopping") return [{ type: "child.stopped", name, atMs }]
    const exits: ReadonlyArray<SupervisorEvent> = [
      { type: "child.exited", name, atMs, exit: "failure", problem: "broke" },
      { type: "child.exited", name, atMs, exit: "normal" }
    ]
    return is === "up" ? exits : [{ type: "child.started", name, atMs }, ...exits]
  }),
  ...[...alarms].map((name): SupervisorEvent => ({ type: "restart.due", name, atMs }))
]

const report = (world: World, { children }: SupervisorInput, event: SupervisorEvent): void => {
  if (!("name" in event)) return
  const restart = children.find(({ name }) => name === event.name)?.restart
  if (event.type === "restart.due") world.alarms.delete(event.name)
  else if (event.type === "child.started") world.phase.set(event.name, "up")
  else world.phase.delete(event.name)
  const isOver =
    (event.type === "child.stopped" && restart === "temporary") ||
    (event.type === "child.exited" && !comesBack(restart, event.exit))
  if (isOver) world.over.add(event.name)
}

const comesBack = (restart: string | undefined, exit: "normal" | "failure"): boolean =>
  restart === "permanent" || (restart === "transient" && exit === "failure")

const obey = (world: World, names: ReadonlyArray<string>, place: string, command: SupervisorCommand): void => {
  if (command.type === "scheduleRestart") {
    world.alarms.add(command.params.name)
    return
  }
  if (command.type !== "startChild" && command.type !== "stopChild") {
    assert.strictEqual(world.phase.size, 0, "all children are down when that is said")
    return
  }
  const { name } = command.params
  const index = names.indexOf(name)
  if (command.type === "startChild") {
    assert.isFalse(world.phase.has(name), "only a child that is down is started")
    assert.isFalse(world.over.has(name), "a child that ended for good is never started again")
    if (place.startsWith("starting")) {
      const before = names.slice(0, index).filter((other) => !world.over.has(other))
      for (const other of before) assert.strictEqual(world.phase.get(other), "up", "children start in order")
    }
    world.phase.set(name, "starting")
    return
  }
  assert.include(["starting", "up"], world.phase.get(name), "only a child that is up is stopped")
  for (const other of names.slice(index + 1)) assert.isFalse(world.phase.has(other), "children stop in reverse")
  assert.notInclude([...world.phase.values()], "stopping", "one child at a time")
  world.phase.set(name, "stopping")
}

const happen = (world: World, given: SupervisorInput, at: At, event: SupervisorEvent): At => {
  const next = stepped(supervisorMachine, at, event)
  report(world, given, event)
  const names = given.children.map(({ name }) => name)
  for (const command of next.commands) {
    // A group that became larger leaves the alarm of the smaller one behind, which then means nothing.
    if (command.type === "startChild" && given.strategy !== "rest_for_one") {
      assert.isFalse(world.alarms.has(command.params.name), "a back-off is waited out")
    }
    obey(world, names, next.place, command)
  }
  return next
}

const opened = (given: SupervisorInput): { readonly world: World; readonly at: At } => {
  const world: World = { phase: new Map(), alarms: new Set(), over: new Set(), nowMs: 0 }
  const at = begun(supervisorMachine, given)
  return { world, at: happen(world, given, at, { type: "supervisor.start_requested", atMs: 0 }) }
}

const isFinal = ({ place }: At): boolean => place === "stopped" || place === "escalated"

describe("whatever the children of a supervisor do", () => {
  it.prop("they start in order and stop in reverse, and a stop comes to its end", [input, picks], ([given, made]) => {
    const { world, at: first } = opened(given)
    let at = first
    for (const { which, afterMs } of made) {
      world.nowMs += afterMs
      const events = possible(world)
      const event = events[which % Math.max(events.length, 1)]
      if (event === undefined || isFinal(at)) break
      at = happen(world, given, at, event)
      assert.isTrue(
        isFinal(at) || at.place === "running" || world.alarms.size > 0 || world.phase.size > 0,
        "something can always go on"
      )
    }
    at = happen(world, given, at, { type: "supervisor.stop_requested", atMs: world.nowMs })
    for (const _ of given.children) {
      const name = [...world.phase].find(([, is]) => is === "stopping")?.[0]
      if (name !== undefined) at = happen(world, given, at, { type: "child.stopped", name, atMs: world.nowMs })
    }
    assert.isTrue(isFinal(at))
    assert.strictEqual(world.phase.size, 0)
  })

  it.prop(
    "alone, they make it give up exactly when one restart too many falls into the period",
    [input, picks],
    (args) => {
      const given: SupervisorInput = { ...args[0], strategy: "one_for_one" }
      const { maxRestarts, periodMs } = given.intensity
      const { world, at: first } = opened(given)
      const restartsMs: Array<number> = []
      let at = first
      for (const { which, afterMs } of args[1]) {
        world.nowMs += afterMs
        const events = possible(world)
        const event = events[which % Math.max(events.length, 1)]
        if (event === undefined) break
        if (event.type === "child.exited") {
          const restart = given.children.find(({ name }) => name === event.name)?.restart
          if (comesBack(restart, event.exit)) restartsMs.push(event.atMs)
        }
        at = happen(world, given, at, event)
        const recent = restartsMs.filter((atMs) => world.nowMs - atMs <= periodMs).length
        const gaveUp = at.place === "stopping.escalating" || at.place === "escalated"
        assert.strictEqual(gaveUp, event.type === "child.exited" && recent > maxRestarts)
        assert.strictEqual(at.snapshot.context.failure !== undefined, gaveUp)
        if (gaveUp) break
      }
    }
  )

  it.prop(
    "in a group one child at a time backs off, and no more restarts count than are allowed",
    [input, picks],
    (args) => {
      const given: SupervisorInput = { ...args[0], strategy: "rest_for_one" }
      const { world, at: first } = opened(given)
      let at = first
      for (const { which, afterMs } of args[1]) {
        world.nowMs += afterMs
        const events = possible(world)
        const event = events[which % Math.max(events.length, 1)]
        if (event === undefined || isFinal(at)) break
        at = happen(world, given, at, event)
        const { restartTimesMs, children, failure } = at.snapshot.context
        const allowed = given.intensity.maxRestarts + (failure === undefined ? 0 : 1)
        assert.isAtMost(restartTimesMs.length, allowed)
        assert.isAtMost(children.filter(({ status }) => status === "backing_off").length, 1)
      }
    }
  )
})
