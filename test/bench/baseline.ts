/**
 * The frozen baseline: bare better-sqlite3 that writes one event and one snapshot, with nothing around it.
 *
 * Invariant: frozen. Tables, ids, order of the ids, body sizes and batch sizes never change, since every ratio ever noted
 * refers to them; the locality of the keys alone changes the result twofold (see README.md).
 */
import { strict as assert } from "node:assert"
import { join } from "node:path"
import Database from "better-sqlite3"
import type { Run } from "./Contest.ts"
import { quantile } from "./statistics.ts"

/** One variant of the baseline. A pair is one INSERT of an event and one UPDATE of a snapshot. */
export interface RawVariant {
  readonly synchronous: "FULL" | "NORMAL"
  readonly pairsPerCommit: 1 | 64
}

/** The four variants. */
export const variants: ReadonlyArray<RawVariant> = [
  { synchronous: "FULL", pairsPerCommit: 1 },
  { synchronous: "FULL", pairsPerCommit: 64 },
  { synchronous: "NORMAL", pairsPerCommit: 1 },
  { synchronous: "NORMAL", pairsPerCommit: 64 }
]

/** Names a variant in tables and progress lines. */
export const nameOf = ({ synchronous, pairsPerCommit }: RawVariant): string => `raw ${synchronous} x${pairsPerCommit}`

/** How many processes the pairs are spread over, round robin. */
export const processCount = 1_000

/** A JSON text of exactly `bytes` bytes: the value with a text field that fills it up. */
const filledTo = (bytes: number, value: Readonly<Record<string, unknown>>): string => {
  const missing = bytes - Buffer.byteLength(JSON.stringify({ ...value, text: "" }))
  const body = JSON.stringify({ ...value, text: "abcdefghij".repeat(40).slice(0, Math.max(0, missing)) })
  assert.equal(Buffer.byteLength(body), bytes, "a body of the baseline has not its exact length")
  return body
}

/** The body of every event: 347 bytes of JSON. */
export const eventBody: string = filledTo(347, { line: 17, level: "info", source: "baseline" })

/** The body of every snapshot: 238 bytes of JSON. */
const snapshotBody: string = filledTo(238, {
  value: { running: { execution: "started" } },
  context: { attempts: 1, waits: [] }
})

/**
 * Writes pairs for a while, on a new file.
 *
 * Measures `perSecond` (pairs), `cpuUs` (of one pair, all threads) and the quantiles of one transaction, BEGIN to COMMIT: `p50Ms`,
 * `p99Ms`. Units: seconds.
 */
export const measureRaw = (folder: string, variant: RawVariant, seconds: number): Run => {
  const db = new Database(join(folder, "raw.db"))
  try {
    prepareTables(db, variant)
    return writePairs(db, variant.pairsPerCommit, seconds)
  } finally {
    db.close()
  }
}

const prepareTables = (db: Database.Database, { synchronous }: RawVariant): void => {
  db.pragma("journal_mode = WAL")
  db.pragma(`synchronous = ${synchronous}`)
  db.exec(`
    CREATE TABLE event (
      pid TEXT, seq INTEGER, type TEXT, body TEXT, at INTEGER, PRIMARY KEY (pid, seq)
    ) WITHOUT ROWID;
    CREATE TABLE snapshot (pid TEXT PRIMARY KEY, seq INTEGER, fence INTEGER, body TEXT) WITHOUT ROWID;
  `)
  const insert = db.prepare("INSERT INTO snapshot (pid, seq, fence, body) VALUES (?, 0, 1, ?)")
  db.transaction(() => {
    for (const pid of pids) insert.run(pid, snapshotBody)
  })()
  // A new file may fall back to another level at its first write: read it after that.
  assert.equal(db.pragma("synchronous", { simple: true }), synchronous === "FULL" ? 2 : 1)
}

const pids = Array.from({ length: processCount }, (_, index) => `p${index}`)

const writePairs = (db: Database.Database, pairsPerCommit: number, seconds: number): Run => {
  const begin = db.prepare("BEGIN IMMEDIATE")
  const commit = db.prepare("COMMIT")
  const insert = db.prepare("INSERT INTO event (pid, seq, type, body, at) VALUES (?, ?, ?, ?, ?)")
  const update = db.prepare("UPDATE snapshot SET seq = ?, body = ? WHERE pid = ? AND fence = 1")
  const commitMs: Array<number> = []
  const cpuAtStart = process.cpuUsage()
  const startedAt = performance.now()
  const deadline = startedAt + seconds * 1_000
  let pairs = 0
  let now = startedAt
  while (now < deadline) {
    begin.run()
    for (let pair = 0; pair < pairsPerCommit; pair++) {
      const pid = pids[pairs % processCount]
      const seq = Math.floor(pairs / processCount) + 1
      insert.run(pid, seq, "process.noted", eventBody, 1_700_000_000_000 + pairs)
      update.run(seq, snapshotBody, pid)
      pairs++
    }
    commit.run()
    const after = performance.now()
    commitMs.push(after - now)
    now = after
  }
  const { user, system } = process.cpuUsage(cpuAtStart)
  return {
    perSecond: (pairs * 1_000) / (now - startedAt),
    cpuUs: (user + system) / pairs,
    p50Ms: quantile(commitMs, 0.5),
    p99Ms: quantile(commitMs, 0.99)
  }
}
