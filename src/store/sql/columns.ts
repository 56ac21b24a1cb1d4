/**
 * Columns to values and back. Rows keep the TypeScript form as JSON; payloads are wire JSON already.
 *
 * Rows are read without schema checks: only this library writes them, and `verify` is the tool that doubts them.
 */
import * as Either from "effect/Either"
import type { ProcessSnapshot } from "../../../machines/process/lifecycle.ts"
import { lifecycleOf, nextDeadline } from "../../../machines/process/lifecycle.ts"
import { processMachine } from "../../../machines/process/machine.ts"
import * as Step from "../../../machines/xstate/step.ts"
import { coreEventTypes, fixed } from "../../model/EventType.ts"
import { newsTypes } from "../../model/facts.ts"
import type { HandleGrant } from "../../model/Handle.ts"
import type { ProcessId, SessionScopeId } from "../../model/ids.ts"
import { canonicalText } from "../../model/json.ts"
import type { LeaseSlot } from "../../model/Lease.ts"
import type { MaterializedSemantics, ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Base, StoredSnapshot } from "../../model/ProcessRecord.ts"
import * as ProcessRecord from "../../model/ProcessRecord.ts"
import type { Registration } from "../../model/Registration.ts"
import { materialize } from "../../model/semantics.ts"
import type { BackOff, Change, Glance, ProcessRow, Tombstone } from "../Decision.ts"

/** Lists of event types by their content address: many processes share one. */
export type EventTypesCache = Map<string, Registration["eventTypes"]>

/** A process, its state and its lease, joined. */
export interface RowColumns {
  readonly pk: number
  readonly process_id: ProcessId
  readonly registration_hash: string
  readonly created_at: number
  readonly event_types: string
  readonly registration: string
  readonly sequence: number
  readonly machine_version: string
  readonly due_at: number | null
  readonly snapshot: string
  readonly fencing_token: number
  readonly lease_due_at: number | null
  readonly lease_token: string | null
  readonly owner_id: string | null
  readonly incarnation_id: string | null
  readonly liveness: string | null
  readonly claimed_at: number | null
  readonly expires_at: number | null
  readonly keeper: string | null
  readonly back_off: string | null
}

/** One event's columns. */
export interface EventColumns {
  readonly sequence: number
  readonly event_type: string
  readonly replay_key: string | null
  readonly occurred_at: number
  readonly payload: string
  readonly semantics: string | null
}

/** The version of the lifecycle machine whose snapshots need no refolding. */
export const machineVersion: string = processMachine.version ?? ""

/** The columns of a row. */
export const rowFields = `process.pk, process.process_id, process.registration_hash, process.created_at,
  process.event_types, process.registration, state.sequence, state.machine_version, state.fencing_token, state.due_at,
  state.back_off, state.snapshot, lease.due_at AS lease_due_at, lease.lease_token, lease.owner_id, lease.incarnation_id,
  lease.liveness, lease.claimed_at, lease.expires_at, lease.keeper`

/** Where the columns of a row come from. */
export const rowSource = "state JOIN process USING (pk) LEFT JOIN lease USING (pk)"

/** The columns of a row, and where they come from. */
export const rowColumns = `${rowFields}
FROM ${rowSource}`

/** What a glance takes of a row: few columns, and as values, since a driver is slow in naming each. */
export type GlanceValues = readonly [
  change: number,
  version: string,
  registration: string,
  createdAtMs: number,
  sequence: number,
  snapshot: string,
  dueAtMs: number | null,
  leaseDueAtMs: number | null,
  ownerId: string | null,
  expiresAtMs: number | null
]

/** The columns of a glance, and where they come from. */
export const selectGlances = `SELECT state.change, state.machine_version, process.registration, process.created_at,
  state.sequence, state.snapshot, state.due_at, lease.due_at, lease.owner_id, lease.expires_at
FROM ${rowSource}`

/** Rebuilds a glance; `undefined` where the snapshot is one of another machine version. */
export const glanceOf = (values: GlanceValues): Glance | undefined => {
  const [, version, registration, createdAtMs, sequence, snapshot, dueAtMs, leaseDueAtMs, ownerId, expiresAtMs] = values
  if (version !== machineVersion) return undefined
  const isHeld = ownerId !== null && expiresAtMs !== null
  return {
    base: { registration: JSON.parse(registration) as Glance["base"]["registration"], createdAtMs },
    sequence,
    snapshot: JSON.parse(snapshot) as StoredSnapshot,
    lease: isHeld ? { held: { owner: { ownerId }, expiresAtMs } } : {},
    dueAtMs: isHeld ? leaseDueAtMs : dueAtMs
  }
}

/** The columns of an event, as they are selected. */
export const eventColumns = "sequence, event_type, replay_key, occurred_at, payload, semantics"

