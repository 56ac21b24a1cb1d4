/**
 * Durable first: where effects are durable, everything that a process rests on must be.
 */
import * as Effect from "effect/Effect"
import { InputInvalid } from "../model/errors.ts"
import { ProcessEnvironments } from "../store/ProcessEnvironments.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import type { Durability, FacetDurability } from "./Facets.ts"
import { Attachments, TriggerStore } from "./Facets.ts"

/** The facets of a host, in the order in which they are checked. An absent one is not asked for. */
export interface Facets {
  readonly attachments?: FacetDurability
  readonly processEnvStore: Durability
  readonly sessionStoreFactory?: FacetDurability
  readonly processRegistry: Durability
  readonly triggerStore?: FacetDurability
}

const order = ["attachments", "processEnvStore", "sessionStoreFactory", "processRegistry", "triggerStore"] as const

const words: Readonly<Record<(typeof order)[number], string>> = {
  attachments: "attachments",
  processEnvStore: "process env store",
  sessionStoreFactory: "session store factory",
  processRegistry: "process registry",
  triggerStore: "trigger store"
}

/** The first facet that durable effects could not rest on; `undefined` when there is none, or effects are inline. */
export const notDurable = (effects: Durability, facets: Facets): string | undefined => {
  const found = effects === "inline" ? undefined : order.find((name) => facets[name] === "inline")
  return found === undefined ? undefined : words[found]
}

/** Checks the facets in context. Fails with `InputInvalid` naming the first that is not durable. */
export const requireDurable = (
  effects: Durability
): Effect.Effect<void, InputInvalid, ProcessStore | ProcessEnvironments> =>
  Effect.gen(function* () {
    const facet = notDurable(effects, {
      attachments: (yield* Attachments).durability,
      processEnvStore: (yield* ProcessEnvironments).durability,
      processRegistry: (yield* ProcessStore).durability,
      triggerStore: (yield* TriggerStore).durability
    })
    if (facet !== undefined) {
      const problem = `must be durable where effects are: the ${facet} is not`
      return yield* new InputInvalid({ field: "effects", problem })
    }
  })
