/**
 * Verification: the fold of every log is computed anew and compared with what the store keeps.
 *
 * Invariant: a store that only this library wrote has no differences. Rows are read a page at a time and logs in pieces, so
 * that memory depends on neither; what is written meanwhile is no difference.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Random from "effect/Random"
import type { ChartTransition } from "../../machines/chart/state.ts"
import type { ProcessSnapshot } from "../../machines/process/lifecycle.ts"
import { processMachine } from "../../machines/process/machine.ts"
import * as Step from "../../machines/xstate/step.ts"
import type { InputInvalid, ProcessPruned, ProcessUnknown } from "../model/errors.ts"
import { StoreError } from "../model/errors.ts"
import { lifecycleEventOf } from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import type { JournalEntry } from "../model/JournalEntry.ts"
import { afterForks } from "../model/JournalEntry.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import * as ProcessRecord from "../model/ProcessRecord.ts"
import { registrationHash } from "../model/Registration.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"
import type { Chart } from "./decisions/chartStep.ts"
import { existingRow } from "./existing.ts"
import * as Retaking from "./retaking.ts"

/** Which processes to verify: these, so many chosen at random, or all of them. */
export interface VerifyOptions {
  /** @default every process of the store */
  readonly ids?: ReadonlyArray<ProcessId>
  /** How many of them, each as likely as any other. @default all */
  readonly sample?: number
  /**
   * Engines of machines. The transitions of their processes are taken anew, each by the machine of its version, and compared with what
   * the log says of them. @default none: a log is folded without its machine
   */
  readonly machines?: ReadonlyArray<{ readonly chart?: Chart }>
}

/**
 * One place where the store and the fold disagree; a side that has nothing there is absent.
 *
 * `field` is a path: into the snapshot (`context/attempts`, `value/running/wait`), into the log (`log/3`, where a sequence
 * is missing or an event cannot be read; `log/3/semantics/terminal`, an end after the end), into the journal (`journal/3`, a
 * position that is no count or is taken twice; `journal/3/key`, an operation that has an entry already), `sequence` or
 * `registrationHash`; and into what a machine made of its event (`log/3/payload/to`; where it throws now, `log/3/payload`).
 */
export interface Difference {
  readonly processId: ProcessId
  readonly field: string
  readonly stored?: unknown
  readonly folded?: unknown
}

/** How many processes were verified, how many of their transitions were taken anew, and every difference found. */
export interface VerifyReport {
  readonly checked: number
  readonly retaken: number
  readonly differences: ReadonlyArray<Difference>
}

/** How many rows, and how many events of one log, are in memory at a time. */
export const pageSize = 100

/**
 * Folds logs anew and reports where the store keeps something else. It writes nothing.
 *
 * Fails with `InputInvalid` for an option that is unknown or of no meaning, such as an engine without a machine, with
 * `ProcessUnknown` or `ProcessPruned` for an id that was named and is not there (leave it out), with `StoreError` when the store
 * cannot be read; `corrupt` says after which process.
 */
export const verify: (
  options?: VerifyOptions
) => Effect.Effect<VerifyReport, InputInvalid | ProcessUnknown | ProcessPruned | StoreError, ProcessStore> = Effect.fn(
  "verify"
)(function* (options: VerifyOptions = {}) {
  const known = { ids: true, sample: true, machines: true } as const
  const { ids: named, sample, machines = [] } = yield* Checks.optionsOf<VerifyOptions>(known, options)
  const size = sample === undefined ? undefined : yield* Checks.count("sample", sample)
  const ids = named === undefined ? undefined : yield* idsOf(named)
  const charts = yield* chartsOf(machines)
  const store = yield* ProcessStore
  let report: VerifyReport = { checked: 0, retaken: 0, differences: [] }
  const check = (row: ProcessRow) =>
    Effect.map(verified(store, charts, row), ({ retaken, found }) => {
      const { checked, retaken: before, differences } = report
      const processId = row.base.registration.id
      const more = found.map((difference) => ({ processId, ...difference }))
      report = { checked: checked + 1, retaken: before + retaken, differences: [...differences, ...more] }
    })
  if (ids !== undefined) {
    const chosen = new Set(size === undefined ? ids : yield* draw(size, (offer) => Effect.forEach(ids, offer)))
    for (const id of chosen) yield* check(yield* readable(`of \`${id}\``, existingRow(store, id)))
  } else if (size === undefined) {
    yield* eachRow(store, check)
  } else {
    const chosen = yield* draw(size, (offer) => eachRow(store, (row) => offer(row.base.registration.id)))
    for (const id of chosen) {
      const found = yield* readable(`of \`${id}\``, store.find(id))
      // One that was pruned since it was drawn has nothing left to verify.
      if (found._tag === "Present") yield* check(found.row)
    }
  }
  return report
})

const idsOf = (ids: ReadonlyArray<ProcessId>): Effect.Effect<ReadonlyArray<ProcessId>, InputInvalid> =>
  Array.isArray(ids)
    ? Effect.forEach(ids as ReadonlyArray<ProcessId>, (id, index) => Checks.id(id, `ids/${index}`)) // `isArray` widens it
    : Checks.refuse("ids", "must be a list of process ids")

