/**
 * The figures as a table: for people at a terminal, and in Markdown.
 */
import type { Target } from "./Contest.ts"
import type { Figure } from "./figures.ts"

const header = [
  "contest",
  "figure",
  "median",
  "unit",
  "lowest … highest run",
  "held against",
  "ratio",
  "target",
  "verdict"
]

/** Which columns hold numbers, and are aligned to the right. */
const numeric = new Set([2, 5, 6])

/** Lines of aligned columns; a contest's name stands in its first line only. */
export const tableOf = (figures: ReadonlyArray<Figure>): string => {
  const rows = rowsOf(figures)
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

/** The same table in Markdown. */
export const markdownOf = (figures: ReadonlyArray<Figure>): string =>
  [header, header.map((_, column) => (numeric.has(column) ? "---:" : "---")), ...rowsOf(figures)]
    .map((row) => `| ${row.join(" | ")} |`)
    .join("\n")

const rowsOf = (figures: ReadonlyArray<Figure>): ReadonlyArray<ReadonlyArray<string>> =>
  figures.map((figure, index) => rowOf(figure, figures[index - 1]?.contest !== figure.contest))

const rowOf = (figure: Figure, isFirst: boolean): ReadonlyArray<string> => [
  isFirst ? figure.contest : "",
  figure.name,
  numberOf(figure.figure),
  figure.unit,
  `${numberOf(Math.min(...figure.runs))} … ${numberOf(Math.max(...figure.runs))}`,
  figure.beside === undefined ? "" : `${figure.beside.what}: ${numberOf(figure.beside.figure)}`,
  figure.ratio === undefined ? "" : figure.ratio.toFixed(3),
  figure.target === undefined ? "" : targetText(figure.target, figure.unit),
  figure.missedBy === undefined ? "" : verdictOf(figure.missedBy)
]

/** What a target came out as. */
export const verdictOf = (missedBy: number): string => {
  if (Number.isNaN(missedBy)) return "not measured"
  return missedBy === 0 ? "reached" : `missed by ${Math.max(1, Math.round(missedBy * 100))} %`
}

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
