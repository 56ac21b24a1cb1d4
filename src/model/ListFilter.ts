/**
 * Filters and pages of process lists. A filter is a plain predicate, which a store may push down but never change.
 */
import * as Either from "effect/Either"
import type { Disposition } from "../../machines/recovery.ts"
import { InputInvalid } from "./errors.ts"
import type { ProcessId } from "./ids.ts"
import { jsonEquals, jsonProblem, snapshot } from "./json.ts"
import type { ProcessLifecycle, ProcessRecord } from "./ProcessRecord.ts"
import { lifecycleLabel } from "./ProcessRecord.ts"
import { originatorScopeId } from "./Provenance.ts"

/** Which statuses a list shows. */
export type StatusFilter = ProcessLifecycle | "any"

/** What a list shows. Units: epoch milliseconds, UTC; the start is inclusive, the end exclusive. */
export interface ListFilter {
  /** @default "running" */
  readonly status?: StatusFilter
  /** The identity's definition equals this JSON value. */
  readonly definition?: unknown
  readonly waiting?: boolean
  readonly originatorScopeId?: string
  readonly identityKind?: string
  readonly identityLabel?: string
  readonly createdAtStartMs?: number
  readonly createdAtEndMs?: number
  readonly hasAbandonRequest?: boolean
  readonly disposition?: Disposition
  /** The present holder of the lease. */
  readonly ownerId?: string
}

/** Which page of a list of processes is asked for. */
export interface ListPage {
  /** Where it begins: after this process, the `next` of the page before. @default at the first */
  readonly after?: ProcessId
  /** How many entries it has at most. @default 100 */
  readonly limit?: number
}

/** A page of a list of processes. */
export interface ProcessPage {
  readonly records: ReadonlyArray<ProcessRecord>
  /** Where the next page goes on (`after`); absent when nothing follows. */
  readonly next?: ProcessId
}

/** Whether a process belongs into a list. `holderId` is the owner id of its unreleased lease. */
export const matches = (filter: ListFilter, record: ProcessRecord, holderId: string | undefined): boolean => {
  const status = filter.status ?? "running"
  const { identity } = record
  return (
    (status === "any" || lifecycleLabel(record) === status) &&
    (!("definition" in filter) || ("definition" in identity && jsonEquals(identity.definition, filter.definition))) &&
    agrees(filter.waiting, record.wait !== undefined) &&
    agrees(filter.originatorScopeId, originatorScopeId(record.provenance.originator)) &&
    agrees(filter.identityKind, identity.kind) &&
    agrees(filter.identityLabel, identity.label) &&
    record.createdAtMs >= (filter.createdAtStartMs ?? Number.NEGATIVE_INFINITY) &&
    record.createdAtMs < (filter.createdAtEndMs ?? Number.POSITIVE_INFINITY) &&
    agrees(filter.hasAbandonRequest, record.abandonRequest !== undefined) &&
    agrees(filter.disposition, record.disposition) &&
    agrees(filter.ownerId, holderId)
  )
}

/**
 * Decodes a filter from arguments a model wrote.
 *
 * Fails with `InputInvalid`, naming the key. A status that is no string means the default, as callers rely on it.
 */
export const decode = (input: unknown): Either.Either<ListFilter, InputInvalid> => {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    return refuse("processes.list", "expects a record of process filters")
  }
  const fields = input as Readonly<Record<string, unknown>>
  const filter: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields)) {
    const field = fieldsByKey[key]
    if (field === undefined) return refuse("processes.list", `unknown filter \`${key}\``)
    if (key === "status" && typeof value !== "string") continue
    const problem = field.check(value)
    if (problem !== undefined) return refuse(`processes.list filter \`${key}\``, problem)
    filter[field.name] = value
  }
  return Either.right(filter as ListFilter) // every value was checked by its field
}

/** Checks a filter that a program wrote. Fails with `InputInvalid`, naming the field. */
export const check = (filter: ListFilter): Either.Either<ListFilter, InputInvalid> => {
  const copy = snapshot(filter)
  if (Either.isLeft(copy)) return refuse(`filter${copy.left.path}`, copy.left.problem)
  const given: unknown = copy.right
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return refuse("filter", "must be a record of filters")
  }
  // The copy leaves out what is undefined, but a caller that names a filter means to narrow.
  for (const name of Object.keys(filter)) {
    const value = (given as Readonly<Record<string, unknown>>)[name] // it was copied as a record
    const field = Object.values(fieldsByKey).find((candidate) => candidate?.name === name)
    if (field === undefined) return refuse(`filter/${name}`, "is no filter")
    const problem = field.check(value)
    if (problem !== undefined) return refuse(`filter/${name}`, problem)
  }
  return Either.right(given as ListFilter) // every value was checked by its field
}

/** `live` lists grants of running processes only; `all` every grant. */
export const listMode = (filter: ListFilter): "live" | "all" =>
  (filter.status ?? "running") === "running" ? "live" : "all"

const agrees = <A>(wanted: A | undefined, present: A | undefined): boolean => wanted === undefined || wanted === present

const refuse = (field: string, problem: string) => Either.left(new InputInvalid({ field, problem }))

const statuses = ["running", "completed", "failed", "cancelled", "abandoned", "any"]
const dispositions = ["rerunnable", "owner_bound", "externally_owned"]

const text = (value: unknown) => (typeof value === "string" ? undefined : "must be a string")
const flag = (value: unknown) => (typeof value === "boolean" ? undefined : "must be a boolean")
const time = (value: unknown) => (Number.isSafeInteger(value) ? undefined : "must be a whole number of milliseconds")
const oneOf = (choices: ReadonlyArray<string>) => (value: unknown) =>
  choices.includes(value as string) ? undefined : `must be one of ${choices.join(", ")}`

interface Field {
  readonly name: keyof ListFilter
  readonly check: (value: unknown) => string | undefined
}

const fieldsByKey: Readonly<Record<string, Field>> = {
  __proto__: null as never, // a key of this name, or of any inherited property, is unknown
  status: { name: "status", check: oneOf(statuses) },
  definition: { name: "definition", check: (value) => jsonProblem(value)?.problem },
  waiting: { name: "waiting", check: flag },
  originator_scope_id: { name: "originatorScopeId", check: text },
  identity_kind: { name: "identityKind", check: text },
  identity_label: { name: "identityLabel", check: text },
  created_at_start_ms: { name: "createdAtStartMs", check: time },
  created_at_end_ms: { name: "createdAtEndMs", check: time },
  has_abandon_request: { name: "hasAbandonRequest", check: flag },
  disposition: { name: "disposition", check: oneOf(dispositions) },
  owner_id: { name: "ownerId", check: text }
}
