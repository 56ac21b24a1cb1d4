/**
 * The report for people: the numbers first, then the findings, each list cut to a readable length.
 */
import type { LocatedFinding, Report } from "./report.ts"
import { counted, grouped, harmless, sizeOf } from "./text.ts"

/** How many entries of one list are shown; the JSON report has them all. */
export const maxShown = 100

/** Writes a report as Markdown. */
export const toMarkdown = (report: Report): string => {
  const secrets = report.findings.filter(({ kind }) => kind === "secret")
  const unfinished = report.findings.filter(({ kind }) => kind !== "secret")
  return [
    "# Audit report",
    "",
    ...summary(report),
    "",
    ...section("Languages", languageTable(report)),
    ...section("History", history(report)),
    ...section(`Likely secrets (${secrets.length})`, listed(secrets.map(finding))),
    ...section(`Unfinished work (${unfinished.length})`, listed(unfinished.map(finding))),
    ...section(
      `Not read (${report.unread.length})`,
      listed(report.unread.map(({ path, problem }) => `- ${code(path)} ${plain(problem)}`))
    ),
    ...section(
      `Notes (${report.notes.length})`,
      listed(report.notes.map(({ path, note }) => `- ${code(path)} ${plain(note)}`))
    ),
    ...section("Left out", leftOut(report))
  ]
    .join("\n")
    .trimEnd()
    .concat("\n")
}

const section = (title: string, body: ReadonlyArray<string>): ReadonlyArray<string> => [`## ${title}`, "", ...body, ""]

const summary = ({ totals, contentSha256 }: Report): ReadonlyArray<string> => [
  `${counted(totals.files, "file")} (${grouped(totals.binaryFiles)} binary), ${counted(totals.lines, "line")} of text, ${sizeOf(totals.bytes)}.`,
  `${grouped(totals.todos)} TODO, ${grouped(totals.fixmes)} FIXME, ${counted(totals.secrets, "likely secret")}, ${grouped(totals.unread)} not read.`,
  "",
  `Content: ${code(`sha256:${contentSha256}`)}`
]

const languageTable = ({ languages }: Report): ReadonlyArray<string> =>
  languages.length === 0
    ? ["No files."]
    : [
        "| language | files | lines | size |",
        "|---|--:|--:|--:|",
        ...languages.map(
          ({ language, files, lines, bytes }) =>
            `| ${plain(language)} | ${grouped(files)} | ${grouped(lines)} | ${sizeOf(bytes)} |`
        )
      ]

const history = ({ history }: Report): ReadonlyArray<string> => {
  switch (history._tag) {
    case "NoHistory":
      return ["No git history."]
    case "Unavailable":
      return [`The git history could not be read: ${plain(history.reason)}.`]
    case "History":
      return [
        `${counted(history.commits, "commit")} by ${counted(history.authors, "author")}; the last one at ${plain(history.lastCommitAt)}.`,
        "",
        ...listed(history.topAuthors.map(({ name, commits }) => `- ${plain(name)}: ${grouped(commits)}`))
      ]
  }
}

const finding = ({ path, line, rule, text }: LocatedFinding): string =>
  `- ${code(`${path}:${line}`)} ${rule}: ${code(text)}`

const leftOut = ({ excludedNames, passedOver }: Report): ReadonlyArray<string> => [
  `Names: ${excludedNames.map(code).join(", ")}, and the reports of earlier audits.`,
  `Links, which are not followed: ${grouped(passedOver.links)}. Neither file nor folder: ${grouped(passedOver.special)}.`
]

const listed = (lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (lines.length === 0) return ["None."]
  const more = lines.length - maxShown
  return [...lines.slice(0, maxShown), ...(more > 0 ? [`- … and ${grouped(more)} more, see audit-report.json`] : [])]
}

/** Keeps content of a file literal: a code span with a fence that the content does not contain. */
const code = (text: string): string => {
  const runs = text.match(/`+/g) ?? []
  const fence = "`".repeat(Math.max(0, ...runs.map((run) => run.length)) + 1)
  const line = harmless(text)
  return line.startsWith("`") || line.endsWith("`") ? `${fence} ${line} ${fence}` : `${fence}${line}${fence}`
}

const plain = (text: string): string => harmless(text).replace(/[\\`*_[\]<>|#]/g, "\\$&")
