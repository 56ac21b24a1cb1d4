/**
 * The audit agent, as `npm start` runs it. It prints a first line at once and loads the rest of the program after that.
 *
 * usage: node dist/docs/examples/audit/main.js [directory] [options]; see --help
 */

import { questionIn } from "./cli/args.ts"

// A closed pipe (`| head`) ends the output, not the audit.
process.stdout.on("error", () => {})
if (questionIn(process.argv) === undefined) process.stdout.write("audit: getting ready\n")
await import("./cli/commandLine.ts")
