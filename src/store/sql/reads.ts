/**
 * Reads in SQL, through @effect/sql on connections of their own: a reader never waits for a writer.
 */
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type { StoreError } from "../../model/errors.ts"
import { ProcessUnknown } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { JournalEntry, JournalOperation, Progress } from "../../model/JournalEntry.ts"
import type { LeaseOwner, Liveness } from "../../model/Lease.ts"
import { leaseIn } from "../../model/Lease.ts"
import type { ProcessRow, PutDefinition, StoredPromise } from "../Decision.ts"
import type { ExecutionReads, Found, ProcessStore } from "../ProcessStore.ts"
import type { EventColumns, RowColumns } from "./columns.ts"
import * as Columns from "./columns.ts"
import * as Queries from "./queries.ts"
import type { Reader } from "./Reader.ts"

/** The reads of the store contract that this file makes. */
export type Reads = Pick<
  typeof ProcessStore.Service,
  | "readTogether"
  | "find"
  | "eventsAfter"
  | "listNonTerminal"
  | "due"
  | "execution"
  | "definitions"
  | "environments"
  | "promises"
  | Queries.Name
> & { readonly leases: Omit<(typeof ProcessStore.Service)["leases"], "renew"> }

/** What comes after a place in an order, at most so many. */
export interface Page {
  readonly after: number
  readonly limit: number
}

/** Reads about one process where the database has a better way than a statement for each: not inside of reads on one state. */
export interface Gathered {
  readonly row: (id: ProcessId) => Effect.Effect<RowColumns | undefined, StoreError>
  readonly journal: (id: ProcessId, page: Page) => Effect.Effect<ReadonlyArray<JournalColumns>, StoreError>
  readonly news: (id: ProcessId, page: Page) => Effect.Effect<ReadonlyArray<EventColumns>, StoreError>
}

/**
 * Makes the reads.
 *
 * `cached` answers from the writer's cache when that may be trusted: a point read of a row that this process works with
 * then costs no query.
 */
