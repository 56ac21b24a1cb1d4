/**
 * The session of an audit: whoever watches it. What cannot wait for the report reaches this session as a wake, and is shown.
 *
 * Of several programs on one state file one delivers a wake, and shows it, also for an audit that another one was asked for.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { WakeSink } from "../../../../src/index.ts"
import { WakeDelivery } from "../../../../src/model.ts"
import { WakeOutbox } from "../../../../src/operations.ts"
import type { Screen } from "../cli/Screen.ts"
import { harmless } from "../report/text.ts"

/** Shows every message that a session is owed. One that is handed over again is not shown again. */
export const sinkOn = (screen: Screen) => {
  const shown = new Set<string>()
  return WakeSink.layer((wake) =>
    Effect.sync(() => {
      const key = WakeDelivery.sourceKey(wake)
      if (!shown.has(key)) screen.print(`critical: ${harmless(wake.input)}; session ${wake.targetSessionId} is woken`)
      shown.add(key)
      return { _tag: "Delivered" } as const
    })
  )
}

/**
 * Waits until no session is owed a message, so that nothing critical is said after the report was asked about.
 *
 * Not for ever: a program that was killed while it delivered holds its claim for a while, and another one delivers later.
 */
export const allDelivered = Effect.gen(function* () {
  const { counts } = yield* (yield* WakeOutbox.WakeOutbox).report
  return counts.pending + counts.enqueuing === 0
}).pipe(
  Effect.repeat({ until: (delivered) => delivered, schedule: Schedule.spaced("20 millis") }),
  Effect.timeoutOption("3 seconds"),
  Effect.asVoid
)
