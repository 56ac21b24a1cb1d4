/**
 * The compiled audit program as a real child process: watched line by line, ended by signal, every wait bounded.
 */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { patienceMs } from "../support/patience.ts"
import { programAt } from "../support/programs.ts"

/** The program that `npm start` runs. */
export const main: string = programAt("docs/examples/audit/main.js")

/** How a child process ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: string | null
}

/** A program that was started, with what it has said so far. */
export interface Program {
  readonly out: ReadonlyArray<string>
  readonly err: ReadonlyArray<string>
  /** Completes once the condition holds, looked at after every line. */
  readonly once: (what: string, holds: () => boolean) => Effect.Effect<void>
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly ended: Effect.Effect<Ending>
}

/** How to start it. */
export interface StartOptions {
  readonly cwd: string
  readonly path?: string
}

/** Starts the program; it is killed when the scope closes. */
export const start = (args: ReadonlyArray<string>, options: StartOptions): Effect.Effect<Program, never, Scope.Scope> =>
  Effect.gen(function* () {
    const end = yield* Deferred.make<Ending>()
    const out: Array<string> = []
    const err: Array<string> = []
    const looks = new Set<() => void>()
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [main, ...args], {
          cwd: options.cwd,
          stdio: ["ignore", "pipe", "pipe"],
          env: { ...process.env, ...(options.path === undefined ? {} : { PATH: options.path }) }
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const listen = (stream: NodeJS.ReadableStream, lines: Array<string>): void => {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line)
        for (const look of looks) look()
      })
    }
    listen(child.stdout, out)
    listen(child.stderr, err)
    child.on("close", (code, signal) => Deferred.unsafeDone(end, Effect.succeed({ code, signal })))

    const said = () => [...out, ...err].slice(-20).join("\n")
    const bounded = <A>(what: string, wait: Effect.Effect<A>): Effect.Effect<A> =>
      wait.pipe(
        Effect.timeoutOption(patienceMs),
        Effect.flatMap((answer) =>
          Option.isSome(answer)
            ? Effect.succeed(answer.value)
            : Effect.dieMessage(`${what} within ${patienceMs} ms; it said\n${said()}`)
        )
      )

    return {
      out,
      err,
      once: (what, holds) =>
        bounded(
          `did not see ${what}`,
          Effect.async<void>((resume) => {
            const look = () => {
              if (holds()) resume(Effect.void)
            }
            looks.add(look)
            look()
            return Effect.sync(() => looks.delete(look))
          }).pipe(
            Effect.raceFirst(
              Effect.zipRight(
                Deferred.await(end),
                Effect.suspend(() =>
                  holds() ? Effect.void : Effect.dieMessage(`ended before ${what}; it said\n${said()}`)
                )
              )
            )
          )
        ),
      kill: (signal) => Effect.sync(() => child.kill(signal)),
      ended: bounded("did not end", Deferred.await(end))
    }
  })

/** Runs the program to its end. */
export const run = (args: ReadonlyArray<string>, options: StartOptions): Effect.Effect<Program & Ending> =>
  Effect.scoped(
    Effect.gen(function* () {
      const program = yield* start(args, options)
      return { ...program, ...(yield* program.ended) }
    })
  )

/** The files that a verbose program says it reads, in the order it says so. */
export const filesRead = ({ err }: Pick<Program, "err">): ReadonlyArray<string> =>
  err.flatMap((line) => /^debug: reading (\S+)/.exec(line)?.[1] ?? [])
