/**
 * What a caller without types may hand over, and a world in which each operation refuses it.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { processId } from "../../src/model/ids.ts"
import type { Lease } from "../../src/model/Lease.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import * as Feeds from "../../src/operations/ChangeFeed.ts"
import { Limits } from "../../src/operations/checks.ts"
import * as Grants from "../../src/operations/HandleGrants.ts"
import * as Leases from "../../src/operations/Leases.ts"
import * as Observing from "../../src/operations/Observation.ts"
import * as OwnerEvidence from "../../src/operations/OwnerLiveness.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import * as Retaining from "../../src/operations/Retention.ts"
import * as Waits from "../../src/operations/Waits.ts"
import * as Outboxes from "../../src/operations/WakeOutbox.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { keptOf } from "../../src/testing/evidence.ts"
import { longMs, outputs, registrationOf } from "../../src/testing/fixtures.ts"
import { open, temporaryFile } from "../store/sqliteFixtures.ts"

/** How much these stores let in. Units: UTF-16 code units. */
const maxLength = 20_000

export const p = processId("p")
export const q = processId("q")
const ended = processId("ended")
export const owner = opaqueOwner("w", "i")
export const scope = { sessionId: "s" }
/** A world with a leased process `p`, granted to one scope, an external process `q`, and one that has ended. */
export const worldOn = (store: typeof ProcessStore.Service) =>
  Effect.gen(function* () {
    const registry = yield* Registry.make
    const grants = yield* Grants.make
    const waits = yield* Waits.make
    const leases = yield* Leases.make
    const observation = yield* Observing.make
    const retention = yield* Retaining.make
    const outbox = yield* Outboxes.make
    const feed = yield* Feeds.make
    yield* registry.registerProcess(registrationOf(p, "rerunnable"))
    yield* registry.registerProcess(registrationOf(q, "externally_owned"))
    yield* registry.registerProcess(registrationOf(ended, "externally_owned"))
    yield* registry.completeProcess(ended, outputs.Success, { _tag: "ExternalOwner" })
    yield* grants.grantHandle(scope, p, {})
    const claim = yield* leases.claimProcessLease(p, owner, longMs)
    const { lease } = claim as { readonly lease: Lease } // it was free
    return { registry, grants, waits, leases, observation, retention, outbox, feed, store, lease }
  }).pipe(
    Effect.provideService(ProcessStore, store),
    Effect.provideService(Limits, { maxLength }),
    Effect.provideService(OwnerLiveness, OwnerEvidence.make(OwnerEvidence.unknowing))
  )

/** What a call gets: the services on one store. */
export type World = Effect.Effect.Success<ReturnType<typeof worldOn>>

/** Casts a wrong value in: what TypeScript refuses, a caller without types sends. */
export const wrong = (value: unknown): never => value as never

/** One operation with one parameter left open, and what a refusal must name. */
export interface Operation {
  readonly name: string
  readonly names: RegExp
  readonly call: (world: World, value: never) => Effect.Effect<unknown, unknown>
  readonly values: Readonly<Record<string, unknown>>
  /** Whether saying that nothing is there is an answer too. */
  readonly mayBeNothing?: true
}

const cyclic: { self?: unknown } = {}
cyclic.self = cyclic

export const notJson = {
  "a cycle": { a: cyclic },
  "a key named __proto__": JSON.parse('{"a":{"__proto__":1}}'),
  "a lone surrogate": { a: "\ud800" },
  "a key with a lone surrogate": { "\udfff": 1 },
  "not a number": { a: Number.NaN },
  "a date": { a: new Date(0) },
  "a big integer": { a: 1n },
  undefined: { a: [undefined] },
  "too much": { a: "x".repeat(maxLength) }
}
export const unreadable = {
  "a record whose field throws": Object.defineProperty({}, "limit", {
    enumerable: true,
    get: (): never => {
      throw new Error("no")
    }
  })
}
export const notRecords = { null: null, undefined, "a text": "x", "a number": 5, "nothing in it": {}, "a list": [] }
export const notFilters = {
  null: null,
  "a text": "x",
  "a list": [],
  "an unknown status": { status: "nonsense" },
  "a status that closes its quotes": { status: "x' OR '1'='1" },
  "a flag that is a text": { waiting: "yes" },
  "a time that is a text": { createdAtStartMs: "x" },
  "a kind that is an object": { identityKind: {} },
  "an unknown key": { colour: "red" },
  ...notJson
}
export const notIds = {
  null: null,
  undefined,
  "a number": 5,
  "an object": {},
  "a list": ["p"],
  "a lone surrogate": "\ud800"
}
export const unknownIds = { "an empty one": "", "a blank one": "  ", "10 kB": "x".repeat(10_240), unknown: "nobody" }
export const notCounts = {
  negative: -1,
  "a fraction": 0.5,
  "not a number": Number.NaN,
  endless: Infinity,
  "a text": "1",
  null: null
}
export const notDurations = {
  negative: -1,
  "a fraction": 0.5,
  "not a number": Number.NaN,
  endless: Number.POSITIVE_INFINITY,
  "a text": "5",
  null: null
}
export const notAuthorities = {
  ...notRecords,
  "an unknown one": { _tag: "Nobody" },
  "a body without lease": { _tag: "Body" },
  "a body with half a lease": { _tag: "Body", lease: {} }
}
export const notScopes = {
  ...notRecords,
  "a numbered session": { sessionId: 5 },
  "a broken session": { sessionId: "\ud800" },
  "a misspelt frame": { sessionId: "s", agentFrameID: "f" }
}
export const notOwners = { ...notRecords, "a numbered owner": { ...owner, ownerId: 5 }, ...notJson }

