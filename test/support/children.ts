/**
 * Real child processes of Node for tests: started from the build, watched line by line, ended by signal.
 */
import type { ChildProcess } from "node:child_process"
import { spawn, spawnSync } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { patienceMs } from "./patience.ts"
import { programAt } from "./programs.ts"

/** The root of the project, wherever this file runs from. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url)).replace(/dist\/$/, "")

/** A child process, with what it has said so far. */
export interface Child {
  readonly process: ChildProcess
  readonly lines: ReadonlyArray<string>
  readonly errors: ReadonlyArray<string>
  /** Resolves once a line matches, at once if one did; rejects when the child ends before, or after `boundMs`. */
  readonly saw: (pattern: RegExp, boundMs?: number) => Promise<string>
  /** Resolves with how it ended; rejects, and kills it, after `boundMs`. */
  readonly ended: (boundMs?: number) => Promise<{ readonly code: number | null; readonly signal: string | null }>
}

/** Starts `node <dist file> …args`. */
export const start = (
  script: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {}
): Child =>
  watched(
    spawn(process.execPath, [programAt(script), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: options.cwd ?? root,
      env: { ...process.env, ...options.env }
    })
  )

/** Why no program can be given a terminal on this machine; `undefined` when one can. */
export const withoutTerminal = (): string | undefined =>
  /util-linux/.test(spawnSync("script", ["--version"], { encoding: "utf8" }).stdout ?? "")
    ? undefined
    : "there is no `script` of util-linux, which gives a program a terminal"

/** Runs lines of a shell on a terminal of their own; what is written to `stdin` is typed there. */
export const onTerminal = (lines: string): Child =>
  watched(
    spawn("script", ["--quiet", "--flush", "--return", "--command", lines, "/dev/null"], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, SHELL: "/bin/sh", TERM: "xterm" },
      cwd: root
    })
  )

const watched = (child: ChildProcess): Child => {
  const lines: Array<string> = []
  const errors: Array<string> = []
  const watchers = new Set<() => void>()
  const listen = (stream: NodeJS.ReadableStream | null, into: Array<string>) => {
    if (stream === null) return
    createInterface({ input: stream }).on("line", (line) => {
      into.push(line)
      for (const watcher of watchers) watcher()
    })
  }
  listen(child.stdout, lines)
  listen(child.stderr, errors)
  const exit = new Promise<{ readonly code: number | null; readonly signal: string | null }>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal }))
  })
  const within = <A>(boundMs: number, what: string, wait: Promise<A>): Promise<A> => {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        child.kill("SIGKILL")
        reject(new Error(`${what} within ${boundMs} ms\n${[...lines, ...errors].slice(-20).join("\n")}`))
      }, boundMs)
    })
    return Promise.race([wait, late]).finally(() => clearTimeout(timer))
  }
  const seen = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = () => {
        const line = lines.find((candidate) => pattern.test(candidate))
        if (line === undefined) return
        watchers.delete(look)
        resolve(line)
      }
      watchers.add(look)
      look()
      void exit.then(() => reject(new Error(`ended before ${pattern}\n${errors.slice(-20).join("\n")}`)))
    })
  return {
    process: child,
    lines,
    errors,
    saw: (pattern, boundMs = patienceMs) => within(boundMs, `did not see ${pattern}`, seen(pattern)),
    ended: (boundMs = patienceMs) => within(boundMs, "did not end", exit)
  }
}
