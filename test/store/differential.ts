/**
 * Two stores to which the same random operations happen: every answer must be the same, and all that is kept after each of them.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Step from "../../machines/xstate/step.ts"
import { signalWaitKey } from "../../src/model/ids.ts"
import type { Lease, LeaseOwner } from "../../src/model/Lease.ts"
import * as ProcessRecord from "../../src/model/ProcessRecord.ts"
import * as Registration from "../../src/model/Registration.ts"
import { Activations } from "../../src/operations/Activations.ts"
import { BodyWrites } from "../../src/operations/BodyWrites.ts"
import type { Cursor } from "../../src/operations/ChangeFeed.ts"
import { ChangeFeed } from "../../src/operations/ChangeFeed.ts"
import type { Authority } from "../../src/operations/decisions/authority.ts"
import { HandleGrants } from "../../src/operations/HandleGrants.ts"
import { Leases } from "../../src/operations/Leases.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import type { Watermark } from "../../src/operations/Retention.ts"
import { Retention } from "../../src/operations/Retention.ts"
import { Waits } from "../../src/operations/Waits.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import type { Writer } from "../../src/testing/arbitraries.ts"
import { population } from "../../src/testing/arbitraries.ts"
import type { Operation } from "../../src/testing/commands.ts"
import { draft, namesOf, neverGiven, operations, sessions, signalTo } from "../../src/testing/commands.ts"
import { keptOf } from "../../src/testing/evidence.ts"
import { begin, registrationOf } from "../../src/testing/fixtures.ts"
import type { LawEnv } from "../../src/testing/Law.ts"
import * as Law from "../../src/testing/Law.ts"

/** One store with all that is built on it, and how far its feed has been read. */
export interface Side {
  readonly context: Context.Context<LawEnv>
  cursor: Cursor | undefined
}

/** Two stores to which the same happens; a third may read what the second keeps in its file. */
export interface Pair {
  readonly left: Side
  readonly right: Side
  readonly reader?: Context.Context<LawEnv>
}

/** A world on a store. */
export const worldOf = <E>(store: Layer.Layer<ProcessStore, E>) => Layer.build(Law.layer(store))

/** One side of a pair. */
export const sideOf = <E>(store: Layer.Layer<ProcessStore, E>) =>
  Effect.map(worldOf(store), (context): Side => ({ context, cursor: undefined }))

/** What one side's list is about: the same names on both, the leases as this side handed them out. */
interface Cast {
  readonly run: string
  readonly side: Side
  readonly startMs: number
  readonly dead: Set<LeaseOwner>
  readonly leases: Array<Lease>
  step: number
}

