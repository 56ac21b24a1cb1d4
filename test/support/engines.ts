/**
 * The engines of most tests: bodies that say when they begin and when they are interrupted, and end when the test lets them.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Schema from "effect/Schema"
import type { Disposition } from "../../machines/recovery.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"

/** An engine whose bodies answer with their payload, once the gate is open. */
export const gated = (
  disposition: Exclude<Disposition, "externally_owned"> = "rerunnable",
  kind: string = `gated-${disposition}`
) => {
  const begun: Array<string> = []
  const interrupted: Array<string> = []
  const gate = Deferred.unsafeMake<void>(FiberId.none)
  const engine = Engine.make(kind, {
    version: "1",
    payload: Schema.String,
    success: Schema.String,
    disposition,
    run: (payload, ctx) =>
      Effect.sync(() => begun.push(ctx.processId)).pipe(
        Effect.zipRight(Deferred.await(gate)),
        Effect.as(payload),
        Effect.onInterrupt(() => Effect.sync(() => interrupted.push(ctx.processId)))
      )
  })
  return { engine, begun, interrupted, open: Effect.asVoid(Deferred.succeed(gate, undefined)) }
}
