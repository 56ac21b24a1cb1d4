/**
 * Finds places to review in a text: markers of unfinished work, and likely secrets.
 */

import type { Finding } from "../report/parts.ts"
import { harmless } from "../report/text.ts"
import type { Secret } from "./secrets.ts"
import { redacted, secretsIn } from "./secrets.ts"

/** How much of a line an excerpt shows. Units: UTF-16 code units. */
export const excerptLength = 160

/** How many findings of one file are listed; more are only counted. */
export const maxFindings = 500

/** The findings of one text, ascending by line, and how many more there were. */
export interface Scan {
  readonly findings: ReadonlyArray<Finding>
  readonly more: number
}

/** Scans a text. */
export const scan = (text: string): Scan => {
  const secrets = secretsIn(text)
  const places = [...markersIn(text), ...secrets.map(placeOf)].sort((a, b) => a.at - b.at)
  const lines = lineCounter(text)
  const findings = places.slice(0, maxFindings).map(({ kind, rule, at }) => ({
    kind,
    rule,
    line: lines(at),
    text: excerpt(text, secrets, at)
  }))
  return { findings, more: places.length - findings.length }
}

interface Place extends Pick<Finding, "kind" | "rule"> {
  readonly at: number
}

const markers = /\b(?:TODO|FIXME)\b/g

const markersIn = (text: string): ReadonlyArray<Place> =>
  Array.from(text.matchAll(markers), (match) => ({
    kind: match[0] === "TODO" ? "todo" : "fixme",
    rule: match[0],
    at: match.index
  }))

const placeOf = ({ rule, start }: Secret): Place => ({ kind: "secret", rule, at: start })

/** Returns the line of an offset; offsets must ascend, so that the text is walked once. */
const lineCounter = (text: string): ((offset: number) => number) => {
  let line = 1
  let next = text.indexOf("\n")
  return (offset) => {
    while (next !== -1 && next < offset) {
      line++
      next = text.indexOf("\n", next + 1)
    }
    return line
  }
}

/** The line around an offset: from its start if it fits, else from a little before the offset. */
const excerpt = (text: string, secrets: ReadonlyArray<Secret>, at: number): string => {
  const lineStart = text.lastIndexOf("\n", at - 1) + 1
  const newline = text.indexOf("\n", at)
  const lineEnd = newline === -1 ? text.length : newline
  const from = lineEnd - lineStart <= excerptLength ? lineStart : Math.max(lineStart, at - excerptLength / 4)
  const to = Math.min(lineEnd, from + excerptLength)
  const shown = harmless(redacted(text, secrets, { from, to }))
    .trim()
    .toWellFormed()
  return `${from > lineStart ? "…" : ""}${shown}${to < lineEnd ? "…" : ""}`
}
