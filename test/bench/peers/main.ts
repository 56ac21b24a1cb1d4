/**
 * This library and others at the same work, in rounds: each does every contest once a round, in a program of its own.
 *
 * usage: npm run bench:peers -- [--only signals] [--peers dbos] [--rounds 3] [--seconds 3] [--processes 3000] [--write]
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, writeFileSync } from "node:fs"
import { loadavg } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { hasPostgres, query, startServer } from "../../support/postgres.ts"
import { projectRoot } from "../../support/projectRoot.ts"
import type { Run } from "../Contest.ts"
import * as Environments from "../environment.ts"
import * as WorkFolder from "../workFolder.ts"
import type { Order } from "./drive.ts"
import { installPeers, versionOf } from "./installing.ts"
import type { Library, Outcomes } from "./page.ts"
import { pageOf, reasonOf, resultsOf } from "./page.ts"

/** Every library; the first two are this one. */
const libraries: ReadonlyArray<Library> = [
  { id: "sqlite", title: "holdfast, SQLite", program: "holdfastSqlite.js" },
  { id: "postgres", title: "holdfast, PostgreSQL", program: "holdfastPostgres.js" },
  { id: "dbos", title: "DBOS, PostgreSQL", program: "dbos.mjs", package: "@dbos-inc/dbos-sdk" },
  { id: "effect", title: "@effect/workflow + cluster, SQLite", program: "effect.mjs", package: "@effect/workflow" },
  { id: "openworkflow", title: "openworkflow, PostgreSQL", program: "openworkflow.mjs", package: "openworkflow" },
  { id: "restate", title: "Restate, its own server", program: "restate.mjs", package: "@restatedev/restate-server" }
]

const contestNames = ["complete@1", "complete@64", "signals@1", "signals@64", "children", "recovery"]

const usage = `usage: npm run bench:peers -- [options]

  --only NAME      only the contests whose name begins so: ${contestNames.join(", ")}
  --peers A,B      only these libraries: ${libraries.map(({ id }) => id).join(", ")}
  --rounds N       how many rounds (default 3); a figure is the median of its runs
  --seconds S      how long one timed run takes, after a third of it to warm up (default 3)
  --processes N    how many processes wait when the host is killed (default 3000)
  --pool N         how many connections a host may have to PostgreSQL, besides one that listens (default 8)
  --write          the results also as docs/benchmarks/peers.md
  --help           this text

The other libraries are installed into the system's temporary folder, once. A library that does not start is left out of the contest,
with what it said. PostgreSQL is the one of HOLDFAST_TEST_POSTGRES, else a server of this run's own with fsync and synchronous_commit on.`

interface Options {
  readonly contests: ReadonlyArray<string>
  readonly libraries: ReadonlyArray<Library>
  readonly rounds: number
  readonly seconds: number
  readonly processes: number
  readonly pool: number
  readonly write: boolean
}

const parse = () =>
  parseArgs({
    options: {
      only: { type: "string", default: "" },
      peers: { type: "string" },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "3" },
      processes: { type: "string", default: "3000" },
      pool: { type: "string", default: "8" },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false }
    }
  }).values

/** What the command line says, or what to answer it. */
const readOptions = (): Options | { readonly exitCode: 0 | 2; readonly text: string } => {
  let values: ReturnType<typeof parse>
  try {
    values = parse()
  } catch (error) {
    return { exitCode: 2, text: `${error instanceof Error ? error.message : String(error)}\n\n${usage}` }
  }
  if (values.help) return { exitCode: 0, text: usage }
  const named = values.peers?.split(",")
  const unknown = named?.find((name) => !libraries.some(({ id }) => id === name))
  if (unknown !== undefined) return { exitCode: 2, text: `no library is called ${JSON.stringify(unknown)}\n\n${usage}` }
  const contests = contestNames.filter((name) => name.startsWith(values.only))
  if (contests.length === 0)
    return { exitCode: 2, text: `no contest begins with ${JSON.stringify(values.only)}\n\n${usage}` }
  const numbers = {
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    processes: Number(values.processes),
    pool: Number(values.pool)
  }
  for (const [name, value] of Object.entries(numbers)) {
    if (!(value > 0 && (name === "seconds" || Number.isSafeInteger(value)))) {
      return { exitCode: 2, text: `--${name} must be a ${name === "seconds" ? "" : "whole "}number above 0` }
    }
  }
  const chosen = libraries.filter(({ id }) => named === undefined || named.includes(id))
  return { contests, libraries: chosen, ...numbers, write: values.write }
}

const orderOf = (contest: string, where: Pick<Order, "folder" | "url" | "pool">, options: Options): Order => {
  const [name, callers] = contest.split("@")
  if (name === "complete" || name === "signals") {
    return { ...where, contest: name, callers: Number(callers), seconds: options.seconds }
  }
  if (name === "children") return { ...where, contest: name, times: 5 }
  return { ...where, contest: "recovery", processes: options.processes }
}