const perform = (
  cast: Cast,
  asked: Operation
): Effect.Effect<unknown, { readonly _tag: string; readonly message: string }, LawEnv> =>
  Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    const leases = yield* Leases
    const activations = yield* Activations
    const waits = yield* Waits
    const executions = yield* BodyWrites
    const grants = yield* HandleGrants
    const retention = yield* Retention
    const clock = yield* Law.LawClock
    const { id, owner, scope, session, traits } = namesOf(cast.run)
    const lease = (index: number): Lease => cast.leases[index % cast.leases.length] ?? neverGiven(id(0), owner(0))
    const authority = (writer: Writer): Authority =>
      writer._tag === "Body" ? { _tag: "Body", lease: lease(writer.lease) } : { _tag: "External" }
    const claimant = () => ({ owner: owner(population.owners + cast.step), ttlMs: 20, token: `token-${cast.step}` })
    const watermark = (upTo: "none" | "seen"): Watermark =>
      upTo === "seen" && cast.side.cursor !== undefined
        ? { _tag: "UpTo", cursor: cast.side.cursor }
        : { _tag: "NoProjector" }
    const kept = <A extends object, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.tap(effect, (answer) =>
        Effect.sync(() => {
          if ("lease" in answer) cast.leases.push(answer.lease as Lease)
        })
      )

    switch (asked._tag) {
      case "Register": {
        const attempts = asked.maxAttempts === undefined ? {} : { maxAttempts: asked.maxAttempts }
        const changes = { ...traits(asked.process), ...attempts }
        return yield* registry.registerProcess(registrationOf(id(asked.process), asked.disposition, changes))
      }
      case "Start": {
        const { parent } = asked
        const changes = {
          ...traits(asked.process),
          ...(parent === undefined ? {} : { parent: { processId: id(parent), closePolicy: "cancel" } as const })
        }
        const registered = yield* Registration.prepare(registrationOf(id(asked.process), "rerunnable", changes))
        const worker = asked.ready ? { owner: owner(0), claimant: claimant() } : undefined
        return yield* kept(activations.start(registered, authority(asked.writer), worker))
      }
      case "Append":
        return yield* registry.appendEvent(id(asked.process), asked.request, authority(asked.writer))
      case "Signal": {
        const request = signalTo(id(asked.process), asked.signalId)
        return yield* registry.appendEvent(id(asked.process), request, authority(asked.writer))
      }
      case "SendSignal": {
        const { signalId } = asked
        const signal = { name: "ready", payload: signalId, signalId }
        return yield* registry.signal(id(asked.process), signal, authority(asked.writer))
      }
      case "SignalFrom": {
        const request = signalTo(id(asked.process), `from ${asked.position}`)
        return yield* executions.signalFrom(lease(asked.lease), id(asked.process), request, draft(asked.position))
      }
      case "Record":
        return yield* executions.record(lease(asked.lease), { ...draft(asked.position), outcome: asked.outcome })
      case "EnterWait": {
        const deadlineMs = (yield* clock.nowMs) + asked.inMs
        const awaited =
          asked.name === "timer"
            ? ({ _tag: "Timer", deadlineMs } as const)
            : ({ _tag: "Signal", name: "ready", ...(asked.inMs < 0 ? {} : { deadlineMs }) } as const)
        const { waitKey } = yield* executions.enterWait(lease(asked.lease), draft(asked.position), awaited)
        return yield* executions.waitOf(lease(asked.lease).processId, waitKey)
      }
      case "PutAway": {
        const presented = lease(asked.lease)
        const found = yield* Effect.flatMap(ProcessStore, ({ find }) => find(presented.processId))
        const open = found._tag === "Present" ? found.row.snapshot.context.waits.map(({ kind }) => kind.key) : []
        return yield* activations.suspend(presented, "passivated", { waits: asked.parked ? open : ["ended"] })
      }
      case "FireTimers":
        return yield* executions.fireTimers(id(asked.process))
      case "Timers": {
        const nowMs = yield* clock.nowMs
        const due = yield* Effect.flatMap(ProcessStore, ({ execution }) =>
          execution.timersDue({ nowMs, limit: 10_000 })
        )
        // Two that are due at once come in any order.
        return due.filter((each) => namesOf(cast.run).ids.includes(each)).toSorted()
      }
      case "Wake": {
        const target = asked.scope === undefined ? {} : { wakeTargetScope: scope(asked.scope) }
        const request = { eventType: "progress", payload: { urgent: asked.urgent, text: "wake" }, ...target }
        return yield* registry.appendEvent(id(asked.process), request, { _tag: "Host" })
      }
      case "Claim":
        return yield* kept(leases.claimProcessLease(id(asked.process), owner(asked.owner), asked.ttlMs))
      case "Reclaim":
        return yield* kept(leases.reclaimProcessLease(id(asked.process), owner(asked.owner), lease(asked.lease), 1_000))
      case "Renew":
        return yield* leases.renewProcessLease(lease(asked.lease), asked.ttlMs)
      case "Release":
        return yield* leases.completeProcessLease(lease(asked.lease))
      case "Begin":
        return yield* begin(lease(asked.lease), owner(0))
      case "Suspend":
        return yield* activations.suspend(lease(asked.lease), asked.reason)
      case "RecordFirstStarted":
        return yield* registry.recordFirstStarted(id(asked.process), { owner: owner(asked.owner), startedAtMs: 5 })
      case "CompleteWithLease":
        return yield* registry.completeProcessWithLease(lease(asked.lease), asked.output)
      case "Complete":
        return yield* registry.completeProcess(id(asked.process), asked.output, asked.authority)
      case "Cancel":
        return yield* registry.requestProcessCancel(id(asked.process), asked.reason, authority(asked.writer))
      case "Abandon":
        return yield* registry.requestProcessAbandon(
          id(asked.process),
          {
            requestedBy: asked.requestedBy,
            requestedAtMs: 6
          },
          { _tag: "Host" }
        )
      case "Recover": {
        const by = { owner: owner(0), claimant: claimant(), dead: [...cast.dead], engine: asked.engine }
        return yield* kept(activations.recover(id(asked.process), by))
      }
      case "Kill":
        cast.dead.add(owner(asked.owner))
        return yield* Effect.flatMap(Law.FailureDetector, ({ kill }) => kill(owner(asked.owner)))
      case "Advance":
        return yield* clock.advance(asked.ms)
      case "SetWait": {
        const { ordinal } = asked
        const key = signalWaitKey(id(asked.process), "ready", ordinal)
        const kind = { _tag: "Signal", name: "ready", eventType: "signal.ready", key, ordinal } as const
        return yield* waits.setProcessWait(id(asked.process), { kind, sinceMs: ordinal }, authority(asked.writer))
      }
      case "ClearWait":
        return yield* waits.clearProcessWait(id(asked.process), authority(asked.writer), asked.outcome)
      case "SetExternalRef": {
        const ref = { backend: "elsewhere", id: asked.ref, metadata: { z: 1, a: [null] } }
        return yield* registry.setExternalRef(id(asked.process), ref, authority(asked.writer))
      }
      case "AckWake":
        return yield* registry.ackWake(id(asked.process), asked.sequence)
      case "Grant":
        return yield* grants.grantHandle(scope(asked.scope), id(asked.process), { label: asked.label })
      case "Revoke":
        return yield* grants.revokeHandle(scope(asked.scope), id(asked.process))
      case "Transfer":
        return yield* grants.transferHandleGrants(scope(asked.from), scope(asked.to), asked.processes.map(id))
      case "DeleteSession":
        return yield* grants.deleteSessionProcessState(session(asked.session))
      case "Prune":
        return yield* retention.pruneTerminalProcesses({
          cutoffMs: (yield* clock.nowMs) - asked.ageMs,
          filter: { status: "any", originatorScopeId: `host:${cast.run}` },
          watermark: watermark(asked.watermark)
        })
      case "Compact":
        return yield* retention.compactTombstones((yield* clock.nowMs) - asked.ageMs, watermark(asked.watermark))
      case "List": {
        const { createdAtStartMs: start, createdAtEndMs: end } = asked.filter
        const filter = {
          ...asked.filter,
          originatorScopeId: `host:${cast.run}`,
          ...(start === undefined ? {} : { createdAtStartMs: cast.startMs + start }),
          ...(end === undefined ? {} : { createdAtEndMs: cast.startMs + end })
        }
        const page = asked.after === undefined ? {} : { after: id(asked.after) }
        return yield* registry.listProcesses(filter, { limit: asked.limit, ...page })
      }
      case "Count":
        return yield* registry.countEventsThrough(id(asked.process), asked.eventType, asked.upto)
      case "Events":
        return yield* registry.eventsAfter(id(asked.process), asked.after, asked.limit)
      case "Recent":
        return yield* registry.recentEvents(id(asked.process), asked.limit)
      case "Wakes":
        return yield* registry.wakeEventsAfter(id(asked.process), asked.after)
      case "Grants":
        return {
          all: yield* grants.listHandleGrants(scope(asked.scope)),
          live: yield* grants.listLiveHandleGrants(scope(asked.scope)),
          has: yield* grants.hasHandleGrant(scope(asked.scope), id(asked.process)),
          of: yield* grants.handleGrantsForProcess(id(asked.process))
        }
      case "Changes":
        return yield* read(cast.side, asked.limit)
      case "References":
        return yield* retention.referenceSummary
    }
  })

