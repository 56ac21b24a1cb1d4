/**
 * Watches how long the event loop is held while a store writes.
 *
 * ```
 * immediate ─┬─ BEGIN · job · job · … · COMMIT ─┬─ listeners, callers that resume ─┬─ immediate
 *            │◄──────────── batch ─────────────►│                                  │
 *            │◄───────────────────────────── turn ────────────────────────────────►│
 * ```
 * `batch` is what the writer itself holds; `turn` is what a timer or socket of the same program waits. Only turns with a
 * commit in them count. A delay histogram (`monitorEventLoopDelay`) would mix both, and samples timers instead of turns: it
 * sees part of a hold, weighs by time and counts waiting for input as delay.
 */
import Database from "better-sqlite3"
import type { Run } from "./Contest.ts"
import { quantile } from "./statistics.ts"

/** Watches from `start` to `stop`; close it afterwards. */
export interface HoldWatch {
  readonly start: () => void
  /** Answers `batchP99Ms`, `batchMaxMs`, `turnP99Ms`, `turnMaxMs`. Throws when nothing was committed meanwhile. */
  readonly stop: () => Run
  readonly close: () => void
}

/** A watch on the connections that are opened while it lives: they must prepare their BEGIN and COMMIT. */
export const make = (): HoldWatch => {
  const batchMs: Array<number> = []
  const turnMs: Array<number> = []
  let watching = false
  let begunAt = 0
  let turnAt = 0
  let committed = false

  const original = Database.prototype.prepare
  const unwatched = original as (this: Database.Database, source: string) => Database.Statement // one overload is enough
  const watched = function (this: Database.Database, source: string) {
    const statement = unwatched.call(this, source)
    const run = statement.run.bind(statement)
    if (source === "BEGIN IMMEDIATE") {
      statement.run = () => {
        begunAt = performance.now()
        return run()
      }
    }
    if (source === "COMMIT") {
      statement.run = () => {
        const answer = run()
        committed = true
        if (watching) batchMs.push(performance.now() - begunAt)
        return answer
      }
    }
    return statement
  }
  Database.prototype.prepare = watched as typeof original

  // An immediate that always asks for the next one: the loop never waits, so the time between two is the time it was held.
  const turn = (): void => {
    if (!watching) return
    const now = performance.now()
    if (committed) turnMs.push(now - turnAt)
    committed = false
    turnAt = now
    setImmediate(turn)
  }

  return {
    start: () => {
      watching = true
      committed = false
      turnAt = performance.now()
      setImmediate(turn)
    },
    stop: () => {
      watching = false
      if (batchMs.length === 0)
        throw new Error("no commit was seen: the store does not prepare BEGIN IMMEDIATE and COMMIT")
      return {
        batches: batchMs.length,
        batchP99Ms: quantile(batchMs, 0.99),
        batchMaxMs: quantile(batchMs, 1),
        turnP99Ms: quantile(turnMs, 0.99),
        turnMaxMs: quantile(turnMs, 1)
      }
    },
    close: () => {
      Database.prototype.prepare = original
    }
  }
}
