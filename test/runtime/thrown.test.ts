/**
 * What is left of a failure: where it came from, in what is stored, for whoever awaits it, through other processes and copies.
 */
import { cpSync, mkdirSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import type * as Library from "../../src/index.ts"
import * as Errors from "../../src/model/errors.ts"
import { isAboutProcess, type RuntimeError } from "../../src/model/failures.ts"
import { processId } from "../../src/model/ids.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import { wire } from "../../src/model/wire.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { conclude } from "../../src/runtime/worker/conclusion.ts"
import { root } from "../support/children.ts"
import { bounded, memory, temporaryFolder } from "../support/hosts.ts"

const base = { version: "1", payload: Schema.Any, success: Schema.Any, disposition: "rerunnable" as const }

function chargeTheCard(): never {
  throw new Error("payment failed", { cause: new Error("connect ECONNREFUSED") })
}

const Charging = Engine.make("charging", { ...base, run: () => Effect.sync(() => chargeTheCard()) })

const Nest: Engine.Engine<number, unknown, RuntimeError, never> = Engine.make("nest", {
  ...base,
  payload: Schema.Number,
  run: (left, ctx) =>
    left === 0
      ? Effect.sync(() => chargeTheCard())
      : Effect.flatMap(ctx.start(Nest, { name: "c", payload: left - 1 }), (child) => child.await)
})

const failureOf = (engine: Engine.Engine<never, unknown, unknown, never>, payload: unknown) =>
  Effect.gen(function* () {
    const handle = yield* (yield* Processes).start(engine, { id: "p", payload: payload as never })
    const error = yield* bounded(Effect.flip(handle.await))
    if (!(error instanceof Errors.ProcessFailed)) return assert.fail("it failed otherwise")
    return { error, status: (yield* handle.status).status }
  }).pipe(Effect.provide(memory([Charging, Nest])))

/** Another copy of the library, as a program has whose packages bring one each. */
const anotherCopy = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const copy = join(folder, "holdfast")
  mkdirSync(copy)
  for (const part of ["dist/src", "dist/machines", "package.json"]) {
    cpSync(join(root, part), join(copy, part), { recursive: true })
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
  return yield* Effect.promise(
    (): Promise<typeof Library> => import(pathToFileURL(join(copy, "dist/src/index.js")).href)
  )
})

describe("a failure", () => {
  it.live("keeps the line that threw and the cause, where it is stored and where it is awaited", () =>
    Effect.gen(function* () {
      const { error, status } = yield* failureOf(Charging, null)
      assert.match(error.message, /Error: payment failed$/)
      assert.instanceOf(error.cause, Error)
      assert.match((error.cause as Error).stack ?? "", /payment failed\n +at .*chargeTheCard/)
      assert.match(((error.cause as Error).cause as Error).message, /ECONNREFUSED/)
      const stored = wire.status.encode(status)
      assert.match(JSON.stringify(stored), /chargeTheCard.*ECONNREFUSED/)
      assert.deepStrictEqual(yield* wire.status.decode(stored), status)
    })
  )

  it.live("says its message once, however many processes let it through", () =>
    Effect.gen(function* () {
      const { error } = yield* failureOf(Nest, 12)
      assert.strictEqual(error.message.split("payment failed").length, 2)
      assert.match(error.message, /^process `p` failed: process `p(\/c){12}` failed \(internal, process_defect\): /)
      assert.strictEqual((error.cause as Error).message, "payment failed")
    })
  )

  it("without what was thrown, as older files have it, is read as it is", () => {
    const old = { type: "failure", class: "internal", code: "process_defect", message: "Error: x" }
    assert.deepStrictEqual(wire.awaitOutput.encode(Effect.runSync(wire.awaitOutput.decode(old))), old)
  })

  it.scoped("of another copy of the library is known as this one's own", () =>
    Effect.gen(function* () {
      const other = yield* anotherCopy
      assert.notStrictEqual<unknown>(other.Errors.LeaseLost, Errors.LeaseLost)
      const lost = { processId: "p", fencingToken: 1, currentFence: 2 }
      assert.isTrue(new other.Errors.LeaseLost(lost) instanceof Errors.LeaseLost)
      assert.isTrue(new Errors.LeaseLost(lost) instanceof other.Errors.LeaseLost)
      assert.isFalse(new other.Errors.LeaseLost(lost) instanceof Errors.StoreError)
      assert.isTrue(isAboutProcess(new other.Errors.LeaseLost(lost)))
      assert.isTrue(Schema.is(Errors.LeaseLost)(new other.Errors.LeaseLost(lost)))
      const concluded = (error: RuntimeError) =>
        conclude({
          processId: processId("p"),
          exit: Exit.fail(error),
          stop: undefined,
          disposition: "rerunnable",
          cancelReason: null,
          owner: opaqueOwner("o", "o"),
          nowMs: 0
        })
      const diverged = { processId: "p", position: 1, key: "a#1", expected: "step", actual: "sleep" }
      const timedOut = concluded(new other.Errors.WaitTimedOut({ processId: "p", signal: "go" }))
      assert.deepInclude(timedOut, { _tag: "Complete" })
      assert.deepInclude("output" in timedOut && timedOut.output, { _tag: "Failure", class: "timeout" })
      assert.strictEqual(concluded(new other.Errors.ReplayDiverged(diverged))._tag, "Diverged")
    })
  )

  it("of a program's own that has the same tag is not the library's", () => {
    class LeaseLost extends Schema.TaggedError<LeaseLost>()("LeaseLost", { processId: Schema.String }) {}
    assert.isFalse(new LeaseLost({ processId: "p" }) instanceof Errors.LeaseLost)
  })
})

describe("an engine and a signal of another copy of the library", () => {
  it.scopedLive("run on a host of this one, and fail with the errors of this one", () =>
    Effect.gen(function* () {
      const other = yield* anotherCopy
      const Go = other.Signal.make("go", { payload: Schema.Int })
      const Theirs = other.Engine.make("theirs", {
        ...base,
        signals: [Go],
        run: (_, ctx) =>
          Effect.gen(function* () {
            const stepped = yield* ctx.step("a", Effect.succeed("a"))
            const given = yield* ctx.awaitSignal(Go)
            const late = yield* Effect.flip(ctx.awaitSignal(Go, { timeout: "1 millis" }))
            return [stepped, given, late instanceof other.Errors.WaitTimedOut]
          })
      })
      yield* Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(Theirs, { id: "p", payload: null })
        yield* bounded(handle.signal(Go, 7))
        assert.deepStrictEqual(yield* bounded(handle.await), ["a", 7, true])
        assert.instanceOf(yield* Effect.flip(handle.signal(Go, 8)), Errors.ProcessAlreadyTerminal)
      }).pipe(Effect.provide(memory([Theirs])))
    })
  )
})
