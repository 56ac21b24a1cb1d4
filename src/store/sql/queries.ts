/**
 * Lists, counts and the change feed in SQL, a page at a time. What a filter asks of a registration or a snapshot is judged row by row,
 * in the order of an index.
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import type { ProcessUnknown, StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import { canonicalText } from "../../model/json.ts"
import type { ListFilter, StatusFilter } from "../../model/ListFilter.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { ProcessLifecycle } from "../../model/ProcessRecord.ts"
import type { SessionScope } from "../../model/Provenance.ts"
import type { Glance, ProcessRow } from "../Decision.ts"
import type { Candidate, FeedReads, ListQuery, Numbered, ProcessStore } from "../ProcessStore.ts"
import type { EventColumns, GrantColumns, RowColumns, TombstoneColumns } from "./columns.ts"
import * as Columns from "./columns.ts"
import type { Dialect } from "./Dialect.ts"
import type { Reader } from "./Reader.ts"

/** The names of these reads in the store contract. */
export type Name =
  | "list"
  | "countByLifecycle"
  | "countEvents"
  | "recentEvents"
  | "wakeEventsAfter"
  | "grants"
  | "wakers"
  | "feed"
  | "retention"

/** Turns joined columns into rows. */
export type RowReader = (columns: ReadonlyArray<RowColumns>) => Effect.Effect<ReadonlyArray<ProcessRow>, SqlError>

/** The row of these columns, where they are all that it takes; `undefined` where more must be read on the same state. */
export type WholeRow = (columns: RowColumns) => ProcessRow | undefined

/** Reads rows; lists of event types are kept, since many processes share one. */
export const rowReader = (
  sql: SqlClient.SqlClient,
  log: (id: ProcessId) => Effect.Effect<ReadonlyArray<ProcessEvent>, SqlError>
): { readonly rowsOf: RowReader; readonly wholeRow: WholeRow } => {
  const types: Columns.EventTypesCache = new Map()

  const rowOf = (columns: RowColumns, bodies: ReadonlyMap<string, string>): Effect.Effect<ProcessRow, SqlError> => {
    const base = Columns.baseOf(columns, types, (hash) => bodies.get(hash) ?? "[]")
    return columns.machine_version === Columns.machineVersion
      ? Effect.succeed(Columns.rowOf(columns, base, () => []))
      : Effect.map(log(columns.process_id), (events) => Columns.rowOf(columns, base, () => events))
  }

  const wholeRow: WholeRow = (columns) =>
    types.has(columns.event_types) && columns.machine_version === Columns.machineVersion
      ? Columns.rowOf(
          columns,
          Columns.baseOf(columns, types, () => "[]"),
          () => []
        )
      : undefined

  const rowsOf: RowReader = (columns) =>
    Effect.gen(function* () {
      const missing = new Set(columns.map((row) => row.event_types).filter((hash) => !types.has(hash)))
      const bodies = new Map<string, string>()
      for (const hash of missing) {
        const [found] = yield* sql<{ readonly body: string }>`SELECT body FROM event_types WHERE hash = ${hash}`
        if (found !== undefined) bodies.set(hash, found.body)
      }
      const rows: Array<ProcessRow> = []
      for (const row of columns) rows.push(wholeRow(row) ?? (yield* rowOf(row, bodies)))
      return rows
    })

  return { rowsOf, wholeRow }
}

