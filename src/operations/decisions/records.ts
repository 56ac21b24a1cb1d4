/**
 * The remaining changes of a record: where an attached system knows the process, and which wakes were acknowledged.
 */

import type { LeaseLost, ProcessUnknown } from "../../model/errors.ts"
import { ExternalRefConflict } from "../../model/errors.ts"
import type { ExternalRef } from "../../model/facts.ts"
import * as Facts from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import { canonicalText, jsonEquals } from "../../model/json.ts"
import type { Decision, ProcessRow, View } from "../../store/Decision.ts"
import { accept, acceptWith, refuse } from "../../store/Decision.ts"
import type { Authority } from "./authority.ts"
import { onRow, refusalOf } from "./authority.ts"
import * as Changes from "./change.ts"

/** Records where an attached system knows the process, once. Also accepted after the end. */
export const setExternalRef = (
  id: ProcessId,
  externalRef: ExternalRef,
  authority: Authority
): ((view: View) => Decision<ProcessRow, ProcessUnknown | ExternalRefConflict | LeaseLost>) =>
  onRow(id, (row, view): Decision<ProcessRow, ExternalRefConflict | LeaseLost> => {
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
    return Changes.accepted(Changes.appendFact(Changes.of(row), Facts.externalRefSet(id, externalRef), view.nowMs))
  })

/** Acknowledges the wake of one event; any sequence, any number of times. The record is not touched. */
export const ackWake = (processId: ProcessId, sequence: number): ((view: View) => Decision<void, ProcessUnknown>) =>
  onRow(processId, () => acceptWith(undefined, [{ _tag: "AckWake", processId, sequence }]))
