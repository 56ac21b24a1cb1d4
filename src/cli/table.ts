/**
 * Tables for people: aligned, and as wide as the terminal at most.
 *
 * Invariant: no line is wider than the width given, unless every column is at its least. Columns give way in the order that
 * they declare.
 */

import { harmless } from "../inspector/text.ts"
import type { Paint, Screen } from "./Screen.ts"

/** A column. The lowest `yields` gives way first; `least` is the width below which it does not shrink. */
export interface Column {
  readonly title: string
  readonly yields: number
  readonly least: number
  readonly align?: "left" | "right"
  /** Where a text that does not fit loses letters: ids differ at both ends. @default "end" */
  readonly cut?: "end" | "middle"
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
      .map(({ align, cut: where }, index) => {
        const cell = cells[index] ?? ""
        const width = widths[index] ?? 0
        const isLast = index === columns.length - 1
        const shown = (where === "middle" ? cutInside : cut)(textOf(cell), width)
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

export { harmless } from "../inspector/text.ts"

/** How many columns a text takes. */
export const widthOf = (text: string): number => {
  let width = 0
  for (const character of text) width += columnsOf(character)
  return width
}

/** Cuts a text to a width, with an ellipsis where something is missing. */
export const cut = (text: string, width: number): string => {
  if (widthOf(text) <= width) return text
  let kept = ""
  let used = 0
  for (const character of text) {
    const columns = columnsOf(character)
    if (used + columns > width - 1) break
    kept += character
    used += columns
  }
  return width < 1 ? "" : `${kept}…`
}

/** Cuts letters out of the middle of a text, so that both its ends show. */
export const cutInside = (text: string, width: number): string => {
  if (widthOf(text) <= width) return text
  const head = cut(text, Math.ceil((width + 1) / 2))
  let tail = ""
  for (const character of [...text].toReversed()) {
    if (widthOf(head) + widthOf(tail) + columnsOf(character) > width) break
    tail = `${character}${tail}`
  }
  return `${head}${tail}`
}

/** Fills a text up to a width. */
export const padded = (text: string, width: number, side: "left" | "right" = "left"): string => {
  const space = " ".repeat(Math.max(0, width - widthOf(text)))
  return side === "left" ? text + space : space + text
}

/** Breaks a text at spaces into lines of at most a width; a longer word gets its own line, uncut. */
export const wrapped = (text: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(" ")) {
    if (line !== "" && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line)
      line = word
    } else {
      line = line === "" ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}

/** A value as compact, harmless JSON; long ones are cut where they are shown. */
export const compact = (value: unknown): string => harmless(JSON.stringify(value) ?? "")

const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u

const columnsOf = (character: string): number => {
  if (/\p{Mark}|\u200d/u.test(character)) return 0
  return wide.test(character) ? 2 : 1
}
