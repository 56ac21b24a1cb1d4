/**
 * What decisions ask of the store, as data: for each kind of question one statement, which answers any number of them.
 *
 * A decision is pure and cannot wait, so what it asks is loaded before it runs; when it asks for more, that is loaded and the
 * decision runs again (`Loaded.ts`).
 */
import { chartInputTypes } from "../../model/facts.ts"
import type { HandleGrant } from "../../model/Handle.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { CloseRequest, ProcessRow, Tombstone } from "../Decision.ts"
import type { WakeRow } from "../Outbox.ts"
import { selectCloseRequests } from "../sql/children.ts"
import type { EventColumns, GrantColumns, TombstoneColumns } from "../sql/columns.ts"
import * as Columns from "../sql/columns.ts"
import type { WakeColumns } from "../sql/outbox.ts"
import { isHead, selectWakes, undelivered, wakeRowOf } from "../sql/outbox.ts"
import { dialect } from "./dialect.ts"

/** A row with its number; a process that is not there has one reserved, under which it may be registered. */
export interface Numbered {
  readonly pk: number
  readonly row?: ProcessRow
}

/** The answers, by kind. */
export interface Answers {
  readonly row: Numbered
  readonly tombstone: Tombstone | undefined
  readonly replayed: ProcessEvent | undefined
  readonly firstEventAfter: ProcessEvent | undefined
  /** The first of them, ascending. */
  readonly chartInputs: ReadonlyArray<ProcessEvent>
  readonly grantsOf: ReadonlyArray<HandleGrant>
  readonly sessionGrants: ReadonlyArray<HandleGrant>
  readonly sessionTargets: ReadonlyArray<ProcessId>
  readonly closeRequest: CloseRequest | undefined
  readonly hasCloseRequests: boolean
  readonly hasUndelivered: boolean
  readonly wake: WakeRow | undefined
  readonly openWake: WakeRow | undefined
  readonly discardedWakes: ReadonlyArray<WakeRow>
  readonly isOvertaken: boolean
  readonly staleWakes: ReadonlyArray<WakeRow>
  readonly dueWakes: ReadonlyArray<WakeRow>
}

/** A kind of question. */
export type Kind = keyof Answers

/** One question, with what it is about. */
export interface Ask {
  readonly kind: Kind
  readonly about: ReadonlyArray<string | number>
}

/** A kind of question: the statement that answers all of its kind, and what the rows for one of them mean. */
export interface Question<Answer> {
  readonly text: string
  /** Of each row, `n` says which question it answers, from 1. */
  readonly answer: (rows: ReadonlyArray<unknown>, about: Ask["about"]) => Answer
}

/** How many inputs of a chart are loaded at once. */
export const inputPage = 100

/** The questions as a table: `n` counts them, and the columns are what they are about. */
const asked = (...columns: ReadonlyArray<readonly [name: string, type: "text" | "bigint"]>): string =>
  `unnest(${columns.map(([, type], index) => `$${index + 1}::${type}[]`).join(", ")})
   WITH ORDINALITY AS asked (${columns.map(([name]) => name).join(", ")}, n)`

const eventFields = "event.sequence, event_type, replay_key, occurred_at, payload, semantics"

const oneEvent = (rows: ReadonlyArray<unknown>, [id]: Ask["about"]): ProcessEvent | undefined => eventsOf(rows, id)[0]

const eventsOf = (rows: ReadonlyArray<unknown>, id: unknown): ReadonlyArray<ProcessEvent> =>
  (rows as ReadonlyArray<EventColumns>).map((columns) => Columns.eventOf(id as ProcessId, columns)) // the columns of `eventFields`

const grantsOf = (rows: ReadonlyArray<unknown>): ReadonlyArray<HandleGrant> =>
  (rows as ReadonlyArray<GrantColumns>).map(Columns.grantOf) // the columns of `grantFields`

const wakesOf = (rows: ReadonlyArray<unknown>): ReadonlyArray<WakeRow> =>
  (rows as ReadonlyArray<WakeColumns>).map(wakeRowOf) // the columns of `selectWakes`

const oneWake = (rows: ReadonlyArray<unknown>): WakeRow | undefined => wakesOf(rows)[0]

const isAny = (rows: ReadonlyArray<unknown>): boolean => rows.length > 0

const grantFields = "scope_id, session_id, process.process_id, descriptor"

const chartInput = `(event_type IN (${chartInputTypes.map((type) => `'${type}'`).join(", ")}) OR substr(event_type, 1, 7) = 'signal.')`

const wakes = selectWakes.replace("SELECT", "SELECT n,")

/** The wakes that a claim may take, one look for each limit and time: those that another host takes at this moment are left to it. */
const claimed = (conditions: string): string =>
  `${selectWakes.replace("SELECT", "SELECT 1 AS n,")}
   WHERE ${undelivered} AND next_attempt <= ($2::bigint[])[1] AND ${conditions}
   ORDER BY state = 'enqueuing' DESC, next_attempt, number LIMIT ($1::bigint[])[1]
   FOR UPDATE OF outbox SKIP LOCKED`

/** Kinds that one statement answers one of. */
export const answeredAlone: ReadonlySet<Kind> = new Set<Kind>(["staleWakes", "dueWakes"])

/** Kinds of which each is about one process. */
export const ofOneProcess: ReadonlySet<Kind> = new Set<Kind>([
  "row",
  "tombstone",
  "grantsOf",
  "closeRequest",
  "hasCloseRequests",
  "hasUndelivered"
])