/** The columns of an event, and where they come from. */
export const selectEvents = `SELECT ${eventColumns} FROM event`

/** Which events a body may wait for: see `isNews` of the facts. */
export const whereNews = `(event_type IN (${newsTypes.map((type) => `'${type}'`).join(", ")}) OR substr(event_type, 1, 7) = 'signal.')`

/** The columns of a journal entry, as they are selected. */
export const journalColumns = "key, position, sequence, operation, at, outcome"

/** What is left of a pruned process, as columns. */
export interface TombstoneColumns {
  readonly process_id: ProcessId
  readonly terminal_state: string
  readonly pruned_at: number
  readonly last_sequence: number
  readonly last_fence: number
  readonly compacted: number
  readonly change: number
}

/** The columns of a tombstone. */
export const tombstoneFields = "process_id, terminal_state, pruned_at, last_sequence, last_fence, compacted, change"

/** With where they come from. */
export const selectTombstones = `SELECT ${tombstoneFields} FROM tombstone`

/** Rebuilds a tombstone. */
export const tombstoneOf = (columns: TombstoneColumns): Tombstone => ({
  processId: columns.process_id,
  terminalState: columns.terminal_state,
  prunedAtMs: columns.pruned_at,
  lastSequence: columns.last_sequence,
  lastFence: columns.last_fence,
  compacted: columns.compacted === 1
})

/** A grant, as columns. */
export interface GrantColumns {
  readonly scope_id: SessionScopeId
  readonly session_id: string
  readonly process_id: ProcessId
  readonly descriptor: string
}

/** The columns of a grant, and where they come from. */
export const selectGrants = `SELECT scope_id, session_id, process.process_id, descriptor
FROM handle_grant JOIN process USING (pk)`

/** The columns of a grant and of the row that it is of, and where they come from. */
export const grantedColumns = `handle_grant.scope_id, handle_grant.session_id, handle_grant.descriptor, ${rowFields}
FROM ${rowSource} JOIN handle_grant USING (pk)`

/** Rebuilds a grant. */
export const grantOf = (columns: GrantColumns): HandleGrant => ({
  scopeId: columns.scope_id,
  sessionId: columns.session_id,
  processId: columns.process_id,
  descriptor: JSON.parse(columns.descriptor) as HandleGrant["descriptor"]
})

/** The registration without its event types, which are stored once under their hash. */
export const registrationText = (registration: Registration): string => {
  const { eventTypes: _elsewhere, ...rest } = registration
  return JSON.stringify(rest)
}

/** A definition as canonical text, by which definitions are compared and grouped; `null` when there is none. */
export const definitionText = (definition: unknown): string | null =>
  definition === undefined ? null : canonicalText(definition)

/** Rebuilds what never changes about a process. */
export const baseOf = (columns: RowColumns, types: EventTypesCache, readTypes: (hash: string) => string): Base => {
  const known = types.get(columns.event_types)
  const eventTypes = known ?? fixed(JSON.parse(readTypes(columns.event_types)) as Registration["eventTypes"])
  if (known === undefined) types.set(columns.event_types, eventTypes)
  const registration = JSON.parse(columns.registration) as Omit<Registration, "eventTypes">
  return {
    registration: Object.assign(registration, { eventTypes }),
    registrationHash: columns.registration_hash,
    createdAtMs: columns.created_at
  }
}

/** Rebuilds a row; a snapshot of another machine version is folded anew from the log. */
export const rowOf = (columns: RowColumns, base: Base, readLog: () => ReadonlyArray<ProcessEvent>): ProcessRow =>
  rowWith(columns, base, snapshotOf(columns, base, readLog))

const restored = Step.restorer(processMachine)

/** Rebuilds the snapshot of a row. */
export const snapshotOf = (
  columns: RowColumns,
  base: Base,
  readLog: () => ReadonlyArray<ProcessEvent>
): ProcessSnapshot =>
  columns.machine_version === machineVersion
    ? restored(JSON.parse(columns.snapshot) as StoredSnapshot)
    : ProcessRecord.fold(base, readLog())

/** Rebuilds a row around what of it is known. */
export const rowWith = (columns: RowColumns, base: Base, snapshot: ProcessSnapshot): ProcessRow => ({
  base,
  sequence: columns.sequence,
  snapshot,
  lease: leaseOf(columns),
  dueAtMs: columns.lease_token === null ? columns.due_at : columns.lease_due_at,
  ...(columns.back_off === null ? {} : { backOff: JSON.parse(columns.back_off) as BackOff })
})

