/**
 * What one transaction has loaded, and the views of decisions on it.
 *
 * ```
 * plan ─► asks ─► load ─► decide(view) ─► all was there: the decision
 *                  ▲           └► it asked for something else ─┐
 *                  └───────────────────────────────────────────┘
 * ```
 */
import * as Effect from "effect/Effect"
import type { ProcessId } from "../../model/ids.ts"
import { eventTypesHash, type Registration } from "../../model/Registration.ts"
import type { Plan, ProcessRow, View } from "../Decision.ts"
import type { EventColumns, RowColumns } from "../sql/columns.ts"
import * as Columns from "../sql/columns.ts"
import type { Answers, Ask, Kind, Numbered, Question } from "./questions.ts"
import { answeredAlone, inputPage, questions } from "./questions.ts"
import type { Failure, Session, Statement } from "./Session.ts"

/** What was loaded. */
export interface Loaded {
  readonly has: (ask: Ask) => boolean
  /** Throws {@link NotLoaded} for what is not there. */
  readonly get: <K extends Kind>(kind: K, ...about: Ask["about"]) => Answers[K]
  /** The inputs of a chart that were loaded, each page with the sequence that it follows. */
  readonly inputs: (id: ProcessId) => ReadonlyArray<InputPage>
}

interface InputPage {
  readonly after: number
  readonly events: Answers["chartInputs"]
}

/** Thrown at a decision that asks for something that was not loaded. */
export class NotLoaded extends Error {
  readonly ask: Ask
  constructor(ask: Ask) {
    super("a decision asked for something that was not loaded: it runs again")
    this.ask = ask
  }
}

/** Loads, on the session of a transaction, and remembers. */
export interface Loader extends Loaded {
  /** The statements that answer asks; `take` is given their answers in the same order, and may leave more to load. */
  readonly statements: (asks: ReadonlyArray<Ask>) => ReadonlyArray<Statement>
  readonly take: (
    session: Session,
    asks: ReadonlyArray<Ask>,
    answers: ReadonlyArray<{ readonly rows: ReadonlyArray<unknown> }>
  ) => Effect.Effect<void, Failure>
}

/**
 * What a store need not read again. A registration never changes and is known by its hash, a snapshot by its text: what is remembered
 * is right whatever other hosts have written, and whatever was rolled back, or lost by a server.
 */
export interface Memory {
  readonly types: Columns.EventTypesCache
  readonly snapshots: Map<ProcessId, Remembered>
}

/** A process as it was last read or written here. */
export interface Remembered {
  readonly pk: number
  readonly base: ProcessRow["base"]
  readonly text: string
  readonly snapshot: ProcessRow["snapshot"]
}

/** Remembers nothing yet. */
export const memory = (): Memory => ({ types: new Map(), snapshots: new Map() })

/** Remembers nothing any more: what a server has may not be what it had, when it crashed or a standby took over. */
export const forget = ({ types, snapshots }: Memory): void => {
  types.clear()
  snapshots.clear()
}

/** Remembers a process, in place of the one that is known for longest. */
export const remember = ({ snapshots }: Memory, id: ProcessId, one: Remembered): void => {
  snapshots.delete(id)
  snapshots.set(id, one)
  if (snapshots.size <= mostRemembered) return
  for (const oldest of snapshots.keys()) {
    snapshots.delete(oldest)
    return
  }
}

const mostRemembered = 4_096

