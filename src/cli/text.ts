/**
 * Texts that fit: harmless, of a known width, cut or wrapped.
 *
 * Units: widths are columns of a terminal, where an ideogram or an emoji takes two and a combining mark none.
 */

import { harmless } from "../inspector/page/harmless.ts"

export { harmless } from "../inspector/page/harmless.ts"

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

/** Fills a text up to a width. */
export const padded = (text: string, width: number, side: "left" | "right" = "left"): string => {
  const space = " ".repeat(Math.max(0, width - widthOf(text)))
  return side === "left" ? text + space : space + text
}

/** Breaks a text at spaces into lines of at most a width; a word that is longer stands alone, uncut. */
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
