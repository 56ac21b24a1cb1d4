/**
 * The promises of the agent, under Node's own test runner.
 *
 * usage: [RUNS=n] node --test dist/docs/examples/11-agent-loop/agent.test.js
 */
import { test } from "node:test"
import * as Effect from "effect/Effect"
import { check } from "./promises.ts"

const runs = Number(process.env["RUNS"] ?? 20)

test(`the agent keeps its promises in ${runs} random histories`, () => Effect.runPromise(check(runs)))
