/**
 * The load: orders of three steps each, and what a host says about them.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Engine } from "../../../src/index.ts"

/** What a host says to the program that started it. */
export type Said =
  | { readonly type: "did"; readonly id: string; readonly step: string }
  | { readonly type: "ended"; readonly id: string; readonly steps: ReadonlyArray<string> }

/** The steps of an order. */
export const steps = ["reserve", "charge", "ship"] as const

/** An order. Each step says that it is done, and is recorded then: another host does not do it again. */
export const orderOn = (say: (said: Said) => Effect.Effect<void>) =>
  Engine.make("order", {
    version: "1",
    payload: Schema.String,
    success: Schema.Array(Schema.String),
    disposition: "rerunnable",
    run: (id, ctx) =>
      Effect.forEach(steps, (step) =>
        ctx.step(step, Effect.as(Effect.delay(say({ type: "did", id, step }), "100 millis"), step), {
          schema: Schema.String
        })
      )
  })
