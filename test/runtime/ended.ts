/**
 * The ends of a body, and operations that learn of them.
 */
import * as Effect from "effect/Effect"
import type { ProcessId } from "../../src/model/ids.ts"
import type { End, Source } from "../../src/runtime/body/End.ts"
import * as Ends from "../../src/runtime/body/Ends.ts"
import * as Fair from "../../src/runtime/body/fairScheduler.ts"

/** A place in the log, and in the journal. */
export const place = (sequence: number, position = 0) => ({ sequence, position })

/** An end of the journal. */
export const recorded = (key: string, ...at: Parameters<typeof place>): End => ({
  _tag: "Recorded",
  key,
  outcome: null,
  ...place(...at)
})

/** The end of a wait. */
export const ended = (waitKey: string, ...at: Parameters<typeof place>): End => ({
  _tag: "WaitEnded",
  waitKey,
  ended: { outcome: { _tag: "Timeout" } },
  ...place(...at)
})

/** The end of a child. */
export const childEnded = (childId: string, ...at: Parameters<typeof place>): End => ({
  _tag: "ChildEnded",
  childId: childId as ProcessId, // any text may be an id
  ...place(...at)
})

/** Ends, a slot, and what the operations of a body learn. */
export const made = () => {
  const learned: Array<string> = []
  const slot = { isHeld: true }
  const host = { isDeciding: true }
  const alarms: Array<() => void> = []
  const scheduler = Fair.make()
  const ends = Ends.make({
    nowMs: () => 5,
    slot: {
      held: () => slot.isHeld,
      letGo: () => {
        slot.isHeld = false
      },
      takeBack: Effect.sync(() => {
        slot.isHeld = true
      }),
      release: () => undefined
    },
    scheduler,
    onCancel: () => learned.push("cancel"),
    later: (run) => alarms.push(run),
    fork: Effect.runFork,
    isDeciding: () => host.isDeciding,
    interrupts: () => false
  })
  const written: Array<string> = []
  ends.writeTurnsBy(
    Effect.sync(() => {
      for (const { path, from, to } of ends.order.unwritten()) written.push(`${path}${from}-${to}`)
      ends.order.written()
    })
  )
  /** An operation that waits for an end; then it does `afterwards`. */
  const waits = (source: Source, name: string = source, afterwards: Effect.Effect<unknown> = Effect.void) =>
    Effect.runFork(
      Effect.zipRight(
        during(
          ends,
          name,
          next(ends, source, () => Effect.sync(() => learned.push(name)))
        ),
        afterwards
      )
    )
  /** Pauses on the clock of the body, and learns of it. */
  const pausing = (name: string) =>
    Effect.zipRight(
      ends.sleep(Effect.void),
      Effect.sync(() => learned.push(name))
    )
  return { ends, slot, host, alarms, scheduler, learned, written, waits, pausing }
}

/** Waits for an end where it can be interrupted. */
export const next = <A>(ends: Ends.Ends, source: Source, takeUp: () => Effect.Effect<A>): Effect.Effect<A> =>
  Effect.uninterruptibleMask((restore) => ends.next(source, takeUp, { isInterruptible: true, restore }))

/** Counts an operation as under way for as long as it runs. */
export const during = <A>(ends: Ends.Ends, key: string, operation: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.acquireUseRelease(
    Effect.sync(() => ends.enter(key)),
    () => operation,
    () => Effect.sync(() => ends.leave(key))
  )

/** Lets everybody do what there is to do. */
export const rest = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((done) => setImmediate(done))
}
