/**
 * The journal as one activation uses it: the key of each operation, what was recorded under it, and the places of what is
 * written now.
 *
 * A key is scope path, name and occurrence, so that the same code computes the same keys again. Invariant: positions are
 * handed out by the one activation that holds the fence, in the order of its writes; an entry never changes.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Fiber from "effect/Fiber"
import type * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as Option from "effect/Option"
import type { LeaseLost } from "../../model/errors.ts"
import { InsideStep, OutsideProcess, ReplayDiverged, StepNameAmbiguous, StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { JournalEntry, JournalOperation } from "../../model/JournalEntry.ts"
import { branchKey, droppedOf, turnsKey, waitKeyOf } from "../../model/JournalEntry.ts"
import type { Lease } from "../../model/Lease.ts"
import type { Draft } from "../../operations/decisions/execution.ts"
import type { Change, ProcessRow } from "../../store/Decision.ts"
import { backOff } from "../retry.ts"
import type { Activation } from "./Activation.ts"
import { answered, fenced, outage, stateOf } from "./Activation.ts"
import type { End } from "./End.ts"
import { workScheduler } from "./fairScheduler.ts"
import type { Decoded, History } from "./history.ts"
import { decoded, endsOf, historyOf, pageSize, pages, recordedEnd } from "./history.ts"
import { scopePath, toOutcome, turnsOf } from "./turnOrder.ts"

/** A draft without its outcome. */
export type Opened = Omit<Draft, "outcome">

/** Why there is no place for an operation. */
export type Misplaced = StepNameAmbiguous | OutsideProcess | InsideStep

/** The journal of one activation. */
export interface Journal {
  /** Reads what happened before this activation. The body begins after it. */
  readonly load: Effect.Effect<void>
  /**
   * Takes the next key of a name in the scope that a fiber is in, until `leave`.
   *
   * Refuses with `OutsideProcess` once the body has ended, with `InsideStep` under a running step, and, where one name may be
   * under way only once, with `StepNameAmbiguous`.
   */
  readonly enter: (
    fiber: Fiber.RuntimeFiber<unknown, unknown>,
    operation: JournalOperation | "scope",
    name: string
  ) => Either.Either<Place, Misplaced>
  /** What was recorded under a key; `ReplayDiverged` when it is another operation's. */
  readonly recorded: (
    key: string,
    operation: JournalOperation
  ) => Either.Either<JournalEntry | undefined, ReplayDiverged>
  /** Whether the body let go of an operation before it saw its end. */
  readonly isDropped: (key: string) => boolean
  /** The key under which something is kept beside the journal: after a fork, an operation of the same key is another one. */
  readonly branched: (key: string) => string
  /** What was kept of the progress of a step, by the key under which that is kept: that of earlier tries once it was read. */
  readonly progress: Map<string, unknown>
  readonly readProgress: Effect.Effect<void>
  /** Whether there are entries that the body has not asked for. */
  readonly hasMore: () => boolean
  /** Keeps an outcome that needs no commit of its own: it goes with the next write. */
  readonly keep: (key: string, operation: JournalOperation, outcome: unknown) => void
  /**
   * Makes a write that journals under a place of its own, until the store answers it; answers the entry's place.
   *
   * Later ends wait until `settle`, which the caller calls once it has announced what it waits for.
   */
  readonly write: <A, E extends { readonly _tag: string }>(
    key: string,
    operation: JournalOperation,
    attempt: (lease: Lease, opened: Opened) => Effect.Effect<A, E>
  ) => Effect.Effect<Written<A>, Exclude<E, StoreError> | LeaseLost>
  /** Takes up what a commit of this host did to the process. */
  readonly observe: (change: Change) => void
  /** Reads what other hosts have done to the process, as far as its present row says that they have. */
  readonly refresh: (present: ProcessRow) => Effect.Effect<void, StoreError>
  /** Names a branch: what runs in it has keys of its own. */
  readonly scope: <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Misplaced, R>
  /** Whether a fiber is that of a running step. */
  readonly isInside: (fiber: Fiber.RuntimeFiber<unknown, unknown>) => boolean
  /** Makes a fiber, from here on, that of a step: it is work, and may not use the context. */
  readonly inside: (step: string) => Effect.Effect<void>
  /** Fails with `ReplayDiverged` when there are entries that the body, which has ended, never asked for. */
  readonly settle: Effect.Effect<void, ReplayDiverged>
}