export const make = (reader: Reader, cached: (id: ProcessId) => ProcessRow | undefined, gathered?: Gathered): Reads => {
  const { sql, read } = reader
  const { rowsOf, wholeRow } = Queries.rowReader(sql, (id) => events(id, 0))

  const events = (id: ProcessId, sequence: number, limit = Queries.all) =>
    sql<EventColumns>`
        ${sql.literal(Columns.selectEvents)} WHERE pk = (SELECT pk FROM process WHERE process_id = ${id}) AND sequence > ${sequence}
        ORDER BY sequence LIMIT ${limit}
      `.pipe(Effect.map((columns) => columns.map((event) => Columns.eventOf(id, event))))

  const [selectRow] = sql`SELECT ${sql.literal(Columns.rowColumns)} WHERE process.process_id = ${""}`.compile()
  const statementOf = (id: ProcessId) => sql.unsafe<RowColumns>(selectRow, [id])
  const alone = (id: ProcessId) => Effect.map(read("read a process", statementOf(id)), ([columns]) => columns)
  /** What is gathered is read on a connection of its own, so that reads on one state leave it out. */
  const one = (id: ProcessId) =>
    gathered === undefined
      ? alone(id)
      : reader.whether(
          () => alone(id),
          () => gathered.row(id)
        )

  const findAny = (id: ProcessId): Effect.Effect<Found, SqlError> =>
    Effect.gen(function* () {
      const [row] = yield* Effect.flatMap(statementOf(id), rowsOf)
      if (row !== undefined) return { _tag: "Present", row }
      const [columns] = yield* sql<Columns.TombstoneColumns>`
        ${sql.literal(Columns.selectTombstones)} WHERE process_id = ${id}
      `
      return columns === undefined || columns.compacted === 1
        ? { _tag: "Absent" }
        : { _tag: "Pruned", tombstone: Columns.tombstoneOf(columns) }
    })

  const together = (id: ProcessId) => reader.together(read("read a process", findAny(id)))

  /** One statement sees one state: a transaction is for what takes several. */
  const find = (id: ProcessId): Effect.Effect<Found, StoreError> =>
    Effect.flatMap(one(id), (columns) => {
      const row = columns && wholeRow(columns)
      return row === undefined ? together(id) : Effect.succeed<Found>({ _tag: "Present", row })
    })

  const known = (id: ProcessId) =>
    Effect.flatMap(find(id), (found) =>
      found._tag === "Present" ? Effect.void : Effect.fail(new ProcessUnknown({ processId: id }))
    )

  return {
    readTogether: reader.together,
    ...Queries.make(reader, rowsOf, known),
    definitions: {
      of: (kind, version) =>
        read(
          "read the definitions of a chart",
          sql<{
            readonly hash: string
            readonly body: string
          }>`SELECT hash, body FROM definition WHERE kind = ${kind} AND version = ${version} ORDER BY hash`
        ),
      all: read(
        "read the definitions of charts",
        sql<Omit<PutDefinition, "_tag">>`SELECT kind, version, hash, body FROM definition ORDER BY kind, version, hash`
      )
    },
    environments: {
      get: (ref) =>
        read(
          "read an execution environment",
          Effect.map(
            sql<{ readonly body: string }>`SELECT body FROM environment WHERE env_ref = ${ref}`,
            ([found]) => found?.body
          )
        )
    },
    promises: {
      get: (keyId) =>
        read(
          "read a promise",
          Effect.map(sql<StoredPromise>`SELECT body, token FROM promise WHERE key_id = ${keyId}`, ([found]) => found)
        )
    },
    execution: executionReads(reader, gathered),
    find: (id) =>
      Effect.suspend(() => {
        // A driver takes an array for a list of parameters: only text is an id.
        if (typeof id !== "string") return Effect.succeed({ _tag: "Absent" })
        // The cache follows the newest commit, so reads on one state leave it out.
        return reader.whether(
          () => find(id),
          () => {
            const row = cached(id)
            return row === undefined ? find(id) : Effect.succeed<Found>({ _tag: "Present", row })
          }
        )
      }),
    eventsAfter: Effect.fnUntraced(function* (id, sequence, limit) {
      const log = yield* read("read events", events(id, sequence, limit))
      if (log.length === 0) yield* known(id)
      return log
    }),
    listNonTerminal: reader.together(
      read(
        "list processes",
        Effect.flatMap(
          sql.unsafe<RowColumns>(
            `SELECT ${Columns.rowColumns} WHERE state.lifecycle = 'running' ORDER BY state.process_id`
          ),
          rowsOf
        )
      )
    ),
    due: ({ nowMs, limit }) =>
      read(
        "list due processes",
        Effect.map(
          sql<{ readonly id: ProcessId }>`
              SELECT id FROM (
                SELECT pk, process_id AS id FROM state WHERE due_at <= ${nowMs}
                UNION ALL
                SELECT pk, process_id AS id FROM lease JOIN state USING (pk)
                WHERE expires_at <= ${nowMs} AND lease.due_at <= ${nowMs}
              ) AS due ORDER BY +pk LIMIT ${limit}
            `,
          (rows) => rows.map(({ id }) => id)
        )
      ),
    leases: {
      of: (id) =>
        Effect.map(find(id), (found) => (found._tag === "Present" ? leaseIn(id, found.row.lease) : undefined)),
      holders: read(
        "list lease holders",
        Effect.map(
          // One row for each renewer, and one for each owner without one; every lease of a renewer shows the same evidence.
          sql<HolderColumns>`
            SELECT keeper, owner_id, incarnation_id, liveness, leases
            FROM (
              SELECT min(pk) AS pk, count(*) AS leases FROM lease JOIN state USING (pk)
              WHERE state.lifecycle = 'running'
              GROUP BY keeper, CASE WHEN keeper IS NULL THEN owner_id END,
                CASE WHEN keeper IS NULL THEN incarnation_id END, liveness
            ) AS holder JOIN lease USING (pk)
            ORDER BY pk
          `,
          (rows) =>
            rows.map(({ keeper, leases, ...owner }) => ({
              ...(keeper === null ? {} : { renewerId: keeper }),
              owner: ownerOf(owner),
              leases
            }))
        )
      ),
      heldBy: ({ renewerId: keeper, owner }) =>
        read(
          "list the leases of a holder",
          Effect.map(
            sql<OwnerColumns & { readonly id: ProcessId; readonly expires_at: number }>`
              SELECT process_id AS id, owner_id, incarnation_id, liveness, expires_at
              FROM lease JOIN state USING (pk)
              WHERE state.lifecycle = 'running' AND liveness = ${JSON.stringify(owner.liveness)} AND ${
                keeper === undefined
                  ? sql`keeper IS NULL AND owner_id = ${owner.ownerId} AND incarnation_id = ${owner.incarnationId}`
                  : sql`keeper = ${keeper}`
              }
              ORDER BY pk
            `,
            (rows) =>
              rows.map(({ id, expires_at, ...columns }) => ({
                processId: id,
                owner: ownerOf(columns),
                expiresAtMs: expires_at
              }))
          )
        )
    }
  }
}

