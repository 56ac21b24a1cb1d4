/**
 * Random bodies: programs over everything that a context offers, as data. Each is run as an Effect body or as a Promise body, and
 * tells what it learns of the world in a trace.
 *
 * The law of replay needs no oracle: what one activation was told, the next one is told again, in the same order, before anything
 * new. So every trace is the beginning of the longest one.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Schema from "effect/Schema"
import type { BodyContext } from "../../src/host/embed/createHost.ts"
import * as Embed from "../../src/host/embed/createHost.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"

/** How the effect of a step goes. `flaky` fails in the first activation that runs it, and succeeds afterwards. */
export type Going = "ok" | "slow" | "fail" | "flaky" | "die"

/** A program. Every node has a number of its own, by which its operations are named. Units: milliseconds. */
export type Program =
  | { readonly is: "step"; readonly at: number; readonly going: Going }
  | { readonly is: "sleep"; readonly at: number; readonly ms: number }
  | { readonly is: "wait"; readonly at: number; readonly signal: 0 | 1; readonly timeout?: number | undefined }
  | { readonly is: "now"; readonly at: number }
  /** Something that no journal knows, and that takes a turn of the event loop. */
  | { readonly is: "plain"; readonly at: number }
  | { readonly is: "tell"; readonly at: number }
  | { readonly is: "child"; readonly at: number; readonly going: "ok" | "fail" | "slow" }
  | { readonly is: "seq"; readonly at: number; readonly parts: ReadonlyArray<Program> }
  | { readonly is: "all"; readonly at: number; readonly parts: ReadonlyArray<Program> }
  | { readonly is: "race"; readonly at: number; readonly parts: ReadonlyArray<Program> }
  /** A time limit of the program's own clock, which no journal knows. */
  | { readonly is: "limit"; readonly at: number; readonly ms: number; readonly part: Program }
  | { readonly is: "caught"; readonly at: number; readonly part: Program; readonly otherwise: Program }
  | { readonly is: "loop"; readonly at: number; readonly times: number; readonly part: Program }
  | { readonly is: "finally"; readonly at: number; readonly part: Program; readonly after: Program }

/** The signals that programs wait for. */
export const signals: readonly [Signal.Signal<"zero", number>, Signal.Signal<"one", number>] = [
  Signal.make("zero", { payload: Schema.Number }),
  Signal.make("one", { payload: Schema.Number })
]

const ms = FC.constantFrom(5, 10, 20, 40, 80)

const leaf: FC.Arbitrary<Program> = FC.oneof(
  {
    weight: 4,
    arbitrary: FC.record({ going: FC.constantFrom<Going>("ok", "ok", "slow", "fail", "flaky", "die") }).map(
      (of) => ({ is: "step", at: 0, ...of }) as const
    )
  },
  { weight: 2, arbitrary: ms.map((length) => ({ is: "sleep", at: 0, ms: length }) as const) },
  {
    weight: 4,
    arbitrary: FC.record({
      signal: FC.constantFrom<0 | 1>(0, 1),
      timeout: FC.option(ms, { nil: undefined })
    }).map((of) => ({ is: "wait", at: 0, ...of }) as const)
  },
  { weight: 1, arbitrary: FC.constant({ is: "now", at: 0 } as const) },
  { weight: 1, arbitrary: FC.constant({ is: "tell", at: 0 } as const) },
  { weight: 1, arbitrary: FC.constant({ is: "plain", at: 0 } as const) },
  {
    weight: 1,
    arbitrary: FC.constantFrom<"ok" | "fail" | "slow">("ok", "fail", "slow").map(
      (going) => ({ is: "child", at: 0, going }) as const
    )
  }
)

const composed = FC.letrec<{ program: Program }>((tie) => {
  const parts = FC.array(tie("program"), { minLength: 1, maxLength: 3 })
  const two = FC.array(tie("program"), { minLength: 2, maxLength: 3 })
  return {
    program: FC.oneof(
      { depthSize: "small", withCrossShrink: true },
      leaf,
      parts.map((of): Program => ({ is: "seq", at: 0, parts: of })),
      two.map((of): Program => ({ is: "all", at: 0, parts: of })),
      two.map((of): Program => ({ is: "race", at: 0, parts: of })),
      FC.tuple(ms, tie("program")).map(([limit, part]): Program => ({ is: "limit", at: 0, ms: limit, part })),
      FC.tuple(tie("program"), tie("program")).map(
        ([part, otherwise]): Program => ({ is: "caught", at: 0, part, otherwise })
      ),
      FC.tuple(FC.integer({ min: 2, max: 3 }), tie("program")).map(
        ([times, part]): Program => ({ is: "loop", at: 0, times, part })
      ),
      FC.tuple(tie("program"), tie("program")).map(([part, after]): Program => ({ is: "finally", at: 0, part, after }))
    )
  }
}).program

