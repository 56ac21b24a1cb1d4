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
import { acceptedEvents, activeStates, eventsOf, machines, transitionsTaken } from "./definition.ts"
import { chartOf } from "./layout.ts"
import { sampleFor, sampleInput } from "./samples.ts"
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