const chartsOf = (
  machines: NonNullable<VerifyOptions["machines"]>
): Effect.Effect<ReadonlyArray<Chart>, InputInvalid> =>
  Array.isArray(machines)
    ? Effect.forEach(machines as NonNullable<VerifyOptions["machines"]>, (engine, index) => {
        const chart = typeof engine === "object" ? engine?.chart : undefined
        return chart === undefined
          ? Checks.refuse(`machines/${index}`, "must be an engine of a machine, as Engine.fromMachine makes one")
          : Effect.succeed(chart)
      })
    : Checks.refuse("machines", "must be a list of engines")

type Store = typeof ProcessStore.Service

/** Draws so many ids, each as likely as any other, from however many are offered (reservoir sampling). */
const draw = <E>(
  size: number,
  offering: (offer: (id: ProcessId) => Effect.Effect<void>) => Effect.Effect<unknown, E>
): Effect.Effect<ReadonlyArray<ProcessId>, E> =>
  Effect.suspend(() => {
    const drawn: Array<ProcessId> = []
    let offered = 0
    const offer = (id: ProcessId) =>
      Effect.gen(function* () {
        const place = offered < size ? offered : yield* Random.nextIntBetween(0, offered + 1)
        offered += 1
        if (place < size) drawn[place] = id
      })
    return Effect.as(offering(offer), drawn)
  })

const eachRow = <E>(
  store: Store,
  visit: (row: ProcessRow) => Effect.Effect<void, E>
): Effect.Effect<void, E | StoreError> =>
  Effect.gen(function* () {
    let after: ProcessId | undefined
    while (true) {
      const query = { filter: { status: "any" as const }, limit: pageSize, ...(after === undefined ? {} : { after }) }
      const rows = yield* readable(after === undefined ? "at the first id" : `after \`${after}\``, store.list(query))
      yield* Effect.forEach(rows, visit, { discard: true })
      after = rows.at(-1)?.base.registration.id
      if (after === undefined) return
    }
  })

/** Rows are read without checks, so one that makes no sense is a defect of the read: here it is the answer. */
const readable = <A, E>(where: string, read: Effect.Effect<A, E>): Effect.Effect<A, E | StoreError> =>
  Effect.catchAllDefect(read, (cause) =>
    Effect.fail(
      new StoreError({
        operation: "verify",
        reason: "corrupt",
        written: "no",
        detail: `the row ${where} cannot be read: ${textOf(cause)}`,
        cause
      })
    )
  )

/** What is known of a log while it is folded. */
interface Folding {
  readonly snapshot: ProcessSnapshot
  /** The last sequence seen; before the first event, the one that the log goes on from. */
  readonly last: number
  readonly hasEnded: boolean
  readonly found: ReadonlyArray<Omit<Difference, "processId">>
}

/** What was found of one process. */
interface Verified {
  readonly retaken: number
  readonly found: Folding["found"]
}

const verified = (store: Store, charts: ReadonlyArray<Chart>, row: ProcessRow): Effect.Effect<Verified, StoreError> =>
  Effect.gen(function* () {
    const processId = row.base.registration.id
    const retaking = Retaking.make(charts, row)
    let retaken = 0
    let folding: Folding = {
      snapshot: ProcessRecord.initial(row.base),
      last: 0,
      hasEnded: false,
      found: differing("registrationHash", row.base.registrationHash, registrationHash(row.base.registration))
    }
    let after = Number.MIN_SAFE_INTEGER
    let limit = pageSize
    let isAtEnd = false
    while (!isAtEnd) {
      const piece = yield* pieceOf(store, processId, after, limit)
      if (piece === "pruned") return { retaken, found: [] }
      if ("unreadable" in piece) {
        // One bad event spoils its page; one by one, those before it are still folded.
        if (limit === 1) {
          const unreadable = { field: `log/${folding.last + 1}`, stored: piece.unreadable }
          return { retaken, found: [...folding.found, unreadable] }
        }
        limit = 1
        continue
      }
      if (after === Number.MIN_SAFE_INTEGER && row.sequence > 0 && piece[0]?.sequence !== 1) {
        folding = { ...folding, last: yield* beginningOf(store, processId) }
      }
      isAtEnd = piece.length < limit
      for (const event of piece) {
        if (event.sequence > row.sequence && (yield* isLater(store, processId, event))) {
          isAtEnd = true
          break
        }
        const before = { ...row, snapshot: folding.snapshot }
        const again = retaking && (yield* retakenOf(store, retaking, before, event))
        folding = folded(folding, event)
        if (again !== undefined) {
          retaken++
          folding = { ...folding, found: [...folding.found, ...again] }
        }
        retaking?.pass(event)
        after = event.sequence
      }
    }
    const found = [
      ...folding.found,
      ...misplaced(afterForks(yield* store.execution.journal(processId), row.snapshot.context.forks).counting),
      ...differing("sequence", row.sequence, folding.last),
      ...differing("", Step.persist(row.snapshot), Step.persist(folding.snapshot))
    ]
    return { retaken, found }
  })

