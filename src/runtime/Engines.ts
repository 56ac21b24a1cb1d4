/**
 * The engines of a host, by kind and version, with what they require already provided.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { EngineMissing, InputInvalid } from "../model/errors.ts"
import type { Registration } from "../model/Registration.ts"
import { engineOf } from "../model/Registration.ts"
import type { Body, Runnable } from "./Engine.ts"
import { nameOf } from "./Engine.ts"

/** A body that is ready to run, and what its engine says of it. Units: milliseconds. */
export interface Ready {
  readonly run: Body<never>
  readonly passivateAfterMs?: number
}

/** The engines of a host. */
export class Engines extends Context.Tag("holdfast/runtime/Engines")<
  Engines,
  {
    /** Whether this host has the engine a process asks for, in its version. */
    readonly has: (registration: Registration) => boolean

    /**
     * Finds a process's engine and decodes its payload.
     *
     * Fails with `EngineMissing` or `InputInvalid`: the row stays as it is, and runs where it can.
     */
    readonly prepare: (registration: Registration) => Effect.Effect<Ready, EngineMissing | InputInvalid>
  }
>() {}

/** Registers engines; the layer requires the union of what they require. Fails with `InputInvalid` for a name given twice. */
export const layer = <R>(engines: ReadonlyArray<Runnable<R>>): Layer.Layer<Engines, InputInvalid, R> =>
  Layer.effect(
    Engines,
    Effect.gen(function* () {
      const byName = new Map<string, Runnable<R>>()
      for (const engine of engines) {
        const name = nameOf(engine.kind, engine.version)
        if (byName.has(name)) return yield* new InputInvalid({ field: "engines", problem: `has \`${name}\` twice` })
        byName.set(name, engine)
      }
      const context = yield* Effect.context<R>()
      const provide =
        (body: Body<R>): Body<never> =>
        (execution) =>
          Effect.provide(body(execution), context)
      return Engines.of({
        has: (registration) => byName.has(engineNameOf(registration)),
        prepare: (registration) => {
          const engine = byName.get(engineNameOf(registration))
          const { input } = registration
          return engine === undefined || input._tag !== "Engine"
            ? Effect.fail(new EngineMissing(engineOf(registration)))
            : Effect.map(engine.prepare(input.payload), (body) => ({
                run: provide(body),
                ...(engine.passivateAfterMs === undefined ? {} : { passivateAfterMs: engine.passivateAfterMs })
              }))
        }
      })
    })
  )

const engineNameOf = (registration: Registration): string => {
  const { kind, version } = engineOf(registration)
  return registration.input._tag === "Engine" ? nameOf(kind, version) : ""
}