/** The next page of the feed; cursors belong to their stores, so that only their progress can be compared. */
const read = (side: Side, limit: number) =>
  Effect.gen(function* () {
    const feed = yield* ChangeFeed
    const cursor = side.cursor ?? feed.beginning
    const { changes, next } = yield* feed.changesSince(cursor, limit)
    side.cursor = next
    return { changes, progressed: next !== cursor }
  })

/** Plain data: tokens that a store made up are numbered in the order in which they were met; machines are left out. */
const plainOf = (cast: Cast, value: unknown): unknown =>
  value === undefined
    ? undefined
    : JSON.parse(
        JSON.stringify(value, (key, field: unknown) => {
          if (key === "snapshot") return Step.persist(field as Parameters<typeof Step.persist>[0])
          return key === "leaseToken" ? cast.leases.findIndex((lease) => lease.leaseToken === field) : field
        })
      )

const outcomeOf = (cast: Cast, asked: Operation) =>
  Effect.map(Effect.either(perform(cast, asked)), (outcome) =>
    outcome._tag === "Left"
      ? { refused: outcome.left._tag, message: outcome.left.message, fields: plainOf(cast, { ...outcome.left }) }
      : { answered: plainOf(cast, outcome.right) }
  )

/** Everything kept of the processes; `problem` says where a record is not the fold of its log. */
const keptAll = (cast: Cast) =>
  Effect.map(
    Effect.forEach(namesOf(cast.run).ids, (id) =>
      Effect.gen(function* () {
        const found = yield* Effect.flatMap(ProcessStore, ({ find }) => find(id))
        const journal = yield* Effect.flatMap(ProcessStore, ({ execution }) => execution.journal(id))
        const kept = { ...(yield* keptOf(id)), journal: journal.toSorted((a, b) => a.position - b.position) }
        if (found._tag !== "Present") return { ...found, ...kept }
        const { base, snapshot, sequence } = found.row
        const folded = ProcessRecord.fold(base, kept.log)
        // A later life of an id that was pruned goes on where the one before it ended.
        const first = sequence - kept.log.length + 1
        const problem =
          Law.difference(Step.persist(snapshot), Step.persist(folded)) ??
          Law.difference(kept.record, ProcessRecord.make(base, folded)) ??
          kept.log.find((event, index) => event.sequence !== first + index)
        return { ...kept, ...(problem === undefined ? {} : { problem: "the record is not the fold of its log" }) }
      })
    ),
    (all) => plainOf(cast, all)
  )

