/**
 * Watches the statements of the store's writer from outside, and ends or freezes this OS process at a named point.
 *
 * Invariant: the library's code is the code that ships. Only what it prepares on its connection is wrapped, before a host is
 * built; every statement still runs as it would.
 */
import Database from "better-sqlite3"
import type { Plan } from "./points.ts"
import { matches, pointOf } from "./points.ts"
import type { Written } from "./sideLog.ts"
import { say } from "./sideLog.ts"

/** What the transaction of one connection has written so far. */
export interface Batch {
  readonly marks: Map<number, Array<string>>
  readonly written: Array<Written>
  /** The row that was written last. */
  last: number
}

/** How the writer renews a page of leases. */
const renewal = "UPDATE lease SET expires_at"

/** Numbers that neither processes nor wakes have. */
const renewedFrom = -1_000_000

type Run = (...args: ReadonlyArray<unknown>) => Database.RunResult

/** What an event says about timers, and about leaving memory. */
export const timeMarks = (eventType: string, payload: string): ReadonlyArray<string> => {
  if (eventType === "process.waiting" && payload.includes('"deadline_ms"')) return ["timer set"]
  if (eventType === "process.resumed" && /"(timer|timeout)"/.test(payload)) return ["timer fired"]
  return eventType === "process.suspended" && payload.includes('"passivated"') ? ["passivated"] : []
}

/** Counts what a plan waits for; the transaction that is the one asked for is acted upon, after what is to be done `first`. */
export const arriving = (plan: Plan, sideLog: string) => {
  let occurrences = 0
  return ({ written }: Batch, isCommitted: boolean, first: () => void = () => {}): void => {
    occurrences += 1
    if (occurrences !== plan.occurrence) return
    first()
    say(sideLog, { fact: "reached", isCommitted, written })
    process.kill(process.pid, plan.signal)
    // The kernel need not have ended us before the call returns; nothing may happen in between.
    if (plan.signal === "SIGKILL") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  }
}

/** Installs the plan. Call it once, before a host is built. */
export const install = (plan: Plan, sideLog: string): void => {
  const point = pointOf(plan.point)
  const batches = new WeakMap<object, Batch>()
  const leases = new Map<unknown, { readonly token: unknown; readonly expiresAt: unknown }>()
  const ownerBound = new Set<number>()
  const arrive = arriving(plan, sideLog)

  const batchOf = (db: object): Batch => {
    const known = batches.get(db)
    if (known !== undefined) return known
    const made: Batch = { marks: new Map(), written: [], last: 0 }
    batches.set(db, made)
    return made
  }

  const mark = (db: object, pk: number, ...marks: ReadonlyArray<string>): void => {
    const batch = batchOf(db)
    const own = batch.marks.get(pk) ?? []
    batch.marks.set(pk, [...own, ...marks])
    batch.last = pk
    const isNew = matches(point, [...own, ...marks]) && !matches(point, own)
    if (plan.moment === "middle" && isNew && batch.marks.size >= 2) arrive(batch, false)
  }

  /** What each statement of the writer says about the batch, by how its text begins. */
  const notes: Readonly<Record<string, (db: object, args: ReadonlyArray<unknown>, ran: Database.RunResult) => void>> = {
    "INSERT INTO process ": (db, args, { lastInsertRowid }) => {
      const isChild = String(args[5]).includes('"parent":')
      const isBound = String(args[5]).includes('"disposition":"owner_bound"')
      if (isBound) ownerBound.add(Number(lastInsertRowid))
      const marks = [...(isChild ? ["registered as child"] : []), ...(isBound ? ["registered as owner-bound"] : [])]
      mark(db, Number(lastInsertRowid), "registered", ...marks)
    },
    "INSERT INTO event ": (db, [pk, sequence, eventType, , , payload]) => {
      batchOf(db).written.push([Number(pk), Number(sequence), String(eventType)])
      const isBound = ownerBound.has(Number(pk))
      const more = isBound ? [`owner-bound event ${eventType}`] : []
      mark(db, Number(pk), `event ${eventType}`, ...more, ...timeMarks(String(eventType), String(payload)))
    },
    "INSERT INTO journal": (db, [pk, , , , operation]) => mark(db, Number(pk), `journal ${operation}`),
    "INSERT OR REPLACE INTO lease": (db, [pk, token, , , , , expiresAt]) => {
      const before = leases.get(pk)
      leases.set(pk, { token, expiresAt })
      if (before?.token !== token) mark(db, Number(pk), "claimed")
      else if (before?.expiresAt !== expiresAt) mark(db, Number(pk), "renewed")
    },
    "DELETE FROM lease": (db, [pk]) => mark(db, Number(pk), "released"),
    // What a process owes is written right after the process itself.
    "INSERT INTO debt": (db, _, { changes }) => {
      if (changes > 0) mark(db, batchOf(db).last, "owes children")
    },
    "DELETE FROM debt": (db, [pk], { changes }) => {
      if (changes > 0) mark(db, Number(pk), "was owed")
    },
    "INSERT INTO wake_outbox": (db, [, , pk], { changes }) => {
      if (changes > 0) mark(db, Number(pk), "wake owed")
    },
    // A wake stands beside the processes: its number must not be taken for one of theirs.
    "UPDATE wake_outbox": (db, args) => mark(db, -Number(args.at(-1)), `wake ${args[0]}`)
  }

  const aroundCommit = (db: object, run: Run): Run => {
    return (...args) => {
      const batch = batchOf(db)
      const isPoint = [...batch.marks.values()].some((marks) => matches(point, marks))
      if (isPoint && plan.moment === "before") arrive(batch, false)
      const ran = run(...args)
      batches.delete(db)
      if (isPoint && plan.moment === "after") arrive(batch, true)
      return ran
    }
  }

  const wrapped = (db: object, source: string, run: Run): Run | undefined => {
    if (source === "COMMIT") return aroundCommit(db, run)
    if (source === "ROLLBACK") {
      return (...args) => {
        batches.delete(db)
        return run(...args)
      }
    }
    const note = Object.entries(notes).find(([beginning]) => source.startsWith(beginning))?.[1]
    return (
      note &&
      ((...args) => {
        const ran = run(...args)
        note(db, args, ran)
        return ran
      })
    )
  }

  const { prepare } = Database.prototype
  // The connection is `this`, so this cannot be an arrow.
  Database.prototype.prepare = function (this: Database.Database, source: string) {
    const statement = prepare.call(this, source) as Database.Statement
    const run = wrapped(this, source, statement.run.bind(statement) as Run) // any parameters, as the writer passes them
    if (run !== undefined) statement.run = run as typeof statement.run
    if (source.startsWith(renewal)) {
      const all = statement.all.bind(statement)
      statement.all = (...args) => {
        const renewed = all(...args)
        // A page names processes by their ids: these numbers only tell them apart.
        for (const index of renewed.keys()) mark(this, renewedFrom - index, "renewed")
        return renewed
      }
    }
    return statement
  } as typeof prepare
}
