/**
 * A host on a file whose sink has three sessions to tell: one that is there, one that does not answer, and one that is gone.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { processId } from "../../src/model/ids.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { WakeOutbox } from "../../src/operations/WakeOutbox.ts"
import { WakeTimings } from "../../src/store/Outbox.ts"
import type { SinkAnswer } from "../../src/supervision/WakeSink.ts"
import * as WakeSink from "../../src/supervision/WakeSink.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"
import { sqlite, until } from "./hosts.ts"

/** How a session answers; `undefined`: not before the test is over. */
export type AnswerOf = (session: string) => SinkAnswer["_tag"] | undefined

/** The host; its sink asks each time how a session answers. */
export const wakeHost = (filename: string, answerOf: AnswerOf = usual) =>
  Layer.provide(
    sqlite(filename, [], {
      wakeSink: WakeSink.layer(({ targetSessionId }) => {
        const answer = answerOf(targetSessionId)
        return answer === undefined ? Effect.never : Effect.succeed({ _tag: answer })
      })
    }),
    Layer.succeed(WakeTimings, { expiryMs: 3_600_000, claimMs: 600_000 })
  )

/** The usual answers: the process `there` is heard, `busy` waits for an answer, `gone` has nobody to tell. */
export const usual: AnswerOf = (session) =>
  session === "there" ? "Delivered" : session === "busy" ? undefined : "TargetGone"

/** Appends an event that wakes the session of a process. */
export const wake = (id: string) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.appendEvent(
      processId(id),
      { eventType: "progress", payload: { urgent: true, text: "look" } },
      Authority.host
    )
  )

/** A process for each session; `busy` has three wakes, of which two are blocked. Ends once the outbox shows all of that. */
export const furnish = Effect.gen(function* () {
  const registry = yield* ProcessRegistry
  for (const id of ["there", "gone", "busy"]) {
    yield* registry.registerProcess(
      registrationOf(processId(id), "externally_owned", { wakeTarget: { sessionId: id } })
    )
  }
  for (const id of ["there", "gone", "busy", "busy", "busy"]) yield* wake(id)
  const { report } = yield* WakeOutbox
  yield* until(
    Effect.map(
      report,
      ({ counts }) => counts.enqueued === 1 && counts.discarded.target_gone === 1 && counts.enqueuing === 1
    )
  )
})
