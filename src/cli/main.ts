#!/usr/bin/env node
/**
 * The command line `holdfast`: sees and operates the processes in a database file, also while a host has it open.
 *
 * It is a second program on the same file: what it writes are requests in the log, which a running host notices.
 *
 * usage: holdfast <command> [options]; see --help
 */
import { version } from "./version.ts"

// Scripts ask for the version often: it needs nothing of what commands need.
if (process.argv.length === 3 && process.argv[2] === "--version") process.stdout.write(`${version}\n`)
else await import("./start.ts")
