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
  /** The median of `ratios`, which are taken within one round each. */
  readonly ratio?: number
  readonly ratios?: ReadonlyArray<number>
  readonly target?: Target
  readonly met?: boolean
}

/** All figures: first those of the baselines that ran, then those of each contest. */
export const figuresOf = (contests: ReadonlyArray<Contest>, bouts: Bouts): ReadonlyArray<Figure> => [
  ...variants.flatMap((variant) => rawFiguresOf(variant, contests, bouts)),
  ...contests.flatMap((contest) =>
    contest.figures.map((spec) => figureOf(contest.id, spec, (bouts.get(contest.id) ?? []).flatMap(comparable)))
  )
]

interface Comparable {
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

const figureOf = (contest: string, spec: FigureSpec, bouts: ReadonlyArray<Comparable>): Figure => {
  const { name, unit, value, ratio, target } = spec
  const runs = bouts.map(({ run }) => value(run))
  const ratios = ratio && bouts.map(({ run, raw }) => ratio(run, raw ?? {}))
  const figure = median(runs)
  const ratioOrNone = ratios && median(ratios)
  return {
    contest,
    name,
    unit,
    figure,
    runs,
    ...(ratios === undefined || ratioOrNone === undefined ? {} : { ratio: ratioOrNone, ratios }),
    ...(target === undefined ? {} : { target, met: isMet(target, target.of === "ratio" ? ratioOrNone : figure) })
  }
}

const isMet = (
  { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: Target,
  value = Number.NaN
): boolean => value >= min && value <= max
