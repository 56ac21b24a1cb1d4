/**
 * What other hosts have changed: they say it (NOTIFY), and the change feed is read, in case a message was lost.
 *
 * ```
 * commit ─► tell: one message for all that was committed since the last one ─► the other hosts' lists and listeners
 * asked  ─► the list, and now and then what the feed has beyond the last look
 * ```
 * Invariant: only latency depends on messages. A look reads the numbers below which none can appear any more, so that no change
 * is passed over.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import { realTime } from "../GroupCommit.ts"
import type { Listeners } from "../listeners.ts"
import * as Listening from "../listeners.ts"
import type { DueElsewhere } from "../ProcessStore.ts"
import type { Reader } from "../sql/Reader.ts"
import { dialect } from "./dialect.ts"
import type { Session, SessionOptions } from "./Session.ts"
import * as Sessions from "./Session.ts"
import { numbersOfOne } from "./Writes.ts"

/** Finds what other hosts changed, and tells them what this one did. */
export interface ChangesElsewhere {
  /** This host has committed changes of these processes, which left some of them due, with feed numbers from this one on. */
  readonly committed: (ids: Iterable<ProcessId>, due: Iterable<ProcessId>, firstChange: number) => void
  /** Calls a listener with what each message of another host says is due. */
  readonly onMessage: Listeners<DueElsewhere>["subscribe"]
  /** The ids found since this was last asked. */
  readonly take: Effect.Effect<ReadonlyArray<ProcessId>, StoreError>
  /** Whether messages come. */
  readonly isListening: () => boolean
}

/** How often the feed is read while messages come, and while none do. Units: milliseconds. */
const lookMs = { listening: 1_000, deaf: 100 }

/** A message has at most 8,000 bytes; one that would be longer says of a part only that there is something. */
const longestMessage = 7_500

const mostKept = 10_000

const tellText = "SELECT pg_notify($1, $2)"

/** How many changed rows one look finds at most. */
const pageSize = 1_000

/** Listens and tells, until the scope closes. */
export const make = (
  reader: Reader,
  options: SessionOptions & { readonly channel: string; readonly self: string }
): Effect.Effect<ChangesElsewhere, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const { sql, read } = reader
    const own = new Set<number>()
    let found = new Set<ProcessId>()
    let seen = yield* read(
      "read the last change",
      Effect.map(sql<Last>`SELECT ${dialect.horizon(sql)} - 1 AS last`, lastOf)
    )
    let lookedAt = performance.now()
    let lookNow = false
    let untold = new Set<ProcessId>()
    let untoldDue = new Set<ProcessId>()
    const listeners = Listening.make<DueElsewhere>()
    let session: Session | undefined
    let isHeard = false
    let isWarned = false
    let wake: (() => void) | undefined

    const hear = (payload: string) => {
      const [teller, ids, due] = JSON.parse(payload) as Message // as `tell` writes it
      isHeard = true
      if (teller === options.self) return
      if (ids === null) lookNow = true
      // Where no host asks, nothing piles up.
      else if (found.size < mostKept) for (const id of ids) found.add(id)
      listeners.publish(due ?? "many")
    }

    // Made anew for each look: a statement keeps the number that it was made with.
    const changed = Effect.suspend(
      () => sql<{ readonly id: ProcessId; readonly change: number }>`
        SELECT id, change FROM (
          SELECT process_id AS id, change FROM state WHERE change > ${seen}
          UNION ALL
          SELECT process_id, change FROM tombstone WHERE change > ${seen}
        ) AS changed WHERE change < ${dialect.horizon(sql)} ORDER BY change LIMIT ${pageSize}
      `
    )

    const look = read(
      "look for changes of other hosts",
      Effect.map(changed, (page) => {
        for (const { id, change } of page) if (!own.has(Math.floor(change / numbersOfOne))) found.add(id)
        seen = page.at(-1)?.change ?? seen
        for (const block of own) if (block * numbersOfOne < seen - numbersOfOne) own.delete(block)
        lookedAt = performance.now()
        lookNow = page.length === pageSize
      })
    )

    const message = (): string => {
      const due = [...untoldDue]
      const whole: Message = [options.self, [...untold], due]
      untold = new Set()
      untoldDue = new Set()
      const texts = [whole, [options.self, null, due]].map((each) => JSON.stringify(each))
      return (
        texts.find((text) => Buffer.byteLength(text) <= longestMessage) ?? JSON.stringify([options.self, null, null])
      )
    }

    const somethingToTell = Effect.async<void>((resume) => {
      if (untold.size > 0) return resume(Effect.void)
      wake = () => resume(Effect.void)
      return undefined
    })

    const tell = Effect.flatMap(somethingToTell, () =>
      Effect.suspend(() => {
        const values = [options.channel, message()]
        return session === undefined ? Effect.void : session.send([{ name: "tell", text: tellText, values }])
      })
    )

    /** A pool that changes connections between transactions takes a LISTEN, and then passes nothing on. It is said once. */
    const warnIfDeaf = (connected: Session) =>
      Effect.gen(function* () {
        if (isHeard || isWarned) return
        // A connection that is lost passes nothing on, either.
        yield* connected.send([{ name: "", text: "SELECT 1", values: [] }])
        if (isHeard) return
        isWarned = true
        yield* Effect.logWarning(
          "messages of other hosts do not come through this connection; give the server's own URL as sessionUrl"
        )
      })

    /** Connects, listens and tells, until the connection is lost. It hears itself, where messages come. */
    const converse = Effect.acquireUseRelease(
      Scope.make(),
      (scope) =>
        Effect.gen(function* () {
          const connected = yield* Scope.extend(Sessions.connect(options), scope)
          connected.onNotification(hear)
          isHeard = false
          yield* connected.send([
            { name: "", text: `LISTEN ${options.channel}`, values: [] },
            { name: "tell", text: tellText, values: [options.channel, JSON.stringify([options.self, [], []])] }
          ])
          session = connected
          lookNow = true
          yield* Effect.fork(Effect.delay(warnIfDeaf(connected), "2 seconds"))
          yield* Effect.forever(tell)
        }),
      (scope) =>
        Effect.zipRight(
          Effect.sync(() => {
            session = undefined
          }),
          Scope.close(scope, Exit.void)
        )
    )
    yield* converse.pipe(
      Effect.ignore,
      Effect.zipRight(Effect.sleep("500 millis")),
      Effect.forever,
      realTime,
      Effect.forkScoped
    )

    const isListening = () => session?.isOpen() === true && isHeard
    return {
      isListening,
      onMessage: listeners.subscribe,
      committed: (ids, due, firstChange) => {
        own.add(Math.floor(firstChange / numbersOfOne))
        if (own.size > mostKept) own.clear()
        for (const id of ids) untold.add(id)
        for (const id of due) untoldDue.add(id)
        const resume = wake
        wake = undefined
        resume?.()
      },
      take: Effect.suspend(() => {
        const isDue = lookNow || performance.now() - lookedAt > (isListening() ? lookMs.listening : lookMs.deaf)
        return Effect.map(isDue ? look : Effect.void, () => {
          const ids = [...found]
          found = new Set()
          return ids
        })
      })
    }
  })

/** Who has committed, what it changed, and what of that is due; `null`: too much for a message. */
type Message = readonly [teller: string, changed: ReadonlyArray<ProcessId> | null, due: ReadonlyArray<ProcessId> | null]

interface Last {
  readonly last: number
}

const lastOf = ([row]: ReadonlyArray<Last>): number => row?.last ?? 0
