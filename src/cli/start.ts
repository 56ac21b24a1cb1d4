/**
 * Runs the command line on this process: its arguments, its streams, its exit code.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { codeOf, run } from "./program.ts"
import * as Screen from "./Screen.ts"

// The reader may close the pipe early (`| head`): the rest is then dropped. Anything else, such as a full disk, is a failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0)
  process.stderr.write(`holdfast: standard output cannot be written: ${error.message}\n`)
  process.exit(1)
})

run(process.argv).pipe(
  Effect.provideService(
    Screen.TheScreen,
    Screen.make(process.stdout, process.stderr, process.env, () => process.stdin)
  ),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    disablePrettyLogger: true,
    teardown: (exit, end) => end(codeOf(exit))
  })
)
