/**
 * One transaction over a batch of requests.
 *
 * ```
 * BEGIN · lock in the order of ids · time · load ─► decide ─► (load what else was asked for ─► decide again)* ─► write · COMMIT
 * └────────────── one round trip ──────────────┘                                                └── one round trip ──┘
 * ```
 * Invariant: the requests of a batch lock no row together, and none asks about what an earlier one writes beside its rows; so the
 * batch has the outcome that they have one after the other, in their order.
 * @see docs/adr/0031-a-decision-runs-again-with-what-it-asked-for.md
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { ProcessId } from "../../model/ids.ts"
import { closingOf } from "../Children.ts"
import type { Change, Decision, Plan, View } from "../Decision.ts"
import type { WakeTimes } from "../Outbox.ts"
import { newerSchema } from "../sql/schema.ts"
import { ofTimeline } from "./dialect.ts"
import type { Memory } from "./Loaded.ts"
import * as Loads from "./Loaded.ts"
import type { Ask, Kind } from "./questions.ts"
import { guesses, ofOneProcess } from "./questions.ts"
import type { Failure, Session, Statement } from "./Session.ts"
import { beginText, firstRow } from "./Session.ts"
import { migrationsTable, schemaVersion } from "./schema.ts"
import type { Writing } from "./tables.ts"
import * as Writes from "./Writes.ts"

/** A request as a transaction sees it. */
export interface Request {
  readonly plan: Plan
  readonly decide: (view: View) => Decision<unknown, unknown>
  /** How many characters it writes, if that is known of an earlier batch, in which it had no room. */
  readonly characters?: number
}

/** What became of a request of a batch. */
export type Outcome =
  /** The transaction has it. */
  | { readonly _tag: "Done"; readonly exit: Exit.Exit<unknown, unknown> }
  /** It must run in a later batch: it asks about what another one writes, needs more locks, or has no room in this one. */
  | { readonly _tag: "Later"; readonly lock: ReadonlyArray<ProcessId>; readonly characters?: number }

/** A batch that was decided, and is to be committed. */
export interface Decided {
  readonly outcomes: ReadonlyArray<Outcome>
  readonly changes: ReadonlyArray<Change>
  /** Writes and commits; answers how many close requests were written. */
  readonly commit: Effect.Effect<number, Failure>
  /** The transaction's own number, by which the server knows afterwards what became of it. */
  readonly transactionId: string
  /** The number of the feed that its first change may have. */
  readonly firstChange: number
  /** All its changes have lower numbers of the feed. */
  readonly endOfChanges: number
  /** The time by which it was decided, epoch milliseconds. */
  readonly atMs: number
}

/** What every transaction of a store needs. */
export interface Surroundings {
  readonly shared: Memory
  readonly times: WakeTimes
  /** Called with the database's time as each transaction has it, and when it was asked for, by `performance.now`. */
  readonly onTime: (databaseMs: number, askedAtMs: number) => void
  /** The time that requests are judged by, in place of the database's. */
  readonly nowMs?: () => number
}

/** How often a batch may load more. One run says all that a loop asks for, so that few rounds do. */
const mostRounds = 1_000

