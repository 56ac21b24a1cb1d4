/**
 * Every process as one line, kept in memory while pages look: sorted, searched and counted without reading the store again.
 *
 * ```
 * a look ─► the store's change feed, from the last change seen ─► lines, in the order of their changes ─► answer
 * ```
 * Invariant: an answer has everything that was committed before it was asked for, or says how far it has read. What no page
 * has asked for costs nothing: lines that were not looked at for {@link idleMs} are let go of.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Redact } from "../../explain/redaction.ts"
import type { Selection } from "../../explain/selection.ts"
import { durationOf, isSelected, wordsOf } from "../../explain/selection.ts"
import type { StoreError } from "../../model/errors.ts"
import { acceptedBy } from "../../operations/Charts.ts"
import type { Glance } from "../../store/Decision.ts"
import type { ProcessStore } from "../../store/ProcessStore.ts"
import { machineOf } from "../charts/stored.ts"
import type { Deaths } from "../InspectorSource.ts"
import type { Work } from "../reason.ts"
import { isOfWork } from "../reason.ts"
import { valueText } from "../text.ts"
import type { ListView, ReadingView, RowView } from "../View.ts"
import { rowView } from "./list.ts"

type Store = typeof ProcessStore.Service

/** For how long one look reads. Units: milliseconds. */
const budgetMs = 500

/** How many changes are read at once. */
const chunk = 1_000

/** How many processes are kept: of more, those that ended first are let go of. */
export const mostKept = 100_000

/** How often at most the leases are read, and how much of the time that may take. Units: milliseconds. */
const pauses = { leaseMs: 1_000, share: 0.05 }

/** After how long without a look the lines are let go of. Units: milliseconds. */
export const idleMs = 120_000

/** A process with what it is found by. `asks`: the signals that a sender outside may move it with, ascending. `invokes`: the children of its own machine. */
export interface Line {
  readonly row: RowView
  readonly words: string
  readonly asks: ReadonlyArray<string>
  readonly invokes?: ReadonlyArray<string>
}

/** What a list of the page is narrowed by. `asks`: the signals that a line asks for, all of them, with spaces between. */
export interface Wanted extends Selection {
  readonly asks?: string
  readonly work?: Work
}

/** What a list can be sorted by. */
export const orders = ["changed", "created", "duration", "due", "id", "kind", "state"] as const

/** What a list is sorted by. */
export type Order = (typeof orders)[number]

/** The lines of a store. */
export interface Directory {
  /** All lines, in the order of their last change, after reading what is new. */
  readonly look: Effect.Effect<Look, StoreError>
}

/** A lease that a process has: until when, and whether its holder is proven dead. */
export interface Leased {
  readonly expiresAtMs: number
  readonly isDead: boolean
}

/** What a look has found. `leases`: those of processes that are held, as they were renewed; `reading` is absent once everything was read. */
export interface Look {
  readonly lines: ReadonlyMap<string, Line>
  readonly leases: ReadonlyMap<string, Leased>
  readonly reading?: ReadingView
  readonly nowMs: number
}

/** Makes the directory of a store. */
export const make = (store: Store, redact: Redact, isDead: Deaths, most: number = mostKept): Effect.Effect<Directory> =>
  Effect.map(Effect.makeSemaphore(1), (one) => {
    const read = store.feed.glances ?? store.feed.after
    const lines = new Map<string, Line>()
    let leases: ReadonlyMap<string, Leased> = new Map()
    let leasesDueMs = 0
    let change = 0
    let lookedAtMs = 0

    const put = (line: Line): void => {
      lines.delete(line.row.process_id)
      lines.set(line.row.process_id, line)
    }

    /** No change of a row says that its lease was renewed: leases are read anew, the more of them the less often. */
    const readLeases = Effect.gen(function* () {
      const startedMs = yield* Clock.currentTimeMillis
      if (startedMs < leasesDueMs) return
      const found = new Map<string, Leased>()
      for (const holder of yield* store.leases.holders) {
        const isGone = yield* isDead(holder.owner)
        for (const { processId, expiresAtMs } of yield* store.leases.heldBy(holder))
          found.set(processId, { expiresAtMs, isDead: isGone })
      }
      leases = found
      const tookMs = (yield* Clock.currentTimeMillis) - startedMs
      leasesDueMs = startedMs + Math.max(pauses.leaseMs, tookMs / pauses.share)
    })

    const forget = (): void => {
      for (const [id, { row }] of lines) {
        if (lines.size <= most) return
        if (row.state !== "running") lines.delete(id)
      }
    }

    const look = Effect.gen(function* () {
      const startedMs = yield* Clock.currentTimeMillis
      if (startedMs - lookedAtMs > idleMs) {
        lines.clear()
        change = 0
      }
      let nowMs = startedMs
      while (true) {
        const page = yield* read(change, chunk)
        for (const entry of page) {
          change = entry.change
          if (entry._tag === "Tombstone") lines.delete(entry.tombstone.processId)
          else {
            const line = lineOf(store, entry.row, redact, nowMs)
            // Most lines need no read of their own, and an effect for each would cost more than the line.
            put(Effect.isEffect(line) ? yield* line : line)
          }
        }
        nowMs = yield* Clock.currentTimeMillis
        lookedAtMs = nowMs
        forget()
        if (page.length < chunk) {
          yield* readLeases
          return { lines, leases, nowMs }
        }
        if (nowMs - startedMs >= budgetMs) break
        // A timer, and no mere yield, which would keep a live host from its own reads and writes until the look is over.
        yield* Effect.sleep(0)
      }
      const total = Object.values(yield* store.countByLifecycle).reduce((sum, count) => sum + count, 0)
      yield* readLeases
      return { lines, leases, nowMs, reading: { read: lines.size, of: Math.max(total, lines.size) } }
    })
    return { look: one.withPermits(1)(look) }
  })