/** Makes the reads. `known` fails for an id that no process has. */
export const make = (
  { sql, dialect, read, together }: Reader,
  rowsOf: RowReader,
  known: (id: ProcessId) => Effect.Effect<void, ProcessUnknown | StoreError>
): Pick<typeof ProcessStore.Service, Name> => {
  const pkOf = (id: ProcessId) => sql`(SELECT pk FROM process WHERE process_id = ${id})`

  const eventsOf = (id: ProcessId, columns: ReadonlyArray<EventColumns>): ReadonlyArray<ProcessEvent> =>
    columns.map((event) => Columns.eventOf(id, event))

  const rowsWhere = (conditions: ReadonlyArray<Fragment>, order: string, limit = all) =>
    Effect.flatMap(
      sql<RowColumns>`
        SELECT ${sql.literal(Columns.rowColumns)} WHERE ${sql.and(conditions)}
        ORDER BY ${sql.literal(order)} LIMIT ${limit}
      `,
      rowsOf
    )

  /** What narrows to a page of a list, whose order is that of the column `id`. */
  const listed = ({ filter, after, originator }: ListQuery, id: string): ReadonlyArray<Fragment> => [
    ...conditionsOf(sql, dialect, filter),
    ...present(originator, (scope) => startedBy(sql, dialect, scope)),
    ...present(after, (last) => sql`${sql.literal(id)} > ${last}`)
  ]

  /** Narrows to the change numbers below which none can appear any more. */
  const settled = dialect.horizon === undefined ? [] : [sql`change < ${dialect.horizon(sql)}`]

  const onPage = (change: number) => sql.and([sql`change > ${change}`, ...settled])

  /** A page of rows, with the tombstones that belong between them. */
  const numbered = <Row>(
    change: number,
    limit: number,
    rows: Effect.Effect<ReadonlyArray<Extract<Numbered<Row>, { readonly _tag: "Row" }>>, SqlError>
  ): Effect.Effect<ReadonlyArray<Numbered<Row>>, SqlError> =>
    Effect.gen(function* () {
      const present = yield* rows
      const pruned = yield* sql<TombstoneColumns>`
        ${sql.literal(Columns.selectTombstones)} WHERE ${onPage(change)} AND compacted = 0 ORDER BY change LIMIT ${limit}
      `
      if (pruned.length === 0) return present
      const tombstones = pruned.map(
        (columns): Numbered<Row> => ({
          _tag: "Tombstone",
          change: columns.change,
          tombstone: Columns.tombstoneOf(columns)
        })
      )
      return [...present, ...tombstones].toSorted((a, b) => a.change - b.change).slice(0, limit)
    })

  const wholeRows = (change: number, limit: number) =>
    Effect.gen(function* () {
      const columns = yield* sql<RowColumns & { readonly change: number }>`
        SELECT state.change, ${sql.literal(Columns.rowColumns)} WHERE ${onPage(change)} ORDER BY state.change LIMIT ${limit}
      `
      const rows = yield* rowsOf(columns)
      return rows.map((row, index) => ({ _tag: "Row" as const, change: columns[index]?.change ?? 0, row }))
    })

  const changes: FeedReads["after"] = (change, limit) =>
    together(read("read changes", numbered<ProcessRow>(change, limit, wholeRows(change, limit))))

  const glances: NonNullable<FeedReads["glances"]> = (change, limit) =>
    together(
      read(
        "read changes",
        numbered<Glance>(
          change,
          limit,
          Effect.gen(function* () {
            const found = yield* sql`
              ${sql.literal(Columns.selectGlances)} WHERE ${onPage(change)} ORDER BY state.change LIMIT ${limit}
            `.values
            const rows: Array<{ readonly _tag: "Row"; readonly change: number; readonly row: Glance }> = []
            for (const each of found) {
              const values = each as unknown as Columns.GlanceValues // what the statement selects
              const row = Columns.glanceOf(values)
              // One that must be folded from its log is rare, and its page is read as rows.
              if (row === undefined) return yield* wholeRows(change, limit)
              rows.push({ _tag: "Row", change: values[0], row })
            }
            return rows
          })
        )
      )
    )

  return {
    list: (query) => {
      const id = `${byIndexOf(query.filter)}.process_id`
      return together(read("list processes", rowsWhere(listed(query, id), id, query.limit)))
    },

    // Each part is a scan of an index that holds little else; what is left of all the rows has completed.
    countByLifecycle: read(
      "count processes",
      Effect.map(
        sql<{ readonly lifecycle: ProcessLifecycle | "any"; readonly count: number }>`
          SELECT 'running' AS lifecycle, count(*) AS count FROM state WHERE lifecycle = 'running'
          UNION ALL
          SELECT lifecycle, count(*) FROM state
          WHERE lifecycle IN ('failed', 'cancelled', 'abandoned') GROUP BY lifecycle
          UNION ALL
          SELECT 'any', count(*) FROM state
        `,
        (rows) => {
          const found = new Map(rows.map(({ lifecycle, count }) => [lifecycle, count]))
          const of = (lifecycle: ProcessLifecycle | "any") => found.get(lifecycle) ?? 0
          const [running, failed, cancelled, abandoned] = [
            of("running"),
            of("failed"),
            of("cancelled"),
            of("abandoned")
          ]
          const completed = of("any") - running - failed - cancelled - abandoned
          return { running, completed, failed, cancelled, abandoned }
        }
      )
    ),

    countEvents: (id, eventType, upto) =>
      Effect.flatMap(
        read(
          "count events",
          sql<{ readonly count: number }>`
            SELECT count(*) AS count FROM event
            WHERE pk = ${pkOf(id)} AND sequence <= ${upto} AND event_type = ${eventType}
          `
        ),
        ([row]) => ((row?.count ?? 0) > 0 ? Effect.succeed(row?.count ?? 0) : Effect.as(known(id), 0))
      ),

    recentEvents: (id, limit) =>
      Effect.gen(function* () {
        const newest = yield* read(
          "read recent events",
          sql<EventColumns>`
            ${sql.literal(Columns.selectEvents)} WHERE pk = ${pkOf(id)} ORDER BY sequence DESC LIMIT ${limit}
          `
        )
        if (newest.length === 0) yield* known(id)
        return eventsOf(id, newest.toReversed())
      }),

    wakeEventsAfter: (id, sequence) =>
      Effect.gen(function* () {
        const waking = yield* read(
          "read wakes",
          sql<EventColumns>`
            ${sql.literal(Columns.selectEvents)}
            WHERE pk = ${pkOf(id)} AND sequence > ${sequence} AND wakes IS NOT NULL
              AND NOT EXISTS (
                SELECT 1 FROM wake_ack WHERE wake_ack.pk = event.pk AND wake_ack.sequence = event.sequence
              )
            ORDER BY sequence
          `
        )
        if (waking.length === 0) yield* known(id)
        return eventsOf(id, waking)
      }),

    grants: {
      ofProcess: (id) =>
        read(
          "list grants",
          Effect.map(
            sql<GrantColumns>`
              ${sql.literal(Columns.selectGrants)} WHERE process.process_id = ${id} ORDER BY session_id, scope_id
            `,
            (grants) => grants.map(Columns.grantOf)
          )
        ),
      ofScope: (scopeId, query) =>
        together(
          read(
            "list grants",
            Effect.gen(function* () {
              const columns = yield* sql<GrantColumns & RowColumns>`
                SELECT ${sql.literal(Columns.grantedColumns)}
                WHERE ${sql.and([sql`handle_grant.scope_id = ${scopeId}`, ...listed(query, unindexedId)])}
                ORDER BY ${sql.literal(unindexedId)} LIMIT ${query.limit ?? all}
              `
              const rows = yield* rowsOf(columns)
              return columns.map((grant, at) => ({ grant: Columns.grantOf(grant), row: rows[at] as ProcessRow })) // one for each
            })
          )
        )
    },

    wakers: (sessionId) =>
      together(
        read("list the processes that wake a session", rowsWhere([sql`state.wake_session = ${sessionId}`], unindexedId))
      ),

    feed: { after: changes, glances },

    retention: {
      endedBefore: ({ cutoffMs, filter, afterChange, limit }) => {
        const conditions = [
          sql`state.change > ${afterChange}`,
          sql`state.lifecycle <> 'running'`,
          sql`state.updated_at < ${cutoffMs}`,
          ...conditionsOf(sql, dialect, { status: "any", ...filter })
        ]
        return read(
          "list ended processes",
          sql<Candidate>`
            SELECT state.process_id AS "processId", state.sequence AS sequence, state.change AS change,
              child.parent_id AS "parentId"
            FROM state JOIN process USING (pk) LEFT JOIN lease USING (pk) LEFT JOIN child USING (pk)
            WHERE ${sql.and(conditions)} ORDER BY state.change LIMIT ${limit}
          `
        )
      },

      tombstone: (id) =>
        read(
          "read what is left of a process",
          Effect.map(
            sql<TombstoneColumns>`${sql.literal(Columns.selectTombstones)} WHERE process_id = ${id}`,
            ([columns]) => columns && Columns.tombstoneOf(columns)
          )
        ),

      tombstonesBefore: ({ cutoffMs, afterChange, limit }) =>
        read(
          "list tombstones",
          sql<Candidate>`
          SELECT process_id AS "processId", last_sequence AS sequence, change FROM tombstone
          WHERE compacted = 0 AND pruned_at < ${cutoffMs} AND change > ${afterChange} ORDER BY change LIMIT ${limit}
        `
        )
    }
  }
}

