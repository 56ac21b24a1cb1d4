/**
 * The order in which the turns of a body's own pauses came among the ends of its operations, as its journal knows it.
 *
 * A pause takes its time, and what is recorded takes none when a body runs again: of two pauses another one would be over first. So
 * turns that others could have come before are journaled, with the next write, and are given in that order again. A pause is known
 * by the scopes it is in, and by its number there.
 */
import * as FiberRef from "effect/FiberRef"
import type { JournalEntry } from "../../model/JournalEntry.ts"
import type { AnyFiber } from "./lineage.ts"

/** The path of scopes that a fiber of a body is in; each branch of a body has its own. */
export const scopePath: FiberRef.FiberRef<string> = FiberRef.unsafeMake("")

/** Pauses of one scope whose turns came one after the other, with nothing in between: from the first of them to the last. */
export interface Turned {
  readonly path: string
  readonly from: number
  readonly to: number
  /** How many ends had been handed over before. */
  readonly after: number
}

/** A pause, as it is known in every activation. */
export interface PauseName {
  readonly path: string
  readonly number: number
}

/** The order of the turns of one body. */
export interface TurnOrder {
  /** Takes over what is recorded. */
  readonly begin: (recorded: ReadonlyArray<Turned>) => void
  /** Names the pause that a fiber begins. */
  readonly name: (fiber: AnyFiber) => PauseName
  /** Whether the turn of a pause is recorded, and has not been given in this activation. */
  readonly isRecorded: (pause: PauseName) => boolean
  /** The pause whose turn came next, once as many ends were handed over as had been then. */
  readonly next: () => PauseName | undefined
  /** An end was handed over. */
  readonly handed: () => void
  /** How many ends were handed over. */
  readonly ends: () => number
  /** A turn was given; it is kept for the next write where another could have come before it, unless it is recorded. */
  readonly given: (pause: PauseName, isContested: boolean) => void
  /** What is to go with a write that is about to be made, which calls `written` at its end if this is something. */
  readonly unwritten: () => ReadonlyArray<Turned>
  readonly written: () => void
  /** Whether a turn that was given is in no write so far, or in one that is under way. */
  readonly open: () => "unwritten" | "under way" | undefined
}

/** How many stretches of turns are kept until the next write. A body with more of them between two writes waits for nothing. */
const mostKept = 10_000

/** Makes the order of the turns of a body that begins. */
export const make = (): TurnOrder => {
  const numbers = new Map<string, number>()
  const recorded: Array<Turned> = []
  /** The turns that are recorded and were not given, by path. */
  const due = new Map<string, Set<number>>()
  let kept: Array<Turned> = []
  let writes = 0
  let ends = 0

  const isRecorded = ({ path, number }: PauseName): boolean => due.get(path)?.has(number) === true

  return {
    begin: (turns) => {
      for (const turned of turns) {
        recorded.push(turned)
        const numbersOf = due.get(turned.path) ?? new Set()
        due.set(turned.path, numbersOf)
        for (let number = turned.from; number <= turned.to; number++) numbersOf.add(number)
      }
      recorded.reverse()
    },
    name: (fiber) => {
      const path = fiber.getFiberRef(scopePath)
      const number = (numbers.get(path) ?? 0) + 1
      numbers.set(path, number)
      return { path, number }
    },
    isRecorded,
    next: () => {
      // The list is in reverse: its last is the next one.
      for (let turned = recorded.at(-1); turned !== undefined; turned = recorded.at(-1)) {
        const { path, from, to, after } = turned
        for (let number = from; number <= to; number++) {
          if (!isRecorded({ path, number })) continue
          // What was given is not looked at again: a stretch may be of thousands.
          recorded[recorded.length - 1] = { ...turned, from: number }
          return ends >= after ? { path, number } : undefined
        }
        recorded.pop()
      }
      return undefined
    },
    handed: () => {
      ends++
    },
    ends: () => ends,
    given: (pause, isContested) => {
      const { path, number } = pause
      if (due.get(path)?.delete(number) === true) return
      const last = kept.at(-1)
      const continues = last !== undefined && last.path === path && last.to === number - 1 && last.after === ends
      if (continues) kept[kept.length - 1] = { ...last, to: number }
      else if (isContested && kept.length < mostKept) kept.push({ path, from: number, to: number, after: ends })
    },
    unwritten: () => {
      const turns = kept
      kept = []
      if (turns.length > 0) writes++
      return turns
    },
    written: () => {
      writes--
    },
    open: () => (writes > 0 ? "under way" : kept.length > 0 ? "unwritten" : undefined)
  }
}

/** Turns as the outcome of an entry. */
export const toOutcome = (turns: ReadonlyArray<Turned>): unknown =>
  turns.map(({ path, from, to, after }) => [path, from, to, after])

/** The turns that an entry records. */
export const turnsOf = ({ operation, outcome }: JournalEntry): ReadonlyArray<Turned> =>
  operation === "turns" && Array.isArray(outcome)
    ? outcome.map(([path, from, to, after]) => ({ path, from, to, after })) // as written above
    : []
