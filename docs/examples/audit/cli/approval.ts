/**
 * Who decides whether a report is published: the person at this terminal, `--yes`, or somebody elsewhere.
 *
 * Invariant: without a terminal nothing waits for ever unless it was asked to (`--wait`, which stands above `--yes`). The audit
 * itself does wait, durably.
 */
import { createInterface } from "node:readline"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { ProcessHandle, ProcessRecord } from "../../../../src/index.ts"
import { Approval, Drafted, howToApprove, user } from "../work/Approval.ts"
import type { AuditFailure, Published } from "../work/audit.ts"
import type { Screen } from "./Screen.ts"

/** How this program comes to a decision. `leave` says how to approve, and ends. */
export type Mode = "yes" | "ask" | "wait" | "leave"

/** The mode that the options and the terminal ask for. Whoever wants to wait for somebody does not want it approved already. */
export const modeOf = (options: {
  readonly yes: boolean
  readonly wait: boolean
  readonly hasTerminal: boolean
}): Mode => {
  if (options.wait) return "wait"
  if (options.yes) return "yes"
  return options.hasTerminal ? "ask" : "leave"
}

/** The handle of an audit. */
export type AuditHandle = ProcessHandle.ProcessHandle<Published, AuditFailure, typeof Approval>

/** Whether an audit waits for its approval, and for nothing else. */
export const waits = ({ wait }: ProcessRecord.ProcessRecord): boolean =>
  wait?.kind._tag === "Signal" && wait.kind.name === Approval.signal

/** Completes once an audit waits for its approval, with what its draft comes to. Never, when it ends without waiting. */
export const onceWaiting = (handle: AuditHandle) =>
  Effect.gen(function* () {
    yield* orNever(Stream.runHead(Stream.filter(handle.changes, waits)))
    const drafted = yield* orNever(
      Stream.runHead(Stream.filter(handle.events, ({ eventType }) => eventType === Drafted.name))
    )
    return yield* Drafted.decode(drafted.payload)
  })

/** Comes to a decision. Answers whether there is one to wait for. */
export const decide = (handle: AuditHandle, mode: Mode, stateFile: string, screen: Screen) =>
  Effect.gen(function* () {
    const send = (approved: boolean, by: string) =>
      Effect.catchTag(handle.signal(Approval, { approved, by }), "ProcessAlreadyTerminal", () =>
        Effect.sync(() => screen.print("somebody else has decided meanwhile"))
      )
    const tellHow = Effect.sync(() => howToApprove(handle.id, stateFile).forEach(screen.print))
    switch (mode) {
      case "yes":
        return yield* Effect.as(send(true, `${user()} (--yes)`), true)
      case "wait":
        yield* tellHow
        screen.print("waiting for the approval; interrupt it at any moment, nothing is lost")
        return true
      case "leave":
        yield* tellHow
        screen.print("after that, the same command publishes the report; --wait waits for it, --yes approves by itself")
        return false
      case "ask": {
        const answer = yield* ask("publish the report? [y]es, [n]o (rejects it), or anything else to decide later: ")
        if (/^y(?:es)?$/i.test(answer)) return yield* Effect.as(send(true, user()), true)
        if (/^no?$/i.test(answer)) return yield* Effect.as(send(false, user()), true)
        yield* tellHow
        screen.print("the same command asks again")
        return false
      }
    }
  })

/**
 * Asks the person at the terminal; whoever ends the input has answered nothing. No raw mode: Ctrl-C stays a signal.
 *
 * A question that nobody answered is ended with a line break, so that what is said next has a line of its own.
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

const orNever = <A, E, R>(found: Effect.Effect<Option.Option<A>, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(found, (value) => (Option.isSome(value) ? Effect.succeed(value.value) : Effect.never))
