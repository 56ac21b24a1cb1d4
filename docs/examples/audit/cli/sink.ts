/**
 * The wake sink of the audit: prints each message that a sub-agent sends to the session of its audit.
 *
 * If several programs share one state file, one of them delivers and prints each wake, for any audit in the file.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { WakeSink } from "../../../../src/index.ts"
import { WakeDelivery } from "../../../../src/model.ts"
import { WakeOutbox } from "../../../../src/operations.ts"
import { harmless } from "../report/text.ts"
import type { Screen } from "./Screen.ts"

/** Prints every message for a session, once, even if it is delivered again. */
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
 * Waits until every message is delivered, so that no critical message follows the question about the report.
 *
 * Gives up after a while: a program that was killed during a delivery holds its claim on it until that expires.
 */
export const allDelivered = Effect.gen(function* () {
  const { counts } = yield* (yield* WakeOutbox.WakeOutbox).report
  return counts.pending + counts.enqueuing === 0
}).pipe(
  Effect.repeat({ until: (delivered) => delivered, schedule: Schedule.spaced("20 millis") }),
  Effect.timeoutOption("3 seconds"),
  Effect.asVoid
)
