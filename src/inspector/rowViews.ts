/**
 * A row of the store as a line of the list, and the words by which lines are found.
 */
import { isActive, lifecycleOf } from "../../machines/lifecycle.ts"
import { originatorScopeId } from "../model/Provenance.ts"
import type { ProcessRow } from "../store/ProcessStore.ts"
import type { Redact } from "./redaction.ts"
import { labelOf } from "./redaction.ts"
import type { RowView } from "./View.ts"

/** One line of the list. A problem's text may quote what a body was given, so it is redacted. */
export const rowView = (row: ProcessRow, redact: Redact): RowView => {
  const { registration, createdAtMs } = row.base
  const { context } = row.snapshot
  const { held } = row.lease
  const { output } = context
  const label = labelOf(registration, redact)
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
    cancel_requested: context.cancelRequest !== undefined,
    abandon_requested: context.abandonRequest !== undefined,
    originator: originatorScopeId(registration.provenance.originator),
    ...(registration.parent === undefined ? {} : { parent_id: registration.parent.processId }),
    ...(held === undefined ? {} : { owner_id: held.owner.ownerId, lease_expires_at_ms: held.expiresAtMs }),
    ...(problem === undefined ? {} : { problem: String(redact(problem)) })
  }
}

/** What a list is narrowed by, besides the state. Text is found anywhere in id, label or kind, whatever its case. */
export interface RowQuery {
  readonly text?: string
  readonly kind?: string
  readonly owner?: string
  /** A session id, or the address of any originator. */
  readonly session?: string
}

/** Whether a row belongs into a narrowed list. */
export const isWanted = (row: ProcessRow, query: RowQuery): boolean => {
  const { id, identity, provenance } = row.base.registration
  const { text, kind, owner, session } = query
  if (kind !== undefined && identity.kind !== kind) return false
  if (owner !== undefined && row.lease.held?.owner.ownerId !== owner) return false
  if (session !== undefined && !isOf(originatorScopeId(provenance.originator), session)) return false
  if (text === undefined) return true
  const words = text.toLowerCase()
  return [id, identity.label ?? "", identity.kind].some((candidate) => candidate.toLowerCase().includes(words))
}

const isOf = (originator: string, session: string): boolean =>
  originator === session || originator === `session:${session}` || originator.startsWith(`session:${session}/`)
