/**
 * The journal as one activation uses it: every operation asks it first, and is performed only when it has no entry.
 *
 * A key is scope path, name and occurrence, so that the same code computes the same keys again. Invariant: positions are
 * handed out by the one activation that holds the fence; an entry that is there is never written again.
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import type { StoreError } from "../../model/errors.ts"
import { OutsideProcess, ReplayDiverged, StepNameAmbiguous } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { JournalEntry, JournalOperation } from "../../model/JournalEntry.ts"
import type { Draft } from "../../operations/decisions/execution.ts"

/** A draft without its outcome. */
export type Opened = Omit<Draft, "outcome">

/** Why there is no place for an operation. */
export type Misplaced = StepNameAmbiguous | OutsideProcess

/** The journal of one activation. */
export interface Journal {
  /**
   * Answers from the journal, or performs the operation, which is to journal itself under what it is handed.
   *
   * Fails with `ReplayDiverged` when the entry is another operation's, with `StepNameAmbiguous` when an operation of that
   * name runs in this scope already, with `OutsideProcess` once the body has ended.
   */
  readonly operate: <A, E, R, E2, R2>(
    operation: JournalOperation,
    name: string,
    replay: (outcome: unknown) => Effect.Effect<A, E, R>,
    perform: (opened: Opened) => Effect.Effect<A, E2, R2>
  ) => Effect.Effect<A, E | E2 | ReplayDiverged | Misplaced | StoreError, R | R2>

  /** Names a branch: what runs in it has keys of its own. */
  readonly scope: <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Misplaced, R>

  /** Fails with `ReplayDiverged` when there are entries that the body, which has ended, never asked for. */
  readonly settle: Effect.Effect<void, ReplayDiverged | StoreError>
}

/** The path of scopes that an operation is in; each branch of a body has its own. */
const scopePath = FiberRef.unsafeMake("")

/** What the journal of an activation is made of. */
export interface JournalOptions {
  readonly processId: ProcessId
  /** The first activation has no journal to read. */
  readonly isFirst: boolean
  readonly read: Effect.Effect<ReadonlyArray<JournalEntry>, StoreError>
  /**
   * The state of the body. One that is `leaving` is being handed back: it begins nothing more, since its next activation has
   * nothing to clean up. Once it is `over`, nothing is in its process any more.
   */
  readonly state: () => "open" | "leaving" | "over"
}

/** Makes the journal of an activation. */
export const make = ({ processId, isFirst, read, state }: JournalOptions): Journal => {
  let entries: Map<string, JournalEntry> | undefined = isFirst ? new Map() : undefined
  let written = 0
  const occurrences = new Map<string, number>()
  const underWay = new Set<string>()
  const visited = new Set<string>()

  const loaded: Effect.Effect<Map<string, JournalEntry>, StoreError> = Effect.suspend(() =>
    entries === undefined
      ? Effect.map(read, (all) => {
          // Two branches may read at once: the first one's map is the one that counts.
          entries ??= new Map(all.map((entry) => [entry.key, entry]))
          // An operation that failed before it was written leaves its position empty: the count of entries says too little.
          written = all.reduce((last, { position }) => Math.max(last, position), written)
          return entries
        })
      : Effect.succeed(entries)
  )

  /** Takes the next key of a name; the same name twice at once could not be distinguished by a replay. */
  const exclusively = <A, E, R>(
    name: string,
    use: (key: string) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | Misplaced, R> =>
    Effect.flatMap(FiberRef.get(scopePath), (path) => {
      const place = `${path}${name}`
      return Effect.acquireUseRelease(
        Effect.suspend((): Effect.Effect<string, Misplaced> => {
          if (state() === "over") return Effect.fail(new OutsideProcess({ processId }))
          if (underWay.has(place)) return Effect.fail(new StepNameAmbiguous({ processId, name: place }))
          underWay.add(place)
          const occurrence = (occurrences.get(place) ?? 0) + 1
          occurrences.set(place, occurrence)
          return Effect.succeed(`${place}#${occurrence}`)
        }),
        use,
        () => Effect.sync(() => underWay.delete(place))
      )
    })

  return {
    operate: (operation, name, replay, perform) =>
      exclusively(name, (key) =>
        Effect.flatMap(loaded, (all): Effect.Effect<never, never, never> => {
          const entry = all.get(key)
          if (entry === undefined) {
            // What a finaliser did here would be in the journal of an activation that has nothing to clean up.
            if (state() === "leaving") return Effect.interrupt
            written += 1
            return perform({ key, position: written, operation }) as Effect.Effect<never> // typed by the signature above
          }
          visited.add(key)
          if (entry.operation === operation) return replay(entry.outcome) as Effect.Effect<never> // as above
          return Effect.fail(
            new ReplayDiverged({ processId, key, expected: entry.operation, actual: operation })
          ) as Effect.Effect<never> // as above
        })
      ),
    scope: (name, effect) => exclusively(name, (key) => Effect.locally(effect, scopePath, `${key}/`)),
    settle: Effect.flatMap(loaded, (all) => {
      const missed = [...all.values()].find(({ key }) => !visited.has(key))
      return missed === undefined
        ? Effect.void
        : Effect.fail(new ReplayDiverged({ processId, key: missed.key, expected: missed.operation, actual: "nothing" }))
    })
  }
}