/** The order of ids is that of the partial indexes of `state`, where one applies; of `process` otherwise. */
const byIndexOf = ({ status = "running" }: ListFilter): "state" | "process" =>
  status === "any" || status === "completed" ? "process" : "state"

/** The order of ids where it is another index that narrows: a planner that has one of them in this order would walk it. */
const unindexedId = "process.process_id || ''"

/** How many rows a read answers that has no limit. */
export const all: number = Number.MAX_SAFE_INTEGER

/** The conditions of a filter, over the joined row. */
const conditionsOf = (sql: SqlClient.SqlClient, dialect: Dialect, filter: ListFilter): ReadonlyArray<Fragment> => {
  const registration = (...path: ReadonlyArray<string>) => sql.literal(dialect.json("registration", ...path))
  const waits = sql.literal(dialect.jsonLength("snapshot", "context", "waits"))
  const abandonRequest = sql.literal(dialect.json("snapshot", "context", "abandonRequest"))
  return [
    ...statusConditions(sql, filter.status ?? "running"),
    ...("definition" in filter ? [sql`process.definition = ${canonicalText(filter.definition)}`] : []),
    ...present(filter.waiting, (waiting) => (waiting ? sql`${waits} > 0` : sql`${waits} = 0`)),
    ...present(filter.originatorScopeId, (scope) => sql`${sql.literal(originatorScope(dialect))} = ${scope}`),
    ...present(filter.identityKind, (kind) => sql`${registration("identity", "kind")} = ${kind}`),
    ...present(filter.identityLabel, (label) => sql`${registration("identity", "label")} = ${label}`),
    ...present(filter.createdAtStartMs, (start) => sql`process.created_at >= ${start}`),
    ...present(filter.createdAtEndMs, (end) => sql`process.created_at < ${end}`),
    ...present(filter.hasAbandonRequest, (has) =>
      has ? sql`${abandonRequest} IS NOT NULL` : sql`${abandonRequest} IS NULL`
    ),
    ...present(filter.disposition, (disposition) => sql`${registration("disposition")} = ${disposition}`),
    ...present(filter.ownerId, (owner) => sql`lease.owner_id = ${owner}`)
  ]
}

