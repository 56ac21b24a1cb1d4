/**
 * A process as one line, and the children of one.
 */
import * as Effect from "effect/Effect"
import { isActive, lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { Redact } from "../../explain/redaction.ts"
import { labelOf } from "../../explain/redaction.ts"
import type { StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import { originatorScopeId } from "../../model/Provenance.ts"
import type { Glance } from "../../store/Decision.ts"
import type { ProcessStore } from "../../store/ProcessStore.ts"
import type { RowView } from "../View.ts"

/** The children of a process, ascending by id; of more than `limit`, the first. */
export const childrenOf = (
  store: typeof ProcessStore.Service,
  id: ProcessId,
  redact: Redact,
  nowMs: number,
  limit = 500
): Effect.Effect<{ readonly rows: ReadonlyArray<RowView>; readonly complete: boolean }, StoreError> =>
  Effect.gen(function* () {
    const children = yield* store.children.of(id)
    const found = yield* Effect.forEach(children.slice(0, limit), ({ processId }) => store.find(processId))
    const rows = found.flatMap((child) => (child._tag === "Present" ? [rowView(child.row, redact, nowMs)] : []))
    return { rows, complete: children.length <= limit }
  })

/** One line of the list. A problem's text may quote what a body was given, so it is redacted. */
export const rowView = (row: Glance, redact: Redact, nowMs: number): RowView => {
  const { registration, createdAtMs } = row.base
  const { context } = row.snapshot
  const { held } = row.lease
  const { output } = context
  const label = labelOf(registration, redact)
  const deadlines = context.waits.flatMap(({ deadlineMs }) => (deadlineMs === undefined ? [] : [deadlineMs]))
  const problem =
    output !== undefined && (output._tag === "Failure" || output._tag === "Cancelled") ? output.message : undefined
  return {
    process_id: registration.id,
    kind: registration.identity.kind,
    ...(label === undefined ? {} : { label }),
    state: lifecycleOf(row.snapshot),
    sequence: row.sequence,
    disposition: registration.disposition,
    attempts: context.attempts,
    created_at_ms: createdAtMs,
    updated_at_ms: context.updatedAtMs,
    due_at_ms: row.dueAtMs,
    active: isActive(row.snapshot),
    waits: context.waits.map(({ kind }) => (kind._tag === "Signal" ? kind.name : "timer")),
    ...(context.waits.length === 0
      ? {}
      : { waiting_since_ms: Math.min(...context.waits.map(({ sinceMs }) => sinceMs)) }),
    ...(deadlines.length === 0 ? {} : { deadline_ms: Math.min(...deadlines) }),
    cancel_requested: context.cancelRequest !== undefined,
    abandon_requested: context.abandonRequest !== undefined,
    originator: originatorScopeId(registration.provenance.originator),
    ...(registration.parent === undefined ? {} : { parent_id: registration.parent.processId }),
    ...(held === undefined
      ? {}
      : {
          owner_id: held.owner.ownerId,
          lease_expires_at_ms: held.expiresAtMs,
          holder: held.expiresAtMs > nowMs ? "alive" : "lapsed"
        }),
    ...(problem === undefined ? {} : { problem: String(redact(problem)) })
  }
}