/** What of a row the table of states holds, its number and that of its change apart. */
export interface StateColumns {
  readonly sequence: number
  readonly machine_version: string
  readonly lifecycle: string
  readonly fencing_token: number
  readonly due_at: number | null
  readonly updated_at: number
  readonly wake_session: string | null
  readonly back_off: string | null
  readonly deadline: number | null
  readonly snapshot: string
}

/** The columns by which rows are looked up, the number of the change apart. */
type PlaceColumns = Pick<StateColumns, "lifecycle" | "due_at" | "wake_session" | "deadline">

const placeOf = ({ snapshot, lease, dueAtMs }: ProcessRow): PlaceColumns => ({
  lifecycle: lifecycleOf(snapshot),
  // A row that a lease holds is not due: its lease says when it becomes due again.
  due_at: lease.held === undefined ? dueAtMs : null,
  wake_session: snapshot.context.wakeTarget?.sessionId ?? null,
  deadline: nextDeadline(snapshot)
})

/** A row as the table of states holds it. */
export const stateColumnsOf = (row: ProcessRow): StateColumns => {
  const { lifecycle, due_at, wake_session, deadline } = placeOf(row)
  const { sequence, snapshot, lease, backOff } = row
  return {
    sequence,
    machine_version: machineVersion,
    lifecycle,
    fencing_token: lease.fencingToken,
    due_at,
    updated_at: snapshot.context.updatedAtMs,
    wake_session,
    back_off: backOff === undefined ? null : JSON.stringify(backOff),
    deadline,
    snapshot: JSON.stringify(Step.persist(snapshot))
  }
}

/** Whether a row stays where it is in every index but that of changes, as most do: to write the others again takes longest. */
export const staysInPlace = (before: ProcessRow, row: ProcessRow): boolean => {
  const was = placeOf(before)
  const is = placeOf(row)
  return (
    was.lifecycle === is.lifecycle &&
    was.due_at === is.due_at &&
    was.wake_session === is.wake_session &&
    was.deadline === is.deadline
  )
}

/** Whether a change is one of the record: it gets a number of the feed. */
export const changesRecord = ({ before, row, events }: Change): boolean =>
  before === undefined || events.length > 0 || row.snapshot !== before.snapshot

/** Whether a change moves what the table of states holds beside the record: neither a lease nor a back-off is one of the record. */
export const movesLease = ({ before, row }: Change): boolean =>
  before === undefined ||
  row.lease.fencingToken !== before.lease.fencingToken ||
  (row.lease.held === undefined) !== (before.lease.held === undefined) ||
  row.dueAtMs !== before.dueAtMs ||
  row.backOff !== before.backOff

/** Rebuilds an event. */
export const eventOf = (processId: ProcessId, columns: EventColumns): ProcessEvent => {
  const payload: unknown = JSON.parse(columns.payload)
  const { sequence, event_type: eventType } = columns
  return {
    processId,
    sequence,
    eventType,
    payload,
    ...(columns.replay_key === null ? {} : { replayKey: columns.replay_key }),
    semantics:
      columns.semantics === null ? {} : semanticsOf(columns.semantics, { processId, sequence, eventType, payload }),
    occurredAtMs: columns.occurred_at
  }
}

/**
 * The stored semantics of an event: `null` for none, `core` when they follow from a core type and the payload.
 *
 * A terminal's output is in its payload; storing it again would double the largest rows.
 */
export const semanticsText = ({ eventType, semantics }: ProcessEvent): string | null => {
  if (semantics.terminal === undefined && semantics.wake === undefined) return null
  return semantics.wake === undefined && coreEnds.has(eventType) ? core : JSON.stringify(semantics)
}

const core = "core"

const coreEnds = new Map(coreEventTypes.filter((type) => type.semantics.terminal).map((type) => [type.name, type]))

const semanticsOf = (text: string, event: Pick<ProcessEvent, "processId" | "sequence" | "payload" | "eventType">) => {
  if (text !== core) return JSON.parse(text) as MaterializedSemantics
  const type = coreEnds.get(event.eventType)
  return type === undefined ? {} : Either.getOrThrow(materialize(type.semantics, event)) // it materialised when appended
}

const leaseOf = (columns: RowColumns): LeaseSlot => {
  const { fencing_token, lease_token, owner_id, incarnation_id, liveness, claimed_at, expires_at, keeper } = columns
  if (lease_token === null) return { fencingToken: fencing_token }
  return {
    fencingToken: fencing_token,
    held: {
      owner: {
        ownerId: owner_id ?? "",
        incarnationId: incarnation_id ?? "",
        liveness: JSON.parse(liveness ?? '{"_tag":"Opaque"}')
      },
      leaseToken: lease_token,
      claimedAtMs: claimed_at ?? 0,
      expiresAtMs: expires_at ?? 0,
      ...(keeper === null ? {} : { renewerId: keeper })
    }
  }
}
