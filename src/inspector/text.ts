/**
 * Values, lengths of time and names as short, harmless texts, for the page, its server and the command line.
 */

/** A length of time in its largest unit. */
export const spanOf = (ms: number): string => {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`
  // Of less than three days the hours matter, but for whole days.
  if (ms < 86_400_000 || (ms < 259_200_000 && ms % 86_400_000 !== 0)) return `${Math.floor(ms / 3_600_000)} h`
  return `${Math.floor(ms / 86_400_000)} d`
}

/** How long ago something was, or how far ahead it is. */
export const awayOf = (ms: number, nowMs: number): string =>
  nowMs >= ms ? `${spanOf(nowMs - ms)} ago` : `in ${spanOf(ms - nowMs)}`

/** When something is tried again. A moment that has come is now: what is read of a try is always a little older than the try. */
export const againOf = (ms: number, nowMs: number): string => (ms <= nowMs ? "again now" : `again ${awayOf(ms, nowMs)}`)

/** A count with separators. */
export const countOf = (count: number): string => count.toLocaleString("en")

/** A value on one line, cut where it gets long. */
export const brief = (value: unknown, most = 120): string => {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "")
  return text.length > most ? `${text.slice(0, most - 1)}…` : text
}

/** The value of a state as XState has it, as text: `waiting.lead`, regions side by side. */
export const valueText = (value: unknown): string => {
  if (typeof value !== "object" || value === null) return typeof value === "string" ? value : ""
  return Object.entries(value)
    .map(([key, inner]) => [key, valueText(inner)].filter((text) => text !== "").join("."))
    .join(", ")
}

/** A name of the wire, in words. */
export const wordsOf = (name: string): string => name.replaceAll("_", " ")

/**
 * Shows every control character, line break and bidirectional control as an escape.
 *
 * A control character could steer a terminal, and a bidirectional control could show `gnp.exe` as `exe.png`.
 */
export const harmless = (text: string): string =>
  text.replace(/[\n\r\t]/g, (character) => escapes[character] ?? "").replace(unseen, escaped)

/** The same for text that is laid out: line breaks and tabs stay. */
export const harmlessBlock = (text: string): string => text.replace(unseen, escaped)

const unseen = /(?![\n\r\t])\p{Cc}|[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu

const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const escaped = (character: string): string => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`
