/**
 * The history of a directory, from a real `git log`.
 *
 * Invariant: the subprocess ends when the effect does. It has a process group of its own, so that Ctrl-C in a terminal
 * reaches this program only, and a half-read history is never mistaken for a whole one.
 */

import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type History, maxAuthors } from "../report/parts.ts"

/** A signal ended git before it was done: the outcome is unknown, and git may be started again. */
export class GitStopped extends Schema.TaggedError<GitStopped>()("GitStopped", { signal: Schema.String }) {
  override get message(): string {
    return `git was ended by ${this.signal}`
  }
}

/** How long git may take. Units: milliseconds. */
export const timeLimitMs = 60_000

/** Reads the history of a directory: of the whole repository at its top level, of the part below it elsewhere. */
export const historyOf = (directory: string): Effect.Effect<History, GitStopped> =>
  Effect.gen(function* () {
    let prefix = ""
    const where = yield* git(directory, ["rev-parse", "--show-prefix"], (line) => {
      prefix += line
    })
    if (where.code !== 0) return refusal(where.stderr, directory)
    const tally = makeTally()
    const log = yield* git(
      directory,
      [...logArguments, ...(prefix === "" ? [] : ["--full-history", "--", "."])],
      tally.add
    )
    return log.code === 0 ? tally.history() : refusal(log.stderr, directory)
  }).pipe(
    Effect.timeoutTo({
      duration: timeLimitMs,
      onSuccess: (history) => history,
      onTimeout: (): History => ({
        _tag: "Unavailable",
        reason: `git log took longer than ${timeLimitMs / 1000} seconds`
      })
    }),
    Effect.catchTag("GitMissing", () =>
      Effect.succeed<History>({ _tag: "Unavailable", reason: "git is not installed" })
    )
  )

/** Adds up `git log` lines, newest first: the time of the commit in epoch seconds, a tab, the author. */
export const makeTally = (): { readonly add: (line: string) => void; readonly history: () => History } => {
  const byAuthor = new Map<string, number>()
  let commits = 0
  let lastCommitAt = 0
  return {
    add: (line) => {
      const tab = line.indexOf("\t")
      if (tab === -1) return
      if (commits === 0) lastCommitAt = Number(line.slice(0, tab))
      commits++
      const author = line.slice(tab + 1)
      byAuthor.set(author, (byAuthor.get(author) ?? 0) + 1)
    },
    history: () => {
      if (commits === 0) return { _tag: "NoHistory" }
      const authors = Array.from(byAuthor, ([name, count]) => ({ name, commits: count })).sort(
        (a, b) => b.commits - a.commits || (a.name < b.name ? -1 : 1)
      )
      return {
        _tag: "History",
        commits,
        authors: authors.length,
        topAuthors: authors.slice(0, maxAuthors),
        lastCommitAt: isoOf(lastCommitAt)
      }
    }
  }
}

/** Formats a time here, since git's own ISO format differs between its versions. */
const isoOf = (seconds: number): string => new Date(seconds * 1_000).toISOString().replace(".000Z", "Z")

const logArguments = ["log", "--no-show-signature", "--no-color", "--encoding=UTF-8", "--format=%ct%x09%aN"]

/** Why git failed: some errors mean that there is no history. */
const refusal = (stderr: string, directory: string): History => {
  if (/not a git repository|does not have any commits yet|must be run in a work tree/i.test(stderr)) {
    return { _tag: "NoHistory" }
  }
  const [reason = ""] = stderr.split("\n")
  return { _tag: "Unavailable", reason: reason.replaceAll(directory, ".").trim() || "git gave no reason" }
}

class GitMissing extends Schema.TaggedError<GitMissing>()("GitMissing", {}) {}

interface Ending {
  readonly code: number
  readonly stderr: string
}

const git = (
  directory: string,
  args: ReadonlyArray<string>,
  onLine: (line: string) => void
): Effect.Effect<Ending, GitMissing | GitStopped> =>
  Effect.acquireUseRelease(
    Effect.sync(() => start(directory, args)),
    (child) => endingOf(child, onLine),
    (child) => Effect.sync(() => end(child))
  )

const start = (directory: string, args: ReadonlyArray<string>): ChildProcess =>
  spawn("git", ["--no-pager", ...harmless, "-C", directory, ...args], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: environment()
  })

// The settings of an audited repository are untrusted: none of them may start another program.
const harmless = ["-c", "core.fsmonitor=false", "-c", "log.showSignature=false"]

/** Drops the variables of a surrounding git (a hook, say), and fixes the language of its error messages. */
const environment = (): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_"))),
  LC_ALL: "C",
  GIT_OPTIONAL_LOCKS: "0",
  GIT_TERMINAL_PROMPT: "0"
})

const endingOf = (
  child: ChildProcess,
  onLine: (line: string) => void
): Effect.Effect<Ending, GitMissing | GitStopped> =>
  Effect.async((resume) => {
    let stderr = ""
    let rest = ""
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = `${rest}${chunk}`.split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) onLine(line)
    })
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      stderr = `${stderr}${chunk}`.slice(0, 4096)
    })
    child.once("error", () => resume(new GitMissing()))
    child.once("close", (code, signal) =>
      resume(code === null ? new GitStopped({ signal: signal ?? "a signal" }) : Effect.succeed({ code, stderr }))
    )
  })

const end = (child: ChildProcess): void => {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, "SIGKILL")
  } catch {
    child.kill("SIGKILL") // no such group: it has just ended, or the platform has no groups
  }
}