export const onIds = (
  name: string,
  call: (world: World, id: never) => Effect.Effect<unknown, unknown>,
  mayBeNothing?: true
): Operation => ({
  name: `${name}: an id that is`,
  names: /process|id/i,
  call,
  values: { ...notIds, ...unknownIds },
  ...(mayBeNothing ? { mayBeNothing } : {})
})

export const on = (name: string, names: RegExp, values: Operation["values"], call: Operation["call"]): Operation => ({
  name,
  names,
  call,
  values
})

/** What a list answers to a page that is none. */
export const onPages = (
  name: string,
  call: (world: World, page: never) => Effect.Effect<unknown, unknown>
): ReadonlyArray<Operation> => [
  on(`${name}: a limit that is`, /^page\/limit/, notCounts, (world, limit) => call(world, { limit } as never)), // it is wrong
  on(`${name}: a place to go on that is`, /^page\/after/, { "a number": 5, "an object": {} }, (world, after) =>
    call(world, { after } as never)
  ),
  on(
    `${name}: a page that is`,
    /^page/,
    { null: null, "a number": 5, "a list": [], "an unknown field": { cursor: "p" } },
    call
  )
]

const messageOf = (error: unknown): string => {
  assert.instanceOf(error, Error)
  assert.property(error, "_tag")
  return error.message
}

const kept = (store: typeof ProcessStore.Service) =>
  Effect.gen(function* () {
    const rows = yield* store.list({ filter: { status: "any" } })
    const grants = [...(yield* store.grants.ofProcess(p)), ...(yield* store.grants.ofProcess(q))]
    return { ids: rows.map(({ base }) => base.registration.id), grants, p: yield* keptOf(p), q: yield* keptOf(q) }
  }).pipe(Effect.provideService(ProcessStore, store))

const sqlite = Effect.flatMap(temporaryFile, (file) => Effect.map(open(file), ({ store }) => store))

/** The stores that are tried. */
export const backends = [
  ["memory", MemoryStore.make],
  ["sqlite", sqlite]
] as const

/** Tries each operation with each of its values, on each store. */
export const refusesAll = (operations: ReadonlyArray<Operation>): void => {
  for (const [backend, make] of backends) {
    describe(`${backend}: what makes no sense is refused by name, and nothing is written`, () => {
      // One world for all: what is refused leaves it as it was.
      const scoped = Effect.runSync(Scope.make())
      let world: World
      beforeAll(async () => {
        world = await Effect.runPromise(Scope.extend(Effect.flatMap(make, worldOn), scoped))
      })
      afterAll(() => Effect.runPromise(Scope.close(scoped, Exit.void)))

      for (const { name, names, call, values, mayBeNothing } of operations) {
        for (const [what, value] of Object.entries(values)) {
          it.live(`${name} ${what}`, () =>
            Effect.gen(function* () {
              const before = yield* kept(world.store)
              const exit = yield* Effect.exit(Effect.suspend(() => call(world, wrong(value))))
              const after = yield* kept(world.store)
              if (Exit.isFailure(exit)) {
                const failed = Cause.failureOption(exit.cause)
                assert.isTrue(Option.isSome(failed), `a defect: ${Cause.pretty(exit.cause).slice(0, 200)}`)
                assert.match(messageOf(Option.getOrThrow(failed)), names)
              } else {
                assert.isTrue(mayBeNothing, "it was accepted")
                assert.include([undefined, false], exit.value)
              }
              assert.deepStrictEqual(after, before)
            })
          )
        }
      }
    })
  }
}
