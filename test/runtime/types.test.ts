import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LeaseLost } from "../../src/model/errors.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import { Refused } from "./replays.ts"

/** What is written in it is compiled, and never run. */
const compiled = (_program: (ctx: ExecutionContext) => unknown): void => assert.isFunction(_program)

const fails = Effect.fail(new Refused({ by: 1 }))

describe("the types of a step", () => {
  it("ask how the failure of a step is stored that can fail", () => {
    compiled((ctx) => [
      // @ts-expect-error -- nothing says how the failure is stored
      ctx.step("a", fails),
      // @ts-expect-error -- other options do not say it either
      ctx.step("a", fails, {}),
      // @ts-expect-error -- recorded with its failure, which nothing says how to store
      ctx.step("a", fails, { record: "outcome" }),
      // @ts-expect-error -- the same where it is handed its progress
      ctx.step("a", () => fails),
      ctx.step("a", fails, { error: Refused }),
      ctx.step("a", fails, { record: "success" }),
      ctx.step("a", () => fails, { error: Refused })
    ])
  })

  it("ask for nothing of a step that cannot fail, or only with the library's own errors", () => {
    compiled((ctx) => [
      ctx.step("a", Effect.succeed(1)),
      ctx.step("a", Effect.fail(undefined as unknown as LeaseLost)) // never run
    ])
  })

  it("take no schema of a failure that is not recorded, or of another one", () => {
    compiled((ctx) => [
      // @ts-expect-error -- a failure that is not recorded has no schema
      ctx.step("a", fails, { record: "success", error: Refused }),
      // @ts-expect-error -- the failure is another
      ctx.step("a", Effect.fail("no"), { error: Refused })
    ])
  })
})
