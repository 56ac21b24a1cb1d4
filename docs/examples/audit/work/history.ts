/**
 * The history of a directory as durable work: children that run git, each started once, until one of them succeeds.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ExecutionContext, ProcessHandle } from "../../../../src/index.ts"
import { Engine } from "../../../../src/index.ts"
import { History } from "../report/parts.ts"
import * as GitHistory from "./gitLog.ts"
import { Progress } from "./Progress.ts"

/** Runs git. A subprocess cannot be resumed, so its body is never started twice. */
export const GitLog = Engine.make("audit.git-log", {
  version: "1",
  payload: Schema.Struct({ directory: Schema.String }),
  success: History,
  error: GitHistory.GitStopped,
  disposition: "owner_bound",
  run: ({ directory }) => GitHistory.historyOf(directory)
})

/**
 * The history, from the first `git-log` child that succeeds.
 *
 * An abandoned child is an outcome as well: its host ended while it ran, so its result is unknown. The next child has another
 * name. A body that runs again goes through the same names and meets the same outcomes, also that one did not come in time.
 */
export const gitHistory = (context: ExecutionContext.ExecutionContext, directory: string) =>
  Effect.gen(function* () {
    let stops = 0
    for (let number = 1; ; number++) {
      const name = number === 1 ? "git-log" : `git-log-${number}`
      const child = yield* context.start(GitLog, { name, payload: { directory } })
      const attempt = yield* answerOf(child)
      if (attempt._tag === "Known") return attempt.history
      if (attempt._tag === "Stopped") stops++
      if (stops === maxStops) return { _tag: "Unavailable", reason: attempt.why } as const
      const progress = yield* Progress
      yield* progress.note(`${name}: ${attempt.why}; the next one is git-log-${number + 1}`)
    }
  })

/** How often a signal may end git before the report is written without a history. */
const maxStops = 3

/** Longer than git may take: a child that is silent for so long has lost its host, even without proof. */
const answerLimitMs = GitHistory.timeLimitMs + 15_000

/** The outcome of one `git-log` child. `Lost` and `Stopped` say why the next one is needed. */
type Attempt =
  | { readonly _tag: "Known"; readonly history: History }
  | { readonly _tag: "Lost" | "Stopped"; readonly why: string }

const answerOf = (child: ProcessHandle.ProcessHandle<History, GitHistory.GitStopped>) =>
  child.await.pipe(
    Effect.map((history): Attempt => ({ _tag: "Known", history })),
    Effect.catchTags({
      ProcessAbandoned: () =>
        Effect.succeed(lost("its host ended while it ran, so its outcome is unknown (abandoned)")),
      GitStopped: (error) => Effect.succeed<Attempt>({ _tag: "Stopped", why: error.message })
    }),
    Effect.timeoutTo({
      duration: answerLimitMs,
      onSuccess: (attempt) => attempt,
      onTimeout: () => lost("it does not answer, and its host is not proven dead")
    })
  )

const lost = (why: string): Attempt => ({ _tag: "Lost", why })
