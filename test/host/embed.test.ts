import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { BodyContext, EmbeddedHost, Handle, LogLine } from "../../src/host/embed/createHost.ts"
import { createHost, engine, HostStopped } from "../../src/host/embed/createHost.ts"
import * as Errors from "../../src/model/errors.ts"
import type { Runnable } from "../../src/runtime/engine/Engine.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import type { SessionRunner } from "../../src/runtime/engine/SessionTurn.ts"
import * as SessionTurn from "../../src/runtime/engine/SessionTurn.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import * as Tool from "../../src/runtime/engine/Tool.ts"
import { remove } from "../support/folders.ts"
import { fast } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"

const Approve = Signal.make("approve", { payload: Schema.Struct({ by: Schema.NonEmptyString }) })
const Progress = Signal.event("progress", { payload: Schema.Struct({ text: Schema.String }) })

class BuildBroken extends Schema.TaggedError<BuildBroken>()("BuildBroken", { service: Schema.String }) {}

const hosts: Array<EmbeddedHost> = []
const folders: Array<string> = []

afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop()
  for (const folder of folders.splice(0)) await Effect.runPromise(remove(folder))
})

const file = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-embed-"))
  folders.push(folder)
  return join(folder, "agent.db")
}

/** A host that is stopped after the test. */
const hostOf = async <const E extends ReadonlyArray<Runnable<never>>>(engines: E, filename?: string) => {
  const options = { ...fast, engines, scope: "mail", log: false } as const
  const host = await (filename === undefined
    ? createHost({ ...options, memory: true })
    : createHost({ ...options, filename }))
  hosts.push(host)
  return host
}

/** What a Promise rejects with. Every wait in this file is bounded by the runner's time limit. */
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.fail("it was expected to reject"),
    (error: unknown) => error
  )

