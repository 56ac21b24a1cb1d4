/**
 * The benchmark as a program: what a process costs, as ratios to bare SQLite measured in the same rounds.
 *
 * usage: npm run bench -- [--only W1,W2] [--runs 5] [--seconds 1.5] [--peers] [--json | --write]
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { projectRoot } from "../support/projectRoot.ts"
import type { Contest } from "./Contest.ts"
import { chosen as choose, contests } from "./contests.ts"
import type { Environment } from "./environment.ts"
import * as Environments from "./environment.ts"
import type { Figure } from "./figures.ts"
import { figuresOf } from "./figures.ts"
import { versionOf } from "./peers/installing.ts"
import { counted, pageOf } from "./report.ts"
import { runRounds } from "./rounds.ts"
import { tableOf } from "./table.ts"
import * as WorkFolder from "./workFolder.ts"

const usage = `usage: npm run bench -- [options]

  --only A,B     only the contests whose name begins so, each with its baseline
  --runs N       how many rounds (default 5); a figure is the median of its runs
  --seconds S    how long one run takes (default 1.5)
  --peers        other libraries too; npm installs them into the temporary folder
  --json         figures as JSON on standard output instead of a table
  --write        the run also as docs/benchmarks.md
  --help         this text

contests: ${contests.map(({ id }) => id).join(", ")}
Files go to the system's temporary folder (TMPDIR). See test/bench/README.md for what is measured and how.`

interface Options {
  readonly only: string | undefined
  readonly runs: number
  readonly seconds: number
  readonly peers: boolean
  readonly json: boolean
  readonly write: boolean
}

/** Everything the command line says, or what is wrong with it. */
const readOptions = (): Options | { readonly exitCode: 0 | 2; readonly text: string } => {
  let values: ReturnType<typeof parse>
  try {
    values = parse()
  } catch (error) {
    return { exitCode: 2, text: `${error instanceof Error ? error.message : String(error)}\n\n${usage}` }
  }
  const { only, peers = false, json = false, write = false, help = false } = values
  const runs = Number(values.runs ?? 5)
  const seconds = Number(values.seconds ?? 1.5)
  if (help) return { exitCode: 0, text: usage }
  if (!(Number.isSafeInteger(runs) && runs >= 1))
    return { exitCode: 2, text: "--runs must be a whole number of at least 1" }
  if (!(Number.isFinite(seconds) && seconds > 0)) return { exitCode: 2, text: "--seconds must be a number above 0" }
  if (choose(only).length === 0)
    return { exitCode: 2, text: `no contest begins with ${JSON.stringify(only)}\n\n${usage}` }
  return { only, runs, seconds, peers, json, write }
}

const parse = () =>
  parseArgs({
    options: {
      only: { type: "string" },
      runs: { type: "string" },
      seconds: { type: "string" },
      peers: { type: "boolean" },
      json: { type: "boolean" },
      write: { type: "boolean" },
      help: { type: "boolean" }
    }
  }).values

const print = (environment: Environment, options: Options, figures: ReadonlyArray<Figure>): void => {
  if (options.json) {
    console.log(JSON.stringify({ environment, options, figures }, undefined, 2))
  } else {
    console.log(
      `${Environments.lineOf(environment)}\n${counted(options.runs, "round")} of ${options.seconds} s a run\n`
    )
    console.log(tableOf(figures))
    console.log(
      "\nA ratio is to what was measured in the same round, the median of all rounds. Targets inform, nothing is asserted."
    )
  }
}

/** The packages whose work is measured, beside this one. */
const measured = ["effect", "@effect/sql-sqlite-node", "better-sqlite3", "xstate"]

const write = (
  environment: Environment,
  options: Options,
  figures: ReadonlyArray<Figure>,
  leftOut: ReadonlyArray<string>
): string => {
  const path = join(projectRoot, "docs/benchmarks.md")
  const versions = measured.map((name) => `${name} ${versionOf(join(projectRoot, "node_modules", name))}`)
  const page = pageOf({
    ...options,
    environment,
    versions: [`holdfast ${versionOf(projectRoot)}`, ...versions],
    command: process.argv.slice(2).join(" "),
    figures,
    leftOut,
    written: readFileSync(join(projectRoot, "docs/benchmarks/where-the-time-goes.md"), "utf8")
  })
  writeFileSync(path, page)
  return path
}

const benchmark = async (options: Options): Promise<void> => {
  const folder = WorkFolder.make()
  const startedAt = performance.now()
  const onProgress = (line: string) =>
    console.error(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${line}`)
  if (globalThis.gc === undefined)
    console.error("run node with --expose-gc: garbage of one run is collected in the next")
  const environment = Environments.look(folder.path)
  console.error(Environments.lineOf(environment))
  const leftOut: Array<string> = []
  const chosen: Array<Contest> = []
  for (const contest of choose(options.only)) {
    const { id, isPeer = false, without } = contest
    const reason = isPeer && !options.peers ? "another library, which --peers installs" : without?.()
    if (reason === undefined) chosen.push(contest)
    else leftOut.push(`${id}; ${reason}`)
  }
  for (const sentence of leftOut) onProgress(`left out: ${sentence}`)
  const bouts = await runRounds(chosen, { ...options, folder, onProgress })
  onProgress("done")
  const figures = figuresOf(chosen, bouts)
  print(environment, options, figures)
  if (options.write) onProgress(`wrote ${write(environment, options, figures, leftOut)}`)
}

const options = readOptions()
if ("text" in options) {
  console[options.exitCode === 0 ? "log" : "error"](options.text)
  process.exitCode = options.exitCode
} else {
  await benchmark(options)
}