/** Which lines of those that are wanted: in what order, from which on, how many, and which process is to be found among all. */
export interface Page {
  readonly order: Order
  readonly isAscending: boolean
  readonly offset: number
  readonly limit: number
  readonly find?: string
}

/** A page of the lines that a query wants, and where one process is among all of them; on the first one a process whose id equals the text comes first. */
export const pageOf = (look: Look, query: Wanted, page: Page): ListView => {
  const { reading, nowMs } = look
  const found = wantedIn(look, query)
  const sorted = sortedBy(found, page.order, page.isAscending, nowMs)
  const exact = sorted.findIndex(({ process_id: id }) => id === query.text)
  const [first] = exact > 0 ? sorted.splice(exact, 1) : []
  if (first !== undefined) sorted.unshift(first)
  const at = page.find === undefined ? -1 : sorted.findIndex(({ process_id: id }) => id === page.find)
  return {
    rows: sorted.slice(page.offset, page.offset + page.limit).map((row) => rowOf(row, look)),
    total: sorted.length,
    ...(at < 0 ? {} : { at }),
    ...(reading === undefined ? {} : { reading }),
    now_ms: nowMs
  }
}

/** The rows that a query wants, in the order of the lines. */
export const wantedIn = (look: Look, query: Wanted): Array<RowView> => {
  const { text: typed, asks: wantedAsks, work, ...rest } = query
  const { nowMs } = look
  const text = typed?.toLowerCase()
  const found: Array<RowView> = []
  for (const { row, words, asks } of look.lines.values()) {
    if (wantedAsks !== undefined && asks.join(" ") !== wantedAsks) continue
    if (text !== undefined && !words.includes(text)) continue
    if (work !== undefined && !isOfWork(rowOf(row, look), work, nowMs)) continue
    if (isSelected(row, rest, nowMs)) found.push(row)
  }
  return found
}

const sortedBy = (rows: Array<RowView>, order: Order, isAscending: boolean, nowMs: number): Array<RowView> => {
  // Lines are in the order of their changes already, which is finer than the clock.
  if (order === "changed") return isAscending ? rows : rows.reverse()
  const keyOf = keys[order]
  const sign = isAscending ? 1 : -1
  return rows
    .map((row) => ({ row, key: keyOf(row, nowMs) }))
    .sort((a, b) => (a.key < b.key ? -sign : a.key > b.key ? sign : 0))
    .map(({ row }) => row)
}

const keys: Readonly<Record<Exclude<Order, "changed">, (row: RowView, nowMs: number) => string | number>> = {
  created: (row) => row.created_at_ms,
  duration: durationOf,
  due: (row) => row.due_at_ms ?? Number.POSITIVE_INFINITY,
  id: (row) => row.process_id,
  kind: (row) => row.kind,
  state: (row) => row.state
}

const lineOf = (store: Store, row: Glance, redact: Redact, nowMs: number): Line | Effect.Effect<Line, StoreError> => {
  const shown = rowView(row, redact, nowMs)
  const { chart } = row.snapshot.context
  const words = wordsOf(shown).toLowerCase()
  if (chart === undefined || shown.state !== "running" || shown.active) {
    const asks = shown.state === "running" ? shown.waits.filter((name) => name !== "timer") : []
    return { row: shown, words, asks: ascending(asks) }
  }
  return Effect.map(machineOf(store.definitions, row.base.registration, chart), (own) => ({
    row: { ...shown, rests: valueText(chart.value) },
    words,
    invokes: Object.values(chart.children).map(({ process }) => process),
    asks: own === undefined ? [] : ascending(acceptedBy(own.definition, chart).map(({ type }) => type))
  }))
}

const ascending = (names: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(names)].toSorted()

/** A line's row, with what is known of the host that has it: as the row says, or as its lease was renewed since. */
export const rowOf = (row: RowView, { leases, nowMs }: Pick<Look, "leases" | "nowMs">): RowView => {
  const { lease_expires_at_ms: knownMs } = row
  const lease = leases.get(row.process_id)
  if (knownMs === undefined) return row
  // A lease that ends later than the one that was read is another one.
  const isSame = lease !== undefined && lease.expiresAtMs >= knownMs
  const expiresAtMs = isSame ? lease.expiresAtMs : knownMs
  const holder = isSame && lease.isDead ? "dead" : expiresAtMs > nowMs ? "alive" : "lapsed"
  return { ...row, lease_expires_at_ms: expiresAtMs, holder }
}
