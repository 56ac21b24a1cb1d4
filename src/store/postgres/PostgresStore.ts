/**
 * The store in a schema of a PostgreSQL database: durable, shared by the hosts of many machines.
 *
 * Writes go through connections of their own with group commit (`batches.ts`); reads go through @effect/sql-pg. The time is the
 * database's.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { InputInvalid, StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Change, ProcessRow } from "../Decision.ts"
import * as GroupCommit from "../GroupCommit.ts"
import * as Listeners from "../listeners.ts"
import { WakeTimings } from "../Outbox.ts"
import type { CommitWork, RenewedPage } from "../ProcessStore.ts"
import { ProcessStore } from "../ProcessStore.ts"
import * as Children from "../sql/children.ts"
import type { RowColumns } from "../sql/columns.ts"
import { rowColumns } from "../sql/columns.ts"
import * as Outboxes from "../sql/outbox.ts"
import * as Readers from "../sql/Reader.ts"
import * as Reads from "../sql/reads.ts"
import type { Hooks, Job } from "./batches.ts"
import * as Batches from "./batches.ts"
import * as ChangesElsewhere from "./ChangesElsewhere.ts"
import * as Client from "./Client.ts"
import * as Connections from "./Connection.ts"
import * as DatabaseClocks from "./DatabaseClock.ts"
import { dialect } from "./dialect.ts"
import * as Gathering from "./gathering.ts"
import * as Loads from "./Loaded.ts"
import type { PostgresStoreOptions } from "./options.ts"
import { checked } from "./options.ts"
import * as Pages from "./pages.ts"
import { patient } from "./patience.ts"
import * as Reservations from "./reservations.ts"
import type { SessionOptions } from "./Session.ts"
import * as Sessions from "./Session.ts"
import * as Schemas from "./schema.ts"

export type { PostgresStoreOptions } from "./options.ts"

/** How many requests one transaction takes at most. */
const maxBatch = 512

const selectRows = `SELECT ${rowColumns} WHERE process.process_id = ANY($1::text[])`

/** An open store, and the database's time as this host can know it without asking. */
export interface Opened {
  readonly store: typeof ProcessStore.Service
  /** Differs from the database's by what an answer takes on its way. */
  readonly clock: Clock.Clock
}

/** Opens a store: {@link open} without the clock. */
export const make = (
  options: PostgresStoreOptions
): Effect.Effect<typeof ProcessStore.Service, InputInvalid | StoreError, Scope.Scope> =>
  Effect.map(open(options), ({ store }) => store)

/**
 * Opens a store, migrating its schema when it is older.
 *
 * Fails with `InputInvalid` for an option that cannot work, with `StoreError` when the server is away or too old, the schema newer
 * than this library, or a privilege missing. Nothing is written then.
 */