interface OwnerColumns {
  readonly owner_id: string
  readonly incarnation_id: string
  readonly liveness: string
}

interface HolderColumns extends OwnerColumns {
  readonly keeper: string | null
  readonly leases: number
}

const ownerOf = ({ owner_id, incarnation_id, liveness }: OwnerColumns): LeaseOwner => ({
  ownerId: owner_id,
  incarnationId: incarnation_id,
  liveness: JSON.parse(liveness) as Liveness
})

/** Columns of a journal entry. */
export interface JournalColumns {
  readonly key: string
  readonly position: number
  readonly sequence: number
  readonly operation: JournalOperation
  readonly at: number
  readonly outcome: string
}

const executionReads = ({ sql, dialect, read, whether }: Reader, gathered: Gathered | undefined): ExecutionReads => ({
  journal: (id, page) => {
    const alone = ({ after, limit }: Page) =>
      read(
        "read a journal",
        sql<JournalColumns>`
          SELECT ${sql.literal(Columns.journalColumns)} FROM journal
          WHERE pk = (SELECT pk FROM process WHERE process_id = ${id}) AND position > ${after}
          ORDER BY position LIMIT ${limit}
        `
      )
    const columns =
      page === undefined || gathered === undefined
        ? alone(page ?? { after: 0, limit: Queries.all })
        : whether(
            () => alone(page),
            () => gathered.journal(id, page)
          )
    return Effect.map(columns, (rows) => rows.map(entryOf))
  },
  progress: (id) =>
    read(
      "read the progress of steps",
      Effect.map(
        sql<{ readonly key: string; readonly at: number; readonly detail: string }>`
          SELECT key, at, detail FROM progress
          WHERE pk = (SELECT pk FROM process WHERE process_id = ${id}) ORDER BY key
        `,
        (rows) => rows.map(({ key, at, detail }): Progress => ({ key, atMs: at, detail: JSON.parse(detail) }))
      )
    ),
  entryAt: (id, position) =>
    read(
      "read a journal entry",
      Effect.map(
        sql<JournalColumns>`
          SELECT ${sql.literal(Columns.journalColumns)} FROM journal
          WHERE pk = (SELECT pk FROM process WHERE process_id = ${id}) AND position = ${position}
        `,
        ([row]) => row && entryOf(row)
      )
    ),
  news: (id, page) => {
    const alone = () =>
      read(
        "read what a body waits for",
        sql<EventColumns>`
          ${sql.literal(Columns.selectEvents)}
          WHERE pk = (SELECT pk FROM process WHERE process_id = ${id}) AND sequence > ${page.after}
            AND ${sql.literal(Columns.whereNews)}
          ORDER BY sequence LIMIT ${page.limit}
        `
      )
    const columns = gathered === undefined ? alone() : whether(alone, () => gathered.news(id, page))
    return Effect.map(columns, (rows) => rows.map((one) => Columns.eventOf(id, one)))
  },
  eventByKey: (id, replayKey) =>
    read(
      "read an event",
      Effect.map(
        sql<EventColumns>`
          ${sql.literal(Columns.selectEvents)} JOIN (SELECT ${replayKey} AS wanted) AS asked ON true
          WHERE pk = (SELECT pk FROM process WHERE process_id = ${id})
            AND ${sql.literal(dialect.isKey("replay_key", "wanted"))}
        `,
        ([columns]) => (columns === undefined ? undefined : Columns.eventOf(id, columns))
      )
    ),
  timersDue: ({ nowMs, limit }) =>
    read(
      "list timers",
      Effect.map(
        sql<{ readonly id: ProcessId }>`
          SELECT process_id AS id FROM state WHERE deadline <= ${nowMs} ORDER BY deadline LIMIT ${limit}
        `,
        (rows) => rows.map(({ id }) => id)
      )
    ),
  nextTimer: read(
    "read the next timer",
    Effect.map(
      sql<{ readonly next: number }>`
        SELECT deadline AS next FROM state WHERE deadline IS NOT NULL ORDER BY deadline LIMIT 1
      `,
      ([row]) => row?.next
    )
  )
})

const entryOf = ({ at, outcome, ...rest }: JournalColumns): JournalEntry => ({
  ...rest,
  atMs: at,
  outcome: JSON.parse(outcome) as unknown
})