/** Begins a transaction, and decides a batch in it. Fails with what the database throws. */
export const decide = (
  session: Session,
  requests: ReadonlyArray<Request>,
  { shared, times, onTime, nowMs }: Surroundings
): Effect.Effect<Decided, Failure> =>
  Effect.gen(function* () {
    const lock = [...new Set(requests.flatMap(({ plan }) => plan.lock))]
    const sessions = requests.flatMap(({ plan }) => plan.session ?? [])
    const loader = Loads.make(shared)
    const first = distinct(requests.flatMap(({ plan }) => Loads.asksOf(plan)))
    const rows = sessions.length === 0 ? lockRows(lock) : lockSessions(lock, sessions)
    const preface = [begin, rows, lockLeases(lock), moment]
    const askedAtMs = performance.now()
    const opened = yield* session.send([...preface, ...loader.statements(first)])
    const { now, xact, base, version } = firstRow<Moment>(opened[preface.length - 1])
    if (version > schemaVersion) {
      return yield* Effect.fail<Failure>({ cause: newerSchema(version, schemaVersion), isLost: false })
    }
    yield* loader.take(session, first, opened.slice(preface.length))
    onTime(now, askedAtMs)
    const at = nowMs?.() ?? now
    const firstChange = base + Number(xact) * Writes.numbersOfOne

    const ofSessions = sessions.length === 0 ? [] : (opened[1]?.rows ?? []).map((row) => (row as Locked).process_id) // as selected
    if (ofSessions.length > 0) {
      const asks = Loads.asksOfSession(ofSessions)
      yield* loader.take(session, asks, yield* session.send(loader.statements(asks)))
    }
    // A row that another request of the batch has locked is that one's: what it writes is not seen here.
    const runs = requests.map((request) =>
      runOf(request, loader, at, request.plan.session === undefined ? [] : ofSessions)
    )
    for (let round = 0; ; round++) {
      if (round > mostRounds) return yield* Effect.die(new Error("a decision asks for more and more"))
      for (const run of runs) run.go()
      const asks = distinct(runs.flatMap(({ missing }) => missing()))
      if (asks.length === 0) break
      yield* loader.take(session, asks, yield* session.send(loader.statements(asks)))
    }

    const collect = (firsts: ReadonlyArray<number>) => {
      const writes = Writes.make(loader, shared, times, firsts)
      const before = new Set<Aside>()
      const changes: Array<Change> = []
      const outcomes = runs.map((run): Outcome => {
        if (run.needs().length > 0) return { _tag: "Later", lock: run.needs() }
        const exit = run.exit()
        if (Exit.isFailure(exit)) return { _tag: "Done", exit }
        const decision = exit.value
        if (decision._tag === "Refused") {
          return disturbs(before, run.asked(), new Set())
            ? { _tag: "Later", lock: [] }
            : { _tag: "Done", exit: Exit.fail(decision.error) }
        }
        const aside = asideOf(decision)
        if (disturbs(before, run.asked(), aside)) return { _tag: "Later", lock: [] }
        if (writes.characters() > Writes.mostCharacters) {
          const alone = Writes.make(loader, shared, times, firsts)
          alone.add(decision.changes, decision.writes)
          return { _tag: "Later", lock: [], characters: alone.characters() }
        }
        for (const each of aside) before.add(each)
        writes.add(decision.changes, decision.writes)
        changes.push(...decision.changes)
        return { _tag: "Done", exit: Exit.succeed(decision.answer) }
      })
      return { writes, outcomes, changes }
    }
    const collected = collect([firstChange])
    const lacking = Math.ceil(collected.writes.numbers() / Writes.numbersOfOne) - 1
    const firsts = [firstChange]
    if (lacking > 0) {
      const found = yield* session.send(Array.from({ length: lacking }, () => another).flat())
      for (const answer of found)
        firsts.push(...answer.rows.map((row) => base + laterThan(xact, row) * Writes.numbersOfOne))
    }
    const { writes, outcomes, changes } = lacking > 0 ? collect(firsts) : collected
    // What is too large for one string, or for the memory, is refused: its neighbours need not be.
    const statements = yield* Effect.try({
      try: writes.statements,
      catch: (cause): Failure => ({ cause, isLost: false })
    })
    return {
      outcomes,
      changes,
      transactionId: xact,
      firstChange,
      endOfChanges: (firsts.at(-1) ?? firstChange) + Writes.numbersOfOne,
      atMs: at,
      commit: Effect.map(session.send([...statements, commit]), (answers) =>
        statements.reduce((sum, { name }, index) => sum + (requesting.has(name) ? (answers[index]?.count ?? 0) : 0), 0)
      )
    }
  })

/** The statements that write close requests. */
const requesting: ReadonlySet<string> = new Set<Writing>(["closeChildren", "putCloseRequest"])

/** Ends a transaction that is not to be committed. */
export const rollBack = (session: Session): Effect.Effect<void, Failure> =>
  Effect.asVoid(session.send([{ name: "rollback", text: "ROLLBACK", values: [] }]))

