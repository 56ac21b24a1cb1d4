/**
 * The compiled command line as a real child process on a file, with or without a host that has the file open.
 */
import { spawn } from "node:child_process"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Child } from "../support/children.ts"
import { root, start } from "../support/children.ts"
import { temporaryFolder } from "../support/hosts.ts"

/** How a command ended, and what it said. */
export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** What may be set for one run. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
}

const main = `${root}dist/src/cli/main.js`
const boundMs = 20_000

/** Runs the command line to its end, without a terminal. */
export const holdfast = (args: ReadonlyArray<string>, { env = {} }: RunOptions = {}): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const { HOLDFAST_DB: _none, ...inherited } = process.env
    const child = spawn(process.execPath, [main, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...inherited, ...env }
    })
    let [out, err] = ["", ""]
    child.stdout.setEncoding("utf8").on("data", (text) => {
      out += String(text)
    })
    child.stderr.setEncoding("utf8").on("data", (text) => {
      err += String(text)
    })
    const timer = setTimeout(() => {
      child.kill("SIGKILL")
      reject(new Error(`holdfast ${args.join(" ")} did not end within ${boundMs} ms\n${out}${err}`))
    }, boundMs)
    child.on("close", (code) => {
      clearTimeout(timer)
      resolve({ code, out, err })
    })
  })

/** Starts the command line and lets it run. */
export const follow = (args: ReadonlyArray<string>): Effect.Effect<Child, never, Scope.Scope> =>
  killed(() => start("src/cli/main.js", args))

/** A file with processes in every posture, and the host that made it, which still has it open. */
export const hosted: Effect.Effect<{ readonly db: string; readonly host: Child }, never, Scope.Scope> = Effect.gen(
  function* () {
    const db = `${yield* temporaryFolder}/agent.db`
    const host = yield* killed(() => start("test/cli/hostProgram.js", [db]))
    yield* Effect.promise(() => host.saw(/^ready$/))
    return { db, host }
  }
)

/** Ends a host as a power cut would, and waits until it is gone. */
export const crash = (host: Child): Promise<unknown> => {
  host.process.kill("SIGKILL")
  return host.ended()
}

const killed = (run: () => Child) =>
  Effect.acquireRelease(Effect.sync(run), (child) => Effect.sync(() => child.process.kill("SIGKILL")))
