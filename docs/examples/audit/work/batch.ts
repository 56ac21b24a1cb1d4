/**
 * Reads the files of one batch, each as a step with a time limit and retries.
 *
 * Invariant: a file whose step is recorded is not read again, wherever the batch resumes; a file that hangs is reported as not
 * read and does not fail the audit.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Engine } from "../../../../src/index.ts"
import { BatchReport, FileReport, Unread } from "../report/parts.ts"
import { Progress } from "./Progress.ts"
import { readOne } from "./reading.ts"

/** A file was not read within its time limit. A retry may succeed: a disk spins up, a network recovers. */
export class FileTimedOut extends Schema.TaggedError<FileTimedOut>()("FileTimedOut", {
  path: Schema.String,
  limitMs: Schema.Int
}) {
  override get message(): string {
    return `${this.path} was not read within ${Duration.format(this.limitMs)}`
  }
}

/** How many attempts to read a file are made. */
export const tries = 3

/** When to retry a file. */
export const again = Schedule.exponential("200 millis").pipe(Schedule.intersect(Schedule.recurs(tries - 1)))

/**
 * Fails a read that takes too long. The operating system cannot stop a read, so it continues, but its result is ignored.
 */
export const inTime = <A, R>(
  path: string,
  limitMs: number,
  read: Effect.Effect<A, never, R>
): Effect.Effect<A, FileTimedOut, R> =>
  read.pipe(
    Effect.disconnect,
    Effect.timeoutFail({ duration: limitMs, onTimeout: () => new FileTimedOut({ path, limitMs }) })
  )

/** The report's line about a file that took too long; the same in every run. */
export const tooSlow = ({ path, limitMs }: FileTimedOut): Unread => ({
  path,
  problem: `was not read within ${Duration.format(limitMs)}, in ${tries} tries`
})

/** Reads the files of one batch. */
export const ReadBatch = Engine.make("audit.read-batch", {
  version: "2",
  payload: Schema.Struct({
    directory: Schema.String,
    files: Schema.Array(Schema.String),
    /** The time limit of one attempt to read a file. Units: milliseconds. */
    fileTimeoutMs: Schema.Int
  }),
  success: BatchReport,
  disposition: "rerunnable",
  run: ({ directory, files, fileTimeoutMs }, context) =>
    Effect.gen(function* () {
      const progress = yield* Progress
      const { processId, attempt } = context
      const read = (path: string) =>
        progress.rest.pipe(
          Effect.zipRight(Effect.logDebug(`reading ${path}`)),
          Effect.zipRight(inTime(path, fileTimeoutMs, readOne(directory, path))),
          Effect.tapError((late) => Effect.logWarning(late.message))
        )
      const step = (path: string) =>
        context
          .step(path, read(path), {
            schema: Schema.Union(FileReport, Unread),
            error: FileTimedOut,
            retry: again
          })
          .pipe(
            Effect.catchTag("FileTimedOut", (late) => Effect.succeed(tooSlow(late))),
            Effect.tap(() => progress.fileRead(processId, path))
          )
      return yield* Effect.forEach(files, step, { concurrency: filesAtOnce }).pipe(
        Effect.map((answers) => ({
          files: answers.filter(isRead),
          unread: answers.filter((answer): answer is Unread => !isRead(answer))
        })),
        Effect.annotateLogs({ process: processId, attempt })
      )
    })
})

/** How many files one batch reads at a time. */
const filesAtOnce = 4

const isRead = (answer: FileReport | Unread): answer is FileReport => "sha256" in answer
