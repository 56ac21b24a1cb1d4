/**
 * A contest: something that is measured, the raw baseline it is held against, and the figures that come of it.
 *
 * Invariant: a target stands beside its figure and is never asserted. Whoever reads the table judges.
 */
import type { RawVariant } from "./baseline.ts"

/** What one timed run measured, by name. Units are in the names. */
export type Run = Readonly<Record<string, number>>

/** What a figure should be. `of` says whether the figure itself or its ratio is held against the bounds. */
export interface Target {
  readonly of: "figure" | "ratio"
  readonly min?: number
  readonly max?: number
}

/** Something that a figure is held against. `raw` is the run of the contest's own baseline. */
export interface Rival {
  /** Names it in a table, in few words. */
  readonly what: string
  readonly value: (run: Run, raw: Run) => number
}

/** One line of the table: how it is read from a run, and from the run of the baseline before it. */
export interface FigureSpec {
  readonly name: string
  readonly unit: string
  readonly value: (run: Run) => number
  /** What was measured in the same round and shares a line with it: the ratio is the value divided by this. */
  readonly against?: Rival
  readonly target?: Target
}

/** What is measured. A contest without `measure` measures its baseline only. */
export interface Contest {
  readonly id: string
  /** The baseline that runs immediately before each run of the subject. */
  readonly baseline?: RawVariant
  /** Runs once, on files of its own in `folder`. Units: seconds. */
  readonly measure?: (folder: string, seconds: number) => Promise<Run>
  readonly figures: ReadonlyArray<FigureSpec>
  /** Whether one run is enough, because it is long and its figure hardly differs; it is not warmed up. @default false */
  readonly once?: boolean
  /** Whether another library is measured, whose packages are installed for that: only where it is asked for. @default false */
  readonly isPeer?: boolean
  /** Why it cannot be held on this machine, as a clause; it is then left out. @default it can */
  readonly without?: () => string | undefined
}

/** Reads a measurement by its name. A run that lacks it was measured by another version of the contest: NaN. */
export const reading =
  (name: string) =>
  (run: Run): number =>
    run[name] ?? Number.NaN

/** The same measurement of the contest's baseline. */
export const ofRaw = (name: string): Rival => ({ what: "raw", value: (_, raw) => reading(name)(raw) })

/** Another measurement of the same run. */
export const ofRun = (what: string, name: string): Rival => ({ what, value: reading(name) })
