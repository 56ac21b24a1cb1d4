/**
 * Steps a machine by hand: a snapshot and an event in, the next snapshot and commands out.
 *
 * Nothing here touches a process. Steps go through `machines/xstate/step.ts`, as those of the store do.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AnyStateMachine } from "xstate"
import * as Step from "../../../machines/xstate/step.ts"
import { InputInvalid } from "../../model/errors.ts"
import type { MachineView, StepView } from "../View.ts"
import { acceptedEvents, activeStates, eventsOf, eventWords, machines, transitionsTaken } from "./definition.ts"
import { chartOf } from "./layout.ts"
import { importable } from "./stately.ts"

/** A machine by its id. Fails with `InputInvalid` for an id that no machine has. */
export const machineOf = (id: string): Effect.Effect<AnyStateMachine, InputInvalid> => {
  const machine = machines.get(id)
  return machine === undefined
    ? Effect.fail(new InputInvalid({ field: "machine", problem: `names no machine: ${JSON.stringify(id)}` }))
    : Effect.succeed(machine)
}

/** A machine with its definition and its chart. */
export const machineView = (machine: AnyStateMachine): Effect.Effect<MachineView> =>
  Effect.map(chartOf(machine), (chart) => {
    const events = eventsOf(machine)
    return {
      id: machine.id,
      ...(machine.version === undefined ? {} : { version: machine.version }),
      ...(machine.root.description === undefined ? {} : { description: machine.root.description }),
      events,
      words: Object.fromEntries(
        ["xstate.init", ...events.filter((event) => event.startsWith("xstate."))].map((event) => [
          event,
          eventWords(machine, event)
        ])
      ),
      samples: Object.fromEntries(events.map((event) => [event, sampleFor(machine.id, event)])),
      sample_input: sampleInput(machine.id),
      definition: importable(machine),
      chart
    }
  })

/** A step by hand: without a snapshot the machine begins, with `input`; without an event it stays there. */
export const StepRequest = Schema.Struct({
  machine: Schema.String,
  input: Schema.optionalWith(Schema.Unknown, { exact: true }),
  snapshot: Schema.optionalWith(Schema.Struct({ value: Schema.Unknown, context: Schema.Unknown }), { exact: true }),
  event: Schema.optionalWith(Schema.Struct({ type: Schema.String }, { key: Schema.String, value: Schema.Unknown }), {
    exact: true
  })
})
/** A step by hand. */
export type StepRequest = typeof StepRequest.Type

/** Steps a machine. Fails with `InputInvalid` when the machine cannot take the input, the snapshot or the event. */
export const simulate = (request: StepRequest): Effect.Effect<StepView, InputInvalid> =>
  Effect.gen(function* () {
    const machine = yield* machineOf(request.machine)
    const begun =
      request.snapshot === undefined
        ? yield* attempt("input", () => Step.begin(machine, request.input))
        : yield* attempt("snapshot", () => ({
            // What was posted is judged by XState, which refuses states that the machine does not have.
            snapshot: Step.restore(machine, request.snapshot as Step.Persisted<never>),
            commands: []
          }))
    const before = activeStates(machine, begun.snapshot.value)
    const { event } = request
    if (event === undefined) return viewOf(machine, begun, { taken: [], changed: true })
    const next = yield* attempt("event", () => Step.advance(machine, begun.snapshot, event))
    const after = activeStates(machine, next.snapshot.value)
    const changed = next.snapshot !== begun.snapshot
    const taken = changed ? transitionsTaken(machine, event.type, { before, after, commands: next.commands }) : []
    return viewOf(machine, next, { taken, changed })
  })

const viewOf = (
  machine: AnyStateMachine,
  { snapshot, commands }: Step.Step<{ readonly value: unknown; readonly context: unknown }, Step.Command>,
  step: Pick<StepView, "taken" | "changed">
): StepView => {
  const active = activeStates(machine, snapshot.value)
  return {
    snapshot: { value: snapshot.value, context: snapshot.context },
    active,
    accepts: acceptedEvents(machine, active),
    commands,
    ...step
  }
}

/** A machine throws on input that does not fit it: here the input is a person's, so that is an answer. */
const attempt = <A>(field: string, step: () => A): Effect.Effect<A, InputInvalid> =>
  Effect.try({
    try: step,
    catch: (cause) =>
      new InputInvalid({ field, problem: `does not fit: ${cause instanceof Error ? cause.message : String(cause)}` })
  })

/** The fields of events beside their type, by that type. */
type Samples = Readonly<Record<string, Readonly<Record<string, unknown>>>>

const owner = { ownerId: "worker", incarnationId: "1", liveness: { _tag: "Opaque" } }

const wait = {
  kind: { _tag: "Signal", name: "approve", eventType: "signal.approve", key: "process:p:signal.approve:1", ordinal: 1 },
  sinceMs: 3
}

const process: Samples = {
  "process.started": { atMs: 1, owner, startedAtMs: 1, attempt: 1 },
  "process.suspended": { atMs: 2, reason: "handed_back" },
  "process.waiting": { atMs: 3, wait },
  "process.resumed": { atMs: 4, waitKey: wait.kind.key, outcome: { _tag: "Signal", sequence: 3 } },
  "process.cancel_requested": { atMs: 5, reason: "no longer needed" },
  "process.abandon_requested": { atMs: 6, request: { requestedBy: "operator", requestedAtMs: 6 } },
  "process.external_ref_set": { atMs: 7, externalRef: { backend: "ci", id: "build-7" } },
  "process.wake_target_cleared": { atMs: 8, sessionId: "s1" },
  "process.completed": { atMs: 9, output: { _tag: "Success", value: { answer: 42 } } },
  "process.failed": { atMs: 9, output: { _tag: "Failure", class: "execution", code: "Broken", message: "it broke" } },
  "process.cancelled": { atMs: 9, output: { _tag: "Cancelled", message: "no longer needed" } },
  "process.abandoned": { atMs: 9, output: { _tag: "Abandoned", evidence: { writer: "sweep", owner, epochMs: 9 } } },
  "process.noted": { atMs: 10 }
}

const supervisor: Samples = {
  "supervisor.start_requested": { atMs: 1 },
  "child.started": { name: "sweep", atMs: 2 },
  "child.exited": { name: "sweep", atMs: 3, exit: "failure", problem: "it broke" },
  "restart.due": { name: "sweep", atMs: 4 },
  "child.stopped": { name: "sweep", atMs: 5 },
  "supervisor.stop_requested": { atMs: 6 }
}

const samples: Readonly<Record<string, { readonly input?: unknown; readonly events: Samples }>> = {
  process: { input: { createdAtMs: 0, wakeTarget: null }, events: process },
  sweep: { input: { intervalMs: 1_000 }, events: { "rows.found": { count: 2 } } },
  host: { events: { "supervisor.escalated": { child: "sweep", problem: "it broke" } } },
  supervisor: {
    input: {
      strategy: "one_for_one",
      intensity: { maxRestarts: 3, periodMs: 60_000 },
      backOff: { baseMs: 100, maxMs: 10_000 },
      children: [
        { name: "renewer", restart: "permanent", shutdownMs: 5_000 },
        { name: "sweep", restart: "permanent", shutdownMs: 5_000 }
      ]
    },
    events: supervisor
  }
}

/** An example of an event; of one that is not known here, its type alone. */
const sampleFor = (machine: string, event: string): unknown => ({
  type: event,
  ...samples[machine]?.events[event]
})

/** An example of what a machine begins with. */
const sampleInput = (machine: string): unknown => samples[machine]?.input ?? {}