/** What only shows in lists, looked at once, after the last operation. */
const listed = (cast: Cast) =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const clock = yield* Law.LawClock
    const ids = namesOf(cast.run).ids
    const due = yield* store.due({ nowMs: yield* clock.nowMs, limit: 1_000_000 })
    const scopes = Array.from({ length: 2 * sessions }, (_, index) => index)
    const changes: Array<unknown> = []
    for (let more = true; more; ) {
      const page = yield* read(cast.side, 3)
      changes.push(...page.changes)
      more = page.progressed
    }
    return plainOf(cast, {
      changes,
      due: due.filter((id) => ids.includes(id)),
      grants: yield* Effect.forEach(scopes, (scope) => outcomeOf(cast, { _tag: "Grants", process: scope, scope })),
      wakes: yield* Effect.forEach(ids.keys(), (process) => outcomeOf(cast, { _tag: "Wakes", process, after: 0 })),
      running: yield* outcomeOf(cast, { _tag: "List", filter: {}, limit: 100 })
    })
  })

/** How often each operation was answered and refused, over all lists. */
export const seen = new Map<string, { answered: number; refused: number }>()

/** Runs a list on both sides; answers where they first differ, or `undefined` when they agree throughout. */
const disagreement = (pair: Pair, list: ReadonlyArray<Operation>): Effect.Effect<string | undefined, unknown> =>
  Effect.gen(function* () {
    const run = `run-${crypto.randomUUID()}`
    const castOf = (side: Side) =>
      Effect.map(
        Effect.provide(
          Effect.flatMap(Law.LawClock, ({ nowMs }) => nowMs),
          side.context
        ),
        (startMs): Cast => ({ run, side, startMs, dead: new Set(), leases: [], step: 0 })
      )
    const [left, right] = [yield* castOf(pair.left), yield* castOf(pair.right)]
    const on = <A, E>(context: Context.Context<LawEnv>, effect: Effect.Effect<A, E, LawEnv>) =>
      Effect.provide(
        Effect.flatMap(Law.LawClock, ({ within }) => within(effect)),
        context
      )
    for (const asked of list) {
      left.step += 1
      right.step += 1
      const expected = yield* on(pair.left.context, outcomeOf(left, asked))
      const actual = yield* on(pair.right.context, outcomeOf(right, asked))
      const counts = seen.get(asked._tag) ?? { answered: 0, refused: 0 }
      seen.set(asked._tag, counts)
      counts["refused" in expected ? "refused" : "answered"] += 1
      const kept = yield* on(pair.left.context, keptAll(left))
      const problem =
        differs(`operation ${left.step}, ${asked._tag}, has other outcomes`, expected, actual) ??
        differs("what is kept differs", kept, yield* on(pair.right.context, keptAll(right))) ??
        (pair.reader && differs("the file holds something else", kept, yield* on(pair.reader, keptAll(right)))) ??
        (JSON.stringify(kept).includes('"problem"') ? "a record is not the fold of its log" : undefined)
      if (problem !== undefined) return `${problem}, after operation ${left.step}, ${asked._tag}`
    }
    return differs(
      "lists differ in the end",
      yield* on(pair.left.context, listed(left)),
      yield* on(pair.right.context, listed(right))
    )
  })

