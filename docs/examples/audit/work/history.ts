/**
 * The history of a directory as durable work: children that ask git, each started once, until one of them tells it.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ExecutionContext, ProcessHandle } from "../../../../src/index.ts"
import { Engine } from "../../../../src/index.ts"
import { Progress } from "../cli/Progress.ts"
import * as GitHistory from "./gitLog.ts"

/** Asks git for the history. A subprocess cannot be gone on with, so its body is never started twice. */
export const GitLog = Engine.make("audit.git-log", {
  version: "1",
  payload: Schema.Struct({ directory: Schema.String }),
  success: GitHistory.History,
  error: GitHistory.GitStopped,
  disposition: "owner_bound",
  run: ({ directory }) => GitHistory.historyOf(directory)
})

/**
 * The history, from the first `git-log` child that tells it.
 *
 * An abandoned child is an answer in its own right: its host ended while it ran, so nobody knows what it would have said.
 * The next one has a name of its own. A body that runs again goes through the same names, and finds each answer recorded.
 */
export const gitHistory = (context: ExecutionContext.ExecutionContext, directory: string) =>
  Effect.gen(function* () {
    let stops = 0
    for (let number = 1; ; number++) {
      const name = number === 1 ? "git-log" : `git-log-${number}`
      const child = yield* context.start(GitLog, { name, payload: { directory } })
      // A step, since a lack of patience depends on the clock: a later activation must come to the same next child.
      const attempt = yield* context.step(`answer of ${name}`, answerOf(child), { schema: Attempt })
      if (attempt._tag === "Known") return attempt.history
      if (attempt._tag === "Stopped") stops++
      if (stops === maxStops) return { _tag: "Unavailable", reason: attempt.why } as const
      const progress = yield* Progress
      yield* progress.note(`${name}: ${attempt.why}; a fresh one is started as git-log-${number + 1}`)
    }
  })

/** How often git may be ended by a signal before the report goes without a history. */
const maxStops = 3

/** Longer than git may take. Only then is a child that says nothing one whose host vanished without proof of its death. */
const patienceMs = GitHistory.timeLimitMs + 15_000

/** What became of one `git-log` child. `Lost` says why the next one is needed. */
const Attempt = Schema.Union(
  Schema.TaggedStruct("Known", { history: GitHistory.History }),
  Schema.TaggedStruct("Lost", { why: Schema.String }),
  Schema.TaggedStruct("Stopped", { why: Schema.String })
)
type Attempt = typeof Attempt.Type

const answerOf = (child: ProcessHandle.ProcessHandle<GitHistory.History, GitHistory.GitStopped>) =>
  child.await.pipe(
    Effect.map((history): Attempt => ({ _tag: "Known", history })),
    Effect.catchTags({
      ProcessAbandoned: () =>
        Effect.succeed(lost("its host ended while it ran, so its outcome is unknown (abandoned)")),
      GitStopped: (error) => Effect.succeed<Attempt>({ _tag: "Stopped", why: error.message })
    }),
    Effect.timeoutTo({
      duration: patienceMs,
      onSuccess: (attempt) => attempt,
      onTimeout: () => lost("it gives no answer, and nothing proves that its host ended")
    })
  )

const lost = (why: string): Attempt => ({ _tag: "Lost", why })
