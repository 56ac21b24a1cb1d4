/**
 * The approval: an event that an audit waits for before it publishes.
 *
 * Invariant: the event is stored with the process, so it can be sent whether or not the audit runs anywhere.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Processes } from "../../../../src/index.ts"
import { Audit } from "./audit.ts"

/** The report was rejected, so it is not published. The draft stays where it is. */
export class ReportRejected extends Schema.TaggedError<ReportRejected>()("ReportRejected", { by: Schema.String }) {
  override get message(): string {
    return `the report was rejected by ${this.by}; the draft stays where it is`
  }
}

/** Whether an audit waits for its approval. */
export const waits = (id: string): Effect.Effect<boolean, never, Processes> =>
  Effect.flatMap(Processes, (processes) => processes.handle(Audit, id).snapshot).pipe(
    Effect.map((now) => now.status === "active" && now.matches("waiting")),
    Effect.catchAll(() => Effect.succeed(false)) // it has ended, or is none of this program
  )
