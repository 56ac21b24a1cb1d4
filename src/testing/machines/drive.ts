/**
 * A durable process of a machine, driven through a script: models stand in the place of its actions and actors.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { AnyStateMachine } from "xstate"
import { Processes } from "../../host/Processes.ts"
import type { MachineEngine } from "../../runtime/engine/fromMachine.ts"
import { fromMachine } from "../../runtime/engine/fromMachine.ts"
import type { MachineOptions } from "../../runtime/engine/MachineOptions.ts"
import { isReducer } from "../../runtime/engine/reducer.ts"
import type { Database } from "../bodies/World.ts"
import * as TestHost from "../TestHost.ts"
import type { ActionModel, Models } from "./models.ts"
import type { Script } from "./script.ts"

/** What a process did that it must not: one sentence. */
export class Broken extends Error {}

/** The id of the process that is driven. */
export const id = "checked"

/** What an action is called with. */
export type Call = Parameters<ActionModel<AnyStateMachine, unknown, unknown>>[1]

/** What becomes of an action: `before` each try, which may die of it, and in the place of what it does. */
export interface Acting {
  readonly before: (name: string, call: Call) => void
  readonly perform: (name: string, call: Call) => void
}

/** A process that is driven. */
export interface Drive {
  readonly host: TestHost.TestHost
  /** Starts the process and plays the script; `look` is done whenever the process has come to rest. */
  readonly run: (script: Script, look: Effect.Effect<void>) => Effect.Effect<void>
  /** Whether the script has let an action fail. */
  readonly hasFailed: () => boolean
}

/** Makes a host for an engine whose actions and actors are models. */
export const make = <Machine extends AnyStateMachine, R>(
  given: MachineEngine<Machine, R>,
  { actors }: Pick<Models<AnyStateMachine>, "actors">,
  { before, perform }: Acting,
  database?: Database
): Effect.Effect<Drive, never, Scope.Scope> =>
  Effect.gen(function* () {
    let failures = 0
    let cuts = 0
    let hasFailed = false
    const acting = (name: string) => (seen: object, params: unknown, work: object) =>
      Effect.suspend(() => {
        const { idempotencyKey } = work as { readonly idempotencyKey: string } // what an action works with
        const call = { ...seen, params, idempotencyKey } as Call // a transition's context and event
        before(name, call)
        if (failures > 0) {
          failures--
          hasFailed = true
          return Effect.fail({ _tag: "Scripted", message: "the script lets it fail" } as const)
        }
        perform(name, call)
        if (cuts === 0) return Effect.void
        cuts--
        return host.crash
      })
    const options = given.options as MachineOptions<AnyStateMachine, never> // its machine is any, and models require nothing
    const engine = fromMachine(
      given.machine as AnyStateMachine,
      {
        ...options,
        actions: Object.fromEntries(
          Object.entries(options.actions ?? {}).map(([name, action]) => {
            const run = acting(name)
            return [name, typeof action === "object" ? { ...action, run } : run]
          })
        ),
        actors: Object.fromEntries(
          Object.entries(options.actors ?? {}).map(([name, actor]) => [
            name,
            isReducer(given.machine.implementations.actors[name])
              ? actor
              : (input: unknown) => Effect.try(() => actors?.[name]?.(input) ?? null)
          ])
        )
      } as never
    ) // the same options, with models
    const host: TestHost.TestHost = yield* TestHost.make([engine], database === undefined ? {} : { database })

    const start = (input: unknown) =>
      Effect.flatMap(Processes, (processes) => processes.start(engine, { id, payload: input as never })) // as its schema has it
    const ensureAlive = Effect.suspend(() => (host.isAlive() ? Effect.void : host.restart()))
    return {
      host,
      hasFailed: () => hasFailed,
      run: (script, look) =>
        Effect.gen(function* () {
          yield* Effect.orDie(host.run(start(script.input)))
          yield* host.settle
          yield* look
          let sent = 0
          for (const step of script.steps) {
            switch (step.do) {
              case "send": {
                yield* ensureAlive
                const { type, ...fields } = step.event
                const signal = (engine.signals ?? []).find(({ signal }) => signal === type)
                const key = String(++sent)
                yield* host.begin(
                  Effect.flatMap(
                    Processes,
                    (processes) => processes.handle(engine, id).signal(signal as never, fields as never, { id: key }) // one of its own
                  )
                )
                if (step.burst) continue
                break
              }
              case "advance":
                // Time passes also while no host is there: what was due meanwhile is due at once then.
                yield* host.advance(step.ms)
                break
              case "crash":
                yield* host.restart()
                break
              case "doom":
                yield* host.restart(step.lost ? { lostCommit: step.commit } : { lastCommit: step.commit })
                break
              case "cut":
                cuts++
                break
              case "second":
                yield* host.beside()
                break
              case "fail":
                failures++
                break
            }
            yield* host.settle
            yield* look
          }
        })
    }
  })
