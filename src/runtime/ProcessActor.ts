/**
 * The actor of one activation: a fiber that carries out what the lifecycle machine asked for.
 *
 * ```
 * runBody ─► body fiber ─► exited ─► conclude ─► one write ─► done
 *   interruptBody, announceEnd, lost lease, host stop ─► interrupt, and why
 * ```
 * Invariant: the actor dispatches and never advances. The machine advances inside the store's transaction; what reaches the
 * inbox are hints about facts that are durable already.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type { ProcessCommand } from "../../machines/process.ts"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import type { RuntimeError } from "../model/failures.ts"
import type { ProcessId } from "../model/ids.ts"
import type { Lease } from "../model/Lease.ts"
import type { ActivationStore } from "../store/ActivationStore.ts"
import type { ProcessRow } from "../store/ProcessStore.ts"
import type { StopCause } from "./conclusion.ts"
import { conclude } from "./conclusion.ts"
import type { Inbox } from "./Inbox.ts"
import * as Inboxes from "./Inbox.ts"

/** What reaches an actor. */
export type Message =
  | { readonly _tag: "Command"; readonly command: ProcessCommand }
  | { readonly _tag: "Stop"; readonly cause: StopCause }
  | { readonly _tag: "Exited"; readonly exit: Exit.Exit<AwaitOutput, RuntimeError> }

/** An activation in progress. The lease is replaced when it is renewed. */
export interface ProcessActor {
  readonly id: ProcessId
  readonly row: ProcessRow
  readonly inbox: Inbox<Message>
  lease: Lease
  /** The body has ended; what is left is to write how. */
  exited: boolean
}

/** Makes the actor of an activation that has just begun; `runBody` is its first command. */
export const make = (row: ProcessRow, lease: Lease): ProcessActor => ({
  id: lease.processId,
  row,
  lease,
  exited: false,
  inbox: Inboxes.make<Message>({
    _tag: "Command",
    command: {
      type: "runBody",
      params: { activation: row.snapshot.context.activations, attempt: row.snapshot.context.attempts }
    }
  })
})

/** How the actor writes and what it runs. */
export interface ActorSupport {
  readonly body: Effect.Effect<AwaitOutput, RuntimeError>
  readonly activations: typeof ActivationStore.Service
  /** The reason in the log's cancel request, read when it matters. */
  readonly cancelReason: Effect.Effect<string | null>
}

/** Runs an activation to its end; the answer says how its conclusion was written. */
export const run = (actor: ProcessActor, support: ActorSupport): Effect.Effect<void> =>
  Effect.gen(function* () {
    let fiber: Fiber.RuntimeFiber<AwaitOutput, RuntimeError> | undefined
    let stop: StopCause | undefined

    const interrupt = (cause: StopCause): Effect.Effect<void> =>
      Effect.suspend(() => {
        // A lost lease outranks every other cause: whatever else was asked, nothing may be written any more.
        stop = stop === undefined || cause === "lease_lost" || cause === "superseded" ? cause : stop
        return fiber === undefined ? Effect.void : Fiber.interruptFork(fiber)
      })

    const handlers: CommandHandlers = {
      runBody: () =>
        Effect.map(Effect.fork(support.body), (started) => {
          fiber = started
          started.addObserver((exit) => actor.inbox.offer({ _tag: "Exited", exit }))
        }),
      interruptBody: ({ cause }) => interrupt(cause),
      announceEnd: () => interrupt("superseded"),
      requestSweep: () => Effect.void
    }

    while (true) {
      const message = yield* actor.inbox.take
      switch (message._tag) {
        case "Command":
          yield* handlers[message.command.type](message.command.params as never) // the key picks the matching params
          break
        case "Stop":
          yield* interrupt(message.cause)
          break
        case "Exited":
          actor.exited = true
          return yield* write(actor, support, message.exit, stop)
      }
    }
  })

type CommandHandlers = {
  readonly [Type in ProcessCommand["type"]]: (
    params: Extract<ProcessCommand, { readonly type: Type }>["params"]
  ) => Effect.Effect<void>
}

const write = (
  actor: ProcessActor,
  { activations, cancelReason }: ActorSupport,
  exit: Exit.Exit<AwaitOutput, RuntimeError>,
  stop: StopCause | undefined
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { base, snapshot } = actor.row
    const conclusion = conclude({
      processId: actor.id,
      exit,
      stop,
      disposition: base.registration.disposition,
      cancelReason: stop === "cancel" ? yield* cancelReason : null,
      owner: snapshot.context.firstStarted?.owner ?? actor.lease.owner,
      nowMs: yield* Clock.currentTimeMillis
    })
    switch (conclusion._tag) {
      case "Complete":
        return yield* insist(actor, (lease) => activations.complete(lease, conclusion.output))
      case "HandBack":
        return yield* insist(actor, (lease) => activations.suspend(lease, "handed_back"))
      case "Drop":
        return yield* Effect.logWarning(
          `${actor.id} not written: ${stop === "superseded" ? "it ended elsewhere" : "its lease is lost"}`
        )
    }
  })

/** A store that is out for a while loses nothing: the conclusion is tried until it is written or the lease is gone. */
const insist = (
  actor: ProcessActor,
  writeUnder: (
    lease: Lease
  ) => Effect.Effect<unknown, { readonly _tag: string; readonly message: string; readonly fencingToken?: number }>
): Effect.Effect<void> =>
  Effect.suspend(() => writeUnder(actor.lease)).pipe(
    Effect.tapError((error) =>
      error._tag === "StoreError" ? Effect.logWarning(`${actor.id} not written yet: ${error.message}`) : Effect.void
    ),
    Effect.retry({
      // The keeper may have taken the lease again while this was on its way.
      while: ({ _tag, fencingToken = Number.POSITIVE_INFINITY }) =>
        _tag === "StoreError" || (_tag === "LeaseLost" && fencingToken < actor.lease.fencingToken),
      schedule: patience
    }),
    Effect.catchAll((error) => Effect.logWarning(`${actor.id} not written: ${error.message}`)),
    Effect.asVoid
  )

const patience = Schedule.union(Schedule.exponential("10 millis"), Schedule.spaced("1 second"))