const differs = (what: string, left: unknown, right: unknown): string | undefined => {
  const path = Law.difference(left, right)
  if (path === undefined) return undefined
  const at = (value: unknown) =>
    JSON.stringify(
      path
        .split("/")
        .slice(1)
        .reduce<unknown>((part, key) => (part as Record<string, unknown> | undefined)?.[key], value)
    )
  return `${what}, at ${path}: left ${at(left)}, right ${at(right)}`
}

const listsPerPair = 50 // until a difference is found: what follows it must not start from a difference
/** Runs random lists on pairs of stores; answers the shortest list on which they differ, printed, or `undefined`. */
export const search = async (
  build: Effect.Effect<Pair, unknown, Scope.Scope>,
  numRuns: number
): Promise<string | undefined> => {
  let open: { readonly pair: Pair; readonly scope: Scope.CloseableScope; lists: number } | undefined
  const close = async () => {
    const scope = open?.scope
    open = undefined
    if (scope !== undefined) await Effect.runPromise(Scope.close(scope, Exit.void))
  }
  const agree = async (list: ReadonlyArray<Operation>) => {
    if (open !== undefined && open.lists >= listsPerPair) await close()
    if (open === undefined) {
      const scope = Effect.runSync(Scope.make())
      open = { scope, pair: await Effect.runPromise(Scope.extend(build, scope)), lists: 0 }
    }
    open.lists += 1
    const problem = await Effect.runPromise(disagreement(open.pair, list)).catch((cause: unknown) => String(cause))
    if (problem === undefined) return
    await close()
    throw new Error(problem)
  }
  try {
    const found = await FastCheck.check(FastCheck.asyncProperty(operations, agree), { numRuns })
    if (!found.failed) return undefined
    const [list] = found.counterexample ?? [[]]
    const problem = found.errorInstance instanceof Error ? found.errorInstance.message : String(found.errorInstance)
    return `${problem}\nseed ${found.seed}, path ${found.counterexamplePath}, after ${found.numRuns} lists\n${printed(list)}`
  } finally {
    await close()
  }
}

/** A list as source text: what `disagreement` is given to run it again. */
const printed = (list: ReadonlyArray<Operation>): string =>
  `[\n${list.map((each) => `  ${FastCheck.stringify(each)}`).join(",\n")}\n]`
