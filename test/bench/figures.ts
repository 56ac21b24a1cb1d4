/**
 * From bouts to figures: the median of the runs, the median of the ratios of each round, and whether the target is met.
 */
import type { RawVariant } from "./baseline.ts"
import { nameOf, variants } from "./baseline.ts"
import type { Contest, FigureSpec, Run, Target } from "./Contest.ts"
import { rawFigures } from "./contests.ts"
import type { Bout, Bouts } from "./rounds.ts"
import { median } from "./statistics.ts"

/** One line of the result. A ratio or target that a figure has not is absent. */
export interface Figure {
  readonly contest: string
  readonly name: string
  readonly unit: string
  /** The median of `runs`. */
  readonly figure: number
  readonly runs: ReadonlyArray<number>
  /** The median of what it is held against. */
  readonly beside?: { readonly what: string; readonly figure: number }
  /** The median of `ratios`, which are taken within one round each. */
  readonly ratio?: number
  readonly ratios?: ReadonlyArray<number>
  readonly target?: Target
  /** By which share of the bound the target was missed: 0 when it was reached, NaN when nothing was measured. */
  readonly missedBy?: number
}

/** All figures: first those of the baselines that ran, then those of each contest. */
export const figuresOf = (contests: ReadonlyArray<Contest>, bouts: Bouts): ReadonlyArray<Figure> => [
  ...variants.flatMap((variant) => rawFiguresOf(variant, contests, bouts)),
  ...contests.flatMap((contest) =>
    contest.figures.map((spec) => figureOf(contest.id, spec, (bouts.get(contest.id) ?? []).flatMap(comparable)))
  )
]

/** The run of a subject, and that of its baseline before it. */
export interface Comparable {
  readonly run: Run
  readonly raw: Run | undefined
}

const comparable = ({ subject, raw }: Bout): ReadonlyArray<Comparable> =>
  subject === undefined ? [] : [{ run: subject, raw }]

/** A baseline's figures are taken over all its runs, beside whichever subject. */
const rawFiguresOf = (variant: RawVariant, contests: ReadonlyArray<Contest>, bouts: Bouts): ReadonlyArray<Figure> => {
  const name = nameOf(variant)
  const runs = contests
    .filter(({ baseline }) => baseline !== undefined && nameOf(baseline) === name)
    .flatMap(({ id }) => bouts.get(id) ?? [])
    .flatMap(({ raw }) => (raw === undefined ? [] : [{ run: raw, raw: undefined }]))
  return runs.length === 0 ? [] : rawFigures.map((spec) => figureOf(name, spec, runs))
}

/** One figure of so many runs, each with the run of the baseline before it. */
export const figureOf = (contest: string, spec: FigureSpec, bouts: ReadonlyArray<Comparable>): Figure => {
  const { name, unit, value, against, target } = spec
  const runs = bouts.map(({ run }) => value(run))
  const figure = median(runs)
  const besides = against && bouts.map(({ run, raw }) => against.value(run, raw ?? {}))
  const ratios = besides?.map((beside, round) => (runs[round] ?? Number.NaN) / beside)
  const ratio = ratios && median(ratios)
  return {
    contest,
    name,
    unit,
    figure,
    runs,
    ...(besides === undefined || ratios === undefined || ratio === undefined
      ? {}
      : { beside: { what: against?.what ?? "", figure: median(besides) }, ratio, ratios }),
    ...(target === undefined ? {} : { target, missedBy: missedBy(target, target.of === "ratio" ? ratio : figure) })
  }
}

/** By which share of its bound a value misses a target; 0 when it reaches it. */
export const missedBy = ({ min, max }: Target, value = Number.NaN): number => {
  if (Number.isNaN(value)) return Number.NaN
  if (min !== undefined && value < min) return 1 - value / min
  return max !== undefined && value > max ? value / max - 1 : 0
}
