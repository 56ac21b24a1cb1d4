/**
 * Random bodies written with Promises.
 */
import type * as Duration from "effect/Duration"
import type { BodyContext } from "../../host/embed/createHost.ts"
import * as Embed from "../../host/embed/createHost.ts"
import type { Handle } from "../../host/embed/handle.ts"
import type * as Engine from "../../runtime/engine/Engine.ts"
import type { Startable } from "../../runtime/engine/Startable.ts"
import { external } from "../../runtime/engine/Startable.ts"
import type { Program, Refused } from "./Program.ts"
import { Noted, signals } from "./Program.ts"
import type { Ran } from "./parts.ts"
import { Child, failureOf, Grow, outcomeOf, Shout, shape, Turn, turnOf } from "./parts.ts"

/** A program as the engine of a body of Promises. */
export const promiseBody = (
  program: Program,
  ran: Ran,
  passivateAfter?: Duration.DurationInput
): Engine.Engine<null, string, never, never, (typeof signals)[number]> =>
  Embed.engine("random", {
    ...shape,
    ...(passivateAfter === undefined ? {} : { passivateAfter }),
    run: async (_, ctx) => {
      try {
        await run(program, ctx, ran)
        return "done"
      } catch (error) {
        if (ctx.abortSignal.aborted || isDivergence(error)) throw error
        return failureOf(error)
      }
    }
  }) as never // the same engine, with the types of the other way to write it

const isDivergence = (error: unknown): boolean => failureOf(error) === "ReplayDiverged"

const turn = (): Promise<void> => new Promise((done) => setImmediate(done))

const stepOf = async (at: number, going: Parameters<typeof outcomeOf>[1], ran: Ran): Promise<unknown> => {
  const outcome = outcomeOf(at, going, ran(`n${at}`))
  if ("thrown" in outcome) throw outcome.thrown
  if (going === "slow") await turn()
  return outcome.value
}

const run = async (node: Program, ctx: BodyContext, ran: Ran): Promise<unknown> => {
  const name = `n${node.at}`
  const branches = (parts: ReadonlyArray<Program>) =>
    Object.fromEntries(parts.map((part) => [`b${part.at}`, (inner: BodyContext) => run(part, inner, ran)]))
  switch (node.is) {
    case "step":
      return ctx.step(name, () => stepOf(node.at, node.going, ran))
    case "sleep":
    case "pause":
      return ctx.sleep(node.ms, { name })
    case "wait":
      return ctx.awaitSignal(signals[node.signal], {
        name,
        ...(node.timeout === undefined ? {} : { timeout: node.timeout })
      })
    case "given up": {
      const lost = new AbortController()
      const wait = ctx.awaitSignal(signals[node.signal], { name, signal: lost.signal })
      // The sleep that loses goes on: nothing lets go of it.
      await Promise.race([wait, ctx.sleep(node.ms, { name: `${name} limit` })])
      lost.abort()
      return wait.catch(() => undefined)
    }
    case "chance": {
      const both = await Promise.all([ctx.now(), ctx.random(), ctx.patched(`${name} new`)])
      const known = await ctx.step(name, () => both)
      if (String(known) !== String(both)) throw new Error(`${known} was ${both}`)
      return both
    }
    case "event":
      return ctx.appendEvent(Noted, node.at, { name })
    case "inside":
      return ctx.step(name, async () => {
        if (node.asks === "sleep") await ctx.sleep(5)
        if (node.asks === "wait") await ctx.awaitSignal(signals[0])
        if (node.asks === "step") await ctx.step("inner", () => null)
        return null
      })
    case "refused":
      if (node.asks === "sleep") return ctx.sleep(Number.NaN, { name })
      if (node.asks === "event") return ctx.appendEvent(Noted, name as never, { name }) // which it is not
      return ctx.attach(Child, "absent").result()
    case "plain":
      return turn()
    case "child":
      return childOf(node, ctx)
    case "seq":
      for (const part of node.parts) await run(part, ctx, ran)
      return
    case "all":
      return ctx.all(branches(node.parts))
    case "race":
      return ctx.race(branches(node.parts))
    case "limit":
      return ctx.race({
        limit: (inner) => inner.sleep(node.ms, { name }),
        part: (inner) => run(node.part, inner, ran)
      })
    case "caught":
      try {
        return await run(node.part, ctx, ran)
      } catch (error) {
        // What was let go of is no failure.
        if (typeof error !== "object" || error === null || !("_tag" in error) || isDivergence(error)) throw error
        return run(node.otherwise, ctx, ran)
      }
    case "loop":
      for (let time = 0; time < node.times; time++) await run(node.part, ctx, ran)
      return
    case "finally":
      try {
        return await run(node.part, ctx, ran)
      } finally {
        await run(node.after, ctx, ran).catch(() => undefined)
      }
    case "insist":
      return run(node.part, ctx, ran)
  }
}

const childOf = async (
  { at, kind, ending }: Extract<Program, { readonly is: "child" }>,
  ctx: BodyContext
): Promise<unknown> => {
  const name = `n${at}`
  const started = async <Payload, Success, Failure>(
    startable: Startable<Payload, Success, Failure, never>,
    payload: Payload
  ): Promise<unknown> => {
    const child = await ctx.start(startable, { name, payload })
    if (ending === "leave") return
    await asked(child)
    return child.result()
  }
  /** What is asked of a child by its handle before its end; the program goes on by the answer. */
  const asked = async (child: Pick<Handle<unknown>, "cancel" | "status">): Promise<void> => {
    if (ending !== "cancel" && ending !== "ask") return
    const { status } = await (ending === "cancel" ? child.cancel("enough") : child.status())
    await ctx.step(`${name} ${status._tag}`, () => null)
  }
  switch (kind) {
    case "tool":
      return started(Shout, { text: name })
    case "outside":
      return started(external, { what: name })
    case "turn":
      return started(Turn, turnOf(name))
    case "waiter": {
      const child = await ctx.start(Child, { name, payload: kind })
      await asked(child)
      if (ending !== "cancel") await child.signal(Grow, name)
      return ending === "leave" ? undefined : child.result()
    }
    default:
      return started(Child as unknown as Startable<typeof kind, string, Refused>, kind) // its signal is not for these
  }
}