const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  const deadlineMs = Date.now() + patienceMs
  while (!(await condition())) {
    if (Date.now() > deadlineMs) assert.fail("the test waited too long")
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const waiting = (handle: Handle<unknown>) => async () => (await handle.status()).wait !== undefined

/** An engine that counts which of its steps ran. */
const deploy = (ran: Array<string>, passivateAfter?: "20 millis") =>
  engine("deploy", {
    version: "1",
    payload: Schema.Struct({ service: Schema.String }),
    success: Schema.String,
    signals: [Approve],
    events: [Progress],
    disposition: "rerunnable",
    ...(passivateAfter === undefined ? {} : { passivateAfter }),
    run: async ({ service }, ctx) => {
      const plan = await ctx.step("plan", async () => {
        ran.push("plan")
        return `plan of ${service}`
      })
      const at = await ctx.now()
      const chance = await ctx.random()
      const { by } = await ctx.awaitSignal(Approve)
      await ctx.appendEvent(Progress, { text: `approved by ${by}` })
      await ctx.sleep("10 millis")
      return await ctx.step("apply", () => {
        ran.push("apply")
        return `${plan}, approved by ${by}: ${at > 0 && chance < 1}`
      })
    }
  })

describe("a body of Promises", () => {
  it("steps, waits and appends; types flow from engine to result", async () => {
    const ran: Array<string> = []
    const Deploy = deploy(ran)
    const host = await hostOf([Deploy])
    const handle = await host.start(Deploy, { id: "d", payload: { service: "api" } })
    expectTypeOf(handle.result).returns.resolves.toEqualTypeOf<string>()
    await handle.signal(Approve, { by: "ana" })
    assert.strictEqual(await handle.result(), "plan of api, approved by ana: true")
    assert.deepStrictEqual(ran, ["plan", "apply"])
    const types: Array<string> = []
    for await (const { eventType } of handle.events()) types.push(eventType)
    assert.strictEqual(types[0], "process.started")
    assert.strictEqual(types.filter((type) => type === "progress").length, 1)
    assert.strictEqual(types.at(-1), "process.completed")
  })

  it("goes on in the next host where this one stopped, and runs no step twice", async () => {
    const filename = file()
    const ran: Array<string> = []
    const Deploy = deploy(ran)
    const first = await hostOf([Deploy], filename)
    await until(waiting(await first.start(Deploy, { id: "d", payload: { service: "api" } })))
    await first.stop()
    const second = await hostOf([Deploy], filename)
    const handle = second.handle(Deploy, "d")
    await until(async () => (await handle.status()).activations === 2)
    await handle.signal(Approve, { by: "bo" })
    assert.strictEqual(await handle.result(), "plan of api, approved by bo: true")
    assert.deepStrictEqual(ran, ["plan", "apply"])
    assert.strictEqual((await handle.status()).attempts, 1)
  })

  it("leaves memory while it only waits, and comes back for its signal", async () => {
    const ran: Array<string> = []
    const Deploy = deploy(ran, "20 millis")
    const host = await hostOf([Deploy])
    const handle = await host.start(Deploy, { id: "d", payload: { service: "api" } })
    for await (const { eventType } of handle.events()) if (eventType === "process.suspended") break
    await handle.signal(Approve, { by: "cy" })
    assert.strictEqual(await handle.result(), "plan of api, approved by cy: true")
    assert.deepStrictEqual(ran, ["plan", "apply"])
  })

  it("tries a failed step again within its activation", async () => {
    let tries = 0
    const Flaky = engine("flaky", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Number,
      disposition: "rerunnable",
      run: (_, ctx) =>
        ctx.step(
          "call",
          () => {
            tries++
            if (tries < 3) throw new Error("not yet")
            return tries
          },
          { retry: { times: 5, delay: "1 millis" } }
        )
    })
    const host = await hostOf([Flaky])
    assert.strictEqual(await (await host.start(Flaky, { id: "f", payload: null })).result(), 3)
  })

  it("meets a step's recorded failure when it runs again, and a new one is not provoked", async () => {
    let tries = 0
    const Build = engine("build", {
      version: "1",
      payload: Schema.Null,
      success: Schema.String,
      signals: [Approve],
      disposition: "rerunnable",
      passivateAfter: "10 millis",
      run: async (_, ctx) => {
        const compile = () => {
          tries++
          throw new BuildBroken({ service: `api ${tries}` })
        }
        const error = await rejection(ctx.step("compile", compile, { error: BuildBroken }))
        const { by } = await ctx.awaitSignal(Approve)
        return `${error instanceof BuildBroken ? error.service : "?"}, ${by}`
      }
    })
    const host = await hostOf([Build])
    const handle = await host.start(Build, { id: "b", payload: null })
    for await (const { eventType } of handle.events()) if (eventType === "process.suspended") break
    await handle.signal(Approve, { by: "dee" })
    assert.strictEqual(await handle.result(), "api 1, dee")
    assert.strictEqual(tries, 1)
  })

  it("gives branches that run at once scopes of their own", async () => {
    const Both = engine("both", {
      version: "1",
      payload: Schema.Boolean,
      success: Schema.Array(Schema.String),
      disposition: "rerunnable",
      run: (scoped, ctx) =>
        Promise.all(
          ["a", "b"].map((name) => {
            const slow = () => new Promise<string>((resolve) => setTimeout(() => resolve(name), 5))
            return scoped ? ctx.scope(name, (branch) => branch.step("same", slow)) : ctx.step("same", slow)
          })
        )
    })
    const host = await hostOf([Both])
    assert.deepStrictEqual(await (await host.start(Both, { id: "s", payload: true })).result(), ["a", "b"])
    const error = await rejection((await host.start(Both, { id: "b", payload: false })).result())
    assert.instanceOf(error, Errors.ProcessFailed)
    assert.include(error.message, "StepNameAmbiguous")
  })

  it("fails with its own error, which is thrown as the same class; anything else is a defect", async () => {
    const Build = engine("build", {
      version: "1",
      payload: Schema.Struct({ service: Schema.String }),
      success: Schema.String,
      error: BuildBroken,
      disposition: "rerunnable",
      run: async ({ service }, ctx): Promise<string> => {
        if (service === "") throw new TypeError("no service")
        return await ctx.step(
          "compile",
          () => {
            throw new BuildBroken({ service })
          },
          { error: BuildBroken }
        )
      }
    })
    const Parent = engine("parent", {
      version: "1",
      payload: Schema.Null,
      success: Schema.String,
      disposition: "rerunnable",
      run: async (_, ctx) => {
        const child = await ctx.start(Build, { name: "build", payload: { service: "api" } })
        return await child.result().catch((error: unknown) => (error instanceof BuildBroken ? "broken" : "other"))
      }
    })
    const host = await hostOf([Build, Parent])
    const typed = await rejection((await host.start(Build, { id: "t", payload: { service: "api" } })).result())
    assert.instanceOf(typed, BuildBroken)
    assert.strictEqual(typed.service, "api")
    const defect = await rejection((await host.start(Build, { id: "u", payload: { service: "" } })).result())
    assert.instanceOf(defect, Errors.ProcessFailed)
    assert.isTrue(defect.output._tag === "Failure" && defect.output.class === "internal")
    assert.include(defect.message, "no service")
    assert.strictEqual(await (await host.start(Parent, { id: "p", payload: null })).result(), "broken")
  })

  it("is told of a cancel by its signal, cleans up, and keeps its process until it lets go", async () => {
    const seen: Array<string> = []
    let letGo = (): void => {}
    const Slow = engine("slow", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Null,
      disposition: "owner_bound",
      run: async (_, ctx) => {
        seen.push("began")
        await new Promise<void>((resolve) => {
          ctx.abortSignal.addEventListener("abort", () => seen.push("aborted"))
          letGo = resolve
        })
        seen.push("let go")
        await ctx.step("clean up", () => {
          seen.push("cleaned up")
        })
        throw ctx.abortSignal.reason
      }
    })
    const host = await hostOf([Slow])
    const handle = await host.start(Slow, { id: "s", payload: null })
    await until(() => seen.includes("began"))
    await handle.cancel("no longer needed")
    await until(() => seen.includes("aborted"))
    assert.strictEqual((await handle.status()).status._tag, "Running")
    letGo()
    const error = await rejection(handle.result())
    assert.instanceOf(error, Errors.ProcessCancelled)
    assert.strictEqual(error.reason, "no longer needed")
    assert.deepStrictEqual(seen, ["began", "aborted", "let go", "cleaned up"])
  })

  it("that is interrupted while an operation is not waited for leaves no rejection behind", async () => {
    const Busy = engine("busy", {
      version: "1",
      payload: Schema.Null,
      success: Schema.String,
      signals: [Approve],
      disposition: "rerunnable",
      run: async (_, ctx) => {
        const approved = ctx.awaitSignal(Approve)
        await ctx.sleep("1 hour")
        return (await approved).by
      }
    })
    const host = await hostOf([Busy])
    const handle = await host.start(Busy, { id: "b", payload: null })
    await until(waiting(handle))
    await handle.cancel()
    assert.instanceOf(await rejection(handle.result()), Errors.ProcessCancelled)
  })

  it("lends its only slot to the child it waits for, and reads that child's events", async () => {
    const Child = engine("child", {
      version: "1",
      payload: Schema.String,
      success: Schema.String,
      events: [Progress],
      disposition: "rerunnable",
      run: async (text, ctx) => {
        await ctx.appendEvent(Progress, { text })
        return text.toUpperCase()
      }
    })
    const Parent = engine("parent", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Array(Schema.String),
      disposition: "rerunnable",
      run: (_, ctx) =>
        ctx.phase("asking", async () => {
          const child = await ctx.start(Child, { name: "c", payload: "hi" })
          const answer = await child.result()
          const texts: Array<string> = []
          for await (const { eventType, payload } of child.events()) {
            if (eventType === Progress.name) texts.push((await Effect.runPromise(Progress.decode(payload))).text)
          }
          return [answer, ...texts]
        })
    })
    const host = await createHost({ ...fast, engines: [Child, Parent], memory: true, log: false, maxConcurrent: 1 })
    hosts.push(host)
    assert.deepStrictEqual(await (await host.start(Parent, { id: "p", payload: null })).result(), ["HI", "hi"])
  })

  it("starts tool calls and turns of child sessions as it starts engines, and wakes whom its start named", async () => {
    const shout = Tool.make("shout", {
      description: "Shouts",
      args: Schema.String,
      success: Schema.String,
      disposition: "rerunnable",
      run: (text) => Effect.succeed(`${text}!`)
    })
    const sessions: SessionRunner<never> = {
      create: () => Effect.succeed("a session"),
      openTurn: () => Effect.void,
      runTurn: ({ turnInput }) => Effect.succeed(turnInput),
      close: () => Effect.void
    }
    const payload = { createRequest: {}, turnInput: "hi", outputContract: null }
    const Turn = SessionTurn.make({ disposition: "rerunnable" })
    const Parent = engine("parent", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Unknown,
      disposition: "rerunnable",
      run: async (_, ctx) => {
        const call = await ctx.start(shout, { name: "call", payload: "hey" })
        const turn = await ctx.start(Turn, { name: "turn", payload })
        return [await call.result(), await turn.result(), (await turn.status()).wakeTarget]
      }
    })
    const host = await createHost({ ...fast, engines: [Parent], tools: [shout], sessions, memory: true, log: false })
    hosts.push(host)
    const handle = await host.start(Parent, { id: "p", payload: null, wakeTarget: { sessionId: "ana" } })
    const outcome = { processId: "p/turn", childSessionId: "a session", turn: "hi" }
    assert.deepStrictEqual(await handle.result(), ["hey!", outcome, { sessionId: "ana" }])
  })

  it("ends with what it began and did not wait for", async () => {
    const Hasty = engine("hasty", {
      version: "1",
      payload: Schema.Null,
      success: Schema.String,
      signals: [Approve],
      disposition: "rerunnable",
      run: (_, ctx) => {
        void ctx.awaitSignal(Approve)
        kept = ctx
        return "done"
      }
    })
    let kept: BodyContext | undefined
    const host = await hostOf([Hasty])
    assert.strictEqual(await (await host.start(Hasty, { id: "h", payload: null })).result(), "done")
    let ran = false
    const late = kept?.step("late", () => {
      ran = true
      return null
    })
    assert.instanceOf(await rejection(late ?? Promise.resolve()), Errors.OutsideProcess)
    assert.isFalse(ran)
  })
})

