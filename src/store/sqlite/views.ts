/**
 * What a decision sees, read on the writer's own connection inside its transaction.
 */
import type { ProcessId } from "../../model/ids.ts"
import type { Plan, ProcessRow, View } from "../Decision.ts"
import * as Children from "./children.ts"
import type { EventColumns, GrantColumns, TombstoneColumns } from "./columns.ts"
import * as Columns from "./columns.ts"
import type { Outbox } from "./outbox.ts"
import type { Statements } from "./statements.ts"

/** A row with its number in this database. */
export interface Stored {
  readonly pk: number
  readonly row: ProcessRow
}

/** Makes the views of a connection; `load` knows the rows that the present transaction has touched. */
export const make =
  (
    sql: Statements,
    outbox: Outbox,
    load: (id: ProcessId) => Stored | undefined
  ): ((plan: Plan, nowMs: number) => View) =>
  (plan, nowMs) => ({
    nowMs,
    ...Children.viewOf(sql, (id) => load(id)?.pk),
    row: (id) => load(id)?.row,
    tombstone: (id) => {
      const columns = sql.tombstone.get(id) as TombstoneColumns | undefined
      return columns && Columns.tombstoneOf(columns)
    },
    replayed: (id, key) => {
      const stored = load(id)
      return stored && eventOf(id, sql.replayed.get(stored.pk, key))
    },
    firstEventAfter: (id, eventType, sequence) => {
      const stored = load(id)
      return stored && eventOf(id, sql.firstEventAfter.get(stored.pk, eventType, sequence))
    },
    grant: (scopeId, id) => grants(sql.grant.all(scopeId, id))[0],
    grantsOf: (id) => grants(sql.grantsOf.all(id)),
    sessionGrants: () => (plan.session === undefined ? [] : grants(sql.sessionGrants.all(plan.session))),
    sessionTargets: () =>
      plan.session === undefined ? [] : (sql.sessionTargets.all(plan.session) as ReadonlyArray<ProcessId>),
    outbox: outbox.viewOf(nowMs, (id) => load(id)?.pk)
  })

const eventOf = (id: ProcessId, columns: unknown) =>
  columns === undefined ? undefined : Columns.eventOf(id, columns as EventColumns)

const grants = (columns: ReadonlyArray<unknown>) => (columns as ReadonlyArray<GrantColumns>).map(Columns.grantOf)
