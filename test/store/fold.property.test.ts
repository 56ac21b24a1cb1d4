import { join } from "node:path"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type { ProcessId } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import type { Lease, LeaseOwner } from "../../src/model/Lease.ts"
import * as Registration from "../../src/model/Registration.ts"
import { Activations } from "../../src/operations/Activations.ts"
import type { Authority } from "../../src/operations/decisions/authority.ts"
import { Leases } from "../../src/operations/Leases.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import type { Command, Writer } from "../../src/testing/arbitraries.ts"
import { history, population } from "../../src/testing/arbitraries.ts"
import { isFold, keptOf } from "../../src/testing/evidence.ts"
import { begin, registrationOf } from "../../src/testing/fixtures.ts"
import type { LawEnv } from "../../src/testing/Law.ts"
import * as Law from "../../src/testing/Law.ts"
import { temporaryFolder } from "../support/folders.ts"
import { isWhole, samples } from "../support/samples.ts"

/** How many histories there are. */
const runs = samples(isWhole ? 20 : 8, 2_000)

/** The same histories happen in memory and in a file; a second store on that file reads what really is in it. */
class Worlds extends Context.Tag("test/Worlds")<
  Worlds,
  {
    readonly memory: Context.Context<LawEnv>
    readonly sqlite: Context.Context<LawEnv>
    readonly reader: Context.Context<LawEnv>
  }
>() {}

const worlds = Layer.scoped(
  Worlds,
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const file = SqliteStore.layer({ filename: join(folder, "fold.db"), synchronous: "NORMAL" })
    return {
      memory: yield* Layer.build(Law.layer(MemoryStore.layer)),
      sqlite: yield* Layer.build(Law.layer(file)),
      reader: yield* Layer.build(Law.layer(Layer.fresh(file)))
    }
  })
)

/** What one world's history is about: the same names everywhere, the leases as this world handed them out. */
interface Cast {
  readonly ids: ReadonlyArray<ProcessId>
  readonly owners: ReadonlyArray<LeaseOwner>
  readonly dead: Set<LeaseOwner>
  readonly leases: Array<Lease>
  step: number
}

const castOf = (run: string): Cast => ({
  ids: Array.from({ length: population.processes }, (_, index) => processId(`${run}-${index}`)),
  owners: Array.from({ length: population.owners }, (_, index) => ownerOf(`${run}-owner-${index}`)),
  dead: new Set(),
  leases: [],
  step: 0
})

const ownerOf = (incarnationId: string): LeaseOwner => ({
  ownerId: "owner",
  incarnationId,
  liveness: { _tag: "LocalProcess", hostId: "h", bootId: "b", pid: 1, processStart: incarnationId }
})

const perform = (cast: Cast, command: Command): Effect.Effect<unknown, { readonly _tag: string }, LawEnv> =>
  Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    const leases = yield* Leases
    const activations = yield* Activations
    const clock = yield* Law.LawClock
    const mortality = yield* Law.FailureDetector
    const id = (index: number) => cast.ids[index] as ProcessId
    const owner = (index: number) => cast.owners[index] as LeaseOwner
    const lease = (index: number): Lease => cast.leases[index % cast.leases.length] ?? neverGiven(id(0), owner(0))
    const authority = (writer: Writer): Authority =>
      writer._tag === "Body" ? { _tag: "Body", lease: lease(writer.lease) } : { _tag: "External" }
    const claimant = () => ({ owner: ownerOf(`${id(0)}-${cast.step}`), ttlMs: 20, token: `token-${cast.step}` })
    const kept = <A extends object, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.tap(effect, (outcome) =>
        Effect.sync(() => {
          if ("lease" in outcome) cast.leases.push(outcome.lease as Lease)
        })
      )

    switch (command._tag) {
      case "Register": {
        const { process, disposition, maxAttempts } = command
        const changes = maxAttempts === undefined ? {} : { maxAttempts }
        return yield* registry.registerProcess(registrationOf(id(process), disposition, changes))
      }
      case "Start": {
        const parent =
          command.parent === undefined
            ? {}
            : { parent: { processId: id(command.parent), closePolicy: "cancel" } as const }
        const registered = yield* Registration.prepare(registrationOf(id(command.process), "rerunnable", parent))
        const worker = command.ready ? { owner: owner(0), claimant: claimant() } : undefined
        return yield* kept(activations.start(registered, authority(command.writer), worker))
      }
      case "Append":
        return yield* registry.appendEvent(id(command.process), command.request, authority(command.writer))
      case "Claim":
        return yield* kept(leases.claimProcessLease(id(command.process), owner(command.owner), command.ttlMs))
      case "Reclaim":
        return yield* kept(
          leases.reclaimProcessLease(id(command.process), owner(command.owner), lease(command.lease), 1_000)
        )
      case "Renew":
        return yield* leases.renewProcessLease(lease(command.lease), command.ttlMs)
      case "Release":
        return yield* leases.completeProcessLease(lease(command.lease))
      case "Begin":
        return yield* begin(lease(command.lease), owner(0))
      case "Suspend":
        return yield* activations.suspend(lease(command.lease), command.reason)
      case "RecordFirstStarted":
        return yield* registry.recordFirstStarted(id(command.process), { owner: owner(command.owner), startedAtMs: 5 })
      case "CompleteWithLease":
        return yield* registry.completeProcessWithLease(lease(command.lease), command.output)
      case "Complete":
        return yield* registry.completeProcess(id(command.process), command.output, command.authority)
      case "Cancel":
        return yield* registry.requestProcessCancel(id(command.process), command.reason, authority(command.writer))
      case "Abandon":
        return yield* registry.requestProcessAbandon(
          id(command.process),
          {
            requestedBy: command.requestedBy,
            requestedAtMs: 6
          },
          { _tag: "Host" }
        )
      case "Recover": {
        const by = { owner: owner(0), claimant: claimant(), dead: [...cast.dead], engine: command.engine }
        return yield* kept(activations.recover(id(command.process), by))
      }
      case "Kill":
        cast.dead.add(owner(command.owner))
        return yield* mortality.kill(owner(command.owner))
      case "Advance":
        return yield* clock.advance(command.ms)
    }
  })