const Forever = Engine.make("forever", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: () => Effect.never
})

describe("a host of Promises", () => {
  it("runs engines with bodies of Effect as well, and lists what has not ended", async () => {
    const host = await hostOf([Forever])
    await host.start(Forever, { id: "f", payload: null })
    assert.deepStrictEqual(
      (await host.listNonTerminal()).map(({ id, provenance }) => [String(id), provenance]),
      [["f", { originator: { _tag: "Host", scope: "mail" } }]]
    )
    assert.strictEqual(await host.state(), "running")
    assert.strictEqual((await host.tree()).name, "host")
  })

  it("stops waiting when a caller's signal is aborted, and the process goes on", async () => {
    const host = await hostOf([Forever])
    const handle = await host.start(Forever, { id: "f", payload: null })
    const controller = new AbortController()
    const result = rejection(handle.result({ signal: controller.signal }))
    controller.abort(new Error("changed my mind"))
    assert.strictEqual(((await result) as Error).message, "changed my mind") // the reason given above
    assert.strictEqual(
      ((await rejection(handle.result({ signal: AbortSignal.abort("before") }))) as string).toString(), // the reason given
      "before"
    )
    assert.strictEqual((await handle.status()).status._tag, "Running")
    const late = handle.events({ signal: AbortSignal.timeout(20) })
    const error = await rejection(
      (async () => {
        for await (const _ of late);
      })()
    )
    assert.strictEqual((error as Error).name, "TimeoutError") // the reason of a timeout's signal
  })

  it("throws the library's errors as their own classes", async () => {
    const Deploy = deploy([])
    const host = await hostOf([Deploy])
    await host.start(Deploy, { id: "d", payload: { service: "api" } })
    assert.instanceOf(
      await rejection(host.start(Deploy, { id: "d", payload: { service: "web" } })),
      Errors.ProcessIdConflict
    )
    assert.instanceOf(
      await rejection(host.start(Deploy, { id: " ", payload: { service: "a" } })),
      Errors.RegistrationInvalid
    )
    assert.instanceOf(await rejection(host.handle(Deploy, "x").signal(Approve, { by: "b" })), Errors.ProcessUnknown)
    assert.instanceOf(await rejection(host.handle(Deploy, "d").signal(Approve, { by: "" })), Errors.InputInvalid)
    assert.instanceOf(await rejection(host.handle(Deploy, "x").status()), Errors.ProcessUnknown)
    assert.instanceOf(await rejection(createHost({ engines: [], filename: ":memory:" })), Errors.InputInvalid)
    const nowhere = await rejection(createHost({ engines: [], log: false } as never))
    assert.instanceOf(nowhere, Errors.InputInvalid)
    assert.strictEqual(nowhere.field, "filename")
  })

  it("stops once however often it is asked, ends all waits, and takes no more calls", async () => {
    const host = await hostOf([Forever])
    const handle = await host.start(Forever, { id: "f", payload: null })
    const result = rejection(handle.result())
    const stopping = host.stop()
    assert.strictEqual(host.stop(), stopping)
    await stopping
    assert.instanceOf(await result, HostStopped)
    assert.instanceOf(await rejection(handle.status()), HostStopped)
    assert.instanceOf(await rejection(host.start(Forever, { id: "g", payload: null })), HostStopped)
    assert.instanceOf(await rejection(handle.result()), HostStopped)
  })

  it("is stopped where its block ends, and carries through what was asked of it before", async () => {
    const filename = file()
    const host = await createHost({ ...fast, engines: [Forever], filename, log: false })
    const starting = host.start(Forever, { id: "f", payload: null })
    await host[Symbol.asyncDispose]()
    assert.strictEqual((await starting).id, "f")
    const next = await hostOf([Forever], filename)
    assert.strictEqual((await next.listNonTerminal()).length, 1)
  })

  it("hands its log to the program", async () => {
    const lines: Array<LogLine> = []
    const Loud = Engine.make("loud", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Null,
      disposition: "rerunnable",
      run: () => Effect.as(Effect.annotateLogs(Effect.logInfo("hello"), "who", "ana"), null)
    })
    const host = await createHost({ ...fast, engines: [Loud], memory: true, log: (line) => lines.push(line) })
    hosts.push(host)
    await (await host.start(Loud, { id: "l", payload: null })).result()
    const hello = lines.find(({ message }) => message === "hello")
    assert.strictEqual(hello?.level, "info")
    assert.strictEqual(hello?.fields.who, "ana")
  })
})