/**
 * What a decision is given first in place of an answer that is not there yet. It goes on with it, so that one run says all that a loop
 * asks for row by row; what it then decides is not used. A kind without a guess ends the run: a decision might never end with one.
 */
export const guesses: { readonly [K in Kind]?: { readonly answer: Answers[K] } } = {
  row: { answer: { pk: 0 } },
  tombstone: { answer: undefined },
  grantsOf: { answer: [] },
  closeRequest: { answer: undefined },
  hasCloseRequests: { answer: false },
  hasUndelivered: { answer: false },
  isOvertaken: { answer: false }
}

/** Every kind but `row`, which takes more than one statement (`Loaded.ts`). */
export const questions: { readonly [K in Exclude<Kind, "row">]: Question<Answers[K]> } = {
  tombstone: {
    text: `SELECT n, ${Columns.tombstoneFields} FROM ${asked(["id", "text"])} JOIN tombstone ON process_id = asked.id`,
    answer: ([columns]) => (columns === undefined ? undefined : Columns.tombstoneOf(columns as TombstoneColumns)) // the table's columns
  },
  replayed: {
    text: `SELECT n, ${eventFields} FROM ${asked(["id", "text"], ["key", "text"])}
      JOIN process ON process_id = asked.id JOIN event ON event.pk = process.pk AND ${dialect.isKey("replay_key", "asked.key")}`,
    answer: oneEvent
  },
  firstEventAfter: {
    text: `SELECT n, found.* FROM ${asked(["id", "text"], ["type", "text"], ["after", "bigint"])}
      JOIN process ON process_id = asked.id
      JOIN LATERAL (
        SELECT ${eventFields} FROM event
        WHERE event.pk = process.pk AND event_type = asked.type AND event.sequence > asked.after
        ORDER BY event.sequence LIMIT 1
      ) AS found ON true`,
    answer: oneEvent
  },
  chartInputs: {
    text: `SELECT n, found.* FROM ${asked(["id", "text"], ["after", "bigint"])}
      JOIN process ON process_id = asked.id
      JOIN LATERAL (
        SELECT ${eventFields} FROM event
        WHERE event.pk = process.pk AND event.sequence > asked.after AND ${chartInput}
        ORDER BY event.sequence LIMIT ${inputPage}
      ) AS found ON true
      ORDER BY n, found.sequence`,
    answer: (rows, [id]) => eventsOf(rows, id)
  },
  grantsOf: {
    text: `SELECT n, ${grantFields} FROM ${asked(["id", "text"])}
      JOIN process ON process_id = asked.id JOIN handle_grant USING (pk) ORDER BY session_id, scope_id`,
    answer: grantsOf
  },
  sessionGrants: {
    text: `SELECT n, ${grantFields} FROM ${asked(["session", "text"])}
      JOIN handle_grant ON session_id = asked.session JOIN process USING (pk) ORDER BY process.process_id, scope_id`,
    answer: grantsOf
  },
  sessionTargets: {
    text: `SELECT n, process_id FROM ${asked(["session", "text"])}
      JOIN state ON wake_session = asked.session ORDER BY process_id`,
    answer: (rows) => (rows as ReadonlyArray<{ readonly process_id: ProcessId }>).map((row) => row.process_id) // as selected
  },
  closeRequest: {
    text: `SELECT n, request.* FROM ${asked(["id", "text"])}
      JOIN (${selectCloseRequests}) AS request ON "childId" = asked.id`,
    answer: ([row]) => {
      if (row === undefined) return undefined
      const { n: _n, ...request } = row as CloseRequest & { readonly n: number } // as selected
      return request
    }
  },
  hasCloseRequests: {
    text: `SELECT n FROM ${asked(["parent", "text"])}
      WHERE EXISTS (SELECT 1 FROM debt WHERE debt.parent_id = asked.parent)`,
    answer: isAny
  },
  hasUndelivered: {
    text: `SELECT n FROM ${asked(["id", "text"])} JOIN process ON process_id = asked.id
      WHERE EXISTS (SELECT 1 FROM wake_outbox WHERE wake_outbox.pk = process.pk AND ${undelivered})`,
    answer: isAny
  },
  wake: {
    text: `${wakes} JOIN ${asked(["number", "bigint"])} USING (number) FOR UPDATE OF outbox`,
    answer: oneWake
  },
  openWake: {
    text: `${wakes} JOIN ${asked(["wake_id", "text"])} USING (wake_id) WHERE is_open = 1 FOR UPDATE OF outbox`,
    answer: oneWake
  },
  discardedWakes: {
    text: `${wakes} JOIN ${asked(["wake_id", "text"])} USING (wake_id) WHERE state = 'discarded'
      ORDER BY number FOR UPDATE OF outbox`,
    answer: wakesOf
  },
  isOvertaken: {
    text: `SELECT n FROM ${asked(["number", "bigint"])} JOIN wake_outbox AS own USING (number)
      WHERE EXISTS (
        SELECT 1 FROM wake_outbox AS later
        WHERE later.pk = own.pk AND later.target_scope = own.target_scope AND later.sequence > own.sequence
          AND later.state = 'enqueued'
      )`,
    answer: isAny
  },
  staleWakes: { text: claimed("state = 'enqueuing'"), answer: wakesOf },
  dueWakes: { text: claimed(isHead), answer: wakesOf }
}
