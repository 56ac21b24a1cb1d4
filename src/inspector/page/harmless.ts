/**
 * Makes text of a process harmless to read: a control character could steer a terminal, and a bidirectional control could
 * make `exe.png` of `gnp.exe`.
 */

/** Shows every control character, line break and bidirectional control as an escape. */
export const harmless = (text: string): string =>
  text.replace(/[\n\r\t]/g, (character) => escapes[character] ?? "").replace(unseen, escaped)

/** The same for text that is laid out: line breaks and tabs stay. */
export const harmlessBlock = (text: string): string => text.replace(unseen, escaped)

const unseen = /(?![\n\r\t])\p{Cc}|[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu

const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const escaped = (character: string): string => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`
