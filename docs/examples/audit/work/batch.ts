/**
 * Reads the files of one batch, each as a step with a time limit and further tries.
 *
 * Invariant: a file whose step is recorded is not read again, wherever the batch goes on; one that hangs costs the report
 * one line, and not the audit.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Engine } from "../../../../src/index.ts"
import { Progress } from "../cli/Progress.ts"
import { BatchReport, FileReport, Unread } from "./FileReport.ts"
import { readOne } from "./reading.ts"

/** A file was not read within its time. The next try may be luckier: a disk wakes up, a network comes back. */
export class FileTimedOut extends Schema.TaggedError<FileTimedOut>()("FileTimedOut", {
  path: Schema.String,
  limitMs: Schema.Int
}) {
  override get message(): string {
    return `${this.path} was not read within ${Duration.format(this.limitMs)}`
  }
}

/** How often a file is tried. */
export const tries = 3

/** When a file is tried again. */
export const again = Schedule.exponential("200 millis").pipe(Schedule.intersect(Schedule.recurs(tries - 1)))

/**
 * Ends a read that takes too long. The operating system cannot be asked to stop one, so it is left to itself: nobody waits
 * for it any more.
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

/** What the report says of a file that took too long. The same in every run that meets it. */
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
    /** How long one try at one file may take. Units: milliseconds. */
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
