/**
 * The remaining changes of a record: where an attached system knows the process, and which wakes were taken notice of.
 */

import type { LeaseLost } from "../../model/errors.ts"
import { ExternalRefConflict, ProcessUnknown } from "../../model/errors.ts"
import type { ExternalRef } from "../../model/facts.ts"
import * as Facts from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import { canonicalText, jsonEquals } from "../../model/json.ts"
import type { Decision, ProcessRow, View } from "../../store/Decision.ts"
import { accept, acceptWith, refuse } from "../../store/Decision.ts"
import type { Authority } from "./authority.ts"
import { refusalOf } from "./authority.ts"
import * as Changes from "./change.ts"

/** Records where an attached system knows the process, once. Also accepted after the end. */
export const setExternalRef =
  (id: ProcessId, externalRef: ExternalRef, authority: Authority) =>
  (view: View): Decision<ProcessRow, ProcessUnknown | ExternalRefConflict | LeaseLost> => {
    const row = view.row(id)
    if (row === undefined) return refuse(new ProcessUnknown({ processId: id }))
    const stored = row.snapshot.context.externalRef
    if (stored !== undefined) {
      return jsonEquals(stored, externalRef)
        ? accept(row)
        : refuse(
            new ExternalRefConflict({
              processId: id,
              stored: canonicalText(stored),
              presented: canonicalText(externalRef)
            })
          )
    }
    const refusal = refusalOf(view, authority)
    if (refusal !== undefined) return refuse(refusal)
    const change = Changes.append(Changes.of(row), Facts.externalRefSet(id, externalRef), view.nowMs)
    return accept(change.row, change)
  }

/** Acknowledges the wake of one event; any sequence, any number of times. The record is not touched. */
export const ackWake =
  (processId: ProcessId, sequence: number) =>
  (view: View): Decision<void, ProcessUnknown> =>
    view.row(processId) === undefined
      ? refuse(new ProcessUnknown({ processId }))
      : acceptWith(undefined, [{ _tag: "AckWake", processId, sequence }])
