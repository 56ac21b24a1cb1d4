/**
 * List filters as SQL: every predicate is pushed down, and a test holds the answer equal to the plain predicate's.
 */
import { canonicalText } from "../../model/canonical.ts"
import type { ListFilter, StatusFilter } from "../../model/ListFilter.ts"

/** A condition with its parameters. */
export interface Condition {
  readonly sql: string
  readonly parameters: ReadonlyArray<string | number>
}

/** The conditions a filter stands for, over the joined row. */
export const conditionsOf = (filter: ListFilter): ReadonlyArray<Condition> => [
  ...statusConditions(filter.status ?? "running"),
  ...("definition" in filter ? [condition("process.definition = ?", canonicalText(filter.definition))] : []),
  ...present(filter.waiting, (waiting) =>
    condition(`json_array_length(snapshot, '$.context.waits') ${waiting ? ">" : "="} 0`)
  ),
  ...present(filter.originatorScopeId, (scope) => condition(`${originatorScope} = ?`, scope)),
  ...present(filter.identityKind, (kind) => condition("registration ->> '$.identity.kind' = ?", kind)),
  ...present(filter.identityLabel, (label) => condition("registration ->> '$.identity.label' = ?", label)),
  ...present(filter.createdAtStartMs, (start) => condition("process.created_at >= ?", start)),
  ...present(filter.createdAtEndMs, (end) => condition("process.created_at < ?", end)),
  ...present(filter.hasAbandonRequest, (has) =>
    condition(`json_type(snapshot, '$.context.abandonRequest') IS ${has ? "NOT " : ""}NULL`)
  ),
  ...present(filter.disposition, (disposition) => condition("registration ->> '$.disposition' = ?", disposition)),
  ...present(filter.ownerId, (owner) => condition("lease.owner_id = ?", owner))
]

const condition = (sql: string, ...parameters: ReadonlyArray<string | number>): Condition => ({ sql, parameters })

const present = <A>(value: A | undefined, make: (value: A) => Condition): ReadonlyArray<Condition> =>
  value === undefined ? [] : [make(value)]

const statusConditions = (status: StatusFilter): ReadonlyArray<Condition> => {
  if (status === "any") return []
  // Written out, so that a partial index applies; nothing but one of these words gets into the text.
  const lifecycle = lifecycles.find((known) => known === status)
  return [condition(lifecycle === undefined ? "0" : `state.lifecycle = '${lifecycle}'`)]
}

const lifecycles = ["running", "completed", "failed", "cancelled", "abandoned"] as const

const originatorScope = `CASE registration ->> '$.provenance.originator._tag'
  WHEN 'Session' THEN 'session:' || (registration ->> '$.provenance.originator.scope.sessionId') ||
    CASE coalesce(registration ->> '$.provenance.originator.scope.agentFrameId', '')
      WHEN '' THEN ''
      ELSE '/frame:' || (registration ->> '$.provenance.originator.scope.agentFrameId')
    END
  ELSE 'host' || coalesce(':' || (registration ->> '$.provenance.originator.scope'), '')
END`
