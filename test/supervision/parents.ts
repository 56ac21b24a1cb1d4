/**
 * Children for tests of a supervisor: they say what happens to them, fail when told, and take their time to stop.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Child } from "../../src/supervision/Supervisor.ts"
import * as Supervisor from "../../src/supervision/Supervisor.ts"

/** How a child of a test behaves. Units: milliseconds. */
export interface Manners extends Partial<Pick<Child, "restart" | "shutdownMs">> {
  /** How long it takes to let go, once it was asked to. */
  readonly stopMs?: number
}

/** Children that are told what to do, and what they said. */
export const family = () => {
  const said: Array<string> = []
  const up = new Set<string>()
  const endings = new Map<string, Deferred.Deferred<void, unknown>>()
  const say = (text: string) => Effect.sync(() => said.push(text))

  const child = (name: string, { restart = "permanent", shutdownMs = 5_000, stopMs = 0 }: Manners = {}): Child => ({
    name,
    restart,
    shutdownMs,
    run: Effect.gen(function* () {
      const ending = yield* Deferred.make<void, unknown>()
      endings.set(name, ending)
      up.add(name)
      yield* say(`${name} up`)
      yield* Deferred.await(ending)
    }).pipe(
      Effect.onInterrupt(() => Effect.zipRight(say(`${name} asked`), Effect.sleep(stopMs))),
      Effect.ensuring(
        Effect.zipRight(
          Effect.sync(() => up.delete(name)),
          say(`${name} down`)
        )
      )
    )
  })

  const end = (name: string, how: Effect.Effect<void, unknown>) =>
    Effect.flatMap(
      Effect.sync(() => endings.get(name)),
      (ending) => (ending === undefined ? Effect.dieMessage(`${name} is not up`) : Deferred.complete(ending, how))
    )

  /** What was said since this was last asked. */
  const heard = (): ReadonlyArray<string> => said.splice(0)

  return { child, end, heard, up }
}

/** A supervisor that bears three restarts in ten seconds, and pauses 100 ms and more before each. */
export const supervisor = (
  children: ReadonlyArray<Child>,
  spec: Partial<Supervisor.SupervisorSpec> = {}
): Supervisor.Supervisor =>
  Supervisor.make({
    name: "top",
    strategy: "one_for_one",
    intensity: { maxRestarts: 3, periodMs: 10_000 },
    backOff: { baseMs: 100, maxMs: 400 },
    ...spec,
    children
  })
