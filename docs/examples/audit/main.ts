/**
 * The audit agent, as `npm start` runs it. It says at once that it is there, and loads the rest of itself after that.
 *
 * usage: node dist/docs/examples/audit/main.js [directory] [options]; see --help
 */

import { questionIn } from "./cli/args.ts"

// A reader that went away (`| head`) ends the showing, not the audit.
process.stdout.on("error", () => {})
if (questionIn(process.argv) === undefined) process.stdout.write("audit: getting ready\n")
await import("./cli/commandLine.ts")