/** Programs of a few operations each, every node with a number of its own. */
export const programs: FC.Arbitrary<Program> = FC.array(composed, { minLength: 1, maxLength: 3 }).map((parts) =>
  numbered({ is: "seq", at: 0, parts })
)

const numbered = (program: Program): Program => {
  let last = 0
  // A time limit of the program's own and what no journal knows race outside of the law.
  const number = (node: Program, limited = false): Program => {
    const at = ++last
    switch (node.is) {
      case "seq":
      case "all":
      case "race":
        return { ...node, at, parts: node.parts.map((part) => number(part, limited)) }
      case "plain":
        return limited ? { is: "now", at } : { ...node, at }
      case "limit":
        return { ...node, at, part: number(node.part, true) }
      case "loop":
        return { ...node, at, part: number(node.part, limited) }
      case "caught":
        return { ...node, at, part: number(node.part, limited), otherwise: number(node.otherwise, limited) }
      case "finally":
        return { ...node, at, part: number(node.part, limited), after: number(node.after, limited) }
      default:
        return { ...node, at }
    }
  }
  return number(program)
}

/** What a body tells of itself. */
export interface Witness {
  /** A new activation begins; answers how it tells what it learned. What it tells once its host is dead does not count. */
  readonly begin: () => (learned: string) => void
  /** The effect of a step is run: answers how often one of this name was run before. */
  readonly run: (name: string) => number
}

class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.Number }) {}

const failureOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : String(error)

/** The child that programs start. */
export const Child: Engine.Engine<"ok" | "fail" | "slow", string, Refused, never> = Engine.make("child", {
  version: "1",
  payload: Schema.Literal("ok", "fail", "slow"),
  success: Schema.String,
  error: Refused,
  disposition: "rerunnable",
  run: (going, ctx) => {
    if (going === "fail") return Effect.fail(new Refused({ by: 0 }))
    return going === "ok" ? Effect.succeed("grown") : Effect.as(ctx.sleep("15 millis"), "grown slowly")
  }
})

const common = {
  version: "1",
  payload: Schema.Null,
  success: Schema.String,
  signals: [...signals],
  disposition: "rerunnable"
} as const

/** A program as a body of Effects. */
export const effectBody = (program: Program, witness: Witness, passivateAfter?: Duration.DurationInput) =>
  Engine.make("random", {
    ...common,
    ...(passivateAfter === undefined ? {} : { passivateAfter }),
    run: (_, ctx) =>
      Effect.suspend(() => {
        const told = whileWanted(ctx, witness.begin())
        return run(program, ctx, { ...witness, told }).pipe(
          Effect.tapBoth({
            onSuccess: () => Effect.sync(() => told("the end")),
            onFailure: (error) => Effect.sync(() => told(`the end: ${failureOf(error)}`))
          }),
          Effect.as("done"),
          Effect.catchAll((error) =>
            failureOf(error) === "Limit" ? Effect.succeed("late") : Effect.fail(error as never)
          ), // the errors of a body
          Effect.catchTag("Refused" as never, () => Effect.succeed("refused"))
        )
      })
  })

/** What a body does once its host lets go of it, no activation goes on from. */
const whileWanted =
  ({ abortSignal }: { readonly abortSignal: AbortSignal }, tell: (learned: string) => void) =>
  (learned: string): void => {
    if (!abortSignal.aborted || (abortSignal.reason as Error).cause === "cancel") tell(learned) // an error of the library's
  }

interface Told extends Witness {
  readonly told: (learned: string) => void
}

type Running = Effect.Effect<void, unknown>

const turn = (): Promise<void> => new Promise((done) => setImmediate(done))

const stepOf = (name: string, going: Going, { run: ran }: Told): Effect.Effect<string, Refused> =>
  Effect.suspend(() => {
    const before = ran(name)
    if (going === "fail" || (going === "flaky" && before === 0)) return Effect.fail(new Refused({ by: before }))
    if (going === "die") return Effect.die(new Error(`gone ${before}`))
    const value = Effect.succeed(`value ${before}`)
    return going === "slow" ? Effect.zipRight(Effect.sleep("8 millis"), value) : value
  })

