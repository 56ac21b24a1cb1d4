/**
 * What machines log, as lines of their host's log: those of the transitions that this program commits, each once.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type { ProcessId } from "../../model/ids.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"

interface Line {
  readonly id: ProcessId
  readonly label?: string
  readonly value: unknown
}

/** The lines of the charts on the store in context. They are in the log of each process as well. */
export const layer: Layer.Layer<never, never, ProcessStore> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const lines = yield* Queue.unbounded<Line>()
    yield* store.onCommit((changes) => {
      for (const { row, lifecycle } of changes) {
        for (const fact of lifecycle) {
          if (fact.type !== "machine.transitioned") continue
          for (const effect of fact.step.effects) {
            if (effect.do === "log") lines.unsafeOffer({ ...effect, id: row.base.registration.id })
          }
        }
      }
    })
    yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(lines), written)))
  })
)

const written = ({ id, label, value }: Line): Effect.Effect<void> =>
  Effect.annotateLogs(label === undefined ? Effect.logInfo(value) : Effect.logInfo(label, value), "process", id)
