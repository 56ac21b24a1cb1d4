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
import { storeError } from "./failure.ts"
import type { Failure, Session, SessionOptions, Statement } from "./Session.ts"
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
  /** The connection on which they come, while they do: it is this host's for as long as it lasts. */
  readonly session: () => Session | undefined
}

/** How often the feed is read while messages come, and while none do. Units: milliseconds. */
const lookMs = { listening: 1_000, deaf: 100 }

/** A message has at most 8,000 bytes; one that would be longer says of a part only that there is something. */
const longestMessage = 7_500

const mostKept = 10_000

const tellText = "SELECT pg_notify($1, $2)"

/** A message of more ids than this would be too long, whatever the ids are: no more of them are kept. */
const mostTold = longestMessage / 3

/** How often a connection on which nothing is said is tried: of one that is dead, nothing is heard. Units: milliseconds. */
const beatMs = 10_000

/**
 * How long it takes until one that was lost is made anew: at first, at most, and where the server is a standby, which passes no
 * messages on. Units: milliseconds.
 */
const anewMs = { first: 500, most: 5_000, standby: 30_000 }

/** How often in a row that fails before it is said: a server that restarts is soon back. */
const mostSilent = 3

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
    /** How often in a row no connection could be made. */
    let failures = 0
    let wake: (() => void) | undefined

    const hear = (payload: string) => {
      const [teller, ids, due] = messageIn(payload)
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

    const tell = (connected: Session) =>
      Effect.flatMap(somethingToTell, () =>
        connected.send([{ name: "tell", text: tellText, values: [options.channel, message()] }])
      )

    const beat = (connected: Session) => Effect.delay(connected.send([isThere]), beatMs)

    /** A pool that changes connections between transactions takes a LISTEN, and then passes nothing on. It is said once. */
    const warnIfDeaf = (connected: Session) =>
      Effect.gen(function* () {
        if (isHeard || isWarned) return
        // A connection that is lost passes nothing on, either.
        yield* connected.send([isThere])
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
          const [answer] = yield* connected.send([standbyText])
          if (Sessions.firstRow<{ readonly standby: boolean }>(answer).standby) return anewMs.standby
          connected.onNotification(hear)
          isHeard = false
          yield* connected.send([
            { name: "", text: `LISTEN ${options.channel}`, values: [] },
            { name: "tell", text: tellText, values: [options.channel, JSON.stringify([options.self, [], []])] }
          ])
          session = connected
          failures = 0
          lookNow = true
          yield* Effect.forkIn(Effect.delay(warnIfDeaf(connected), "2 seconds"), scope)
          const talk = Effect.raceFirst(Effect.forever(tell(connected)), Effect.forever(beat(connected)))
          yield* Effect.raceFirst(talk, connected.ended)
          return anewMs.first
        }),
      (scope) =>
        Effect.zipRight(
          Effect.sync(() => {
            session = undefined
          }),
          Scope.close(scope, Exit.void)
        )
    )

    /** Says once for each time without messages why none come; a host whose server is away says so itself. */
    const withoutMessages = (failure: Failure | StoreError) =>
      Effect.gen(function* () {
        failures += 1
        const { reason, message: problem } =
          "_tag" in failure ? failure : storeError("listen to other hosts", failure.cause)
        if (failures === (reason === "busy" ? mostSilent : 1)) {
          yield* Effect.logWarning(`no messages of other hosts come, so that what they do is seen later: ${problem}`)
        }
        return Math.min(anewMs.first * 2 ** (failures - 1), anewMs.most)
      })

    yield* converse.pipe(
      Effect.catchAll(withoutMessages),
      Effect.flatMap((ms) => Effect.sleep(ms)),
      Effect.forever,
      realTime,
      Effect.forkScoped
    )

    const isListening = () => session?.isOpen() === true && isHeard
    return {
      isListening,
      session: () => (isListening() ? session : undefined),
      onMessage: listeners.subscribe,
      committed: (ids, due, firstChange) => {
        own.add(Math.floor(firstChange / numbersOfOne))
        if (own.size > mostKept) own.clear()
        for (const id of ids) if (untold.size < mostTold) untold.add(id)
        for (const id of due) if (untoldDue.size < mostTold) untoldDue.add(id)
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

const isThere: Statement = { name: "", text: "SELECT 1", values: [] }

const standbyText: Statement = { name: "", text: "SELECT pg_is_in_recovery() AS standby", values: [] }

/** Who has committed, what it changed, and what of that is due; `null`: too much for a message. */
type Message = readonly [teller: string, changed: ReadonlyArray<ProcessId> | null, due: ReadonlyArray<ProcessId> | null]

/** A message as a host of any version, or another program, writes it: what is not understood says that there is something. */
const messageIn = (payload: string): Message => {
  try {
    const said: unknown = JSON.parse(payload)
    if (!Array.isArray(said)) return something
    const [teller, changed, due] = said
    return typeof teller === "string" && areIds(changed) && areIds(due) ? [teller, changed, due] : something
  } catch {
    return something
  }
}

const something: Message = ["", null, null]

const areIds = (said: unknown): said is ReadonlyArray<ProcessId> | null =>
  said === null || (Array.isArray(said) && said.every((id) => typeof id === "string"))

interface Last {
  readonly last: number
}

const lastOf = ([row]: ReadonlyArray<Last>): number => row?.last ?? 0
