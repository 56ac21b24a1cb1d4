/**
 * Who decides whether a report is published: the person at this terminal, `--yes`, or a person elsewhere.
 *
 * Invariant: without a terminal the program waits only with `--wait`, which overrides `--yes`. The audit itself waits durably.
 */

import { userInfo } from "node:os"
import { relative } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import type { Processes } from "../../../../src/index.ts"
import { shellWord } from "../report/text.ts"
import { Audit } from "../work/audit.ts"
import type { Screen } from "./Screen.ts"

/** How this program gets a decision. `leave` prints how to approve, and ends. */
export type Mode = "yes" | "ask" | "wait" | "leave"

/** The mode that the options and the terminal ask for; `--wait` overrides `--yes`. */
export const modeOf = (options: {
  readonly yes: boolean
  readonly wait: boolean
  readonly hasTerminal: boolean
}): Mode => {
  if (options.wait) return "wait"
  if (options.yes) return "yes"
  return options.hasTerminal ? "ask" : "leave"
}

/** A handle on an audit. */
export const handleOf = (processes: typeof Processes.Service, id: string) => processes.handle(Audit, id)

/** A handle on an audit. */
export type AuditHandle = ReturnType<typeof handleOf>

/** Completes once an audit waits for its approval, with the totals of its draft. Never completes if the audit does not wait. */
export const onceWaiting = (handle: AuditHandle) =>
  Effect.flatMap(
    // An approval that came while no audit ran is in the log, and is taken now.
    Effect.catchTag(
      handle.waitFor((now) => now.isAtRest && now.matches("waiting")),
      "StateNotReached",
      () => Effect.never
    ),
    ({ context: { draft } }) => (draft === undefined ? Effect.never : Effect.succeed(draft.totals))
  )

/** Gets a decision. Returns whether the program should wait for the audit to end. */
export const decide = (handle: AuditHandle, mode: Mode, stateFile: string, screen: Screen) =>
  Effect.gen(function* () {
    const send = (approved: boolean, by: string) =>
      handle.send({ type: "approval", approved, by }, { expect: "accepted" }).pipe(
        Effect.catchIf(
          ({ _tag }) => _tag === "ProcessAlreadyTerminal" || _tag === "EventNotAccepted",
          () => Effect.sync(() => screen.print("the audit was decided elsewhere meanwhile"))
        )
      )
    const printHow = Effect.sync(() => howToApprove(handle.id, stateFile).forEach(screen.print))
    switch (mode) {
      case "yes":
        return yield* Effect.as(send(true, `${user()} (--yes)`), true)
      case "wait":
        yield* printHow
        screen.print("waiting for the approval; an interrupt loses nothing")
        return true
      case "leave":
        yield* printHow
        screen.print(
          "after that, the same command publishes the report; --wait waits for the approval, --yes approves without asking"
        )
        return false
      case "ask": {
        const answer = yield* ask("publish the report? [y]es, [n]o (rejects it), or anything else to decide later: ")
        if (/^y(?:es)?$/i.test(answer)) return yield* Effect.as(send(true, user()), true)
        if (/^no?$/i.test(answer)) return yield* Effect.as(send(false, user()), true)
        yield* printHow
        screen.print("the same command asks again")
        return false
      }
    }
  })

/**
 * Asks the person at the terminal; a closed input is an empty answer. No raw mode: Ctrl-C stays a signal.
 *
 * A question without an answer is ended with a line break, so that the next output has a line of its own.
 */
const ask = (question: string): Effect.Effect<string> =>
  Effect.async((resume) => {
    const lines = createInterface({ input: process.stdin, output: process.stdout, terminal: false })
    let isOpen = true
    const end = (answer: string | undefined): void => {
      if (!isOpen) return
      isOpen = false
      if (answer === undefined) process.stdout.write("\n")
      lines.close()
      resume(Effect.succeed(answer ?? ""))
    }
    lines.once("close", () => end(undefined))
    lines.question(question, (answer) => end(answer.trim()))
    return Effect.sync(() => end(undefined))
  })

/** The name of the user. In a container there may be none. */
export const user = (): string => {
  try {
    return userInfo().username || "unknown user"
  } catch {
    return "unknown user"
  }
}

/** Two ways to approve an audit from another terminal. */
const howToApprove = (id: string, stateFile: string): ReadonlyArray<string> => [
  `to approve it: node ${shellWord(script())} --state ${shellWord(stateFile)} ${id}`,
  `           or: npx holdfast signal ${id} approval --db ${shellWord(stateFile)} --payload '{"approved":true,"by":"${nameInShell(user())}"}'`
]

/** The path of the approve script, relative to the working directory if it is below it. */
const script = (): string => {
  const path = fileURLToPath(new URL("./approve.js", import.meta.url))
  const way = relative(process.cwd(), path)
  return way.startsWith("..") ? path : way
}

const nameInShell = (name: string): string => name.replace(/[^\w.@ -]/g, "")
