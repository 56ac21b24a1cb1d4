/**
 * Copies everything that a file keeps into a schema of its own, so that hosts go on with it there.
 *
 * ```
 * no tables ─► tables and `holdfast_copying` ─► rows, a page a transaction ─► compared ─► `holdfast_copied`
 * ```
 * Invariant: how far the copy is, is written with each page, so that it may end at any moment and goes on from there. No store opens
 * the schema before the copy is done.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { InputInvalid } from "../../model/errors.ts"
import { StoreError } from "../../model/errors.ts"
import { realTime } from "../GroupCommit.ts"
import { unusable } from "../sql/schema.ts"
import type { Content, Row, Table } from "../sqlite/content.ts"
import { storeError } from "./failure.ts"
import { checked } from "./options.ts"
import type { Answer, Session, Statement } from "./Session.ts"
import * as Sessions from "./Session.ts"
import * as Schemas from "./schema.ts"
import { copying } from "./tables.ts"

/** From where, and to where. */
export interface CopyOptions {
  readonly content: Content
  readonly url: string
  /** @default "holdfast" */
  readonly schema?: string
  /** Called with how many rows are done, after each page. */
  readonly onProgress: (doing: "copying" | "comparing", rows: number) => Effect.Effect<void>
}

/** A copy, and its steps in their order. Each may be repeated. */
export interface Copy {
  /** Where it is found. */
  readonly state: "new" | "under_way" | "done"
  /** How many rows an earlier run has written. */
  readonly before: number
  /** Writes what is not there yet. */
  readonly write: Effect.Effect<void, StoreError>
  /** Compares every row of every table. Fails with the first that differs. */
  readonly compare: Effect.Effect<void, StoreError>
  /** Lets hosts open it. */
  readonly finish: Effect.Effect<void, StoreError>
}

/** How far it is: the table, and the key of the last row of it that is written. */
interface Position {
  readonly table: string
  readonly after?: ReadonlyArray<unknown>
  /** Of all tables. */
  readonly rows: number
}

interface Found {
  readonly storeId: string
  readonly fingerprint: string
  readonly position: string
}

/**
 * Connects, and finds how far the copy is. Writes nothing.
 *
 * Fails with `InputInvalid` for a URL or a schema that cannot be one; with `StoreError` when the server will not do, when another
 * copy into the schema is under way, and when the schema has other content than this file.
 */
export const open = (options: CopyOptions): Effect.Effect<Copy, InputInvalid | StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const { content, onProgress } = options
    const { url, schema } = yield* checked({ url: options.url, ...pick(options.schema) })
    const session = yield* Sessions.connect({
      url: Sessions.urlOf(url, schema, Sessions.writing(patienceMs)),
      timeoutMs: patienceMs
    })
    // Whether a server may lose commits is for its hosts to say.
    yield* Schemas.checkServer(session, { readOnly: false, mayLoseCommits: true })
    yield* alone(session, schema)
    const { state, found } = yield* find(session, schema, content)
    let position: Position = found ?? { table: content.tables[0]?.name ?? "", rows: 0 }

    const pages = (
      each: (table: Table, rows: ReadonlyArray<Row>, after?: ReadonlyArray<unknown>) => Effect.Effect<void, StoreError>,
      from: Position | undefined
    ): Effect.Effect<void, StoreError> =>
      Effect.gen(function* () {
        const first = content.tables.findIndex(({ name }) => name === from?.table)
        for (const table of content.tables.slice(Math.max(0, first))) {
          let after = table.name === from?.table ? from.after : undefined
          while (true) {
            const rows = yield* content.page(table, after)
            yield* each(table, rows, after)
            const last = rows.at(-1)
            if (last === undefined) break
            after = table.key.map((column) => last[column])
          }
        }
      })

    const write = (table: Table, rows: ReadonlyArray<Row>): Effect.Effect<void, StoreError> => {
      const last = rows.at(-1)
      if (last === undefined) return Effect.void
      const next = {
        table: table.name,
        after: table.key.map((column) => last[column]),
        rows: position.rows + rows.length
      }
      return Effect.zipRight(
        sent(session, [
          plain(Sessions.beginText),
          copying(table.name, table.columns, rows),
          plain(`UPDATE ${Schemas.copyTables.underWay} SET position = $1`, JSON.stringify(next)),
          plain("COMMIT")
        ]).pipe(Effect.onError(() => Effect.ignore(session.send([plain("ROLLBACK")])))),
        Effect.suspend(() => {
          position = next
          return onProgress("copying", next.rows)
        })
      )
    }

    const compare = Effect.suspend(() => {
      let compared = 0
      return pages(
        (table, rows, after) =>
          Effect.gen(function* () {
            const [answer] = yield* sent(session, [select(table, Math.max(1, rows.length), after)])
            const there = (answer?.rows ?? []) as ReadonlyArray<Row> // the columns of the same table
            const index = Array.from({ length: Math.max(rows.length, there.length) }).findIndex(
              (_, at) => !isSame(table, rows[at], there[at])
            )
            if (index >= 0) {
              const key = table.key.map((column) => (rows[index] ?? there[index])?.[column])
              return yield* differs(schema, `the row ${JSON.stringify(key)} of ${table.name} is not that of the file`)
            }
            compared += rows.length
            yield* onProgress("comparing", compared)
          }),
        undefined
      )
    })

    return {
      state,
      before: found?.rows ?? 0,
      write: Effect.gen(function* () {
        if (state === "new") yield* Schemas.migrate(session, schema, beginning(content, position))
        yield* pages(write, position)
      }),
      compare,
      finish: Effect.gen(function* () {
        yield* sent(
          session,
          [
            Sessions.beginText,
            setNumber("'process_pk'", content.lastNumberOf("process")),
            setNumber("pg_get_serial_sequence('wake_outbox', 'number')", content.lastNumberOf("wake_outbox")),
            // Without statistics the first reads of a large store are slow.
            `ANALYZE ${content.tables.map(({ name }) => name).join(", ")}`,
            `ALTER TABLE ${Schemas.copyTables.underWay} RENAME TO ${Schemas.copyTables.done}`,
            "COMMIT"
          ].map((text) => plain(text))
        ).pipe(Effect.onError(() => Effect.ignore(session.send([plain("ROLLBACK")]))))
        yield* Schemas.continueNumbers(session)
      })
    }
  })

