/**
 * The promises of the agent, under Node's own test runner.
 *
 * usage: node --test dist/docs/examples/11-agent-loop/agent.test.js
 */
import { test } from "node:test"
import * as Effect from "effect/Effect"
import { check } from "./promises.ts"

test("the agent keeps its promises in 20 random histories", () => Effect.runPromise(check(20)))
