/**
 * What the laws of the wake outbox are about: processes that wake sessions of their own.
 *
 * All laws share one outbox, so each looks at the wakes of its own processes and delivers the others'.
 */
import * as Effect from "effect/Effect"
import type { EventType } from "../model/EventType.ts"
import type { InputInvalid, StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import type { WakeDelivery } from "../model/WakeDelivery.ts"
import type { AppendRefusal } from "../operations/decisions/append.ts"
import { external } from "../operations/decisions/authority.ts"
import type { Lookup } from "../operations/existing.ts"
import { ProcessRegistry } from "../operations/ProcessRegistry.ts"
import { WakeOutbox } from "../operations/WakeOutbox.ts"
import type { WakeClaim, WakeRow } from "../store/Outbox.ts"
import { eventTypes, freshId, freshProcess } from "./fixtures.ts"
import { expectEquals, Mismatch } from "./Law.ts"

/** The event types of {@link wakingProcess}: some wake, one ends with a wake, and so do two core ends. */
export const types: ReadonlyArray<EventType> = [
  ...eventTypes,
  {
    name: "keyed",
    payloadSchema: { schema: {} },
    semantics: { wake: { input: { pointer: "/text" }, dedupeKey: { selector: { pointer: "/key" } } } }
  },
  {
    name: "done",
    payloadSchema: { schema: {} },
    semantics: { terminal: { state: "completed" }, wake: { input: { pointer: "/text" }, dedupeKey: "event_identity" } }
  },
  ...(["completed", "failed"] as const).map((state) => ({
    name: `process.${state}`,
    payloadSchema: { schema: {} },
    semantics: {
      terminal: { state, awaitOutput: { pointer: "/await_output" } },
      // A failure has no value.
      wake: { input: { pointer: "/await_output/value" }, dedupeKey: "event_identity" as const }
    }
  }))
]

/** An event that wakes. */
export const look: { readonly eventType: string; readonly payload: unknown } = {
  eventType: "progress",
  payload: { urgent: true, text: "look" }
}

/** A process that wakes a session of its own. */
export const wakingProcess = (
  disposition: Parameters<typeof freshProcess>[0] = "rerunnable",
  changes: Parameters<typeof freshProcess>[1] = {}
): ReturnType<typeof freshProcess> =>
  Effect.flatMap(freshId, (session) =>
    freshProcess(disposition, { wakeTarget: { sessionId: session }, eventTypes: types, ...changes })
  )

/** Appends an event with a wake. */
export const appended = (
  id: ProcessId,
  request: typeof look = look
): Effect.Effect<
  { readonly event: ProcessEvent; readonly wakeDelivery: WakeDelivery },
  AppendRefusal | InputInvalid | Lookup | Mismatch,
  ProcessRegistry
> =>
  Effect.gen(function* () {
    const { event, wakeDelivery } = yield* (yield* ProcessRegistry).appendEvent(id, request, external)
    return wakeDelivery === undefined
      ? yield* new Mismatch({ about: "the delivery", expected: "one", actual: "none" })
      : { event, wakeDelivery }
  })

/** Claims all due wakes, keeps the claims on these processes, and delivers the others. */
export const claimsOf = (
  ...ids: ReadonlyArray<ProcessId>
): Effect.Effect<ReadonlyArray<WakeClaim>, InputInvalid | StoreError | Mismatch, WakeOutbox> =>
  Effect.gen(function* () {
    const outbox = yield* WakeOutbox
    const own: Array<WakeClaim> = []
    const seen = new Set<number>()
    for (let round = 0; round < maxRounds; round++) {
      const { claims, expired } = yield* outbox.claim(100)
      if (claims.length === 0 && expired.length === 0) return own
      for (const claim of claims) {
        // Claims outlast this loop, and a settled wake is not due any more.
        if (seen.has(claim.number)) {
          return yield* new Mismatch({ about: "how often a wake is claimed", expected: "once", actual: claim })
        }
        seen.add(claim.number)
        if (ids.includes(claim.wake.processId)) own.push(claim)
        else yield* outbox.settle(claim, { _tag: "Enqueued" })
      }
    }
    return yield* new Mismatch({
      about: "how often something is due",
      expected: "a bounded number of times",
      actual: maxRounds
    })
  })

const maxRounds = 1_000

/** Settles a claim that must be there. */
export const settled = (
  claim: WakeClaim | undefined,
  how: "Enqueued" | "Discard"
): Effect.Effect<void, Mismatch | InputInvalid | StoreError, WakeOutbox> =>
  Effect.gen(function* () {
    if (claim === undefined) return yield* new Mismatch({ about: "a claim", expected: "one", actual: "none" })
    const settlement = how === "Enqueued" ? { _tag: how } : ({ _tag: how, reason: "target_gone" } as const)
    const { _tag } = yield* (yield* WakeOutbox).settle(claim, settlement)
    yield* expectEquals("settling a claim", _tag, "Settled")
  })

/** The rows of a wake id. */
export const rowsOf = (wakeId: string): Effect.Effect<ReadonlyArray<WakeRow>, InputInvalid | StoreError, WakeOutbox> =>
  Effect.flatMap(WakeOutbox, (outbox) => outbox.rowsOf(wakeId))

/** The states of rows, in order. */
export const statesOf = (rows: ReadonlyArray<WakeRow>): ReadonlyArray<WakeRow["state"]> =>
  rows.map(({ state }) => state)

/** The sequences of the events that claims are about, in order. */
export const sequencesOf = (claims: ReadonlyArray<WakeClaim>): ReadonlyArray<number> =>
  claims.map(({ wake }) => wake.sequence)

/** Claims by their sequence, those of other processes marked, in the order of these names. */
export const namesOf = (claims: ReadonlyArray<WakeClaim>, id: ProcessId): ReadonlyArray<string> =>
  claims.map(({ wake }) => (wake.processId === id ? `${wake.sequence}` : `other ${wake.sequence}`)).sort()
