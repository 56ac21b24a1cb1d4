/**
 * What came of a run of the peers: a table for each contest, in Markdown, with the ratio of each round and the verdicts.
 */
import type { Run } from "../Contest.ts"
import { reading } from "../Contest.ts"
import { counted } from "../report.ts"
import { median } from "../statistics.ts"

/** A library that is measured: the program that opens it, and the package it is in unless it is this one. */
export interface Library {
  readonly id: string
  readonly title: string
  readonly program: string
  readonly package?: string
}

/** The runs of a library in a contest, one a round; or why there are none. */
export interface Outcome {
  readonly runs: ReadonlyArray<Run>
  readonly failed?: string
}

/** The outcomes of each contest by the id of the library. */
export type Outcomes = ReadonlyMap<string, Map<string, Outcome>>

interface Column {
  readonly title: string
  readonly value: (run: Run) => number
  /** Whether the lower one is the better one. */
  readonly isTime: boolean
}

const rate: ReadonlyArray<Column> = [
  { title: "/s", value: reading("perSecond"), isTime: false },
  { title: "p50 ms", value: reading("p50Ms"), isTime: true }
]

const columns: Readonly<Record<string, ReadonlyArray<Column>>> = {
  complete: rate,
  signals: rate,
  children: [{ title: "ms", value: reading("familyMs"), isTime: true }],
  recovery: [
    { title: "all ended, ms", value: reading("allMs"), isTime: true },
    { title: "first ended, ms", value: reading("firstMs"), isTime: true },
    { title: "signals accepted /s", value: reading("acceptedPerSecond"), isTime: false }
  ]
}

const titles: Readonly<Record<string, string>> = {
  complete: "Start → complete",
  signals: "Start → signal → complete",
  children: "A parent that starts 100 children at once and awaits them",
  recovery: "`kill -9` while processes wait, then a signal for each"
}

/** What is promised: how many times as good `own` is as the other, by the first column; or a bound on a column of its own. */
const promises: ReadonlyArray<{
  readonly contest: string
  readonly own: string
  readonly than: string | "the best"
  readonly atLeast: number
}> = [
  { contest: "complete@1", own: "postgres", than: "dbos", atLeast: 1.5 },
  { contest: "complete@64", own: "postgres", than: "dbos", atLeast: 3 },
  { contest: "recovery", own: "sqlite", than: "the best", atLeast: 4 }
]

const columnsOf = (contest: string): ReadonlyArray<Column> => columns[contest.split("@")[0] ?? ""] ?? []

/** How many times as good as another a library was, by the first column: the median over the rounds that both ran. */
const timesAsGood = (contest: string, own: Outcome | undefined, other: Outcome | undefined): number => {
  const [column] = columnsOf(contest)
  if (column === undefined || own === undefined || other === undefined) return Number.NaN
  const ratios = own.runs.slice(0, other.runs.length).map((run, round) => {
    const ratio = column.value(run) / column.value(other.runs[round] ?? {})
    return column.isTime ? 1 / ratio : ratio
  })
  return median(ratios)
}

/** The tables and the verdicts. */
export const resultsOf = (libraries: ReadonlyArray<Library>, outcomes: Outcomes): string => {
  const tables = [...outcomes].map(([contest, of]) => tableOf(contest, libraries, of))
  return [...tables, verdictsOf(libraries, outcomes)].join("\n\n")
}