/** What a machine makes of the event of a transition now, where that is another thing; `undefined` where it was not asked. */
const retakenOf = (
  store: Store,
  retaking: Retaking.Retaking,
  row: ProcessRow,
  event: ProcessEvent
): Effect.Effect<Folding["found"] | undefined, StoreError> =>
  Effect.gen(function* () {
    if (event.eventType !== "machine.transitioned") return undefined
    const step = event.payload as ChartTransition // the payload of such an event is one
    const childId = retaking.childOf(step)
    const child = childId === undefined ? undefined : yield* readable(`of \`${childId}\``, store.find(childId))
    const again = retaking.retaken(row, step, child?._tag === "Present" ? child.row : undefined)
    const field = `log/${event.sequence}/payload`
    return (
      again &&
      Either.match(again, {
        onLeft: (folded) => [{ field, stored: event.payload, folded }],
        onRight: ({ stored, folded }) => differing(field, stored, folded)
      })
    )
  })

type Piece = ReadonlyArray<ProcessEvent> | { readonly unreadable: string } | "pruned"

const pieceOf = (store: Store, id: ProcessId, after: number, limit: number): Effect.Effect<Piece, StoreError> =>
  store.eventsAfter(id, after, limit).pipe(
    Effect.map((events): Piece => events),
    Effect.catchTag("ProcessUnknown", () => Effect.succeed<Piece>("pruned")),
    Effect.catchAllDefect((cause) => Effect.succeed<Piece>({ unreadable: textOf(cause) }))
  )

/** A later life of an id goes on from the sequence of the one before it, which only its tombstone knows. */
const beginningOf = (store: Store, id: ProcessId): Effect.Effect<number, StoreError> =>
  Effect.map(store.retention.tombstone(id), (tombstone) => tombstone?.lastSequence ?? 0)

/** Whether an event beyond the row was appended after the row was read. */
const isLater = (store: Store, id: ProcessId, event: ProcessEvent): Effect.Effect<boolean, StoreError> =>
  Effect.map(
    readable(`of \`${id}\``, store.find(id)),
    (found) => found._tag !== "Present" || found.row.sequence >= event.sequence
  )

const folded = (folding: Folding, event: ProcessEvent): Folding => {
  const { sequence, semantics } = event
  const advanced = Either.try(() => Step.advance(processMachine, folding.snapshot, lifecycleEventOf(event)).snapshot)
  const expected = folding.last + 1
  return {
    snapshot: Either.getOrElse(advanced, () => folding.snapshot),
    last: sequence,
    hasEnded: folding.hasEnded || semantics.terminal !== undefined,
    found: [
      ...folding.found,
      ...(sequence === expected ? [] : [{ field: `log/${expected}`, stored: sequence, folded: expected }]),
      ...(Either.isRight(advanced) ? [] : [{ field: `log/${sequence}/payload`, stored: event.payload }]),
      ...(folding.hasEnded && semantics.terminal !== undefined
        ? [{ field: `log/${sequence}/semantics/terminal`, stored: semantics.terminal.state }]
        : [])
    ]
  }
}

/**
 * What is wrong with a journal. A position may be missing: its operation failed before it was written. One that is there twice
 * means that a replay may take the wrong one.
 */
const misplaced = (journal: ReadonlyArray<JournalEntry>): Folding["found"] => {
  const keys = new Set<string>()
  let last = 0
  return journal
    .toSorted((one, other) => one.position - other.position)
    .flatMap(({ key, position }) => {
      const isNext = Number.isSafeInteger(position) && position > last
      const isKnown = keys.has(key)
      keys.add(key)
      last = position
      return [
        ...(isNext ? [] : [{ field: `journal/${position}`, stored: position }]),
        ...(isKnown ? [{ field: `journal/${position}/key`, stored: key }] : [])
      ]
    })
}

/** The places where two plain values differ, as paths below `field`. */
const differing = (field: string, stored: unknown, recomputed: unknown): Folding["found"] => {
  if (isBranch(stored) && isBranch(recomputed) && Array.isArray(stored) === Array.isArray(recomputed)) {
    const keys = new Set([...Object.keys(stored), ...Object.keys(recomputed)])
    return [...keys].flatMap((key) => {
      const name = key.replaceAll("~", "~0").replaceAll("/", "~1")
      return differing(field === "" ? name : `${field}/${name}`, own(stored, key), own(recomputed, key))
    })
  }
  if (stored === recomputed) return []
  return [
    {
      field,
      ...(stored === undefined ? {} : { stored }),
      ...(recomputed === undefined ? {} : { folded: recomputed })
    }
  ]
}

const isBranch = (value: unknown): value is object => typeof value === "object" && value !== null

const own = (value: object, key: string): unknown =>
  Object.hasOwn(value, key) ? (value as Readonly<Record<string, unknown>>)[key] : undefined

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
