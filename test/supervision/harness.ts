/**
 * What the tests of supervision share: a store whose operations die when the test says so, and looks at what became of it.
 */
import * as Effect from "effect/Effect"
import { processId } from "../../src/model/ids.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import type { TreeNode } from "../../src/supervision/Supervisor.ts"

export { gated } from "../support/engines.ts"
export { hostOn, testimony } from "../support/hosts.ts"
export { inVirtualTime, leap } from "../support/time.ts"

/** What may be made to die: an operation of the store, or the write of an event of this type. */
export type Fault = "renewKept" | "changedElsewhere" | "holders" | "due" | "find" | `process.${string}`

/** A store in memory whose operations die as often as they are told to, and which counts its calls. */
export const faultyStore = Effect.map(MemoryStore.make, (store) => {
  const left = new Map<string, number>()
  const calls = new Map<string, number>()
  const isDue = (name: string): boolean => {
    const times = left.get(name) ?? 0
    left.set(name, times - 1)
    return times > 0
  }
  const guarded = <A, E>(name: Fault, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      calls.set(name, (calls.get(name) ?? 0) + 1)
      return isDue(name) ? Effect.die(new Error(`${name} broke`)) : effect
    })
  const faulty = ProcessStore.of({
    ...store,
    externalChanges: guarded("changedElsewhere", store.externalChanges),
    leases: {
      ...store.leases,
      renew: (page) => guarded("renewKept", store.leases.renew(page)),
      holders: guarded("holders", store.leases.holders)
    },
    due: (options) => guarded("due", store.due(options)),
    find: (id) => guarded("find", store.find(id)),
    transact: (plan, decide) =>
      store.transact(plan, (view) => {
        const decision = decide(view)
        const types = decision._tag === "Refused" ? [] : decision.changes.flatMap(({ events }) => events)
        for (const { eventType } of types) if (isDue(eventType)) throw new Error(`${eventType} broke`)
        return decision
      })
  })
  return {
    store: faulty,
    /** Lets an operation die, this often from here on. */
    breaks: (name: Fault, times = Number.POSITIVE_INFINITY) => left.set(name, times),
    mends: (name: Fault) => left.delete(name),
    callsOf: (name: Fault) => calls.get(name) ?? 0
  }
})

/** The types of a process's log, in order. */
export const logOf = (store: typeof ProcessStore.Service, id: string) =>
  Effect.map(store.eventsAfter(processId(id), 0), (events) => events.map(({ eventType }) => eventType))

/** The node of this name, wherever it stands. */
export const nodeIn = (tree: TreeNode, name: string): TreeNode | undefined =>
  tree.name === name ? tree : tree.children.map((child) => nodeIn(child, name)).find((node) => node !== undefined)
