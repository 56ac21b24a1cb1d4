/**
 * The approval: a signal that an audit waits for before it publishes.
 *
 * Invariant: the signal is stored with the process, so it can be sent whether or not the audit runs anywhere.
 */
import * as Schema from "effect/Schema"
import type { ProcessRecord } from "../../../../src/index.ts"
import { Signal } from "../../../../src/index.ts"
import { Totals } from "../report/report.ts"

/** Says whether a report may be published. */
export const Approval = Signal.make("approval", {
  payload: Schema.Struct({ approved: Schema.Boolean, by: Schema.NonEmptyString })
})

/** The draft is written; its totals help to decide. */
export const Drafted = Signal.event("audit.drafted", { payload: Totals })

/** The report was rejected, so it is not published. The draft stays where it is. */
export class ReportRejected extends Schema.TaggedError<ReportRejected>()("ReportRejected", { by: Schema.String }) {
  override get message(): string {
    return `the report was rejected by ${this.by}; the draft stays where it is`
  }
}

/** Whether an audit waits for its approval, and for nothing else. */
export const waits = ({ wait }: ProcessRecord.ProcessRecord): boolean =>
  wait?.kind._tag === "Signal" && wait.kind.name === Approval.signal
