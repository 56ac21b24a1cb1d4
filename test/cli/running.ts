/**
 * The command line on a file, with or without a host that has the file open: in this OS process, or as a program of its own.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { codeOf, run } from "../../src/cli/program.ts"
import * as Screen from "../../src/cli/Screen.ts"
import type { Child } from "../support/children.ts"
import { start } from "../support/children.ts"
import { bounded, temporaryFolder } from "../support/hosts.ts"

/** How a command ended, and what it said. */
export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** The rows of a list: one a line. */
export const rowsIn = <A = { readonly id: string }>(out: string): ReadonlyArray<A> =>
  out.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as A])) // the caller says what it asked for

/** What may be set for one run. `columns`: as if a terminal of that width looked at it. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly columns?: number
}

/**
 * Runs the command line in this OS process, which is a second one beside a host: much cheaper than to start another. What
 * only a program of its own can show is tried with {@link spawned}.
 */
export const holdfast = (args: ReadonlyArray<string>, { env = {}, columns }: RunOptions = {}): Promise<Ran> => {
  const said = { out: "", err: "" }
  const output = (into: keyof typeof said): Screen.Output => ({
    ...(columns === undefined ? {} : { isTTY: true, columns }),
    write: (text) => {
      said[into] += text
    }
  })
  return run(["node", "holdfast", ...args]).pipe(
    Effect.provideService(Screen.TheScreen, Screen.make(output("out"), output("err"), env)),
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env)))),
    Effect.exit,
    Effect.map((exit) => ({ code: codeOf(exit), ...said })),
    bounded,
    Effect.runPromise
  )
}

/** Runs the compiled program to its end, without a terminal. */
export const spawned = async (args: ReadonlyArray<string>): Promise<Ran> => {
  const child = start("src/cli/main.js", args)
  const { code } = await child.ended()
  const text = (lines: ReadonlyArray<string>) => lines.map((line) => `${line}\n`).join("")
  return { code, out: text(child.lines), err: text(child.errors) }
}

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