/** Makes the loader of one transaction. */
export const make = (shared: Memory): Loader => {
  const answers = new Map<string, unknown>()
  const pages = new Map<ProcessId, ReadonlyArray<InputPage>>()

  const groupsOf = (asks: ReadonlyArray<Ask>): ReadonlyArray<ReadonlyArray<Ask>> => {
    const groups = new Map<string, Array<Ask>>()
    for (const ask of asks) {
      const key = answeredAlone.has(ask.kind) ? keyOf(ask) : ask.kind
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [ask])
      else group.push(ask)
    }
    return [...groups.values()]
  }

  const put = (ask: Ask, answer: unknown) => {
    answers.set(keyOf(ask), answer)
    if (ask.kind !== "chartInputs") return
    const [id, after] = ask.about as readonly [ProcessId, number] // what this kind is about
    pages.set(id, [...(pages.get(id) ?? []), { after, events: answer as Answers["chartInputs"] }]) // as above
  }

  const takeRows = (session: Session, asks: ReadonlyArray<Ask>, rows: ReadonlyArray<unknown>) =>
    Effect.gen(function* () {
      const found = rows as ReadonlyArray<RowColumns & { readonly reserved: number }> // as `rowText` selects them
      const present = found.filter(({ pk }) => pk !== null)
      const hashes = new Set(present.map(({ event_types }) => event_types).filter((hash) => !shared.types.has(hash)))
      const stale = present.filter(({ machine_version }) => machine_version !== Columns.machineVersion)
      const [bodies, logs] =
        hashes.size + stale.length === 0
          ? [{ rows: [] }, { rows: [] }]
          : yield* session.send([
              { name: "event_types", text: typesText, values: [[...hashes]] },
              { name: "logs", text: logsText, values: [stale.map(({ pk }) => pk)] }
            ])
      for (const { body } of (bodies?.rows ?? []) as ReadonlyArray<{ readonly body: string }>) {
        const types = JSON.parse(body) as Registration["eventTypes"] // as it was written
        shared.types.set(eventTypesHash(types), types)
      }
      const events = logs?.rows as ReadonlyArray<EventColumns & { readonly pk: number }> // as `logsText` selects them
      for (const [index, columns] of found.entries()) {
        const ask = asks[index] as Ask // one row for each
        if (columns.pk === null) put(ask, { pk: columns.reserved })
        else put(ask, rowOf(shared, columns, events))
      }
    })

  return {
    has: (ask) => answers.has(keyOf(ask)),
    get: (kind, ...about) => {
      const key = keyOf({ kind, about })
      if (!answers.has(key)) throw new NotLoaded({ kind, about })
      return answers.get(key) as never // what was asked for under this kind
    },
    inputs: (id) => pages.get(id) ?? [],
    statements: (asks) =>
      groupsOf(asks).map((group): Statement => {
        const kind = (group[0] as Ask).kind // no group is empty
        const text = kind === "row" ? rowText : questions[kind].text
        const width = (group[0] as Ask).about.length // as above
        return {
          name: kind,
          text,
          values: Array.from({ length: width }, (_, column) => group.map(({ about }) => about[column]))
        }
      }),
    take: (session, asks, found) =>
      Effect.forEach(
        groupsOf(asks).entries(),
        ([index, group]) => {
          const rows = found[index]?.rows ?? []
          const kind = (group[0] as Ask).kind // no group is empty
          if (kind === "row") return takeRows(session, group, rows)
          const question: Question<unknown> = questions[kind]
          const own = new Map<number, Array<unknown>>()
          for (const row of rows) {
            const { n } = row as { readonly n: number } // every statement selects it
            own.set(n, [...(own.get(n) ?? []), row])
          }
          for (const [at, ask] of group.entries()) put(ask, question.answer(own.get(at + 1) ?? [], ask.about))
          return Effect.void
        },
        { discard: true }
      )
  }
}

const keyOf = ({ kind, about }: Ask): string => JSON.stringify([kind, ...about])

/** One row for each id, in their order; what is not there gets the next number. */
const rowText = `SELECT coalesce(process.pk, nextval('process_pk')) AS reserved, ${Columns.rowFields}
  FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, n)
  LEFT JOIN (${Columns.rowSource}) ON process.process_id = asked.id ORDER BY n`

const typesText = "SELECT body FROM event_types WHERE hash = ANY($1::text[])"

const logsText = `SELECT pk, sequence, event_type, replay_key, occurred_at, payload, semantics FROM event
  WHERE pk = ANY($1::bigint[]) ORDER BY pk, sequence`

