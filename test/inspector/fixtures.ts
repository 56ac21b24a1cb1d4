/**
 * Processes for the inspector's tests: one that waits for a signal, with a parent's child beside it, on any store.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { readsOf } from "../../src/inspector/server.ts"
import { plain } from "../../src/model/EventType.ts"
import { processId, signalEventType, signalWaitKey } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Registration from "../../src/model/Registration.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Waits from "../../src/operations/Waits.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { quiet } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"

/** What an approval says. */
export const approval = {
  type: "object",
  required: ["by", "level"],
  properties: {
    by: { type: "string", description: "Who approves." },
    level: { type: "string", enum: ["once", "always"] },
    urgent: { type: "boolean" },
    count: { type: "integer", minimum: 0 }
  }
}

/** Registers a process that an outside system owns, and that takes the signal `approve`. */
export const register = (
  id: string,
  changes: Partial<Registration.Registration> = {}
): Effect.Effect<void, unknown, ProcessRegistry> =>
  Effect.gen(function* () {
    const base = Registration.make(
      processId(id),
      { _tag: "External", metadata: { secret: "tea", label: id } },
      "externally_owned",
      Provenance.host
    )
    yield* (yield* ProcessRegistry).registerProcess({
      ...base,
      eventTypes: [plain("signal.approve", approval), plain("note")],
      ...changes
    })
  })

/** Lets a process wait for the signal `approve`. */
export const waitForApproval = (id: string): Effect.Effect<void, unknown, Waits.Waits> =>
  Effect.gen(function* () {
    const key = signalWaitKey(processId(id), "approve", 1)
    const kind = { _tag: "Signal" as const, name: "approve", eventType: signalEventType("approve"), key, ordinal: 1 }
    yield* (yield* Waits.Waits).setProcessWait(processId(id), { kind, sinceMs: 1_000 }, Authority.host)
  })

/** Notes something in a process's log. */
export const note = (id: string, text: string): Effect.Effect<void, unknown, ProcessRegistry> =>
  Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    yield* registry.appendEvent(processId(id), { eventType: "note", payload: { text } }, Authority.host)
  })

const onStore = Layer.mergeAll(Registry.layer, Waits.layer)

/** A store in memory with what writes to it. */
export const memoryStore = Layer.provideMerge(onStore, MemoryStore.layer)

/** A store in a file with what writes to it. */
export const fileStore = (filename: string) => Layer.provideMerge(onStore, SqliteStore.layer({ filename }))

/** An inspector beside the store it looks at. */
export const inspected = (options: Inspector.InspectorOptions = {}, store = memoryStore) =>
  Layer.provide(Layer.provideMerge(Inspector.layer({ token: "secret", ...options }), store), quiet)

/** The token in the address of an inspector. */
export const tokenIn = (address: string): string =>
  new URLSearchParams(new URL(address).hash.split("?")[1]).get("token") ?? ""

/** Asks the inspector in context, whose token is `secret`, for JSON. */
export const asked = <A = unknown>(
  path: string,
  init: RequestInit = {}
): Effect.Effect<A, never, Inspector.Inspector> =>
  Effect.flatMap(Inspector.Inspector, ({ port }) =>
    Effect.promise(async () => {
      const headers = { authorization: "Bearer secret", ...init.headers }
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        ...init,
        headers,
        signal: AbortSignal.timeout(patienceMs)
      })
      return (await response.json()) as A // the caller says what it asked for
    })
  )

/** An address with those of the values whose keys it has. */
export const withKeys = (path: string, values: Readonly<Record<string, string>>): string => {
  const keys = readsOf({} as never)[path]?.keys ?? [] // none of them is called
  const query = new URLSearchParams(Object.entries(values).filter(([key]) => keys.includes(key)))
  return query.size === 0 ? path : `${path}?${query}`
}
