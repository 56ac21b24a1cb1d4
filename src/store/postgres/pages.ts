/**
 * Pages of what belongs to a process, those of many processes in one statement: a host that takes up thousands asks for two of each.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { EventColumns } from "../sql/columns.ts"
import * as Columns from "../sql/columns.ts"
import type { Reader } from "../sql/Reader.ts"
import type { Gathered, JournalColumns, Page } from "../sql/reads.ts"
import * as Gathering from "./gathering.ts"

/** How many pages one statement reads at most: each may have a thousand entries, as large as the host allows. */
const mostPages = 16

/** What is selected of each process, beyond a place in an order of its own. */
interface Selected {
  readonly table: "journal" | "event"
  readonly columns: string
  readonly place: "position" | "sequence"
  readonly condition?: string
}

const pagesText = ({ table, columns, place, condition = "true" }: Selected): string =>
  `SELECT n, found.* FROM unnest($1::text[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS asked (id, after, most, n)
    JOIN process ON process_id = asked.id
    JOIN LATERAL (
      SELECT ${columns} FROM ${table}
      WHERE ${table}.pk = process.pk AND ${place} > asked.after AND ${condition} ORDER BY ${place} LIMIT asked.most
    ) AS found ON true
    ORDER BY n, found.${place}`

const journalText = pagesText({
  table: "journal",
  columns: Columns.journalColumns,
  place: "position"
})

const newsText = pagesText({
  table: "event",
  columns: Columns.eventColumns,
  place: "sequence",
  condition: Columns.whereNews
})

/** The texts, by the names under which connections prepare them. */
export const texts: Readonly<Record<string, string>> = { journals: journalText, news: newsText }

/** Makes the reads of pages; of each kind, at most `statements` are under way. */
export const make = (
  { sql, read }: Reader,
  statements: number
): Effect.Effect<Omit<Gathered, "row">, never, Scope.Scope> => {
  const pagesOf = <Columns>(
    operation: string,
    text: string
  ): Effect.Effect<
    (id: ProcessId, page: Page) => Effect.Effect<ReadonlyArray<Columns>, StoreError>,
    never,
    Scope.Scope
  > =>
    Effect.map(
      Gathering.make<string, { readonly key: string; readonly rows: ReadonlyArray<Columns> }>({
        readAll: (keys) => {
          const asked = keys.map((key) => JSON.parse(key) as readonly [ProcessId, number, number]) // as they are made below
          const values = [0, 1, 2].map((column) => asked.map((one) => one[column]))
          return read(
            operation,
            Effect.map(sql.unsafe<Columns & { readonly n: number }>(text, values), (found) => {
              const pages = keys.map((key) => ({ key, rows: [] as Array<Columns> }))
              for (const { n, ...columns } of found) pages[n - 1]?.rows.push(columns as Columns) // without the number of its page
              return pages
            })
          )
        },
        keyOf: ({ key }) => key,
        statements,
        most: mostPages
      }),
      (pageOf) =>
        (id, { after, limit }) =>
          Effect.map(pageOf(JSON.stringify([id, after, limit])), (found) => found?.rows ?? [])
    )
  return Effect.all({
    journal: pagesOf<JournalColumns>("read journals", journalText),
    news: pagesOf<EventColumns>("read what bodies wait for", newsText)
  })
}
