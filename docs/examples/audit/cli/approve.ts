/**
 * Approves or rejects the report of an audit from a second terminal, whether or not the audit runs anywhere at the moment.
 *
 * usage: node dist/docs/examples/audit/cli/approve.js [--state file] [--by name] [--reject] [audit id]
 */
import { existsSync } from "node:fs"
import { parseArgs } from "node:util"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { Processes, SingleHost } from "../../../../src/index.ts"
import { waits } from "../work/Approval.ts"
import { Audit } from "../work/audit.ts"
import { isAudit } from "../work/identity.ts"
import { user } from "./approval.ts"
import { lineOf } from "./inputs.ts"

class CannotApprove extends Data.TaggedError("CannotApprove")<{ readonly line: string }> {
  override get message(): string {
    return this.line
  }
}

interface Decision {
  readonly id: string | undefined
  readonly approved: boolean
  readonly by: string
}

/** The named audit, or the only one that waits. */
const choose = (id: string | undefined) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    if (id !== undefined) return id
    const audits = (yield* processes.listNonTerminal).filter(isAudit)
    const waiting = yield* Effect.filter(audits, (record) => waits(record.id))
    const [only, ...more] = waiting.map((record) => record.id)
    if (only === undefined) return yield* new CannotApprove({ line: "no audit waits for approval" })
    if (more.length === 0) return only
    return yield* new CannotApprove({ line: `several audits wait, name one: ${[only, ...more].join(", ")}` })
  })

const decide = ({ id: named, approved, by }: Decision) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    const id = yield* choose(named)
    yield* processes.handle(Audit, id).send({ type: "approval", approved, by }, { expect: "accepted" })
    return approved
      ? `approved ${id}; the program that waits for it publishes the report, or else the next one that starts`
      : `rejected ${id}`
  })

const read = () => {
  const options = { state: { type: "string" }, by: { type: "string" }, reject: { type: "boolean" } } as const
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  if (positionals.length > 1) throw new TypeError("one audit at a time")
  return {
    state: values.state ?? ".holdfast/audit.db",
    decision: { id: positionals[0], approved: values.reject !== true, by: values.by ?? user() }
  }
}

const usage = "usage: node approve.js [--state file] [--by name] [--reject] [audit id]"

const main = async (): Promise<number> => {
  let asked: ReturnType<typeof read>
  try {
    asked = read()
  } catch (problem) {
    console.error(`approve: ${problem instanceof Error ? problem.message.split(". ")[0] : problem}; ${usage}`)
    return 2
  }
  const { state, decision } = asked
  // Opening a store creates its file, which must not happen for a mistyped path.
  if (!existsSync(state)) {
    console.error(`approve: the state file ${state} does not exist: name it with --state`)
    return 1
  }
  // A host without engines runs no process.
  const host = SingleHost.layerSqlite({ filename: state, engines: [], sweepInterval: false })
  return Effect.runPromise(
    decide(decision).pipe(
      Effect.provide(host),
      Effect.match({
        onSuccess: (line) => {
          console.log(line)
          return 0
        },
        onFailure: (error) => {
          console.error(`approve: ${lineOf(error, state)}`)
          return 1
        }
      }),
      Logger.withMinimumLogLevel(LogLevel.None)
    )
  )
}

process.exitCode = await main()
