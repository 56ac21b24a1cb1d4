import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { serve } from "../../src/cli/commands/inspect.ts"
import * as Screens from "../../src/cli/Screen.ts"
import { fileStore, register, tokenIn, waitForApproval } from "../inspector/fixtures.ts"
import { bounded, quiet, temporaryFolder } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"
import { holdfast } from "./running.ts"

describe("holdfast inspect", () => {
  it.scopedLive("serves the page of a file at the address it says, until it is interrupted", () =>
    bounded(
      Effect.gen(function* () {
        const filename = join(yield* temporaryFolder, "a.db")
        yield* Effect.provide(register("p"), fileStore(filename))
        const listening = yield* Deferred.make<string>()
        const onListening = (url: string) => Effect.asVoid(Deferred.succeed(listening, url))
        const file = { _tag: "File", filename, shown: filename } as const
        const screen = Screens.make(process.stdout, process.stderr, {})
        const serving = yield* Effect.fork(
          Effect.provide(serve(file, screen, { port: 0, actions: false, onListening }), quiet)
        )
        const url = new URL(yield* Deferred.await(listening))
        const headers = { authorization: `Bearer ${tokenIn(url.href)}` }
        const read = Effect.tryPromise(() =>
          fetch(new URL("/api/counts", url), { headers, signal: AbortSignal.timeout(patienceMs) }).then((response) =>
            response.json()
          )
        )
        assert.deepStrictEqual(yield* read, {
          counts: { running: 1, completed: 0, failed: 0, cancelled: 0, abandoned: 0 },
          total: 1
        })
        yield* Fiber.interrupt(serving)
        assert.strictEqual((yield* Effect.flip(read))._tag, "UnknownException")
      })
    )
  )

  for (const actions of [true, false]) {
    it.scopedLive(
      `${actions ? "lets a page act for a host that has stopped" : "lets a page only read"}, ${actions ? "with" : "without"} --actions`,
      () =>
        bounded(
          Effect.gen(function* () {
            const filename = join(yield* temporaryFolder, "a.db")
            yield* Effect.provide(Effect.zipRight(register("p"), waitForApproval("p")), fileStore(filename))
            const listening = yield* Deferred.make<string>()
            const onListening = (url: string) => Effect.asVoid(Deferred.succeed(listening, url))
            const file = { _tag: "File", filename, shown: filename } as const
            const screen = Screens.make(process.stdout, process.stderr, {})
            const serving = yield* Effect.fork(
              Effect.provide(serve(file, screen, { port: 0, actions, onListening }), quiet)
            )
            const url = new URL(yield* Deferred.await(listening))
            const answer = yield* Effect.promise(() =>
              fetch(new URL("/api/actions/signal", url), {
                method: "POST",
                headers: { authorization: `Bearer ${tokenIn(url.href)}`, "content-type": "application/json" },
                body: JSON.stringify({
                  process_id: "p",
                  name: "approve",
                  payload: { by: "ana", level: "once" },
                  signal_id: "1"
                }),
                signal: AbortSignal.timeout(patienceMs)
              })
            )
            assert.strictEqual(answer.status, actions ? 200 : 403)
            yield* Fiber.interrupt(serving)
            const { out } = yield* Effect.promise(() => holdfast(["show", "p", "--json", "--db", filename]))
            const { events } = JSON.parse(out) as { readonly events: ReadonlyArray<{ readonly event_type: string }> }
            assert.deepStrictEqual(
              events.map(({ event_type: type }) => type),
              actions ? ["process.waiting", "signal.approve", "process.resumed"] : ["process.waiting"]
            )
          })
        )
    )
  }
})
