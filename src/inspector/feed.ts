/**
 * The stream of changes: for every client the latest row of each process that changed, or the request to read everything again.
 *
 * ```
 * commit here or elsewhere ─► an id is marked ─► at once, but at most every 50 ms ─► rows are read ─► one message
 *                                                              each client's short queue ◄──────────────────┘
 * ```
 *
 * Invariant: it is never a lossy log. A message holds each process at most once, with its latest row; a client that cannot
 * keep up, and a backlog that is too long, get `resync` instead of what was left out. Without a client nothing is marked.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Redact } from "../explain/redaction.ts"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ProcessStore } from "../store/ProcessStore.ts"
import type { ChangeMessage, RowView } from "./View.ts"
import { rowView } from "./views/list.ts"

/** At most one message in this time. Units: milliseconds. */
export const intervalMs = 50

/** How many processes one message may hold; more than that is a reason to read everything again. */
export const maxRows = 500

/** How many messages wait for a slow client. */
export const maxWaiting = 16

/** How many clients there may be: what a change is worth to each of them is work of the host. */
export const maxClients = 400

/** How long it is between two messages that say "read it all again": reading it all is work, too. Units: milliseconds. */
export const resyncMs = 2_000

/** How long without a message before a heartbeat. Units: milliseconds. */
export const heartbeatMs = 10_000

/** How often a store is asked what other programs changed, when no host polls it. Units: milliseconds. */
export const pollMs = 50

/** The stream of changes of one store. */
export interface Feed {
  /** A new client's messages, `hello` first, as text of the event stream format. It ends with its scope. */
  readonly subscribe: Stream.Stream<string>
  readonly clients: () => number
}

/** Calls `mark` with the ids that other programs change, until the scope ends; `lost` says that some were missed. */
export type ExternalChanges = (listener: {
  readonly mark: (id: ProcessId) => void
  readonly lost: () => void
}) => Effect.Effect<void, never, Scope.Scope>

/** What is hidden, and the source of other programs' changes. */
export interface FeedOptions {
  readonly redact: Redact
  readonly externalChanges: ExternalChanges
}

/** Makes the stream; one fiber of the scope serves all clients. */
export const make = (
  store: typeof ProcessStore.Service,
  { redact, externalChanges: elsewhere }: FeedOptions
): Effect.Effect<Feed, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clients = new Set<Queue.Queue<string>>()
    const dirty = new Set<ProcessId>()
    /** Open while there is a client. */
    const awake = yield* Effect.makeLatch(false)
    /** Open while there is something to send. */
    const pending = yield* Effect.makeLatch(false)
    let needsResync = false
    let resyncedAtMs = Number.NEGATIVE_INFINITY

    // This runs inside the commit of the host: an id is marked, and that is all.
    const mark = (id: ProcessId): void => {
      if (clients.size === 0) return
      dirty.add(id)
      pending.unsafeOpen()
    }

    // What could not be read is read again, all of it, once the store answers.
    const lost = (): void => {
      needsResync = true
      pending.unsafeOpen()
    }

    const broadcast = (text: string) => Effect.forEach(clients, (client) => offer(client, text), { discard: true })

    const sendRows = Effect.gen(function* () {
      const ids = [...dirty]
      dirty.clear()
      const nowMs = yield* Clock.currentTimeMillis
      const rows: Array<RowView> = []
      const gone: Array<string> = []
      for (const id of ids) {
        const found = yield* store.find(id)
        if (found._tag === "Present") rows.push(rowView(found.row, redact, nowMs))
        else gone.push(id)
      }
      yield* broadcast(encode({ type: "changes", rows, gone }))
    })

    const flush = Effect.gen(function* () {
      pending.unsafeClose()
      if (dirty.size > maxRows) {
        needsResync = true
        dirty.clear()
      }
      if (needsResync) {
        const nowMs = yield* elapsedMs
        if (nowMs - resyncedAtMs < resyncMs) {
          // Sent once the last one is long enough ago.
          pending.unsafeOpen()
        } else {
          needsResync = false
          resyncedAtMs = nowMs
          dirty.clear()
          return yield* broadcast(encode({ type: "resync" }))
        }
      }
      if (dirty.size > 0) yield* sendRows
    })

    const serve = Effect.gen(function* () {
      yield* elsewhere({ mark, lost })
      while (clients.size > 0) {
        const isPending = Option.isSome(yield* Effect.timeoutOption(pending.await, heartbeatMs))
        if (!isPending) {
          yield* broadcast(": still here\n\n")
          continue
        }
        // A row that cannot be shown is a fault of what redacts it, and no reason to serve nothing any more.
        yield* Effect.catchAllCause(flush, (cause) =>
          Cause.isInterrupted(cause)
            ? Effect.failCause(cause)
            : Effect.zipRight(Effect.sync(lost), Effect.logDebug("the inspector could not send changes", cause))
        )
        yield* Effect.sleep(intervalMs)
      }
    })

    yield* Effect.forkScoped(
      Effect.forever(
        Effect.gen(function* () {
          yield* awake.await
          yield* Effect.scoped(serve)
          yield* awake.close
          dirty.clear()
          needsResync = false
          if (clients.size > 0) yield* awake.open
        })
      )
    )

    yield* store.onCommit((changes) => {
      for (const { row } of changes) mark(row.base.registration.id)
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
        Effect.gen(function* () {
          clients.delete(queue)
          // The serving fiber then sees that no client is left.
          yield* pending.open
          yield* Queue.shutdown(queue)
        })
    )

    return {
      subscribe: Stream.unwrapScoped(Effect.map(connect, (queue) => Stream.fromQueue(queue, { maxChunkSize: 1 }))),
      clients: () => clients.size
    }
  })

/** Asks the store itself: for a store that no host of this program asks. Nothing is read unless another program has written. */
export const polling =
  (store: typeof ProcessStore.Service): ExternalChanges =>
  ({ mark, lost }) => {
    const poll = Effect.map(store.externalChanges, (ids) => ids.forEach(mark)).pipe(
      Effect.catchAll((error: StoreError) => Effect.zipRight(Effect.sync(lost), Effect.logDebug(error.message)))
    )
    return Effect.asVoid(Effect.forkScoped(Effect.forever(Effect.zipRight(poll, Effect.sleep(pollMs)))))
  }

/** A message as text of the event stream format. */
export const encode = (message: ChangeMessage): string => `data: ${JSON.stringify(message)}\n\n`

/** Time that passes, not the time of day: a clock that is set back must not delay a message. */
const elapsedMs: Effect.Effect<number> = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos / 1_000_000n))

/** A client that is too slow loses its queue, and reads everything again. */
const offer = (client: Queue.Queue<string>, text: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (yield* Queue.offer(client, text)) return
    yield* Queue.takeAll(client)
    yield* Queue.offer(client, encode({ type: "resync" }))
  })
