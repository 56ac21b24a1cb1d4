/**
 * The actions of the page on processes: the registry's operations, under the same rules as for a program.
 *
 * A signal carries an id that the page made when its form was opened: sending the form twice is a replay, not two signals.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { InputInvalid } from "../model/errors.ts"
import { ProcessId } from "../model/ids.ts"
import { AnyJson, optional, renamed } from "../model/json.ts"
import { wire } from "../model/wire.ts"
import * as Authority from "../operations/decisions/authority.ts"
import type { ProcessRegistry } from "../operations/ProcessRegistry.ts"
import type { InspectorParts } from "./InspectorSource.ts"

const processId = renamed("process_id", ProcessId)

/** Sends a signal. */
export const Signal = Schema.Struct({
  processId,
  name: Schema.String,
  payload: AnyJson,
  signalId: renamed("signal_id", Schema.String)
})

/** Asks a process to stop. */
export const Cancel = Schema.Struct({ processId, reason: Schema.NullOr(Schema.String) })

/** Allows a process to be abandoned, its outcome unknown, once its lease is free. */
export const Abandon = Schema.Struct({ processId, reason: optional(Schema.String) })

/** Sends a discarded wake again. */
export const Redrive = Schema.Struct({ wakeId: renamed("wake_id", Schema.String) })

type Registry = typeof ProcessRegistry.Service

/** An action: what it takes, and what running it answers. */
export interface Action<A, I> {
  readonly schema: Schema.Schema<A, I>
  readonly run: (body: A) => Effect.Effect<unknown, unknown>
}

/** The actions by name. Each fails with what the registry's own operation fails with. */
export const actionsOf = (
  registry: Registry,
  parts: InspectorParts
): Readonly<Record<string, Action<unknown, unknown>>> => ({
  signal: action(Signal, ({ processId: id, name, payload, signalId }) =>
    Effect.map(registry.signal(id, { name, payload, signalId }, Authority.external), ({ event }) => ({
      event: wire.event.encode(event)
    }))
  ),
  cancel: action(Cancel, ({ processId: id, reason }) =>
    Effect.as(registry.cancelRunning(id, reason, Authority.host), { done: true })
  ),
  abandon: action(Abandon, ({ processId: id, reason }) =>
    Effect.gen(function* () {
      const requestedAtMs = yield* Clock.currentTimeMillis
      const why = reason === undefined ? {} : { reason }
      yield* registry.requestProcessAbandon(id, { requestedBy: "inspector", requestedAtMs, ...why }, Authority.host)
      return { done: true }
    })
  ),
  redrive: action(Redrive, ({ wakeId }) =>
    parts.redrive === undefined
      ? Effect.fail(new InputInvalid({ field: "wake_id", problem: "cannot be sent again by this host" }))
      : Effect.map(parts.redrive(wakeId), (value) => ({ done: true, value }))
  )
})

/** Hides which body an action takes: the server only knows that it decodes it first. */
const action = <A, I>(schema: Schema.Schema<A, I>, run: Action<A, I>["run"]): Action<unknown, unknown> =>
  ({ schema, run }) as unknown as Action<unknown, unknown> // it only runs on what its schema decoded