const present = <A>(value: A | undefined, make: (value: A) => Fragment): ReadonlyArray<Fragment> =>
  value === undefined ? [] : [make(value)]

const statusConditions = (sql: SqlClient.SqlClient, status: StatusFilter): ReadonlyArray<Fragment> => {
  if (status === "any") return []
  // Written out, so that a partial index applies; nothing but one of these words gets into the text.
  const lifecycle = lifecycles.find((known) => known === status)
  return [sql.literal(lifecycle === undefined ? "false" : `state.lifecycle = '${lifecycle}'`)]
}

const lifecycles = ["running", "completed", "failed", "cancelled", "abandoned"] as const

const startedBy = (
  sql: SqlClient.SqlClient,
  { json }: Dialect,
  { sessionId, agentFrameId = "" }: SessionScope
): Fragment => {
  const of = (...path: ReadonlyArray<string>) => sql.literal(json("registration", "provenance", "originator", ...path))
  return sql.and([
    sql`${of("_tag")} = 'Session'`,
    sql`${of("scope", "sessionId")} = ${sessionId}`,
    ...(agentFrameId === "" ? [] : [sql`${of("scope", "agentFrameId")} = ${agentFrameId}`])
  ])
}

const originatorScope = ({ json }: Dialect): string => {
  const of = (...path: ReadonlyArray<string>) => `(${json("registration", "provenance", "originator", ...path)})`
  return `CASE ${of("_tag")}
  WHEN 'Session' THEN 'session:' || ${of("scope", "sessionId")} ||
    CASE coalesce(${of("scope", "agentFrameId")}, '')
      WHEN '' THEN ''
      ELSE '/frame:' || ${of("scope", "agentFrameId")}
    END
  ELSE 'host' || coalesce(':' || ${of("scope")}, '')
END`
}
