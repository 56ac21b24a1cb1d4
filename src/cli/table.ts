/**
 * Tables for people: aligned, and as wide as the terminal at most.
 *
 * Invariant: no line is wider than the width given, unless every column is at its least. Columns give way in the order that
 * they declare, so that what must be copied (an id) is cut last.
 */
import type { Paint, Screen } from "./Screen.ts"
import { cut, padded, widthOf } from "./text.ts"

/** A column. The lowest `yields` gives way first; `least` is the width below which it does not shrink. */
export interface Column {
  readonly title: string
  readonly yields: number
  readonly least: number
  readonly align?: "left" | "right"
}

/** A cell: its text, and how it is painted. */
export type Cell = string | { readonly text: string; readonly paint: Paint }

const gap = "  "

/** The lines of a table, its header first. */
export const table = (
  screen: Pick<Screen, "width" | "paint">,
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>
): ReadonlyArray<string> => {
  const texts = rows.map((row) => row.map(textOf))
  const natural = columns.map(({ title }, index) =>
    Math.max(widthOf(title), ...texts.map((row) => widthOf(row[index] ?? "")))
  )
  const widths = fitted(columns, natural, screen.width)
  const line = (cells: ReadonlyArray<Cell>): string =>
    columns
      .map(({ align }, index) => {
        const cell = cells[index] ?? ""
        const width = widths[index] ?? 0
        const isLast = index === columns.length - 1
        const shown = cut(textOf(cell), width)
        const filled = isLast && align !== "right" ? shown : padded(shown, width, align === "right" ? "right" : "left")
        return typeof cell === "string" ? filled : screen.paint(cell.paint, filled)
      })
      .join(gap)
      .trimEnd()
  return [line(columns.map(({ title }) => ({ text: title, paint: "faint" }))), ...rows.map(line)]
}

const textOf = (cell: Cell): string => (typeof cell === "string" ? cell : cell.text)

const fitted = (
  columns: ReadonlyArray<Column>,
  natural: ReadonlyArray<number>,
  width: number
): ReadonlyArray<number> => {
  const widths = [...natural]
  const order = columns.map((column, index) => ({ ...column, index })).toSorted((a, b) => a.yields - b.yields)
  let over = widths.reduce((sum, each) => sum + each, gap.length * (columns.length - 1)) - width
  for (const { index, least } of order) {
    if (over <= 0) break
    const given = Math.min(over, Math.max(0, (widths[index] ?? 0) - least))
    widths[index] = (widths[index] ?? 0) - given
    over -= given
  }
  return widths
}
