/**
 * What random bodies share, however they are written: their children, their steps, and what they tell of themselves.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Engine from "../../runtime/engine/Engine.ts"
import * as SessionTurn from "../../runtime/engine/SessionTurn.ts"
import * as Signal from "../../runtime/engine/Signal.ts"
import type { Startable } from "../../runtime/engine/Startable.ts"
import * as Tool from "../../runtime/engine/Tool.ts"
import type { Going } from "./Program.ts"
import { Noted, Refused, signals } from "./Program.ts"

/** The effect of a step is run: answers how often one of this name was run before. */
export type Ran = (name: string) => number

/** What every engine of a random body declares. */
export const shape = {
  version: "1",
  payload: Schema.Null,
  success: Schema.String,
  signals: [...signals],
  events: [Noted],
  disposition: "rerunnable"
} as const

/** What the child that waits is sent. */
export const Grow: Signal.Signal<"grow", string> = Signal.make("grow", { payload: Schema.String })

/** The engine of the children that programs start. */
export const Child: Engine.Engine<"ok" | "fail" | "slow" | "waiter", string, Refused, never, typeof Grow> = Engine.make(
  "child",
  {
    version: "1",
    payload: Schema.Literal("ok", "fail", "slow", "waiter"),
    success: Schema.String,
    error: Refused,
    signals: [Grow],
    disposition: "rerunnable",
    run: (kind, ctx) => {
      if (kind === "fail") return Effect.fail(new Refused({ by: 0 }))
      if (kind === "waiter") return ctx.awaitSignal(Grow)
      return kind === "ok" ? Effect.succeed("grown") : Effect.as(ctx.sleep("15 millis"), "grown slowly")
    }
  }
)

/** The turns of sessions that programs start. */
export const Turn: Startable<SessionTurn.TurnPayload, SessionTurn.TurnOutcome, never> = SessionTurn.make({
  disposition: "rerunnable"
})

/** What a turn is asked to do. */
export const turnOf = (name: string): SessionTurn.TurnPayload => ({
  createRequest: name,
  turnInput: null,
  outputContract: null
})

/** What runs them: a pause and a step. */
export const turns: SessionTurn.SessionRunner<never> = {
  create: ({ processId }) => Effect.succeed(`session of ${processId}`),
  openTurn: () => Effect.void,
  runTurn: (_, ctx) => Effect.zipRight(ctx.sleep("5 millis"), ctx.step("turn", Effect.succeed("turned"))),
  close: () => Effect.void
}

/** The tool that programs call. */
export const Shout: Tool.Tool<{ readonly text: string }, string, never, never> = Tool.make("shout", {
  description: "Shouts",
  args: Schema.Struct({ text: Schema.String }),
  success: Schema.String,
  disposition: "rerunnable",
  run: ({ text }) => Effect.succeed(`${text}!`)
})

/** A value that is not JSON: it holds itself. */
export const unrecordable = (): unknown => {
  const value: Record<string, unknown> = {}
  value["self"] = value
  return value
}

/** Things that are thrown and are hardly errors. */
export const oddities: ReadonlyArray<() => unknown> = [
  () => Object.create(null),
  () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
  () =>
    Object.defineProperty(new Error("x"), "message", {
      get: () => {
        throw new Error("a message that throws")
      }
    }),
  () => {
    const error = new Error("its own cause")
    error.cause = error
    return error
  },
  () => undefined,
  () => 7n
]

/** What a step of this number throws or answers; the effect of a step decides when. */
export const outcomeOf = (
  at: number,
  going: Going,
  before: number
): { readonly thrown: unknown } | { readonly value: unknown } => {
  switch (going) {
    case "fail":
      return { thrown: new Refused({ by: before }) }
    case "flaky":
      return before === 0 ? { thrown: new Refused({ by: before }) } : { value: `value ${before}` }
    case "die":
      return { thrown: new Error(`gone ${before}`) }
    case "odd":
      return { thrown: oddities[at % oddities.length]?.() }
    case "unrecordable":
      return { value: unrecordable() }
    default:
      return { value: `value ${before}` }
  }
}

/** The tag of a failure, whatever was thrown. */
export const failureOf = (error: unknown): string => {
  try {
    return typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : typeof error
  } catch {
    return "something odd"
  }
}