const neverGiven = (id: ProcessId, owner: LeaseOwner): Lease => ({
  schemaVersion: 2,
  processId: id,
  owner,
  leaseToken: "never given",
  fencingToken: 1,
  claimedAtMs: 0,
  expiresAtMs: Number.MAX_SAFE_INTEGER
})

/** Plain data: tokens that a store made up are numbered in the order in which they were met; functions are left out. */
const plainOf = (cast: Cast, value: unknown): unknown =>
  value === undefined
    ? undefined
    : JSON.parse(
        JSON.stringify(value, (key, field: unknown) => {
          if (key === "machine" || key === "_nodes") return undefined
          return key === "leaseToken" ? cast.leases.findIndex((lease) => lease.leaseToken === field) : field
        })
      )

const outcomeOf = (cast: Cast, command: Command) =>
  Law.LawClock.pipe(
    Effect.flatMap(({ within }) => within(Effect.either(perform(cast, command)))),
    Effect.map((outcome) =>
      Either.isLeft(outcome)
        ? { refused: outcome.left._tag, fields: plainOf(cast, { ...outcome.left }) }
        : { answered: plainOf(cast, answerOf(outcome.right)) }
    )
  )

/** A row's snapshot knows its whole machine; what it stands for is its value and its context. */
const answerOf = (answer: unknown): unknown => {
  if (typeof answer !== "object" || answer === null) return answer
  if ("row" in answer) return { ...answer, row: answerOf(answer.row) }
  if (!("snapshot" in answer)) return answer
  const { value, context } = answer.snapshot as { readonly value: unknown; readonly context: unknown }
  return { ...answer, snapshot: { value, context } }
}

const keptAll = (cast: Cast) => Effect.map(Effect.forEach(cast.ids, keptOf), (all) => plainOf(cast, all))

const present = (id: ProcessId) =>
  Effect.flatMap(ProcessStore, (store) =>
    Effect.flatMap(store.find(id), (found) => (found._tag === "Present" ? isFold(id) : Effect.void))
  )

const lists = (cast: Cast) =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const clock = yield* Law.LawClock
    const due = yield* store.due({ nowMs: yield* clock.nowMs, limit: 1_000_000 })
    const holdings = yield* Effect.forEach(yield* store.leases.holders, (holder) =>
      Effect.map(store.leases.heldBy(holder), (held) => ({
        owner: holder.owner,
        processIds: held.map(({ processId }) => processId)
      }))
    )
    return {
      due: due.filter((id) => cast.ids.includes(id)),
      holdings: holdings
        .map(({ owner, processIds }) => ({ owner, held: processIds.filter((id) => cast.ids.includes(id)) }))
        .filter(({ held }) => held.length > 0)
        .sort((a, b) => (a.owner.incarnationId < b.owner.incarnationId ? -1 : 1))
    }
  })

layer(worlds)("random histories", (it) => {
  it.effect.prop(
    "memory and SQLite give the same answers and refusals, and each stored record is the fold of its log",
    [history],
    ([commands]) =>
      Effect.gen(function* () {
        const { memory, sqlite, reader } = yield* Worlds
        const run = `run-${crypto.randomUUID()}`
        const [here, there] = [castOf(run), castOf(run)]
        for (const command of commands) {
          here.step += 1
          there.step += 1
          const expected = yield* Effect.provide(outcomeOf(here, command), memory)
          const actual = yield* Effect.provide(outcomeOf(there, command), sqlite)
          assert.deepStrictEqual(actual, expected, JSON.stringify(command))
          const inMemory = yield* Effect.provide(keptAll(here), memory)
          assert.deepStrictEqual(yield* Effect.provide(keptAll(there), sqlite), inMemory, "kept by the writer")
          assert.deepStrictEqual(yield* Effect.provide(keptAll(there), reader), inMemory, "kept in the file")
          for (const context of [memory, reader]) {
            yield* Effect.provide(Effect.forEach(here.ids, present), context)
          }
        }
        const listed = yield* Effect.provide(lists(here), memory)
        assert.deepStrictEqual(yield* Effect.provide(lists(there), sqlite), listed)
      }),
    { fastCheck: { numRuns: runs } }
  )

  it.effect("after all of them, both list the same processes in the same order", () =>
    Effect.gen(function* () {
      const { memory, sqlite } = yield* Worlds
      const listed = Effect.gen(function* () {
        const registry = yield* ProcessRegistry
        return yield* registry.listNonTerminal
      })
      const inMemory = yield* Effect.provide(listed, memory)
      const inFile = yield* Effect.provide(listed, sqlite)
      assert.isAbove(inMemory.length, 2.5 * runs)
      assert.strictEqual(Law.difference(inFile, inMemory), undefined)
    })
  )
})
