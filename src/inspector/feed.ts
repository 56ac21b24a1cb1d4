/**
 * The stream of changes: for every client the latest row of each process that changed, and now and then "read it all again".
 *
 * ```
 * commit ─► an id is marked ─► every 50 ms ─► rows are read once ─► one message ─► each client's short queue ─► its socket
 * ```
 *
 * Invariant: it is never a lossy log. A message holds each process at most once, with its latest row; a client that cannot
 * keep up, and a backlog that is too long, get `resync` instead of what was left out. Without a client nothing is marked.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ProcessStore } from "../store/ProcessStore.ts"
import type { Redact } from "./redaction.ts"
import { rowView } from "./rowViews.ts"
import type { ChangeMessage, RowView } from "./View.ts"

/** At most one message in this time. Units: milliseconds. */
export const intervalMs = 50

/** How many processes one message may hold; more than that is a reason to read everything again. */
export const maxRows = 500

/** How many messages wait for a slow client. */
export const maxWaiting = 16

/** How many intervals lie between two messages that say "read it all again": reading it all is work, too. */
export const resyncEvery = 40

/** How many intervals without a change pass before a sign of life. */
const heartbeat = 200

/** The stream of changes of one store. */
export interface Feed {
  /** A new client's messages, `hello` first, as text of the event stream format. It ends with its scope. */
  readonly subscribe: Stream.Stream<string>
  readonly clients: () => number
}

/** How the changes of other programs are found. */
export interface FeedOptions {
  readonly redact: Redact
  /** How many intervals pass between two looks at what other programs wrote; 0 when no other program can. */
  readonly lookEvery: number
}

/** Makes the stream; one fiber of the scope serves all clients. */
export const make = (
  store: typeof ProcessStore.Service,
  { redact, lookEvery }: FeedOptions
): Effect.Effect<Feed, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clients = new Set<Queue.Queue<string>>()
    const dirty = new Set<ProcessId>()
    /** What was sent since the last look: a look finds this program's own changes again. */
    const sent = new Map<string, number>()
    const awake = yield* Effect.makeLatch(false)
    let cursor = 0
    let quiet = 0
    let isResyncOwed = false
    let sinceResync = resyncEvery

    const broadcast = (text: string) => Effect.forEach(clients, (client) => offer(client, text), { discard: true })

    const resync = Effect.suspend(() => {
      isResyncOwed = false
      sinceResync = 0
      dirty.clear()
      return broadcast(encode({ type: "resync" }))
    })

    const look = Effect.gen(function* () {
      const changes = yield* store.changesAfter(cursor, maxRows)
      for (const change of changes) {
        cursor = change.change
        const id = change._tag === "Row" ? change.row.base.registration.id : change.tombstone.processId
        if (change._tag !== "Row" || sent.get(id) !== change.row.sequence) dirty.add(id)
      }
      sent.clear()
      if (changes.length < maxRows) return
      // There is more than one look reads: what lies between here and the end is left to a resync.
      cursor = yield* lastChange(store)
      isResyncOwed = true
    })

    const flush = Effect.gen(function* () {
      sinceResync++
      if (dirty.size > maxRows) {
        isResyncOwed = true
        dirty.clear()
      }
      if (isResyncOwed && sinceResync >= resyncEvery) return yield* resync
      if (dirty.size === 0) {
        quiet = (quiet + 1) % heartbeat
        if (quiet === 0) yield* broadcast(": still here\n\n")
        return
      }
      quiet = 0
      const ids = [...dirty]
      dirty.clear()
      const rows: Array<RowView> = []
      const gone: Array<string> = []
      for (const id of ids) {
        const found = yield* store.find(id)
        if (found._tag === "Present") rows.push(rowView(found.row, redact))
        else gone.push(id)
      }
      if (lookEvery > 0) for (const row of rows) sent.set(row.process_id, row.sequence)
      yield* broadcast(encode({ type: "changes", rows, gone }))
    })

    const serve = Effect.gen(function* () {
      for (let turn = 1; clients.size > 0; turn++) {
        yield* Effect.sleep(intervalMs)
        const turnsOut = lookEvery > 0 && turn % lookEvery === 0 ? Effect.zipRight(look, flush) : flush
        yield* Effect.catchAll(turnsOut, (error) => {
          // What could not be read is read again, all of it, once the store answers.
          isResyncOwed = true
          return Effect.logDebug(error.message)
        })
      }
    })

    yield* Effect.forkScoped(
      Effect.forever(
        Effect.gen(function* () {
          yield* awake.await
          if (lookEvery > 0) cursor = yield* Effect.orElseSucceed(lastChange(store), () => 0)
          yield* serve
          yield* awake.close
          dirty.clear()
          sent.clear()
          isResyncOwed = false
          if (clients.size > 0) yield* awake.open
        })
      )
    )

    // This runs inside the commit of the host: an id is marked, and that is all.
    yield* store.onCommit((changes) => {
      if (clients.size === 0) return
      for (const { row } of changes) dirty.add(row.base.registration.id)
    })

    const connect = Effect.acquireRelease(
      Effect.gen(function* () {
        const queue = yield* Queue.dropping<string>(maxWaiting)
        yield* Queue.offer(queue, encode({ type: "hello", store_id: store.storeId }))
        clients.add(queue)
        yield* awake.open
        return queue
      }),
      (queue) =>
        Effect.zipRight(
          Effect.sync(() => clients.delete(queue)),
          Queue.shutdown(queue)
        )
    )

    return {
      subscribe: Stream.unwrapScoped(Effect.map(connect, (queue) => Stream.fromQueue(queue, { maxChunkSize: 1 }))),
      clients: () => clients.size
    }
  })

/** A message as text of the event stream format. */
export const encode = (message: ChangeMessage): string => `data: ${JSON.stringify(message)}\n\n`

/** A client that is too slow loses what waits for it, and is told to read everything again. */
const offer = (client: Queue.Queue<string>, text: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (yield* Queue.offer(client, text)) return
    yield* Queue.takeAll(client)
    yield* Queue.offer(client, encode({ type: "resync" }))
  })

/**
 * The number of the last change, found by halving: a store says what comes after a number, and not what the last one is.
 *
 * It takes some fifty reads of one row; nothing is missed when more is committed meanwhile, since the answer is then smaller.
 */
export const lastChange = (store: typeof ProcessStore.Service): Effect.Effect<number, StoreError> =>
  Effect.gen(function* () {
    const hasLater = (change: number) => Effect.map(store.changesAfter(change, 1), (found) => found.length > 0)
    let high = 1
    while (yield* hasLater(high)) high *= 2
    let low = 0
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (yield* hasLater(middle)) low = middle + 1
      else high = middle
    }
    return low
  })