/** A row; to read a registration and a snapshot takes longest, so what is known of them is taken as it is. */
const rowOf = (
  shared: Memory,
  columns: RowColumns,
  events: ReadonlyArray<EventColumns & { readonly pk: number }>
): Numbered => {
  const { pk, process_id: id, snapshot: text } = columns
  const found = shared.snapshots.get(id)
  const isSame =
    found?.base.registrationHash === columns.registration_hash && found.base.createdAtMs === columns.created_at
  // A standby that lost the newest commits gives their numbers away again.
  const known = isSame && found.pk === pk ? found : undefined
  const base =
    known?.base ??
    Columns.baseOf(columns, shared.types, () => {
      throw new Error("the event types were loaded with the row")
    })
  const log = () => events.filter((event) => event.pk === pk).map((event) => Columns.eventOf(id, event))
  const snapshot = known?.text === text ? known.snapshot : Columns.snapshotOf(columns, base, log)
  remember(shared, id, { pk, base, text, snapshot })
  return { pk, row: Columns.rowWith(columns, base, snapshot) }
}

/** What a plan asks of the start: the rows, what is left of pruned ones, the replay keys, what belongs to the session. */
export const asksOf = ({ lock, replays = [], session }: Plan): ReadonlyArray<Ask> => [
  ...lock.flatMap(
    (id): ReadonlyArray<Ask> => [
      { kind: "row", about: [id] },
      { kind: "tombstone", about: [id] }
    ]
  ),
  ...replays.map(({ processId, key }): Ask => ({ kind: "replayed", about: [processId, key] })),
  ...(session === undefined
    ? []
    : ([
        { kind: "sessionGrants", about: [session] },
        { kind: "sessionTargets", about: [session] }
      ] as const))
]

/** What a decision about a session asks of the processes that it has: which these are is known once they are locked. */
export const asksOfSession = (ids: ReadonlyArray<ProcessId>): ReadonlyArray<Ask> =>
  ids.flatMap(
    (id): ReadonlyArray<Ask> => [
      { kind: "row", about: [id] },
      { kind: "grantsOf", about: [id] }
    ]
  )

/** What a decision sees. Only `row` and what else `loaded` has is there; anything else is thrown at it. */
export const viewOf = (loaded: Loaded, plan: Plan, nowMs: number): View => ({
  nowMs,
  row: (id) => loaded.get("row", id).row,
  tombstone: (id) => loaded.get("tombstone", id),
  replayed: (id, key) => loaded.get("replayed", id, key),
  firstEventAfter: (id, eventType, sequence) => loaded.get("firstEventAfter", id, eventType, sequence),
  nextChartInput: (id, sequence) => nextInput(loaded, id, sequence),
  grant: (scopeId, id) => loaded.get("grantsOf", id).find((grant) => grant.scopeId === scopeId),
  grantsOf: (id) => loaded.get("grantsOf", id),
  sessionGrants: () => (plan.session === undefined ? [] : loaded.get("sessionGrants", plan.session)),
  sessionTargets: () => (plan.session === undefined ? [] : loaded.get("sessionTargets", plan.session)),
  closeRequest: (childId) => loaded.get("closeRequest", childId),
  hasCloseRequests: (parentId) => loaded.get("hasCloseRequests", parentId),
  outbox: {
    stale: (limit) => loaded.get("staleWakes", limit, nowMs),
    dueHeads: (limit) => loaded.get("dueWakes", limit, nowMs),
    row: (number) => loaded.get("wake", number),
    openOf: (wakeId) => loaded.get("openWake", wakeId),
    discardedOf: (wakeId) => loaded.get("discardedWakes", wakeId),
    hasUndelivered: (id) => loaded.get("hasUndelivered", id),
    isOvertaken: ({ number }) => loaded.get("isOvertaken", number)
  }
})

/** The next input of a chart, of a page that was loaded: a chart takes a backlog one after the other. */
const nextInput = (loaded: Loaded, id: ProcessId, sequence: number) => {
  for (const { after, events } of loaded.inputs(id)) {
    if (after > sequence) continue
    const next = events.find((event) => event.sequence > sequence)
    if (next !== undefined || events.length < inputPage) return next
  }
  return loaded.get("chartInputs", id, sequence)[0]
}
