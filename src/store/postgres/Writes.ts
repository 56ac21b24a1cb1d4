/**
 * What the decisions of a batch write, collected as rows of tables: each table is then written by one statement.
 *
 * Invariant: a key is written once in a batch. What is written twice under one key is merged here, as if one followed the other.
 */
import type { ProcessId } from "../../model/ids.ts"
import { eventTypesHash } from "../../model/Registration.ts"
import { closingOf } from "../Children.ts"
import type { Change, Write } from "../Decision.ts"
import type { WakeTimes } from "../Outbox.ts"
import * as Columns from "../sql/columns.ts"
import { numbersOfOne } from "./dialect.ts"
import type { Loaded, Memory } from "./Loaded.ts"
import { remember } from "./Loaded.ts"
import type { Statement } from "./Session.ts"
import type { Rows, Writing } from "./tables.ts"
import { pruning, statementOf, writings } from "./tables.ts"

export { numbersOfOne } from "./dialect.ts"

/**
 * How many characters a batch writes, until the next request waits for the next batch. The rows of a table go as one string, of which
 * the longest that there may be has about 500 million, and which has some characters twice, such as quotes.
 */
export const mostCharacters: number = 2 ** 25

/** The writes of a batch. */
export interface Writes {
  /** Takes over what a decision asks for. Every process that it names was loaded. */
  readonly add: (changes: ReadonlyArray<Change>, writes: ReadonlyArray<Write>) => void
  readonly statements: () => ReadonlyArray<Statement>
  /** How many numbers of the change feed were taken. */
  readonly numbers: () => number
  /** How many characters the texts of the rows have; of what is written twice, both. */
  readonly characters: () => number
}

/** The processes that a decision writes to. */
export const namedIn = (changes: ReadonlyArray<Change>, writes: ReadonlyArray<Write>): ReadonlyArray<ProcessId> => [
  ...changes.map(({ row }) => row.base.registration.id),
  ...writes.flatMap((write) => {
    switch (write._tag) {
      case "PutGrant":
        return [write.grant.processId]
      case "Prune":
        return [write.tombstone.processId]
      case "PutCloseRequest":
        return [write.request.childId]
      case "RemoveCloseRequest":
        return [write.childId]
      case "RemoveGrant":
      case "AckWake":
      case "PutJournal":
      case "PutProgress":
      case "RemoveProgress":
        return [write.processId]
      default:
        return []
    }
  })
]