interface Moment {
  readonly now: number
  readonly xact: string
  readonly base: number
  readonly version: number
}

const begin: Statement = { name: "begin", text: beginText, values: [] }

const commit: Statement = { name: "commit", text: "COMMIT", values: [] }

/** The time under the lock, the version of the schema, which no migration moves before this transaction is over, and the numbers of the change feed that this transaction has: later ones have greater numbers. */
const moment: Statement = {
  name: "moment",
  text: `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now, pg_current_xact_id()::text AS xact,
    change_base + ${ofTimeline} AS base, (SELECT max(version) FROM ${migrationsTable}) AS version FROM store`,
  values: []
}

/**
 * Takes the number of another transaction, for what changes more rows than one has numbers of the change feed: a subtransaction that
 * wrote has one of its own, which no one gets again after it was undone. It is greater than that of its transaction, so that no reader
 * passes its numbers of the feed either before the transaction is over.
 */
const another: ReadonlyArray<Statement> = [
  { name: "", text: "SAVEPOINT another", values: [] },
  // Rows of this table have sequences from 1 on.
  { name: "", text: "INSERT INTO wake_ack (pk, sequence) VALUES (0, 0) RETURNING xmin::text AS low", values: [] },
  { name: "", text: "ROLLBACK TO another", values: [] }
]

/** The whole number of a later transaction, of which the lower 32 bits are known. */
const laterThan = (xact: string, row: unknown): number => {
  const { low } = row as { readonly low: string } // as selected
  const known = Number(xact)
  return known + ((Number(low) - (known % 2 ** 32) + 2 ** 32) % 2 ** 32)
}

interface Locked {
  readonly process_id: ProcessId
}

const lockRows = (ids: ReadonlyArray<ProcessId>): Statement => ({
  name: "lock_rows",
  text: "SELECT process_id FROM state WHERE process_id = ANY($1::text[]) ORDER BY process_id FOR UPDATE",
  values: [ids]
})

/** With them, the processes that a session has grants of, and those that wake it. */
const lockSessions = (ids: ReadonlyArray<ProcessId>, sessions: ReadonlyArray<string>): Statement => ({
  name: "lock_sessions",
  text: `SELECT process_id FROM state
    WHERE process_id = ANY($1::text[]) OR wake_session = ANY($2::text[])
      OR pk = ANY(ARRAY(SELECT pk FROM handle_grant WHERE session_id = ANY($2::text[])))
    ORDER BY process_id FOR UPDATE`,
  values: [ids, sessions]
})

/** A renewal moves a lease without the lock of the row: what it decided must be seen. */
const lockLeases = (ids: ReadonlyArray<ProcessId>): Statement => ({
  name: "lock_leases",
  text: `SELECT lease.pk FROM state JOIN lease USING (pk) WHERE state.process_id = ANY($1::text[])
    ORDER BY lease.pk FOR UPDATE OF lease`,
  values: [ids]
})

const distinct = (asks: ReadonlyArray<Ask>): ReadonlyArray<Ask> => [
  ...new Map(asks.map((ask) => [JSON.stringify(ask), ask])).values()
]

/** A decision on its way: run until all that it asks for was loaded. */
interface Run {
  /** Runs it, unless it has an outcome. */
  readonly go: () => void
  /** What it asked for the last time. */
  readonly missing: () => ReadonlyArray<Ask>
  /** Locks that it lacks. */
  readonly needs: () => ReadonlyArray<ProcessId>
  readonly asked: () => ReadonlySet<Kind>
  readonly exit: () => Exit.Exit<Decision<unknown, unknown>>
}

