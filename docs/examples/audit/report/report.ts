/**
 * The report: what the children of an audit found, added up.
 *
 * Invariant: it depends on the content of the directory and on nothing else: no clock, no path outside the directory, no
 * trace of how often the audit was interrupted.
 */
import { createHash } from "node:crypto"
import * as Schema from "effect/Schema"
import type { BatchReport, FileReport, Finding, History, PassedOver, Unread } from "./parts.ts"
import { alwaysExcluded, byPath } from "./parts.ts"

/** The numbers of a report. */
export const Totals = Schema.Struct({
  files: Schema.Int,
  binaryFiles: Schema.Int,
  bytes: Schema.Int,
  lines: Schema.Int,
  todos: Schema.Int,
  fixmes: Schema.Int,
  secrets: Schema.Int,
  unread: Schema.Int
})
/** The numbers of a report. */
export type Totals = typeof Totals.Type

/** The files of one language. */
export interface LanguageTotals {
  readonly language: string
  readonly files: number
  readonly lines: number
  readonly bytes: number
}

/** A finding and the file it is in. */
export interface LocatedFinding extends Finding {
  readonly path: string
}

/** A note and the file it is about. */
export interface LocatedNote {
  readonly path: string
  readonly note: string
}

/** Everything an audit found. Lists of files are in the order of their paths. */
export interface Report {
  readonly format: 1
  /** Digest over the path and digest of every file that was read: equal for equal content. */
  readonly contentSha256: string
  readonly totals: Totals
  readonly languages: ReadonlyArray<LanguageTotals>
  readonly history: History
  readonly findings: ReadonlyArray<LocatedFinding>
  readonly unread: ReadonlyArray<Unread>
  readonly notes: ReadonlyArray<LocatedNote>
  readonly excludedNames: ReadonlyArray<string>
  readonly passedOver: typeof PassedOver.Type
  readonly files: ReadonlyArray<Pick<FileReport, "path" | "bytes" | "sha256" | "language" | "lines">>
}

/** What a report is made of. */
export interface ReportParts {
  readonly listing: Pick<Report, "unread" | "passedOver">
  readonly batches: ReadonlyArray<BatchReport>
  readonly history: History
  readonly exclude: ReadonlyArray<string>
}

/** Adds up what was found. */
export const make = ({ listing, batches, history, exclude }: ReportParts): Report => {
  const files = batches.flatMap((batch) => batch.files).sort(byPath)
  const findings = files.flatMap(({ path, findings }) => findings.map((finding) => ({ path, ...finding })))
  const unread = [...listing.unread, ...batches.flatMap((batch) => batch.unread)].sort(byPath)
  const count = (kind: Finding["kind"]): number => findings.filter((finding) => finding.kind === kind).length
  return {
    format: 1,
    contentSha256: digestOf(files),
    totals: {
      files: files.length,
      binaryFiles: files.filter(({ language }) => language === null).length,
      bytes: sum(files.map(({ bytes }) => bytes)),
      lines: sum(files.map(({ lines }) => lines)),
      todos: count("todo"),
      fixmes: count("fixme"),
      secrets: count("secret"),
      unread: unread.length
    },
    languages: languagesOf(files),
    history,
    findings,
    unread,
    notes: files.flatMap(({ path, notes }) => notes.map((note) => ({ path, note }))),
    excludedNames: [...new Set([...alwaysExcluded, ...exclude])].sort(),
    passedOver: listing.passedOver,
    files: files.map(({ path, bytes, sha256, language, lines }) => ({ path, bytes, sha256, language, lines }))
  }
}

/** The report for programs. */
export const toJson = (report: Report): string => `${JSON.stringify(report, null, 2)}\n`

const digestOf = (files: ReadonlyArray<FileReport>): string => {
  const hash = createHash("sha256")
  for (const { sha256, path } of files) hash.update(`${sha256}  ${path}\n`)
  return hash.digest("hex")
}

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, number) => total + number, 0)

/** Most lines first. */
const languagesOf = (files: ReadonlyArray<FileReport>): ReadonlyArray<LanguageTotals> => {
  const byLanguage = new Map<string, LanguageTotals>()
  for (const { language, lines, bytes } of files) {
    const name = language ?? "Binary"
    const known = byLanguage.get(name) ?? { language: name, files: 0, lines: 0, bytes: 0 }
    byLanguage.set(name, {
      language: name,
      files: known.files + 1,
      lines: known.lines + lines,
      bytes: known.bytes + bytes
    })
  }
  return Array.from(byLanguage.values()).sort(
    (a, b) => b.lines - a.lines || b.bytes - a.bytes || (a.language < b.language ? -1 : 1)
  )
}
