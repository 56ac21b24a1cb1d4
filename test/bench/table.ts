/**
 * The figures as a table for people.
 */
import type { Target } from "./Contest.ts"
import type { Figure } from "./figures.ts"

const header = ["contest", "figure", "median", "unit", "lowest … highest run", "ratio", "target", "met?"]

/** Which columns hold numbers, and are aligned to the right. */
const numeric = new Set([2, 5])

/** Lines of aligned columns; a contest's name stands in its first line only. */
export const tableOf = (figures: ReadonlyArray<Figure>): string => {
  const rows = figures.map((figure, index) => rowOf(figure, figures[index - 1]?.contest !== figure.contest))
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: ReadonlyArray<string>): string =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return numeric.has(column) ? cell.padStart(width) : cell.padEnd(width)
      })
      .join("  ")
      .trimEnd()
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n")
}

const rowOf = (figure: Figure, isFirst: boolean): ReadonlyArray<string> => [
  isFirst ? figure.contest : "",
  figure.name,
  numberOf(figure.figure),
  figure.unit,
  `${numberOf(Math.min(...figure.runs))} … ${numberOf(Math.max(...figure.runs))}`,
  figure.ratio === undefined ? "" : figure.ratio.toFixed(3),
  figure.target === undefined ? "" : targetText(figure.target, figure.unit),
  figure.met === undefined ? "" : figure.met ? "yes" : "no"
]

const targetText = ({ of, min, max }: Target, unit: string): string => {
  const bounds = min === undefined ? `≤ ${max}` : max === undefined ? `≥ ${min}` : `${min} … ${max}`
  return of === "ratio" ? `ratio ${bounds}` : `${bounds} ${unit}`
}

/** Three significant digits and more, with thousands apart. */
const numberOf = (value: number): string => {
  if (!Number.isFinite(value)) return "-"
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
