/**
 * A host on a file with an inspector beside it, and what happens on it: processes of an outside system, and their events.
 */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SingleHost from "../../src/host/SingleHost.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import * as EventType from "../../src/model/EventType.ts"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Registration from "../../src/model/Registration.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { eventBody } from "./baseline.ts"
import { quiet } from "./host.ts"

const payload: unknown = JSON.parse(eventBody)

/** The host with its inspector, on a new file in the folder. */
export const inspectedHost = (folder: string) =>
  Inspector.layerHost().pipe(
    Layer.provideMerge(SingleHost.layerSqlite({ filename: join(folder, "holdfast.db"), engines: [] })),
    Layer.provide(quiet)
  )

/** An inspector of a file, in which nothing happens. */
export const inspectedFile = (filename: string) => Inspector.layerFile({ filename }).pipe(Layer.provide(quiet))

/** Registers a process of an outside system. */
export const register = (id: string): Effect.Effect<unknown, unknown, ProcessRegistry> =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.registerProcess({
      ...Registration.make(processId(id), { _tag: "External", metadata: {} }, "externally_owned", Provenance.host),
      eventTypes: [EventType.plain("line")]
    })
  )

/** Appends the baseline's event body to a process. */
export const append = (id: string): Effect.Effect<unknown, unknown, ProcessRegistry> =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.appendEvent(processId(id), { eventType: "line", payload }, Authority.host)
  )

/** How many processes a busy host has. */
export const population = 500

/** The name of one of them. */
export const nameAt = (index: number): string => `p-${String(index).padStart(4, "0")}`

/** Registers all of them. */
export const populate: Effect.Effect<void, unknown, ProcessRegistry> = Effect.forEach(
  Array.from({ length: population }, (_, index) => nameAt(index)),
  register,
  { concurrency: 64, discard: true }
)

/** How many events come at once, and how far apart. Units: milliseconds. */
const burst = 10
const burstMs = 10

/**
 * Appends 1,000 events a second, one in ten to the first process and the others round robin, until it is interrupted.
 *
 * `noted` hears how long each took, in milliseconds.
 */
export const thousandASecond = (noted: (ms: number) => void): Effect.Effect<never, unknown, ProcessRegistry> =>
  Effect.suspend(() => {
    const beganAtMs = performance.now()
    let sent = 0
    const one = (n: number) =>
      Effect.suspend(() => {
        const startedAtMs = performance.now()
        const to = n % burst === 0 ? 0 : n % population
        return Effect.map(append(nameAt(to)), () => noted(performance.now() - startedAtMs))
      })
    return Effect.forever(
      Effect.gen(function* () {
        yield* Effect.forEach(
          Array.from({ length: burst }, () => sent++),
          one,
          { concurrency: "unbounded", discard: true }
        )
        // Measured from the beginning, so that what was late is made up for.
        const dueAtMs = beganAtMs + (sent / burst) * burstMs
        yield* Effect.sleep(Math.max(0, dueAtMs - performance.now()))
      })
    )
  })
