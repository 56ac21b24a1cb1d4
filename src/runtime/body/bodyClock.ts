/**
 * The clock of a body: a pause of the body's own, such as that of a time limit, is over in a turn among the ends of its operations.
 *
 * So what a limit decides does not depend on how busy the program is: the body has asked for all that it was about to ask for,
 * and a body that runs again has got what was recorded.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { AnyFiber } from "./lineage.ts"

/** Makes the clock of a body from that of its host. What is not `isOfBody`, such as the effect of a step, only has the host's. */
export const make = (
  host: Clock.Clock,
  {
    isOfBody,
    sleep
  }: {
    readonly isOfBody: (fiber: AnyFiber) => boolean
    readonly sleep: (pause: Effect.Effect<void>) => Effect.Effect<void>
  }
): Clock.Clock => ({
  [Clock.ClockTypeId]: Clock.ClockTypeId,
  unsafeCurrentTimeMillis: () => host.unsafeCurrentTimeMillis(),
  currentTimeMillis: host.currentTimeMillis,
  unsafeCurrentTimeNanos: () => host.unsafeCurrentTimeNanos(),
  currentTimeNanos: host.currentTimeNanos,
  sleep: (duration) =>
    Effect.withFiberRuntime((fiber) => (isOfBody(fiber) ? sleep(host.sleep(duration)) : host.sleep(duration)))
})
