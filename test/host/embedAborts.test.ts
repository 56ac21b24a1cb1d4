/**
 * How many listeners the signals have that waits are let go of by: one each, however many wait, and none once nothing does.
 */
import { getEventListeners } from "node:events"
import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import * as Schema from "effect/Schema"
import type { BodyContext } from "../../src/host/embed/createHost.ts"
import { createHost, engine } from "../../src/host/embed/createHost.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { fast } from "../support/hosts.ts"

const Go = Signal.make("go", { payload: Schema.Null })

const engineOf = (kind: string, run: (ctx: BodyContext) => Promise<unknown>) =>
  engine(kind, {
    version: "1",
    payload: Schema.Null,
    success: Schema.Unknown,
    signals: [Go],
    disposition: "rerunnable",
    run: (_, ctx) => run(ctx)
  })

const Waits = engineOf("waits", (ctx) => ctx.awaitSignal(Go))

const many = Array.from({ length: 15 }, (_, n) => n)

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length

/** How many listen while they wait, and once an abort has let go of all. */
const letGoOf = async (wait: (signal: AbortSignal, n: number) => ReadonlyArray<Promise<unknown>>) => {
  const controller = new AbortController()
  const { signal } = controller
  const waiting = Promise.allSettled(many.flatMap((n) => wait(signal, n)))
  const during = listeners(signal)
  controller.abort(new Error("enough"))
  const reasons = (await waiting).map((end) => (end.status === "rejected" ? end.reason.message : "it went on"))
  return { during, after: listeners(signal), reasons: [...new Set(reasons)] }
}

const expected = { during: 1, after: 0, reasons: ["enough"] }

const ended = async (run: (ctx: BodyContext) => Promise<unknown>): Promise<unknown> => {
  const body = engineOf("body", run)
  const host = await createHost({ ...fast, engines: [body, Waits], memory: true, log: false })
  try {
    return await (await host.start(body, { id: "p", payload: null })).result()
  } finally {
    await host.stop()
  }
}

describe("the signal of many waits has one listener", () => {
  const warnings: Array<string> = []
  const hear = ({ name }: Error) => warnings.push(name)

  beforeEach(() => {
    process.on("warning", hear)
  })

  afterEach(async () => {
    await new Promise((done) => setImmediate(done))
    process.off("warning", hear)
    assert.deepStrictEqual(warnings.splice(0), [])
  })

  it("while the waits of a body go on, and none once it is aborted", async () => {
    const counted = await ended(async (ctx) => {
      const child = await ctx.start(Waits, { name: "child", payload: null })
      return await letGoOf((signal, n) => [
        ctx.awaitSignal(Go, { name: `wait ${n}`, signal }),
        ctx.sleep("1 hour", { name: `sleep ${n}`, signal }),
        child.result({ signal })
      ])
    })
    assert.deepStrictEqual(counted, expected)
  })

  it("while a program waits, and none once it is aborted", async () => {
    const host = await createHost({ ...fast, engines: [Waits], memory: true, log: false })
    const handle = await host.start(Waits, { id: "p", payload: null })
    const counted = await letGoOf((signal) => [handle.result({ signal }), host.awaitFailure({ signal })])
    await host.stop()
    assert.deepStrictEqual(counted, expected)
  })

  it("until the last of them has ended, though it is never aborted", async () => {
    const counted = await ended(async (ctx) => {
      const { signal } = new AbortController()
      const short = many.map((n) => ctx.sleep(0, { name: `short ${n}`, signal }))
      const last = ctx.sleep("30 millis", { name: "last", signal })
      const counts = [listeners(signal)]
      await Promise.all(short)
      counts.push(listeners(signal))
      await last
      return [...counts, listeners(signal)]
    })
    assert.deepStrictEqual(counted, [1, 1, 0])
  })

  it("as that of a branch has, whatever the number of races in it", async () => {
    const heard = vi.spyOn(EventTarget.prototype, "addEventListener")
    const all = () =>
      [...new Set(heard.mock.contexts)].reduce(
        (sum: number, target) => sum + (target instanceof AbortSignal ? listeners(target) : 0),
        0
      )
    const counted = await ended(async (ctx) => {
      const { value } = await ctx.race({
        only: async (branch) => {
          const counts: Array<number> = []
          for (const _ of many) {
            await branch.race({ won: (inner) => inner.sleep(0), lost: (inner) => inner.sleep("1 hour") })
            await branch.all({ both: (inner) => inner.sleep(0) })
            counts.push(all())
          }
          return counts
        }
      })
      return value
    })
    heard.mockRestore()
    const [first] = counted as ReadonlyArray<number>
    assert.deepStrictEqual(
      counted,
      many.map(() => first)
    )
  })
})
