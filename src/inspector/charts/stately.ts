/**
 * Live events in the shape of the inspection protocol that `@statelyai/inspect` speaks, so that a tool for it can follow.
 *
 * ```
 * commit ─► each changed process ─► @xstate.actor (when it is new here) ─► @xstate.event, for each event ─► @xstate.snapshot
 * ```
 * Invariant: pure shapes, no dependency: the caller sends them on, as JSON; what the protocol calls undefined is left
 * out. A process is one actor, under its id.
 * @see https://github.com/statelyai/inspect
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AnyStateMachine } from "xstate"
import type { ProcessSnapshot } from "../../../machines/process/lifecycle.ts"
import { processMachine } from "../../../machines/process/machine.ts"
import type { Redact } from "../../explain/redaction.ts"
import { redactContext, showAll } from "../../explain/redaction.ts"
import { lifecycleEventOf } from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Change } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"

/** The version of the package whose shapes these are; it marks every message. */
const protocol = "0.7.2"

interface Common {
  /** The process. */
  readonly sessionId: string
  /** The process at the top: its parents' parents' and so on. */
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

/** What happened, with what was recorded of it. */
export interface StatelyHappening {
  /** The event that the machine took. */
  readonly type: string
  readonly sequence: number
  readonly eventType: string
  readonly payload: unknown
}

/** One message of the protocol. */
export type StatelyEvent =
  | (Common & {
      readonly type: "@xstate.actor"
      readonly name: string
      readonly parentId?: string
      /** The machine's config, as JSON text. */
      readonly definition: string
      readonly snapshot: StatelySnapshot
    })
  | (Common & { readonly type: "@xstate.event"; readonly event: StatelyHappening })
  | (Common & {
      readonly type: "@xstate.snapshot"
      readonly event: StatelyHappening
      readonly snapshot: StatelySnapshot
    })

/** What is known of a process besides its change. */
export interface StatelyPlace {
  /** Whether it is reported for the first time. */
  readonly isNew: boolean
  /** The process at the top of its tree. */
  readonly rootId: string
}

/** What one change looks like. */
export const statelyEvents = (
  { row, events }: Pick<Change, "row" | "events">,
  { isNew, rootId }: StatelyPlace,
  redact: Redact = showAll
): ReadonlyArray<StatelyEvent> => {
  const { id, identity, parent } = row.base.registration
  const common = (key: string, createdAtMs: number): Common => ({
    sessionId: id,
    rootId,
    id: `${id}#${key}`,
    createdAt: String(createdAtMs),
    _version: protocol
  })
  const snapshot = snapshotOf(row.snapshot, redact)
  const happenings = events.map((event): StatelyHappening & { readonly atMs: number } => ({
    type: lifecycleEventOf(event).type,
    sequence: event.sequence,
    eventType: event.eventType,
    payload: redact(event.payload),
    atMs: event.occurredAtMs
  }))
  const latest = happenings.at(-1)
  const afterwards = ({ atMs, ...event }: (typeof happenings)[number]): StatelyEvent => ({
    ...common(`${row.sequence}:snapshot`, atMs),
    type: "@xstate.snapshot",
    event,
    snapshot
  })
  return [
    ...(isNew
      ? [
          {
            ...common("actor", row.base.createdAtMs),
            type: "@xstate.actor" as const,
            name: identity.label ?? identity.kind,
            ...(parent === undefined ? {} : { parentId: parent.processId }),
            definition: definition(),
            snapshot
          }
        ]
      : []),
    ...happenings.map(({ atMs, ...event }) => ({
      ...common(`${event.sequence}`, atMs),
      type: "@xstate.event" as const,
      event
    })),
    ...(latest === undefined ? [] : [afterwards(latest)])
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
    /** The roots of the processes that were reported. */
    const roots = new Map<ProcessId, ProcessId>()
    const rootOf = (id: ProcessId, parent: ProcessId | undefined): Effect.Effect<ProcessId> => {
      if (parent === undefined) return Effect.succeed(id)
      const known = roots.get(parent)
      if (known !== undefined) return Effect.succeed(known)
      return store.find(parent).pipe(
        Effect.flatMap((found) =>
          found._tag === "Present"
            ? rootOf(parent, found.row.base.registration.parent?.processId)
            : Effect.succeed(parent)
        ),
        Effect.catchAll(() => Effect.succeed(parent))
      )
    }
    const report = (change: Change) =>
      Effect.gen(function* () {
        const { id, parent } = change.row.base.registration
        const known = roots.get(id)
        const rootId = known ?? (yield* rootOf(id, parent?.processId))
        if (change.row.snapshot.status === "done") roots.delete(id)
        else roots.set(id, rootId)
        return statelyEvents(change, { isNew: known === undefined, rootId }, redact)
      })
    return Stream.fromQueue(queue).pipe(
      Stream.mapConcatEffect((changes) => Effect.map(Effect.forEach(changes, report), (events) => events.flat()))
    )
  })

/**
 * A machine's config as plain JSON: what an editor imports, and what `createMachine` makes the same chart of.
 *
 * A machine's `definition` is another thing, and loses transitions when it is read back. Functions are written as their names, as
 * the protocol has them; where a name says nothing (a context, params) they are left out.
 */
export const importable = ({ config }: AnyStateMachine): unknown =>
  JSON.parse(
    JSON.stringify(config, (key, value: unknown) => {
      if (typeof value !== "function") return value
      return key === "context" || key === "params" ? undefined : { type: value.name }
    })
  )

const snapshotOf = ({ status, value, context }: ProcessSnapshot, redact: Redact): StatelySnapshot => ({
  status: status === "done" ? "done" : "active",
  value,
  context: redactContext(context, redact)
})

let text: string | undefined

const definition = (): string => {
  text ??= JSON.stringify(importable(processMachine))
  return text
}