const tableOf = (
  contest: string,
  libraries: ReadonlyArray<Library>,
  outcomes: ReadonlyMap<string, Outcome>
): string => {
  const [name = "", callers] = contest.split("@")
  const of = columnsOf(contest)
  const own = libraries.filter((library) => library.package === undefined)
  const header = [
    "",
    ...of.map(({ title }) => title),
    "lowest … highest",
    ...own.map(({ title }) => `${title}, × as good`)
  ]
  const rows = libraries.map((library) => {
    const outcome = outcomes.get(library.id)
    if (outcome === undefined || outcome.runs.length === 0) {
      return [library.title, `did not run: ${outcome?.failed ?? "left out"}`, ...header.slice(2).map(() => "")]
    }
    const first = outcome.runs.map((run) => of[0]?.value(run) ?? Number.NaN)
    return [
      library.title,
      ...of.map(({ value }) => numberOf(median(outcome.runs.map(value)))),
      `${numberOf(Math.min(...first))} … ${numberOf(Math.max(...first))}`,
      ...own.map(({ id }) => (id === library.id ? "" : timesOf(timesAsGood(contest, outcomes.get(id), outcome))))
    ]
  })
  const title = `## ${titles[name] ?? name}${callers === undefined ? "" : `, ${callers} caller${callers === "1" ? "" : "s"}`}`
  const line = (cells: ReadonlyArray<string>) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`
  return [
    title,
    "",
    line(header),
    line(header.map((_, index) => (index === 0 ? "---" : "---:"))),
    ...rows.map(line)
  ].join("\n")
}

const verdictsOf = (libraries: ReadonlyArray<Library>, outcomes: Outcomes): string => {
  const lines = promises.flatMap(({ contest, own, than, atLeast }) => {
    const of = outcomes.get(contest)
    const mine = of?.get(own)
    if (of === undefined || mine === undefined || mine.runs.length === 0) return []
    const others = libraries.filter((other) => (than === "the best" ? other.package !== undefined : other.id === than))
    const ratios = others
      .map(({ id }) => timesAsGood(contest, mine, of.get(id)))
      .filter((ratio) => !Number.isNaN(ratio))
    if (ratios.length === 0) return []
    const ratio = Math.min(...ratios)
    const [who, whom] = [own, than].map(
      (one) => libraries.find(({ id }) => id === one)?.title ?? `${one} of the others`
    )
    return [
      `- ${contest}: ${who} ≥ ${atLeast} × ${whom}: **${ratio >= atLeast ? "reached" : "missed"}**, ${ratio.toFixed(2)} ×`
    ]
  })
  const first = outcomes.get("recovery")?.get("sqlite")?.runs.map(reading("firstMs")) ?? []
  if (first.length > 0) {
    const ms = median(first)
    lines.push(
      `- recovery: the first one ends within 500 ms of opening: **${ms <= 500 ? "reached" : "missed"}**, ${numberOf(ms)} ms`
    )
  }
  return ["## Verdicts", "", ...(lines.length === 0 ? ["None of these contests has a promise."] : lines)].join("\n")
}

/** Why a library did not answer, by what it said before it ended: its last error, and not a line of source that makes one. */
export const reasonOf = (said: string, exitCode: number | null): string =>
  said
    .split("\n")
    .map((line) => line.trim())
    .findLast((line) => /^(?:Uncaught |\(FiberFailure\) )?[\w.]*(?:Error|Exception)(?: \[\w+\])?: \S/.test(line)) ??
  (exitCode === null ? "a signal ended it" : `it ended with code ${exitCode} and named no error`)

/** The page of a run. */
export const pageOf = (run: {
  readonly environment: string
  readonly versions: ReadonlyArray<string>
  readonly command: string
  readonly rounds: number
  readonly seconds: number
  readonly processes: number
  readonly pool: number
  readonly results: string
}): string => `# This library beside others

A run of \`npm run bench:peers -- ${run.command}\` wrote this page; nothing of it is written by hand.

- Machine: ${run.environment}.
- Versions: ${run.versions.join(", ")}.
- ${counted(run.rounds, "round")}; a timed run takes ${run.seconds} s after a third of that to warm up; ${run.processes} processes wait when a host is killed; a host has
  ${run.pool} connections to PostgreSQL at most, to the same server, with fsync and synchronous_commit on.
- Each library runs in a program of its own, on a new file or database, and each does a contest once a round. A figure is the
  median of its rounds, a ratio the median of the ratios within each round. Above 1, this library is the better one.
- Waiting, signalled and ended are the same for all: a signal is sent as soon as the start is acknowledged; after the kill a new host opens,
  every process gets its signal from 64 callers, and the time runs from before the opening.

${run.results}
`

const timesOf = (ratio: number): string => (Number.isNaN(ratio) ? "-" : ratio.toFixed(2))

/** Three significant digits and more, with thousands apart. */
const numberOf = (value: number): string => {
  if (!Number.isFinite(value)) return "-"
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
