/**
 * Live events in the shape of the inspection protocol that `@statelyai/inspect` speaks, so that a tool for it can follow.
 *
 * ```
 * commit ─► each changed process ─► @xstate.actor (when it is new here) ─► @xstate.event, for each event ─► @xstate.snapshot
 * ```
 * Invariant: pure shapes, no dependency: whoever wants them sends them on, as JSON. A process is one actor, under its id.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ProcessSnapshot } from "../../machines/lifecycle.ts"
import { processMachine } from "../../machines/process.ts"
import { lifecycleEventOf } from "../model/facts.ts"
import type { Change } from "../store/ProcessStore.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import type { Redact } from "./redaction.ts"
import { redactContext, showAll } from "./redaction.ts"

/** The version of the protocol's shapes. */
const protocol = "0.4.0"

interface Common {
  /** The process. */
  readonly sessionId: string
  readonly name: string
  /** The process that everything here hangs from: the protocol wants one for each tree. */
  readonly rootId: string
  /** Names this message. */
  readonly id: string
  /** Milliseconds since the epoch, as text: so the protocol has it. */
  readonly createdAt: string
  readonly _version: string
}

/** A snapshot as the protocol shows it. */
export interface StatelySnapshot {
  readonly status: "active" | "done"
  readonly value: unknown
  readonly context: unknown
}

/** One message of the protocol. */
export type StatelyEvent =
  | (Common & {
      readonly type: "@xstate.actor"
      readonly parentId?: string
      /** The machine, as JSON text. */
      readonly definition: string
      readonly snapshot: StatelySnapshot
    })
  | (Common & { readonly type: "@xstate.event"; readonly event: { readonly type: string } })
  | (Common & {
      readonly type: "@xstate.snapshot"
      readonly event: { readonly type: string }
      readonly snapshot: StatelySnapshot
    })

/** What one change looks like; `isNew` says that its process was not told of before. */
export const statelyEvents = (
  { row, events }: Pick<Change, "row" | "events">,
  isNew: boolean,
  redact: Redact = showAll
): ReadonlyArray<StatelyEvent> => {
  const { id, identity, parent } = row.base.registration
  const last = events.at(-1)
  const atMs = last?.occurredAtMs ?? row.base.createdAtMs
  const common = (key: string, createdAtMs: number): Common => ({
    sessionId: id,
    name: identity.label ?? identity.kind,
    rootId: parent?.processId ?? id,
    id: `${id}#${key}`,
    createdAt: String(createdAtMs),
    _version: protocol
  })
  const snapshot = snapshotOf(row.snapshot, redact)
  const told = events.map((event) => ({ ...event, type: lifecycleEventOf(event).type }))
  return [
    ...(isNew
      ? [
          {
            ...common("actor", row.base.createdAtMs),
            type: "@xstate.actor" as const,
            ...(parent === undefined ? {} : { parentId: parent.processId }),
            definition: definition(),
            snapshot
          }
        ]
      : []),
    ...told.map(({ type, sequence, occurredAtMs }) => ({
      ...common(`${sequence}`, occurredAtMs),
      type: "@xstate.event" as const,
      event: { type }
    })),
    ...(last === undefined
      ? []
      : [
          {
            ...common(`${row.sequence}:snapshot`, atMs),
            type: "@xstate.snapshot" as const,
            event: { type: told.at(-1)?.type ?? "" },
            snapshot
          }
        ])
  ]
}

/** How many messages wait for a slow reader; the oldest go first, since a later snapshot says more. */
const waiting = 4_096

/**
 * Follows a store, a live host's or one's own, from now on until the scope closes: the messages come in the order of commits.
 *
 * A process is introduced with its first change. Nothing is held up: a reader that is too slow misses messages.
 */
export const followStately = (
  redact: Redact = showAll
): Effect.Effect<Stream.Stream<StatelyEvent>, never, ProcessStore | Scope.Scope> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const queue = yield* Effect.acquireRelease(Queue.sliding<ReadonlyArray<Change>>(waiting), Queue.shutdown)
    yield* store.onCommit((changes) => void queue.unsafeOffer(changes))
    const known = new Set<string>()
    return Stream.fromQueue(queue).pipe(
      Stream.mapConcat((changes) =>
        changes.flatMap((change) => {
          const { id } = change.row.base.registration
          const isNew = !known.has(id)
          if (change.row.snapshot.status === "done") known.delete(id)
          else known.add(id)
          return statelyEvents(change, isNew, redact)
        })
      )
    )
  })

const snapshotOf = ({ status, value, context }: ProcessSnapshot, redact: Redact): StatelySnapshot => ({
  status: status === "done" ? "done" : "active",
  value,
  context: redactContext(context, redact)
})

let text: string | undefined

const definition = (): string => {
  text ??= JSON.stringify(processMachine.definition)
  return text
}