/** A page may take the server a while. Units: milliseconds. */
const patienceMs = 30_000

const pick = (schema: string | undefined) => (schema === undefined ? {} : { schema })

/** Takes the lock that only one copy into a schema has. That of a copy that was killed goes with its connection, soon. */
const alone = (session: Session, schema: string): Effect.Effect<void, StoreError> =>
  sent(session, [
    plain("SELECT pg_try_advisory_lock(hashtextextended('holdfast copy ' || $1, 0)) AS mine", schema)
  ]).pipe(
    Effect.filterOrFail(
      ([answer]) => Sessions.firstRow<{ readonly mine: boolean }>(answer).mine,
      () => new Taken()
    ),
    Effect.retry({
      while: (error) => error._tag === "Taken",
      schedule: Schedule.intersect(Schedule.spaced("100 millis"), Schedule.recurs(50))
    }),
    Effect.catchTag("Taken", () => unusable(`another copy into the schema ${schema} is under way`)),
    Effect.asVoid,
    realTime
  )

class Taken extends Data.TaggedError("Taken") {}

const find = (
  session: Session,
  schema: string,
  content: Content
): Effect.Effect<{ readonly state: Copy["state"]; readonly found?: Position }, StoreError> =>
  Effect.gen(function* () {
    const { underWay, done } = Schemas.copyTables
    const names = ["state", underWay, done].map((name) => `${Schemas.quoted(schema)}.${name}`)
    const [answer] = yield* sent(session, [
      plain("SELECT to_regclass($1) AS store, to_regclass($2) AS copying, to_regclass($3) AS copied", ...names)
    ])
    const { store, copying, copied } = Sessions.firstRow<Readonly<Record<string, string | null>>>(answer)
    if (store === null || store === undefined) return { state: "new" as const }
    const marker = copying === null ? (copied === null ? undefined : done) : underWay
    if (marker === undefined) {
      const [counted] = yield* sent(session, [plain("SELECT count(*) AS processes FROM process")])
      const { processes } = Sessions.firstRow<{ readonly processes: number }>(counted)
      return yield* unusable(
        `the schema ${schema} is a store of its own already, with ${processes} processes: name a schema that is not there yet`
      )
    }
    const [kept] = yield* sent(session, [
      plain(`SELECT store_id AS "storeId", fingerprint, position FROM ${Schemas.quoted(schema)}.${marker}`)
    ])
    const found = Sessions.firstRow<Found>(kept)
    if (found.storeId !== content.storeId) {
      return yield* unusable(
        `the schema ${schema} has the processes of another file: name a schema that is not there yet`
      )
    }
    if (found.fingerprint !== content.fingerprint) {
      return yield* unusable(
        `the schema ${schema} has an earlier state of this file, which a host has worked on since: drop the schema, if no host works on it, or name another`
      )
    }
    const position = JSON.parse(found.position) as Position // what `write` wrote
    return { state: marker === done ? ("done" as const) : ("under_way" as const), found: position }
  })

/** What is written with the tables: from the first moment on the schema is known as a copy, and of which store. */
const beginning = ({ storeId, fingerprint }: Content, position: Position): ReadonlyArray<string> => [
  `CREATE TABLE ${Schemas.copyTables.underWay} (store_id text NOT NULL, fingerprint text NOT NULL, position text NOT NULL)`,
  `INSERT INTO ${Schemas.copyTables.underWay} VALUES (${[storeId, fingerprint, JSON.stringify(position)].map(literal).join(", ")})`,
  // Cursors and the tokens of promises are made with it.
  `UPDATE store SET store_id = ${literal(storeId)}`
]

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

const setNumber = (sequence: string, last: number): string =>
  `SELECT setval(${sequence}, ${Math.max(1, last)}, ${last > 0})`

const select = ({ name, key, columns }: Table, limit: number, after?: ReadonlyArray<unknown>): Statement => {
  const behind =
    after === undefined ? "" : `WHERE (${key.join(", ")}) > (${key.map((_, index) => `$${index + 1}`).join(", ")})`
  const text = `SELECT ${Object.keys(columns).join(", ")} FROM ${name} ${behind} ORDER BY ${key.join(", ")} LIMIT ${limit}`
  return { name: "", text, values: after ?? [] }
}

const isSame = ({ columns }: Table, one: Row | undefined, other: Row | undefined): boolean =>
  one !== undefined && other !== undefined && Object.keys(columns).every((column) => one[column] === other[column])

const differs = (schema: string, problem: string): StoreError =>
  new StoreError({
    operation: "compare the copy with the file",
    reason: "failed",
    written: "no",
    detail: `${problem}: drop the schema ${schema}, and copy again`
  })

const plain = (text: string, ...values: ReadonlyArray<unknown>): Statement => ({ name: "", text, values })

const sent = (
  session: Session,
  statements: ReadonlyArray<Statement>
): Effect.Effect<ReadonlyArray<Answer>, StoreError> =>
  Effect.mapError(session.send(statements), ({ cause }) => storeError("copy the database", cause))