const run = (node: Program, ctx: ExecutionContext, told: Told): Running => {
  const name = `n${node.at}`
  const learn = <A, E>(what: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.tapBoth(what, {
      onSuccess: (value) => Effect.sync(() => told.told(`${name}: ${JSON.stringify(value) ?? "done"}`)),
      onFailure: (error) => Effect.sync(() => told.told(`${name}: ${failureOf(error)}`))
    })
  switch (node.is) {
    case "step":
      return learn(
        ctx
          .step(name, stepOf(name, node.going, told), { error: Refused })
          .pipe(Effect.catchAllDefect((defect) => Effect.fail(defect)))
      )
    case "sleep":
      return learn(ctx.sleep(node.ms, { name }))
    case "wait":
      return learn(
        ctx.awaitSignal(signals[node.signal], {
          name,
          ...(node.timeout === undefined ? {} : { timeout: node.timeout })
        })
      )
    case "now":
      return Effect.asVoid(Effect.all([ctx.now, ctx.random]))
    case "plain":
      return Effect.promise(turn)
    case "tell":
      return learn(Effect.asVoid(ctx.step(name, Effect.void)))
    case "child":
      return learn(Effect.flatMap(ctx.start(Child, { name, payload: node.going }), (child) => child.await))
    case "seq":
      return Effect.forEach(node.parts, (part) => run(part, ctx, told), { discard: true })
    case "all":
      return Effect.forEach(node.parts, (part) => ctx.scope(`b${part.at}`, run(part, ctx, told)), {
        discard: true,
        concurrency: "unbounded"
      })
    case "race":
      return Effect.raceAll(node.parts.map((part) => ctx.scope(`b${part.at}`, run(part, ctx, told))))
    case "limit":
      return Effect.timeoutFail(run(node.part, ctx, told), {
        duration: node.ms,
        onTimeout: () => {
          told.told(`${name}: late`)
          return { _tag: "Limit" }
        }
      })
    case "caught":
      return Effect.catchAll(run(node.part, ctx, told), () => run(node.otherwise, ctx, told))
    case "loop":
      return Effect.asVoid(Effect.repeatN(run(node.part, ctx, told), node.times - 1))
    case "finally":
      return Effect.onExit(run(node.part, ctx, told), () => Effect.ignore(run(node.after, ctx, told)))
  }
}

/** A program as a body of Promises. A time limit is a race with a sleep. */
export const promiseBody = (program: Program, witness: Witness, passivateAfter?: Duration.DurationInput) =>
  Embed.engine("random", {
    ...common,
    ...(passivateAfter === undefined ? {} : { passivateAfter }),
    run: async (_, ctx) => {
      const told = whileWanted(ctx, witness.begin())
      try {
        await promised(program, ctx, { ...witness, told })
        told("the end")
        return "done"
      } catch (error) {
        if (ctx.abortSignal.aborted) throw error
        told(`the end: ${failureOf(error)}`)
        return failureOf(error)
      }
    }
  })

const promisedStep = async (name: string, going: Going, { run: ran }: Told): Promise<string> => {
  const before = ran(name)
  if (going === "fail" || (going === "flaky" && before === 0)) throw new Refused({ by: before })
  if (going === "die") throw Object.create(null)
  if (going === "slow") await new Promise((done) => setImmediate(done))
  return `value ${before}`
}

const promised = async (node: Program, ctx: BodyContext, told: Told): Promise<void> => {
  const name = `n${node.at}`
  const learn = async (what: Promise<unknown>): Promise<void> => {
    try {
      told.told(`${name}: ${JSON.stringify(await what) ?? "done"}`)
    } catch (error) {
      if (typeof error === "object" && error !== null && "_tag" in error) told.told(`${name}: ${failureOf(error)}`)
      throw error
    }
  }
  const branches = (parts: ReadonlyArray<Program>) =>
    Object.fromEntries(parts.map((part) => [`b${part.at}`, (inner: BodyContext) => promised(part, inner, told)]))
  switch (node.is) {
    case "step":
      return learn(ctx.step(name, () => promisedStep(name, node.going, told)))
    case "sleep":
      return learn(ctx.sleep(node.ms, { name }))
    case "wait":
      return learn(
        ctx.awaitSignal(signals[node.signal], {
          name,
          ...(node.timeout === undefined ? {} : { timeout: node.timeout })
        })
      )
    case "now":
      await Promise.all([ctx.now(), ctx.random()])
      return
    case "plain":
      return turn()
    case "tell":
      return learn(ctx.step(name, () => null))
    case "child":
      return learn(ctx.start(Child, { name, payload: node.going }).then((child) => child.result()))
    case "seq":
      for (const part of node.parts) await promised(part, ctx, told)
      return
    case "all":
      await ctx.all(branches(node.parts))
      return
    case "race":
      await ctx.race(branches(node.parts))
      return
    case "limit":
      await ctx.race({
        limit: (inner) => learn(inner.sleep(node.ms, { name: `${name} limit` })),
        part: (inner) => promised(node.part, inner, told)
      })
      return
    case "caught":
      try {
        await promised(node.part, ctx, told)
      } catch (error) {
        if (typeof error !== "object" || error === null || !("_tag" in error)) throw error
        await promised(node.otherwise, ctx, told)
      }
      return
    case "loop":
      for (let time = 0; time < node.times; time++) await promised(node.part, ctx, told)
      return
    case "finally":
      try {
        await promised(node.part, ctx, told)
      } finally {
        await promised(node.after, ctx, told).catch(() => undefined)
      }
  }
}
