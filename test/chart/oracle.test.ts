/**
 * Timers and children in the places where a durable chart is most easily another one than XState's: each machine is played against
 * XState's own actor, also while no host is there and with hosts that die.
 */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import type { AnyStateMachine } from "xstate"
import { assign, cancel, raise, sendTo, setup, spawnChild, stopChild } from "xstate"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import type { MachineEngine } from "../../src/runtime/engine/fromMachine.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import * as Machines from "../../src/testing/Machines.ts"
import { isWhole, samples } from "../support/samples.ts"
import { noFields } from "./charts.ts"

const counting = setup({
  types: { context: {} as { readonly n: number }, events: {} as { readonly type: "go" | "back" | "late" } },
  actions: { count: assign({ n: ({ context }: { context: { readonly n: number } }) => context.n + 1 }), slow: () => {} }
})

/** A machine with an actor; its parts of every type. */
const acting = (config: object): AnyStateMachine =>
  setup({ actors: { work: fromDurable<unknown, number>() } }).createMachine({
    id: "m",
    context: { n: 0 },
    ...config
  } as never) as unknown as AnyStateMachine

const more = assign({ n: ({ context }: { context: { readonly n: number } }) => context.n + 1 })
const spawning = assign(
  ({ spawn, context }: { spawn: (src: string, options: object) => void; context: { readonly n: number } }) => {
    spawn("work", { id: "x" })
    return { n: context.n + 1 }
  }
)

const machines: Readonly<Record<string, AnyStateMachine>> = {
  "a timer that another one cancels which was due before it": counting.createMachine({
    id: "m",
    context: { n: 0 },
    initial: "a",
    on: { late: { actions: "count" } },
    states: {
      a: { entry: raise({ type: "late" }, { delay: 2_000, id: "late" }), after: { 1000: "b" }, exit: cancel("late") },
      b: { on: { go: "a" } }
    }
  }),
  "timers of one instant": counting.createMachine({
    id: "m",
    context: { n: 0 },
    initial: "a",
    on: { late: { actions: "count" } },
    states: {
      a: { entry: raise({ type: "late" }, { delay: 1_000, id: "late" }), after: { 1000: "b" }, exit: cancel("late") },
      b: { after: { 1000: "a" } }
    }
  }),
  "a state that is entered again before its longer timer": counting.createMachine({
    id: "m",
    context: { n: 0 },
    initial: "a",
    states: {
      a: {
        after: {
          1000: { guard: ({ context }) => context.n < 2, target: "a", reenter: true, actions: "count" },
          2000: "expired"
        }
      },
      expired: { on: { go: { target: "a", actions: assign({ n: 0 }) } } }
    }
  }),
  "a timer that is due while an action of its state is performed": counting.createMachine({
    id: "m",
    context: { n: 0 },
    initial: "a",
    on: { late: { actions: "count" } },
    states: {
      a: {
        entry: ["slow", raise({ type: "late" }, { delay: 2_000, id: "late" })],
        after: { 1000: "b" },
        on: { go: "b" },
        exit: cancel("late")
      },
      b: { on: { go: "a" } }
    }
  }),
  "a delayed message to another process that is cancelled while due": counting.createMachine({
    id: "m",
    context: { n: 0 },
    initial: "a",
    states: {
      a: {
        entry: sendTo(({ system }) => system.get("other"), { type: "late" }, { delay: 2_000, id: "late" }),
        after: { 1000: "b" },
        exit: cancel("late")
      },
      b: { on: { go: "a" } }
    }
  }),
  "an actor under the id of one that has ended": acting({
    on: { go: { actions: spawning } }
  }),
  "an actor under the id of one that is stopped in the same step": acting({
    on: { go: { actions: [stopChild("x"), spawning] } }
  }),
  "a state that is left at once, with an actor under the id of the one before": acting({
    initial: "a",
    states: {
      a: { invoke: { src: "work", id: "x" }, on: { go: "b" } },
      b: { invoke: { src: "work", id: "x", onDone: { actions: more } }, always: "c" },
      c: { on: { back: "a" } }
    }
  }),
  "an actor with a name in the system, entered again": acting({
    initial: "a",
    states: { a: { invoke: { src: "work", id: "x", systemId: "s" }, on: { go: { target: "a", reenter: true } } } }
  }),
  "an actor with a name in the system that another had": acting({
    initial: "idle",
    states: {
      idle: { on: { go: "a" } },
      a: { entry: spawnChild("work", { systemId: "s", id: "y" }), on: { "xstate.done.actor.y": "idle" } }
    }
  }),
  "a wildcard beside an actor that is left": acting({
    initial: "a",
    on: { "*": { actions: more } },
    states: { a: { invoke: { src: "work", id: "x" }, on: { go: "b" } }, b: { on: { back: "a" } } }
  })
}

const runs = samples(isWhole ? 6 : 3, 1_000)

describe("a durable chart, held against XState's machine,", () => {
  for (const [what, machine] of Object.entries(machines)) {
    it(`is the same with ${what}, in ${runs} histories`, () => {
      const hasActors = Object.keys(machine.implementations.actors).length > 0
      const own = hasActors ? ["go", "back"] : ["go"]
      const engine = fromMachine(machine, {
        version: "1",
        input: Schema.Null,
        events: Object.fromEntries(own.map((name) => [name, noFields])),
        ...(hasActors
          ? { actors: { work: () => Effect.succeed(1) } }
          : { actions: { slow: () => Effect.sleep(1_500) } })
      } as never) as unknown as MachineEngine<AnyStateMachine, never>
      return Effect.runPromise(
        Machines.check(engine, {
          runs,
          seed: 11,
          input: FastCheck.constant(null),
          ...(hasActors ? { actors: { work: () => 1 } } : {})
        } as never)
      )
    })
  }
})
