/**
 * A store on a server, with what the tests of its faults write and read: notes of processes that an outside system owns.
 */
import * as Effect from "effect/Effect"
import { processId } from "../../src/model/ids.ts"
import { external } from "../../src/operations/decisions/authority.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import type { PostgresStoreOptions } from "../../src/store/postgres/PostgresStore.ts"
import * as PostgresStore from "../../src/store/postgres/PostgresStore.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"

/** Opens a store, for as long as the scope is open. */
export const open = (options: PostgresStoreOptions) =>
  Effect.gen(function* () {
    const store = yield* PostgresStore.make(options)
    const registry = yield* Effect.provideService(Registry.make, ProcessStore, store)
    return {
      store,
      registry,
      register: (id: string) => registry.registerProcess(registrationOf(processId(id), "externally_owned")),
      append: (id: string, payload: number) =>
        registry.appendEvent(processId(id), { eventType: "note", payload }, external),
      notes: (id: string) =>
        Effect.map(store.eventsAfter(processId(id), 0), (log) =>
          log.filter(({ eventType }) => eventType === "note").map(({ payload }) => payload)
        )
    }
  })
