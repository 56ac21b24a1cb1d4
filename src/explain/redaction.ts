/**
 * Hides what people and bodies wrote, before an explanation quotes it.
 *
 * Invariant: names, ids, states, times and sequence numbers stay; they are what an explanation is for.
 */
import type { ProcessRow } from "../store/Decision.ts"

/** Replaces a payload by what may be shown of it; it is told the value alone, never where it stands. Pure, JSON to JSON. */
export type Redact = (payload: unknown) => unknown

/** Shows everything. */
export const showAll: Redact = (payload) => payload

/** A row with the free texts redacted that an explanation quotes: reasons of requests, and what a start failed with. */
export const redactRow = (row: ProcessRow, redact: Redact): ProcessRow => {
  const { cancelRequest, abandonRequest, ...context } = row.snapshot.context
  const text = (value: string): string => String(redact(value))
  return {
    ...row,
    snapshot: {
      ...row.snapshot,
      context: {
        ...context,
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
