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
import * as DryRun from "../operations/dryRun.ts"
import type { ProcessRegistry } from "../operations/ProcessRegistry.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import type { InspectorParts } from "./InspectorSource.ts"
import type { BulkView } from "./View.ts"

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

/** Does the same to many processes; a dry run says what it would do. */
export const Bulk = Schema.Struct({
  action: Schema.Literal("cancel", "abandon"),
  processIds: renamed("process_ids", Schema.Array(ProcessId).pipe(Schema.maxItems(5_000))),
  reason: Schema.NullOr(Schema.String),
  isDryRun: renamed("dry_run", Schema.Boolean)
})

type Registry = typeof ProcessRegistry.Service

/** Acts, or judges what acting would refuse; answers why not, in the words of the registry. */
const bulk = (
  registry: Registry,
  store: typeof ProcessStore.Service,
  { action, processIds, reason, isDryRun }: typeof Bulk.Type
) =>
  Effect.flatMap(
    isDryRun ? Effect.provideService(DryRun.registry, ProcessStore, store) : Effect.succeed(registry),
    (on) => {
      const attempt = (id: ProcessId): Effect.Effect<string | undefined> =>
        Effect.flatMap(
          registry.getProcess(id),
          (record): Effect.Effect<string | undefined, { readonly message: string }> => {
            const earlier = action === "cancel" ? record?.cancelRequest : record?.abandonRequest
            if (record?.status._tag === "Running" && earlier !== undefined)
              return Effect.succeed("it was asked already")
            const write = action === "cancel" ? on.cancelRunning(id, reason, Authority.host) : abandon(on, id, reason)
            return Effect.as(write, undefined)
          }
        ).pipe(Effect.catchAll(({ message }) => Effect.succeed(message)))
      // Side by side, so that they share commits.
      return Effect.map(Effect.forEach(processIds, attempt, { concurrency: 64 }), (problems): BulkView => {
        const refused = processIds.flatMap((process_id, index) => {
          const problem = problems[index]
          return problem === undefined ? [] : [{ process_id, problem }]
        })
        const done = processIds.filter((_, index) => problems[index] === undefined)
        return { matched: processIds.length, done: done.length, process_ids: done, refused }
      })
    }
  )

const abandon = (registry: Registry, id: ProcessId, reason: string | null) =>
  Effect.flatMap(Clock.currentTimeMillis, (requestedAtMs) =>
    registry.requestProcessAbandon(
      id,
      { requestedBy: "inspector", requestedAtMs, ...(reason === null ? {} : { reason }) },
      Authority.host
    )
  )

/** An action: what it takes, and what running it answers. */
export interface Action<A, I> {
  readonly schema: Schema.Schema<A, I>
  readonly run: (body: A) => Effect.Effect<unknown, unknown>
}

/** The actions by name. Each fails with what the registry's own operation fails with. */
export const actionsOf = (
  registry: Registry,
  store: typeof ProcessStore.Service,
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
    Effect.as(abandon(registry, id, reason ?? null), { done: true })
  ),
  bulk: action(Bulk, (body) => bulk(registry, store, body)),
  redrive: action(Redrive, ({ wakeId }) =>
    parts.redrive === undefined
      ? Effect.fail(new InputInvalid({ field: "wake_id", problem: "cannot be sent again by this host" }))
      : Effect.map(parts.redrive(wakeId), (value) => ({ done: true, value }))
  )
})

/** Hides which body an action takes: the server only knows that it decodes it first. */
export const action = <A, I>(schema: Schema.Schema<A, I>, run: Action<A, I>["run"]): Action<unknown, unknown> =>
  ({ schema, run }) as unknown as Action<unknown, unknown> // it only runs on what its schema decoded
