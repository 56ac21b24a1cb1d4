/**
 * Hides values that people, producers or bodies wrote, wherever an explanation or the inspector shows them.
 *
 * Invariant: names, ids, states, times and sequence numbers stay; they are what explanations are for.
 */

import type { AwaitOutput } from "../model/AwaitOutput.ts"
import type { FailureRecord } from "../model/Failure.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import type { Registration } from "../model/Registration.ts"
import { identityOf } from "../model/Registration.ts"
import { wire } from "../model/wire.ts"
import type { ProcessRow } from "../store/Decision.ts"

/** Replaces a payload by what may be shown of it; it gets the value alone, without its path. Pure, JSON to JSON. */
export type Redact = (payload: unknown) => unknown

/** Shows everything. */
export const showAll: Redact = (payload) => payload

/** A row with the free texts redacted that an explanation quotes: reasons of requests, and what a start failed with. */
export const redactRow = (row: ProcessRow, redact: Redact): ProcessRow => {
  const { cancelRequest, abandonRequest, output, ...context } = row.snapshot.context
  const text = (value: string): string => String(redact(value))
  return {
    ...row,
    snapshot: {
      ...row.snapshot,
      context: {
        ...context,
        ...(output === undefined ? {} : { output: output._tag === "Failure" ? redactFailure(output, redact) : output }),
        ...(cancelRequest === undefined
          ? {}
          : {
              cancelRequest: {
                ...cancelRequest,
                reason: cancelRequest.reason === null ? null : text(cancelRequest.reason)
              }
            }),
        ...(abandonRequest === undefined
          ? {}
          : {
              abandonRequest: {
                ...abandonRequest,
                ...(abandonRequest.reason === undefined ? {} : { reason: text(abandonRequest.reason) })
              }
            })
      }
    },
    ...(row.backOff === undefined ? {} : { backOff: { ...row.backOff, problem: text(row.backOff.problem) } })
  }
}

/** A failure with its texts and its data redacted; the name of what was thrown stays. */
const redactFailure = (output: Failure, redact: Redact): Failure => {
  const thrown = output.thrown
  return {
    ...output,
    message: String(redact(output.message)),
    ...(thrown === undefined ? {} : { thrown: redactThrown(thrown, redact) })
  }
}

const redactThrown = ({ name, cause, ...rest }: FailureRecord, redact: Redact): FailureRecord => {
  const text = (value: string): string => String(redact(value))
  return {
    name,
    message: text(rest.message),
    ...(rest.code === undefined ? {} : { code: text(rest.code) }),
    ...(rest.data === undefined ? {} : { data: redact(rest.data) }),
    ...(rest.stack === undefined ? {} : { stack: text(rest.stack) }),
    ...(cause === undefined ? {} : { cause: redactThrown(cause, redact) })
  }
}

type Failure = Extract<AwaitOutput, { readonly _tag: "Failure" }>

type Json = Readonly<Record<string, unknown>>

/** An event on the wire, with its payload and what the payload was taken to mean redacted. */
export const redactEvent = (event: unknown, redact: Redact): Json => {
  const fields = event as Json // encoders of records and events answer objects
  const semantics = fields.semantics as Json // every event has them
  return {
    ...fields,
    payload: redact(fields.payload),
    semantics: {
      ...semantics,
      ...within(semantics, "terminal", (terminal) => only(terminal, "await_output", redact)),
      ...within(semantics, "wake", (wake) => ({
        ...only(wake, "input", redact),
        // What is not made of the event's identity may be taken out of its payload.
        ...(wake.dedupe_key === eventIdentity(fields) ? {} : { dedupe_key: redact(wake.dedupe_key) })
      }))
    }
  }
}

/** The key of a wake that no other event shares. */
const eventIdentity = ({ process_id: id, sequence }: Json): string => `${String(id)}:${String(sequence)}`

/** The wire form of a record, with its input, its output and free text redacted. */
export const redactRecord = (record: ProcessRecord, redact: Redact): Json => {
  const fields = wire.record.encode(record) as Json // as above
  const label = labelOf(record, redact)
  return {
    ...fields,
    ...within(fields, "identity", (identity) => (label === undefined ? identity : { ...identity, label })),
    ...within(fields, "input", (input) =>
      Object.fromEntries(
        Object.entries(input).map(([key, value]) => [key, key === "type" || key === "kind" ? value : redact(value)])
      )
    ),
    ...within(fields, "status", (status) => only(status, "await_output", redact)),
    ...within(fields, "external_ref", (ref) => only(ref, "metadata", redact)),
    ...within(fields, "cancel_request", (request) => only(request, "reason", redact)),
    ...within(fields, "abandon_request", (request) => only(request, "reason", redact))
  }
}

/** The context of a lifecycle snapshot, with the same parts redacted as in a record. */
export const redactContext = (context: unknown, redact: Redact): Json => {
  const fields = context as Json // a machine's context is an object
  return {
    ...fields,
    ...only(fields, "output", redact),
    ...within(fields, "externalRef", (ref) => only(ref, "metadata", redact)),
    ...within(fields, "cancelRequest", (request) => only(request, "reason", redact)),
    ...within(fields, "abandonRequest", (request) => only(request, "reason", redact)),
    ...within(fields, "chart", (chart) => redactChart(chart, redact))
  }
}

/** The state of a chart: its names stay, and what it carries is redacted. */
const redactChart = (chart: Json, redact: Redact): Json => {
  const each = (list: unknown, ...keys: ReadonlyArray<string>) =>
    (list as ReadonlyArray<Json>).map((fields) => keys.reduce((changed, key) => only(changed, key, redact), fields)) // lists of objects
  return {
    ...only(only(chart, "context", redact), "end", redact),
    timers: each(chart.timers, "event"),
    actions: each(chart.actions, "event", "params", "context")
  }
}

/** The label of a process, redacted when it was taken out of the input, which is redacted as well. */
export const labelOf = (
  { identity, input }: Pick<Registration, "identity" | "input">,
  redact: Redact
): string | undefined =>
  identity.label !== undefined && input._tag !== "ToolCall" && identityOf(input).label === identity.label
    ? String(redact(identity.label))
    : identity.label

/** The same fields, one of them redacted if it is there. */
const only = (fields: Json, key: string, redact: Redact): Json =>
  key in fields ? { ...fields, [key]: redact(fields[key]) } : fields

/** One field that is an object, changed; nothing when it is not there. */
const within = (fields: Json, key: string, change: (value: Json) => Json): Json => {
  const value = fields[key]
  return typeof value === "object" && value !== null ? { [key]: change(value as Json) } : {}
}
