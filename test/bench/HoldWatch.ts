/**
 * Watches how long the event loop is held while a store writes.
 *
 * ```
 * immediate ─┬─ BEGIN · job · job · … · COMMIT ─┬─ listeners, callers that resume ─┬─ immediate
 *            │◄──────────── batch ─────────────►│                                  │
 *            │◄───────────────────────────── turn ────────────────────────────────►│
 * ```
 * `batch` is what the writer itself holds; `turn` is what a timer or socket of the same program waits. Only turns with a
 * commit in them count.
 *
 * `loopHeld` answers what a timer of the program waits, whatever holds the loop, also while nothing is committed: one measure for
 * all contests.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import Database from "better-sqlite3"
import type { FigureSpec, Run } from "./Contest.ts"
import { reading } from "./Contest.ts"
import { quantile } from "./statistics.ts"

/** Watches from now on; the answer ends that and says what 99.9 % of the timers did not wait longer than. Units: milliseconds. */
export const loopHeld = (): (() => number) => {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  return () => {
    delay.disable()
    return delay.percentile(99.9) / 1_000_000
  }
}

/** The figure of a run that has measured `heldMs` so. */
export const loopHeldFigure: FigureSpec = {
  name: "loop held, p99.9",
  unit: "ms",
  value: reading("heldMs"),
  target: { of: "figure", max: 15 }
}

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
