/**
 * All that the page shows of a process, in one answer: so that one look is one request, and of one moment.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import type { Redact } from "../../explain/redaction.ts"
import type { InputInvalid } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessStore } from "../../store/ProcessStore.ts"
import type { Deaths } from "../InspectorSource.ts"
import type { LookView, PartView } from "../View.ts"
import type { Hidden } from "./process.ts"
import { eventsView, processView, stateAt } from "./process.ts"

/** What a page already has of a process: the last event, and the mark of what it shows. */
export interface LookRequest {
  readonly after?: number
  readonly limit: number
  /** The moment that is shown beside the present; `last` is that of the last event. */
  readonly at?: number | "last"
  readonly known?: string
}

/** Looks at a process. What the page already has is left out. Fails as its parts do. */
export const lookAt = (
  store: typeof ProcessStore.Service,
  id: ProcessId,
  { after, limit, at, known }: LookRequest,
  redact: Redact,
  explained: Effect.Effect<PartView>,
  isDead: Deaths
): Effect.Effect<LookView, Hidden | InputInvalid> =>
  Effect.gen(function* () {
    const { process, log, moment } = yield* store.readTogether(
      Effect.gen(function* () {
        const process = yield* processView(store, id, redact, isDead)
        const log = yield* eventsView(store, id, after === undefined ? { last: limit } : { after, limit }, redact)
        const moment =
          at === undefined ? undefined : yield* stateAt(store, id, at === "last" ? process.row.sequence : at, redact)
        return { process, log, moment }
      })
    )
    const { now_ms, ...lasting } = process
    const mark = createHash("sha256").update(JSON.stringify(lasting)).digest("base64url").slice(0, 16)
    return {
      mark,
      now_ms,
      ...(mark === known ? {} : { process }),
      log,
      ...(moment === undefined ? {} : { moment }),
      explained: yield* explained
    }
  })
