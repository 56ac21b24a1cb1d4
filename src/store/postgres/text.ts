/**
 * Text as PostgreSQL can keep it, which has no U+0000: that character is written as two others. The order of texts stays as it is.
 *
 * JSON escapes such characters, so that this concerns ids, keys and names only.
 */

const nul = "\u0000"
const mark = "\u0001"

/** Writes U+0000 as U+0001 U+0001, and U+0001 as U+0001 U+0002. */
export const encoded = (text: string): string =>
  text.includes(nul) || text.includes(mark)
    ? text.replaceAll(mark, `${mark}\u0002`).replaceAll(nul, `${mark}${mark}`)
    : text

/** Reads what {@link encoded} wrote. */
export const decoded = (text: string): string =>
  text.includes(mark) ? text.replaceAll(pair, (each) => (each === `${mark}${mark}` ? nul : mark)) : text

const pair = new RegExp(`${mark}[${mark}\u0002]`, "g")

/** A parameter of a statement, with its texts encoded. */
export const parameter = (value: unknown): unknown =>
  typeof value === "string" ? encoded(value) : Array.isArray(value) ? value.map(parameter) : value

/** Whether JSON text may hold one of the characters, escaped. */
export const mayBeSpecial = (json: string): boolean => json.includes("\\u0000") || json.includes("\\u0001")