export const open = (given: PostgresStoreOptions): Effect.Effect<Opened, InputInvalid | StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const options = yield* checked(given)
    const { url, sessionUrl = url, schema, connections, patienceMs: timeoutMs } = options
    const settings = options.readOnly ? Sessions.looking : Sessions.writing(timeoutMs)
    const writing: SessionOptions = { url: Sessions.urlOf(url, schema, settings), timeoutMs }
    const times = yield* WakeTimings
    /** A host may start while its server restarts. A reader hears at once that it is away. */
    const waiting = <A, R>(opening: Effect.Effect<A, StoreError, R>): Effect.Effect<A, StoreError, R> =>
      options.readOnly
        ? opening
        : GroupCommit.realTime(
            Effect.retry(opening, {
              while: ({ reason }) => reason === "busy",
              schedule: Batches.forAWhile(timeoutMs)
            })
          )
    const first = yield* waiting(
      Effect.scoped(
        Effect.gen(function* () {
          const session = yield* Sessions.connect(writing)
          yield* Schemas.prepare(session, options)
          if (!options.readOnly) yield* Schemas.continueNumbers(session)
          return yield* Schemas.identity(session)
        })
      )
    )
    const { storeId } = first
    const sql = yield* waiting(
      Client.make({
        url: Sessions.urlOf(url, schema, options.readOnly ? Sessions.looking : {}),
        maxConnections: connections,
        timeoutMs: 2 * timeoutMs,
        prepared: { rows: selectRows, ...Pages.texts }
      })
    )
    const reader = Readers.make(sql, dialect, options.readOnly ? undefined : patient(timeoutMs))
    const elsewhere = yield* waiting(
      ChangesElsewhere.make(reader, {
        // A message is no commit that must last: it need not wait for the disk.
        url: Sessions.urlOf(sessionUrl, schema, { synchronous_commit: "off" }),
        timeoutMs,
        channel: `holdfast_${storeId}`,
        self: crypto.randomUUID()
      })
    )
    const listeners = Listeners.make<ReadonlyArray<Change>>()
    const timers = Listeners.make<CommitWork>()
    const work = { commits: 0, changes: 0, busyMs: 0 }
    let closeRequestsWritten = 0
    const { clock, answered } = DatabaseClocks.make(first.now)
    let lastOwn = 0
    let passed = 0
    let inVain = 0
    const hooks: Hooks = {
      onCommitted: ({ changes, requests, firstChange, endOfChanges, atMs, busyMs }) => {
        closeRequestsWritten += requests
        work.commits += 1
        work.changes += changes.length
        work.busyMs += busyMs
        timers.publish({ changes: changes.length, busyMs })
        if (changes.length === 0) return
        lastOwn = Math.max(lastOwn, endOfChanges)
        const ids = new Set<ProcessId>()
        const due = new Set<ProcessId>()
        for (const { row } of changes) {
          const { id } = row.base.registration
          ids.add(id)
          // The last change of a row is the one that counts, and the time in which it was decided: this host's may lag behind.
          if (isFree(row, atMs)) due.add(id)
          else due.delete(id)
        }
        elsewhere.committed(ids, due, firstChange)
        listeners.publish(changes)
      }
    }
    const shared = Loads.memory()
    const own = yield* Effect.all(
      Array.from({ length: connections }, () => Connections.make(writing, () => Loads.forget(shared)))
    )
    const writer = yield* GroupCommit.make<Job>((queue, nowMs) => {
      const busy = new Set<ProcessId>()
      const surroundings = { shared, times, onTime: answered, ...(options.time === "host" ? { nowMs } : {}) }
      return own.map((connection) =>
        Batches.make(connection, hooks, { maxBatch, timeoutMs }, surroundings, queue, busy)
      )
    })
    const submitted = <A, E>(request: WithoutDelivery<Job>): Effect.Effect<A, E | StoreError> =>
      Effect.async((resume) => {
        // The request itself made this exit, or the writer failed it.
        writer.submit({ ...request, deliver: (exit) => resume(exit as Exit.Exit<A, E | StoreError>) })
      })
    const row = yield* Gathering.make<ProcessId, RowColumns>({
      readAll: (ids) => reader.read("read processes", sql.unsafe<RowColumns>(selectRows, [ids])),
      keyOf: ({ process_id }) => process_id,
      statements: connections
    })
    const reads = Reads.make(reader, () => undefined, { row, ...(yield* Pages.make(reader, connections)) })
    const { after, glances = after } = reads.feed

    /** It answers the time, too: a host that writes nothing asks for it every second. */
    const nextTimer = reader.read(
      "read the next timer",
      Effect.suspend(() => {
        const askedAtMs = performance.now()
        return Effect.map(
          sql<{ readonly next: number | null; readonly now: number }>`
            SELECT (SELECT deadline FROM state WHERE deadline IS NOT NULL ORDER BY deadline LIMIT 1) AS next,
              (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
          `,
          ([row]) => {
            if (row !== undefined) answered(row.now, askedAtMs)
            return row?.next ?? undefined
          }
        )
      })
    )

    const horizon = reader.read(
      "read changes",
      Effect.map(sql<{ readonly at: number }>`SELECT ${dialect.horizon(sql)} AS at`, ([row]) => {
        passed = row?.at ?? passed
        return passed
      })
    )
    /** What this host has committed is in the feed when it reads it, also while an older transaction of another program runs. */
    const settled = reader.whether(
      () => Effect.void,
      () =>
        Effect.suspend(() => {
          const wanted = lastOwn
          if (wanted <= passed) return Effect.void
          return horizon.pipe(
            Effect.filterOrFail((at) => at >= wanted),
            Effect.retry({
              schedule: Schedule.intersect(Schedule.spaced("2 millis"), Schedule.recurs(mostLooks)),
              // What was waited for in vain is waited for once: the older transaction may last.
              until: () => wanted <= inVain
            }),
            Effect.tapError(() =>
              Effect.sync(() => {
                inVain = Math.max(inVain, wanted)
              })
            ),
            GroupCommit.realTime,
            Effect.ignore
          )
        })
    )

    const store = ProcessStore.of({
      durability: "durable",
      storeId,
      transact: (plan, decide) => submitted({ plan, decide }),
      parts: () => [{ name: "store writer", kind: "worker", children: [], work: { ...work }, ...writer.status() }],
      onCommit: listeners.subscribe,
      onCommitWork: timers.subscribe,
      outbox: Outboxes.readsOf(reader),
      externalChanges: elsewhere.take,
      onExternalCommit: elsewhere.onMessage,
      children: Children.readsOf(reader, () => closeRequestsWritten),
      ...reads,
      reserve: Reservations.make(elsewhere.session, storeId),
      execution: { ...reads.execution, nextTimer },
      feed: {
        after: (change, limit) => Effect.zipRight(settled, after(change, limit)),
        glances: (change, limit) => Effect.zipRight(settled, glances(change, limit))
      },
      leases: { ...reads.leases, renew: (renew) => submitted<RenewedPage, never>({ renew }) }
    })
    return { store, clock }
  })

/** A store in a schema of a PostgreSQL database, for as long as the layer lives. */
export const layer = (options: PostgresStoreOptions): Layer.Layer<ProcessStore, InputInvalid | StoreError> =>
  Layer.scoped(ProcessStore, make(options))

/** Whether a host may take up a row now. */
const isFree = ({ dueAtMs, lease }: ProcessRow, nowMs: number): boolean =>
  lease.held === undefined && dueAtMs !== null && dueAtMs <= nowMs

/** How often the feed is looked at until it has what this host committed. */
const mostLooks = 50

type WithoutDelivery<One> = One extends unknown ? Omit<One, "deliver"> : never
