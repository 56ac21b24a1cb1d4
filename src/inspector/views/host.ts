/**
 * What an inspector shows beside processes, of a live host and of a file: every part comes from here.
 *
 * Invariant: everything is read when it is asked for, and nothing is remembered here.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Explanations from "../../explain/Explanation.ts"
import { explain, noHost } from "../../explain/explain.ts"
import type { ExplainOptions } from "../../explain/facts.ts"
import type { Redact } from "../../explain/redaction.ts"
import { showAll } from "../../explain/redaction.ts"
import { render } from "../../explain/render.ts"
import { Host } from "../../host/Host.ts"
import { InputInvalid } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import { OwnerLiveness } from "../../operations/OwnerLiveness.ts"
import { WakeOutbox } from "../../operations/WakeOutbox.ts"
import { ChangeHub } from "../../runtime/client/ChangeHub.ts"
import type { RedriveOutcome } from "../../store/Outbox.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import type { LatestSweeps } from "../../supervision/RecoverySweep.ts"
import { RecoverySweep } from "../../supervision/RecoverySweep.ts"
import type { TreeNode } from "../../supervision/Supervisor.ts"
import type { SweepReport } from "../../supervision/SweepReport.ts"
import type { ExternalChanges } from "../feed.ts"
import { polling } from "../feed.ts"
import type { Deaths, InspectorParts, Part } from "../InspectorSource.ts"
import { wakesPart } from "./wakes.ts"

/** What the parts of a host are read from. */
export type HostPartServices = Host | RecoverySweep | ProcessStore | OwnerLiveness | WakeOutbox

/** The parts of the host in context: its tree, its sweeps, its wake outbox, explanations that know its engines and slots. */
export const hostParts = (redact: Redact = showAll): Effect.Effect<InspectorParts, never, HostPartServices> =>
  Effect.gen(function* () {
    const host = yield* Host
    const sweep = yield* RecoverySweep
    const { outbox: kept } = yield* ProcessStore
    const outbox = yield* WakeOutbox
    return {
      tree: Effect.map(host.tree, (node) => nodeView(node, redact)),
      sweeps: Effect.map(sweep.latest, (latest) => sweepViews(latest, redact)),
      wakes: wakesPart(kept),
      isDead: yield* deaths,
      slots: host.facts.slots,
      underWay: host.facts.underWay,
      ...redriving(outbox),
      explain: yield* explaining({ ...host.facts, redact })
    }
  })

/** The parts of a file: its wake outbox, and explanations by what the file says alone. */
export const fileParts = ({
  redact = showAll,
  actions
}: {
  readonly redact: Redact | undefined
  readonly actions: boolean
}): Effect.Effect<InspectorParts, never, ProcessStore | OwnerLiveness | WakeOutbox> =>
  Effect.gen(function* () {
    const { outbox: kept } = yield* ProcessStore
    const outbox = yield* WakeOutbox
    return {
      ...(actions ? redriving(outbox) : {}),
      explain: yield* explaining({ ...noHost, redact }),
      wakes: wakesPart(kept),
      isDead: yield* deaths
    }
  })

/**
 * The changes of other programs, as the host in context receives them.
 *
 * A host polls its store while it has listeners, and a second poller would take answers from it. `SingleHost` always provides
 * the hub; without it the store is polled.
 */
export const hostExternalChanges: Effect.Effect<ExternalChanges, never, ProcessStore> = Effect.gen(function* () {
  const hub = yield* Effect.serviceOption(ChangeHub)
  return Option.isSome(hub) ? ({ mark }) => hub.value.listen(mark) : polling(yield* ProcessStore)
})

/** Whether a holder is proven dead, as far as this OS process can know. */
const deaths: Effect.Effect<Deaths, never, OwnerLiveness> = Effect.gen(function* () {
  const liveness = yield* OwnerLiveness
  const self = yield* liveness.identify("holdfast:inspector")
  return (holder) => liveness.isDefinitelyDead(holder, self)
})

/** An explanation as the page reads it: its wire form, and the same as text. */
const explaining = (
  view: ExplainOptions
): Effect.Effect<(id: ProcessId) => Part, never, ProcessStore | OwnerLiveness> =>
  Effect.map(
    Effect.context<ProcessStore | OwnerLiveness>(),
    (context) => (id) =>
      explain(id, view).pipe(
        Effect.map((explanation) => ({
          ...Object(Explanations.encode(explanation)),
          text: render(explanation)
        })),
        Effect.provide(context)
      )
  )

const nodeView = ({ name, kind, state, restarts, note, lastFailure, children }: TreeNode, redact: Redact): unknown => ({
  name,
  kind,
  state,
  ...(restarts === undefined || restarts === 0 ? {} : { restarts }),
  ...(note === undefined ? {} : { note }),
  ...(lastFailure === undefined ? {} : { last_failure: redact(lastFailure.problem), failed_at_ms: lastFailure.atMs }),
  children: children.map((child) => nodeView(child, redact))
})

/** The newest sweep comes first, also when it met nothing; the eventful ones before it follow. */
const sweepViews = ({ report, eventful, failure }: LatestSweeps, redact: Redact): ReadonlyArray<unknown> => [
  ...(failure === undefined ? [] : [{ at_ms: failure.atMs, problem: failure.problem, ...noRows }]),
  ...(report === undefined || report === eventful[0] ? [] : [sweepView(report, redact)]),
  ...eventful.map((each) => sweepView(each, redact))
]

const noRows = { admitted: [], ended: [], deferred: [] }

const sweepView = (
  { beganAtMs, endedAtMs, dead, admitted, ended, deferred }: SweepReport,
  redact: Redact
): unknown => ({
  at_ms: beganAtMs,
  duration_ms: endedAtMs - beganAtMs,
  dead: dead.map(({ ownerId, leases }) => ({ owner_id: ownerId, leases })),
  admitted,
  ended,
  deferred: deferred.map(({ id, reason }) => ({
    id,
    // What kept a process from beginning may quote what it was given.
    reason: "problem" in reason ? { ...reason, problem: redact(reason.problem) } : reason
  }))
})

const redriving = ({ redrive }: typeof WakeOutbox.Service): Pick<InspectorParts, "redrive"> => ({
  redrive: (wakeId) => Effect.flatMap(redrive(wakeId), redriven(wakeId))
})

const redriven =
  (wakeId: string) =>
  (outcome: RedriveOutcome): Part =>
    outcome._tag === "Redriven"
      ? Effect.succeed({ wake_id: wakeId, rows: outcome.rows })
      : Effect.fail(
          new InputInvalid({ field: "wake_id", problem: `names no discarded wake: ${JSON.stringify(wakeId)}` })
        )