/** `more` are rows that are locked for it beside those of its plan. What is not there is locked, too: one host's insert succeeds. */
const runOf = ({ plan, decide }: Request, loaded: Loads.Loaded, nowMs: number, more: ReadonlyArray<ProcessId>): Run => {
  const locked = new Set<string | number | undefined>([...plan.lock, ...more])
  const asked = new Set<Kind>()
  let missing: Array<Ask> = []
  let needs: ReadonlyArray<ProcessId> = []
  let exit: Exit.Exit<Decision<unknown, unknown>> | undefined
  const recording: Loads.Loaded = {
    ...loaded,
    get: (kind, ...about) => {
      asked.add(kind)
      const ask = { kind, about }
      // What is thrown may be caught on its way, so it is written down, too.
      if (isMissing(ask)) {
        missing.push(...(isOfLocked(ask) ? ofAllLocked(kind) : [ask]))
        const guess = guesses[kind]
        if (guess === undefined) throw new Loads.NotLoaded(ask)
        return guess.answer
      }
      return loaded.get(kind, ...about)
    }
  }
  const isOthers = ({ kind, about: [id] }: Ask): boolean => kind === "row" && !locked.has(id)
  const isOfLocked = ({ kind, about: [id] }: Ask): boolean => ofOneProcess.has(kind) && locked.has(id)
  /** What is asked of one of them is asked of the others next, and some loops end with the first answer that they do not like. */
  const ofAllLocked = (kind: Kind): ReadonlyArray<Ask> =>
    missing.some((ask) => ask.kind === kind && isOfLocked(ask))
      ? []
      : [...plan.lock, ...more].map((id): Ask => ({ kind, about: [id] })).filter((ask) => !loaded.has(ask))
  const isMissing = (ask: Ask): boolean => isOthers(ask) || !loaded.has(ask)
  const view = Loads.viewOf(recording, plan, nowMs)

  const attempt = (): Exit.Exit<Decision<unknown, unknown>> => {
    try {
      return Exit.succeed(decide(view))
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  return {
    go: () => {
      if (exit !== undefined || needs.length > 0) return
      missing = []
      asked.clear()
      const found = attempt()
      if (missing.length === 0 && Exit.isSuccess(found) && found.value._tag === "Accepted") {
        const named = Writes.namedIn(found.value.changes, found.value.writes)
        missing = named.map((id): Ask => ({ kind: "row", about: [id] })).filter(isMissing)
      }
      needs = missing.filter(isOthers).map(({ about: [id] }) => id as ProcessId) // rows are about ids
      if (needs.length > 0) missing = []
      else if (missing.length === 0) exit = found
    },
    missing: () => missing,
    needs: () => needs,
    asked: () => asked,
    exit: () => exit ?? Exit.die(new Error("a decision has no outcome"))
  }
}

/** What a decision writes beside the rows that it has locked, where others may look. */
type Aside = "wakes added" | "wakes changed" | "requests made" | "requests changed"

const asideOf = ({ changes, writes }: Extract<Decision<unknown, unknown>, { readonly _tag: "Accepted" }>) => {
  const aside = new Set<Aside>()
  for (const change of changes) {
    if ((change.wakes ?? []).length > 0) aside.add("wakes added")
    if (closingOf(change) !== undefined) aside.add("requests made")
  }
  for (const { _tag } of writes) {
    if (_tag === "PutWake" || _tag === "Prune") aside.add("wakes changed")
    if (_tag === "PutCloseRequest" || _tag === "RemoveCloseRequest" || _tag === "Prune") aside.add("requests changed")
  }
  return aside
}

const ofWakes: ReadonlyArray<Kind> = [
  "hasUndelivered",
  "wake",
  "openWake",
  "discardedWakes",
  "isOvertaken",
  "staleWakes",
  "dueWakes"
]

const ofRequests: ReadonlyArray<Kind> = ["closeRequest", "hasCloseRequests"]

/** Whether what was decided before in the same batch would have been seen, or merged with. */
const disturbs = (before: ReadonlySet<Aside>, asked: ReadonlySet<Kind>, own: ReadonlySet<Aside>): boolean => {
  const has = (kinds: ReadonlyArray<Kind>) => kinds.some((kind) => asked.has(kind))
  return (
    ((before.has("wakes added") || before.has("wakes changed")) && has(ofWakes)) ||
    ((before.has("requests made") || before.has("requests changed")) && has(ofRequests)) ||
    (before.has("wakes changed") && own.has("wakes added")) ||
    (before.has("requests changed") && own.has("requests made"))
  )
}
