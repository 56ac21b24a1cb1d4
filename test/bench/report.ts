/**
 * The page of a run, `docs/benchmarks.md`: where and how it was taken, its tables, and what people have written about where the time
 * goes.
 *
 * Invariant: people write `docs/benchmarks/where-the-time-goes.md` alone, and no run writes that: a new page includes it as it is.
 */
import type { Environment } from "./environment.ts"
import * as Environments from "./environment.ts"
import type { Figure } from "./figures.ts"
import { markdownOf, verdictOf } from "./table.ts"

/** What a page is made of. */
export interface Report {
  readonly environment: Environment
  /** The packages that were measured, each with its version. */
  readonly versions: ReadonlyArray<string>
  /** What stood on the command line after `npm run bench --`. */
  readonly command: string
  readonly runs: number
  readonly seconds: number
  readonly figures: ReadonlyArray<Figure>
  /** Why contests of the choice are not in the run, each as a sentence without its full stop. */
  readonly leftOut: ReadonlyArray<string>
  /** What people wrote, in Markdown with a heading of the first level. */
  readonly written: string
}

/** The page, in Markdown. */
export const pageOf = ({
  environment,
  versions,
  command,
  runs,
  seconds,
  figures,
  leftOut,
  written
}: Report): string => {
  const missed = figures.filter(({ missedBy }) => missedBy !== undefined && missedBy !== 0)
  const targets = figures.filter(({ target }) => target !== undefined).length
  return `# Benchmarks

A run of \`npm run bench -- ${command}\` wrote this page. Only the last chapter is written by hand, in
\`docs/benchmarks/where-the-time-goes.md\`, which each run includes. Nothing of the run is left out or put right.

- Machine: ${Environments.lineOf(environment)}.
- Versions: ${versions.join(", ")}.
- ${counted(runs, "round")} of ${seconds} s a run. A figure is the median of its runs. It is held against what was measured in the same round:
  \`raw\` is bare better-sqlite3 that writes an event and a snapshot, immediately before. The ratio is the median of the ratios of all
  rounds. On another machine compare ratios, not figures.
- What each contest does, and how to read the columns: \`test/bench/README.md\`. Beside other libraries: \`npm run bench:peers\`.
${leftOut.map((sentence) => `- Left out: ${sentence}.\n`).join("")}
## Verdicts

${targets - missed.length} of ${counted(targets, "target")} reached.${missed.length === 0 ? "" : " Missed:"}
${missed.map(({ contest, name, missedBy = 0 }) => `\n- ${contest}, ${name}: ${verdictOf(missedBy)}`).join("")}

## Figures

${markdownOf(figures)}

${chapterOf(written)}
`
}

/** What people wrote in the folder below, as a chapter of the page: a heading lower, and links from where the page is. */
const chapterOf = (written: string): string => written.trim().replace(/^#/gm, "##").replaceAll("](../", "](")

/** A number with its word. */
export const counted = (number: number, word: string): string => `${number} ${word}${number === 1 ? "" : "s"}`