/** How long a library may take for one contest before it is given up. */
const patienceMs = (order: Order): number =>
  order.contest === "recovery" ? 240_000 : 90_000 + ("seconds" in order ? order.seconds * 2_000 : 0)

const killGroup = (pid: number | undefined): void => {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL")
  } catch {
    // All of it has ended.
  }
}

/** Runs one library in one contest; fails with what it said on standard error. */
const measure = async (path: string, order: Order): Promise<Run> => {
  const child = fork(fileURLToPath(new URL("./drive.js", import.meta.url)), [path, JSON.stringify(order)], {
    // A group of its own: what the library has started beside itself ends with it.
    detached: true,
    stdio: ["ignore", "ignore", "pipe", "ipc"]
  })
  const end = () => killGroup(child.pid)
  process.once("exit", end)
  let said = ""
  child.stderr?.setEncoding("utf8").on("data", (part: string) => {
    said = (said + part).slice(-10_000)
  })
  let isLate = false
  const late = setTimeout(() => {
    isLate = true
    end()
  }, patienceMs(order))
  const [answer] = (await Promise.race([once(child, "message"), once(child, "exit")])) as ReadonlyArray<unknown>
  const isRun = typeof answer === "object" && answer !== null
  if (isRun && child.exitCode === null) {
    // It closes by itself, but nothing waits for that for long.
    const stubborn = setTimeout(end, 10_000)
    await once(child, "exit")
    clearTimeout(stubborn)
  }
  clearTimeout(late)
  end()
  process.off("exit", end)
  if (!isRun)
    throw new Error(isLate ? `timed out after ${patienceMs(order) / 1_000} s` : reasonOf(said, child.exitCode))
  return answer as Run // as that program sends it
}

/** A database of its own for each run. */
const withDatabase = async <A>(server: string | undefined, run: (url: string) => Promise<A>): Promise<A> => {
  if (server === undefined) return run("")
  const name = `bench_${crypto.randomUUID().replaceAll("-", "")}`
  await query(server, `CREATE DATABASE ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  try {
    return await run(url.href)
  } finally {
    await query(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  }
}

const benchmark = async (options: Options): Promise<void> => {
  const startedAt = performance.now()
  const onProgress = (line: string) =>
    console.error(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${line}`)
  const work = WorkFolder.make()
  const given = process.env["HOLDFAST_TEST_POSTGRES"]
  const server = given === undefined && hasPostgres ? await startServer([]) : undefined
  const url = given ?? server?.url
  try {
    const folder = options.libraries.some((library) => library.package !== undefined) ? installPeers(onProgress) : ""
    const environment = Environments.lineOf(Environments.look(work.path))
    onProgress(environment)
    const outcomes: Outcomes = new Map(options.contests.map((contest) => [contest, new Map()]))
    for (let round = 1; round <= options.rounds; round++) {
      for (const [contest, runs] of outcomes) {
        for (const library of options.libraries) {
          const known = runs.get(library.id) ?? { runs: [] }
          if (known.failed !== undefined) continue
          onProgress(`round ${round}/${options.rounds}: ${contest}, ${library.title}`)
          const path =
            library.package === undefined
              ? fileURLToPath(new URL(library.program, import.meta.url))
              : join(folder, library.program)
          try {
            const run = await work.withRunFolder((at) =>
              withDatabase(url, (url) =>
                measure(path, orderOf(contest, { folder: at, url, pool: options.pool }, options))
              )
            )
            runs.set(library.id, { runs: [...known.runs, run] })
          } catch (error) {
            const failed = error instanceof Error ? error.message : String(error)
            onProgress(`left out of ${contest}: ${library.title}; ${failed}`)
            runs.set(library.id, { runs: [], failed })
          }
        }
      }
    }
    onProgress(`done, load ${(loadavg()[0] ?? 0).toFixed(1)}`)
    const results = resultsOf(options.libraries, outcomes)
    console.log(results)
    if (!options.write) return
    const versions = options.libraries.map(
      ({ title, package: name }) =>
        `${title} ${versionOf(name === undefined ? projectRoot : join(folder, "node_modules", name))}`
    )
    const path = join(projectRoot, "docs/benchmarks/peers.md")
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(
      path,
      pageOf({ environment, versions, command: process.argv.slice(2).join(" "), ...options, results })
    )
    onProgress(`wrote ${path}`)
  } finally {
    await server?.stop()
  }
}

const options = readOptions()
if ("text" in options) {
  console[options.exitCode === 0 ? "log" : "error"](options.text)
  process.exitCode = options.exitCode
} else {
  await benchmark(options)
  process.exit(0)
}
