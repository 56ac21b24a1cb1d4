/**
 * Random bodies written with Effects.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { OperationError } from "../../model/failures.ts"
import type { ProcessRecord } from "../../model/ProcessRecord.ts"
import type { ExecutionContext } from "../../runtime/body/ExecutionContext.ts"
import type { ProcessHandle } from "../../runtime/client/ProcessHandle.ts"
import * as Engine from "../../runtime/engine/Engine.ts"
import type { Startable } from "../../runtime/engine/Startable.ts"
import { external } from "../../runtime/engine/Startable.ts"
import type { Program } from "./Program.ts"
import { Noted, Refused, signals } from "./Program.ts"
import type { Ran } from "./parts.ts"
import { Child, failureOf, Grow, outcomeOf, Shout, shape, Turn, turnOf } from "./parts.ts"
import { deciding } from "./Recorder.ts"

/** A program as the engine of a body of Effects. */
export const effectBody = (
  program: Program,
  ran: Ran,
  passivateAfter?: Duration.DurationInput
): Engine.Engine<null, string, never, never, (typeof signals)[number]> =>
  Engine.make("random", {
    ...shape,
    ...(passivateAfter === undefined ? {} : { passivateAfter }),
    run: (_, ctx) =>
      Effect.catchAll(
        Effect.as(run(program, ctx, ran), "done"),
        (error): Effect.Effect<string, never> =>
          error instanceof Refused || failureOf(error) === "Limit"
            ? Effect.succeed(failureOf(error))
            : Effect.fail(error as never) // the library's
      )
  })

type Running = Effect.Effect<unknown, unknown>

const stepOf = (at: number, going: Parameters<typeof outcomeOf>[1], ran: Ran): Effect.Effect<unknown, Refused> =>
  Effect.suspend(() => {
    const outcome = outcomeOf(at, going, ran(`n${at}`))
    if ("value" in outcome) {
      const value = Effect.succeed(outcome.value)
      return going === "slow" ? Effect.zipRight(Effect.sleep("8 millis"), value) : value
    }
    return outcome.thrown instanceof Refused ? Effect.fail(outcome.thrown) : Effect.die(outcome.thrown)
  })

const run = (node: Program, ctx: ExecutionContext, ran: Ran): Running => {
  const name = `n${node.at}`
  switch (node.is) {
    case "step":
      return ctx
        .step(name, stepOf(node.at, node.going, ran), { error: Refused })
        .pipe(Effect.catchAllDefect((defect) => Effect.fail(defect)))
    case "sleep":
      return ctx.sleep(node.ms, { name })
    case "pause":
      return Effect.sleep(node.ms)
    case "wait":
      return ctx.awaitSignal(signals[node.signal], {
        name,
        ...(node.timeout === undefined ? {} : { timeout: node.timeout })
      })
    case "given up":
      return Effect.race(ctx.awaitSignal(signals[node.signal], { name }), ctx.sleep(node.ms, { name: `${name} limit` }))
    case "chance":
      return Effect.flatMap(
        Effect.all([ctx.now, ctx.random, ctx.patched(`${name} new`)]),
        (both): Running =>
          Effect.flatMap(ctx.step(name, Effect.succeed(both)), (known) =>
            String(known) === String(both) ? Effect.succeed(both) : Effect.dieMessage(`${known} was ${both}`)
          )
      )
    case "event":
      return ctx.appendEvent(Noted, node.at, { name })
    case "inside": {
      const asked: Readonly<Record<typeof node.asks, Effect.Effect<unknown, OperationError>>> = {
        sleep: ctx.sleep(5),
        wait: ctx.awaitSignal(signals[0]),
        step: ctx.step("inner", Effect.void)
      }
      return ctx.step(name, Effect.asVoid(asked[node.asks]))
    }
    case "refused": {
      const asked: Readonly<Record<typeof node.asks, Running>> = {
        sleep: ctx.sleep(Number.NaN, { name }),
        event: ctx.appendEvent(Noted, name as never, { name }), // which it is not
        end: ctx.attach(Child, "absent").await
      }
      return asked[node.asks]
    }
    case "plain":
      return Effect.promise(() => new Promise<void>((done) => setImmediate(done)))
    case "child":
      return childOf(node, ctx)
    case "seq":
      return Effect.forEach(node.parts, (part) => run(part, ctx, ran), { discard: true })
    case "all":
      return Effect.forEach(node.parts, (part) => ctx.scope(`b${part.at}`, run(part, ctx, ran)), {
        discard: true,
        concurrency: "unbounded"
      })
    case "race":
      return deciding(name, Effect.raceAll(node.parts.map((part) => ctx.scope(`b${part.at}`, run(part, ctx, ran)))))
    case "limit":
      return deciding(
        name,
        Effect.timeoutFail(run(node.part, ctx, ran), { duration: node.ms, onTimeout: () => ({ _tag: "Limit" }) })
      )
    case "caught":
      return Effect.catchAll(run(node.part, ctx, ran), () => run(node.otherwise, ctx, ran))
    case "loop":
      return Effect.repeatN(run(node.part, ctx, ran), node.times - 1)
    case "finally":
      return Effect.onExit(run(node.part, ctx, ran), () => Effect.ignore(run(node.after, ctx, ran)))
    case "insist":
      return Effect.uninterruptible(run(node.part, ctx, ran))
  }
}

/** What is asked of a child by its handle before its end; the program goes on by the answer. */
const asked = (
  child: Pick<ProcessHandle<unknown, unknown>, "cancel" | "status">,
  ending: Extract<Program, { readonly is: "child" }>["ending"],
  name: string,
  ctx: ExecutionContext
): Running => {
  const going = ({ status }: ProcessRecord): Running => ctx.step(`${name} ${status._tag}`, Effect.void)
  if (ending === "cancel") return Effect.flatMap(child.cancel("enough"), going)
  return ending === "ask" ? Effect.flatMap(child.status, going) : Effect.void
}

const childOf = ({ at, kind, ending }: Extract<Program, { readonly is: "child" }>, ctx: ExecutionContext): Running => {
  const name = `n${at}`
  const started = <Payload, Success, Failure>(
    startable: Startable<Payload, Success, Failure, never>,
    payload: Payload
  ) =>
    Effect.flatMap(ctx.start(startable, { name, payload }), (child): Running => {
      if (ending === "leave") return Effect.void
      return Effect.zipRight(asked(child, ending, name, ctx), child.await)
    })
  switch (kind) {
    case "tool":
      return started(Shout, { text: name })
    case "outside":
      return started(external, { what: name })
    case "turn":
      return started(Turn, turnOf(name))
    case "waiter":
      return Effect.flatMap(ctx.start(Child, { name, payload: kind }), (child): Running => {
        const before = asked(child, ending, name, ctx)
        if (ending === "cancel") return Effect.zipRight(before, child.await)
        const signalled = Effect.zipRight(before, child.signal(Grow, name))
        return ending === "leave" ? signalled : Effect.zipRight(signalled, child.await)
      })
    default:
      return started(Child as unknown as Startable<typeof kind, string, Refused>, kind) // its signal is not for these
  }
}