/** A key that was taken. */
export interface Place {
  readonly key: string
  readonly leave: () => void
}

/** A write that the store has answered, and where its entry is. An answer that was lost is absent. */
export interface Written<A> {
  readonly answer: A | undefined
  readonly position: number
  /** The entry, where it had to be read back. */
  readonly entry: JournalEntry | undefined
  readonly settle: () => void
}

/** The step that is running, by process and name. */
const runningStep = FiberRef.unsafeMake<{ readonly processId: ProcessId; readonly step: string } | undefined>(undefined)

/** Where a body begins: a child is begun by a fiber of its parent's body, and its own keys begin anew. */
export const atRoot = (fiber: FiberId.Single, refs: FiberRefs.FiberRefs): FiberRefs.FiberRefs =>
  FiberRefs.updateManyAs(refs, {
    entries: [
      [scopePath, [[fiber, ""]]],
      [runningStep, [[fiber, undefined]]]
    ]
  })

/** Makes the journal of an activation; ends go to its `ends`. */
export const make = (activation: Activation): Journal => {
  const { id: processId, ends, row } = activation
  const store = activation.services.writes
  const isFirst = row.snapshot.context.activations <= 1
  const entries = new Map<string, JournalEntry>()
  const occurrences = new Map<string, number>()
  const underWay = new Set<string>()
  const progress = new Map<string, unknown>()
  const visited = new Set<string>()
  const dropped = new Set<string>()
  const kept: Array<Omit<JournalEntry, "sequence" | "atMs">> = []
  let written = 0
  /** Up to this sequence every event of the log is known here. */
  let seen = row.sequence
  /** The latest sequence that is known to exist. */
  let latest = row.sequence
  let isLoaded = false

  const isOver = (): boolean => stateOf(activation) === "over"

  const insisting = <A, E>(read: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.retry(
      Effect.tapError(read, () => outage(activation)),
      { while: () => !isOver(), schedule: backOff }
    )

  const begin = ({ upTo, journal, left, news }: History): void => {
    for (const entry of journal) {
      entries.set(entry.key, entry)
      if (entry.operation === "dropped") dropped.add(droppedOf(entry))
    }
    for (const { position } of [...journal, ...left]) written = Math.max(written, position)
    // What was committed while this was read is read by catching up.
    seen = Math.max(upTo, news.at(-1)?.sequence ?? 0)
    const waits = new Set<string>()
    // What forks left behind is as nothing to the body.
    const droppedWaits = new Set(left.flatMap((entry) => waitKeyOf(entry) ?? []))
    for (const entry of journal) {
      const waitKey = waitKeyOf(entry)
      if (waitKey !== undefined) (dropped.has(entry.key) ? droppedWaits : waits).add(waitKey)
    }
    // Nor did it see the ends of what it let go of.
    const wasSeen = (end: End): boolean =>
      end._tag === "Recorded" ? !dropped.has(end.key) : end._tag !== "WaitEnded" || !droppedWaits.has(end.waitKey)
    ends.order.begin(journal.flatMap(turnsOf))
    ends.begin([...endsOf(news.map(decoded)), ...journal.flatMap(recordedEnd)].filter(wasSeen), waits)
  }

  const caughtUp = Effect.suspend(() => {
    isLoaded = true
    return latest > seen ? Effect.orDie(insisting(catchUp)) : Effect.void
  })
  // A first activation has nothing to read, and sets nothing up.
  const load = isFirst
    ? Effect.suspend(() => {
        ends.begin([])
        return caughtUp
      })
    : Effect.zipRight(Effect.map(Effect.orDie(insisting(historyOf(activation))), begin), caughtUp)

  /** Few bodies have steps that say how far they are: it is read when the first of them begins. */
  let isProgressRead = isFirst
  const readProgress = Effect.suspend(() =>
    isProgressRead
      ? Effect.void
      : Effect.map(answered(activation, store.progressOf(processId)), (before) => {
          if (!isProgressRead) for (const { key, detail } of before) progress.set(key, detail)
          isProgressRead = true
        })
  )

  const take = (events: ReadonlyArray<Decoded>): void => {
    for (const end of endsOf(events)) ends.arrive(end)
  }

  const catchUp: Effect.Effect<void, StoreError> = Effect.suspend(() => {
    const settle = ends.writing()
    const upTo = latest
    return pages(
      (after) => store.news(processId, { after: Math.max(after, seen), limit: pageSize }),
      ({ sequence }) => sequence
    ).pipe(
      Effect.map((events) => {
        take(events.filter(({ sequence }) => sequence > seen).map(decoded))
        seen = Math.max(seen, upTo, events.at(-1)?.sequence ?? 0)
      }),
      Effect.ensuring(Effect.sync(settle))
    )
  })

  const learn = (sequence: number): Effect.Effect<void, StoreError> =>
    Effect.suspend(() => {
      latest = Math.max(latest, sequence)
      return latest > seen && isLoaded ? catchUp : Effect.void
    })

  const diverged = ({ position, key, operation }: JournalEntry, asked: JournalOperation | undefined): ReplayDiverged =>
    new ReplayDiverged({ processId, position, key, expected: operation, actual: asked ?? "nothing" })

  const unasked = (): ReadonlyArray<JournalEntry> =>
    [...entries.values()].filter(({ key, operation }) => !isNote(operation) && !visited.has(key))

  const enter: Journal["enter"] = (fiber, operation, name) => {
    const running = fiber.getFiberRef(runningStep)
    const place = `${fiber.getFiberRef(scopePath)}${name}`
    const once = operation === "step" || operation === "scope"
    if (isOver()) return Either.left(new OutsideProcess({ processId }))
    if (running?.processId === processId) {
      return Either.left(new InsideStep({ processId, step: running.step, operation: `ctx.${calls[operation]}` }))
    }
    if (once && underWay.has(place)) return Either.left(new StepNameAmbiguous({ processId, name: place }))
    if (once) underWay.add(place)
    const occurrence = (occurrences.get(place) ?? 0) + 1
    occurrences.set(place, occurrence)
    return Either.right({ key: `${place}#${occurrence}`, leave: once ? () => underWay.delete(place) : () => {} })
  }

  const write: Journal["write"] = <A, E extends { readonly _tag: string }>(
    key: string,
    operation: JournalOperation,
    attempt: (lease: Lease, opened: Opened) => Effect.Effect<A, E>
  ) =>
    Effect.suspend(() => {
      const settle = ends.writing()
      const turns = ends.order.unwritten()
      if (turns.length > 0) {
        kept.push({
          key: turnsKey(written + kept.length + 1),
          operation: "turns",
          outcome: toOutcome(turns),
          position: 0
        })
      }
      const before = kept.length === 0 ? [] : kept.splice(0).map((entry) => ({ ...entry, position: ++written }))
      const position = ++written
      const opened: Opened =
        before.length === 0 ? { key, position, operation } : { key, position, operation, after: before }
      const once = Effect.map(
        fenced(activation, (lease) => attempt(lease, opened)),
        (answer): Written<A> => ({
          answer,
          position,
          entry: undefined,
          settle
        })
      )
      /** Without an answer the entry may be there: only the store knows. A write that is answered at once sets none of this up. */
      const repeated = () =>
        Effect.flatMap(store.entryAt(processId, position), (entry) =>
          entry === undefined ? once : Effect.succeed<Written<A>>({ answer: undefined, position, entry, settle })
        ).pipe(
          Effect.tapError((error) => (isOutage(error) ? outage(activation) : Effect.void)),
          Effect.retry({ while: (error) => isOutage(error) && !isOver(), schedule: backOff })
        )
      const over = (): void => {
        if (turns.length > 0) ends.order.written()
      }
      const refused = (cause: Cause.Cause<E | LeaseLost | StoreError>) => {
        // What went with a write that was refused goes with the next one.
        kept.unshift(...before)
        over()
        settle()
        return Effect.failCause(cause)
      }
      const answer = Effect.catchAllCause(once, (cause) =>
        isOutage(Option.getOrUndefined(Cause.failureOption(cause)))
          ? Effect.catchAllCause(Effect.zipRight(outage(activation), repeated()), refused)
          : refused(cause)
      ) as Effect.Effect<Written<A>, Exclude<E, StoreError> | LeaseLost> // an outage ends with an answer, or with the body
      return turns.length === 0 ? answer : Effect.tap(answer, () => Effect.sync(over))
    })

  /** Turns that no other write has. A body that has lost its lease learns of it from its next write. */
  const writeTurns = Effect.suspend(() => {
    if (ends.order.open() !== "unwritten") return Effect.void
    const outcome = toOutcome(ends.order.unwritten())
    return write(turnsKey(written + kept.length + 1), "turns", (lease, opened) =>
      store.record(lease, { ...opened, outcome })
    ).pipe(
      Effect.ensuring(Effect.sync(ends.order.written)),
      Effect.map(({ settle }) => settle()),
      Effect.ignore
    )
  })
  ends.writeTurnsBy(writeTurns)

  return {
    load,
    enter,
    recorded: (key, operation) => {
      const entry = entries.get(key)
      if (entry === undefined && !dropped.has(key)) return Either.right(undefined)
      visited.add(key)
      return entry === undefined || entry.operation === operation
        ? Either.right(entry)
        : Either.left(diverged(entry, operation))
    },
    branched: (key) => branchKey(key, row.snapshot.context.forks),
    progress,
    readProgress,
    isDropped: (key) => dropped.has(key),
    hasMore: () => unasked().length > 0,
    keep: (key, operation, outcome) => {
      kept.push({ key, operation, outcome, position: 0 })
    },
    write,
    observe: ({ before, row: after, events, lifecycle }) => {
      latest = Math.max(latest, after.sequence)
      if (!(isLoaded || isFirst) || after.sequence <= seen) return
      if ((before?.sequence ?? 0) === seen) {
        seen = after.sequence
        return take(events.map((event, index): Decoded => [event, lifecycle[index]]))
      }
      // Another host wrote in between, and what it wrote comes first.
      activation.services.fork(Effect.ignore(insisting(catchUp)))
    },
    refresh: ({ sequence }) => learn(sequence),
    scope: (name, effect) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.withFiberRuntime((fiber) =>
          Either.match(enter(fiber, "scope", name), {
            onLeft: Effect.fail,
            onRight: ({ key, leave }) =>
              Effect.ensuring(restore(Effect.locally(effect, scopePath, `${key}/`)), Effect.sync(leave))
          })
        )
      ),
    isInside: (fiber) => fiber.getFiberRef(runningStep)?.processId === processId,
    inside: (step) =>
      // Both at once: each change copies all that a fiber inherits.
      Effect.updateFiberRefs((fiber, refs) =>
        FiberRefs.updateManyAs(refs, {
          entries: [
            [runningStep, [[fiber, { processId, step }]]],
            [FiberRef.currentScheduler, [[fiber, workScheduler]]]
          ]
        })
      ),
    settle: Effect.suspend(() => {
      const entry = unasked().find(({ key }) => !dropped.has(key))
      return entry === undefined ? Effect.void : Effect.fail(diverged(entry, undefined))
    })
  }
}

/** What the author of a body calls each operation. */
const calls: Readonly<Record<JournalOperation | "scope", string>> = {
  step: "step",
  sleep: "sleep",
  await_signal: "awaitSignal",
  append_event: "appendEvent",
  start_child: "start",
  signal: "signal",
  now: "now",
  random: "random",
  patched: "patched",
  await_child: "await",
  request: "cancel",
  read: "status",
  turns: "turn",
  dropped: "drop",
  interrupted: "interrupt",
  scope: "scope"
}

/** Whether an entry says something of another one. */
const isNote = (operation: JournalOperation): boolean =>
  operation === "dropped" || operation === "interrupted" || operation === "turns"

const isOutage = (error: unknown): boolean => error instanceof StoreError