/** Collects the writes of one transaction, which has {@link numbersOfOne} numbers of the change feed from each of `firsts` on. */
export const make = (loaded: Loaded, shared: Memory, times: WakeTimes, firsts: ReadonlyArray<number>): Writes => {
  const rows = new Map<Writing, Map<string, Rows[number]>>()
  const events: Array<Rows[number]> = []
  const prunedPks: Array<number> = []
  const before = new Map<number, Change["before"]>()
  let taken = 0
  let characters = 0

  const count = (row: Rows[number]): void => {
    for (const value of Object.values(row)) if (typeof value === "string") characters += value.length
  }
  const pkOf = (id: ProcessId): number => loaded.get("row", id).pk
  const nextChange = (): number => {
    const [number, place] = [taken % numbersOfOne, Math.floor(taken / numbersOfOne)]
    taken++
    // While it is only counted how many there are, the last ones are given out again.
    return (firsts[place] ?? firsts.at(-1) ?? 0) + number
  }

  const of = (writing: Writing): Map<string, Rows[number]> => {
    const known = rows.get(writing)
    if (known !== undefined) return known
    const fresh = new Map<string, Rows[number]>()
    rows.set(writing, fresh)
    return fresh
  }
  /** The last one holds. */
  const put = (writing: Writing, key: ReadonlyArray<unknown>, row: Rows[number], instead?: Writing): void => {
    const name = JSON.stringify(key)
    count(row)
    of(writing).set(name, row)
    if (instead !== undefined) of(instead).delete(name)
  }
  /** The first one holds. */
  const keep = (writing: Writing, key: ReadonlyArray<unknown>, row: Rows[number]): void => {
    const name = JSON.stringify(key)
    if (of(writing).has(name)) return
    count(row)
    of(writing).set(name, row)
  }

  const addChange = (one: Change): void => {
    const { row, wakes = [] } = one
    const { registration } = row.base
    const pk = pkOf(registration.id)
    if (one.before === undefined) register(pk, one)
    for (const event of one.events) {
      const columns = {
        pk,
        sequence: event.sequence,
        event_type: event.eventType,
        replay_key: event.replayKey ?? null,
        occurred_at: event.occurredAtMs,
        payload: JSON.stringify(event.payload),
        semantics: Columns.semanticsText(event),
        wakes: event.semantics.wake === undefined ? null : 1
      }
      count(columns)
      events.push(columns)
    }
    for (const wake of wakes) {
      keep("addWake", [wake.wakeId], {
        wake_id: wake.wakeId,
        target_scope: wake.targetScopeId,
        pk,
        sequence: wake.sequence,
        state: "pending",
        is_open: 1,
        attempts: 0,
        next_attempt: wake.createdAtMs,
        expires_at: wake.createdAtMs + times.expiryMs,
        wake: JSON.stringify(wake)
      })
    }
    if (!before.has(pk)) before.set(pk, one.before)
    writeState(pk, one)
    writeLease(pk, one)
    const closing = closingOf(one)
    if (closing === undefined) return
    const { parentId, reason, hasEnded, atMs } = closing
    put("closeChildren", [parentId], { parent: parentId, reason, at: atMs, ended: hasEnded ? 1 : 0 })
  }

  const register = (pk: number, { row: { base } }: Change): void => {
    const { registration, registrationHash, createdAtMs } = base
    const { id, eventTypes, identity, parent } = registration
    const hash = eventTypesHash(eventTypes)
    if (!shared.types.has(hash)) keep("putEventTypes", [hash], { hash, body: JSON.stringify(eventTypes) })
    put("putProcess", [pk], {
      pk,
      process_id: id,
      registration_hash: registrationHash,
      created_at: createdAtMs,
      event_types: hash,
      definition: Columns.definitionText(identity.definition),
      registration: Columns.registrationText(registration)
    })
    if (parent !== undefined) {
      put("putChild", [pk], { pk, parent_id: parent.processId, close_policy: parent.closePolicy })
    }
  }

  const writeState = (pk: number, one: Change): void => {
    const { row } = one
    const isNew = of("putProcess").has(JSON.stringify([pk]))
    const writing = isNew ? "putState" : "updateState"
    const earlier = of(writing).get(JSON.stringify([pk]))?.["change"] ?? null
    const isRecord = Columns.changesRecord(one)
    if (!isRecord && !Columns.movesLease(one)) return
    const columns = Columns.stateColumnsOf(row)
    const { id } = row.base.registration
    remember(shared, id, { pk, base: row.base, text: columns.snapshot, snapshot: row.snapshot })
    put(writing, [pk], {
      pk,
      change: isRecord ? nextChange() : earlier,
      ...columns,
      ...(isNew ? { process_id: id } : {})
    })
  }

  const writeLease = (pk: number, { row }: Change): void => {
    const { held } = row.lease
    const first = before.get(pk)
    if (held === undefined) {
      if (first?.lease.held !== undefined) put("removeLease", [pk], { pk }, "putLease")
      else of("putLease").delete(JSON.stringify([pk]))
    } else if (held !== first?.lease.held || row.dueAtMs !== first.dueAtMs) {
      const { ownerId, incarnationId, liveness } = held.owner
      const columns = {
        pk,
        lease_token: held.leaseToken,
        owner_id: ownerId,
        incarnation_id: incarnationId,
        liveness: JSON.stringify(liveness),
        claimed_at: held.claimedAtMs,
        expires_at: held.expiresAtMs,
        due_at: row.dueAtMs,
        keeper: held.renewerId ?? null
      }
      put("putLease", [pk], columns, "removeLease")
    }
  }

  const addWrite = (write: Write) => {
    switch (write._tag) {
      case "PutGrant": {
        const { scopeId, processId, sessionId, descriptor } = write.grant
        const pk = pkOf(processId)
        const row = { scope_id: scopeId, pk, session_id: sessionId, descriptor: JSON.stringify(descriptor) }
        return put("putGrant", [scopeId, pk], row, "removeGrant")
      }
      case "RemoveGrant": {
        const pk = pkOf(write.processId)
        return put("removeGrant", [write.scopeId, pk], { scope_id: write.scopeId, pk }, "putGrant")
      }
      case "AckWake": {
        const { sequence } = write
        const pk = pkOf(write.processId)
        return keep("ackWake", [pk, sequence], { pk, sequence, change: nextChange() })
      }
      case "PutJournal": {
        const { key, position, sequence, operation, atMs: at, outcome } = write.entry
        const pk = pkOf(write.processId)
        const row = { pk, key, position, sequence, operation, at, outcome }
        return keep("putJournal", [pk, position], row)
      }
      case "PutProgress": {
        const { key, atMs: at, detail } = write.progress
        const pk = pkOf(write.processId)
        return put("putProgress", [pk, key], { pk, key, at, detail }, "removeProgress")
      }
      case "RemoveProgress": {
        const pk = pkOf(write.processId)
        return put("removeProgress", [pk, write.key], { pk, key: write.key }, "putProgress")
      }
      case "Prune": {
        const { processId, terminalState, prunedAtMs, lastSequence, lastFence } = write.tombstone
        prunedPks.push(pkOf(processId))
        return put("putTombstone", [processId], {
          process_id: processId,
          terminal_state: terminalState,
          pruned_at: prunedAtMs,
          last_sequence: lastSequence,
          last_fence: lastFence,
          compacted: 0,
          change: nextChange()
        })
      }
      case "Compact":
        return put("compact", [write.processId], { process_id: write.processId })
      case "PutCloseRequest": {
        const { childId, parentId, action, reason, requestedAtMs } = write.request
        const pk = pkOf(childId)
        return keep("putCloseRequest", [pk], { pk, parent_id: parentId, action, reason, owed_at: requestedAtMs })
      }
      case "RemoveCloseRequest": {
        const pk = pkOf(write.childId)
        return put("removeCloseRequest", [pk], { pk })
      }
      case "PutWake": {
        const { number, state, isOpen, attempts, nextAttemptAtMs, expiresAtMs } = write.row
        return put("putWake", [number], {
          number,
          state,
          is_open: isOpen ? 1 : 0,
          claim_token: write.row.claimToken ?? null,
          attempts,
          first_attempt: write.row.firstAttemptMs ?? null,
          next_attempt: nextAttemptAtMs,
          expires_at: expiresAtMs,
          discard_reason: write.row.discardReason ?? null
        })
      }
      case "PutDefinition": {
        const { _tag: _is, ...definition } = write
        return keep("putDefinition", [write.kind, write.version, write.hash], definition)
      }
      case "PutEnvironment":
        return put("putEnvironment", [write.ref], { env_ref: write.ref, body: write.body })
      case "EndPromise":
        return keep("endPromise", [write.keyId], { key_id: write.keyId, body: write.body, token: write.token })
    }
  }

  return {
    add: (changes, writes) => {
      for (const one of changes) addChange(one)
      for (const write of writes) addWrite(write)
    },
    numbers: () => taken,
    characters: () => characters,
    statements: () =>
      writings.flatMap((writing): ReadonlyArray<Statement> => {
        const own = writing === "putEvent" ? events : [...(rows.get(writing)?.values() ?? [])]
        const before = writing === "putTombstone" && prunedPks.length > 0 ? pruning(prunedPks) : []
        return own.length === 0 ? before : [...before, statementOf(writing, own)]
      })
  }
}
