/**
 * Engines from statecharts: a host's own XState machine as a durable process.
 *
 * Invariant: the machine decides and nothing else. What it asks for is data in the log, and what touches the world is an action
 * or an actor that is given here.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AnyStateMachine, EventObject, InputFrom, OutputFrom } from "xstate"
import { InputInvalid } from "../../model/errors.ts"
import { signalNameProblem } from "../../model/ids.ts"
import * as Arguments from "../arguments.ts"
import { performing } from "../body/chart.ts"
import { chartOf } from "./chart.ts"
import type { Engine } from "./Engine.ts"
import * as Engines from "./Engine.ts"
import type {
  ActionsOf,
  ActorsOf,
  MachineOptions,
  OptionsWith,
  ReducerOptions,
  RequiredBy,
  SchemaFor,
  SignalOf
} from "./MachineOptions.ts"
import { check, optionsOf, schemaOf } from "./MachineOptions.ts"
import type { MachineStartable } from "./MachineView.ts"
import * as Views from "./MachineView.ts"
import * as Reducers from "./reducer.ts"
import * as Signals from "./Signal.ts"

/** An engine whose body is a machine. */
export interface MachineEngine<Machine extends AnyStateMachine, R>
  extends Engine<InputFrom<Machine>, OutputFrom<Machine>, never, R, SignalOf<Machine>>,
    MachineStartable<Machine> {
  readonly disposition: "rerunnable"
  readonly eventTypes: Engine<InputFrom<Machine>, OutputFrom<Machine>, never, R, SignalOf<Machine>>["eventTypes"]
  /** What it was made with, for tests that put models in the place of what acts. */
  readonly options: MachineOptions<Machine, R>
}

/**
 * Makes an engine of a machine. Its processes take events in one transaction each: the next state, timers, children and messages
 * are one commit, and actions run after it. While it waits, a process costs a row.
 *
 * Throws `InputInvalid`, in one sentence, for what cannot be durable: an action or actor given as a function in the machine, one
 * without an implementation, a delay that is no duration, an event whose type is no name of a signal.
 *
 * @example docs/examples/10-statechart.ts
 */
export const fromMachine = <
  Machine extends AnyStateMachine,
  Actions extends ActionsOf<Machine>,
  Actors extends ActorsOf<Machine>
>(
  machine: Machine,
  given: OptionsWith<Machine, Actions, Actors>
): MachineEngine<Machine, RequiredBy<Actions> | RequiredBy<Actors>> =>
  engineOf(machine, given as MachineOptions<Machine, RequiredBy<Actions> | RequiredBy<Actors>>) // see `RequiredBy`

const engineOf = <Machine extends AnyStateMachine, R>(
  machine: Machine,
  given: MachineOptions<Machine, R>
): MachineEngine<Machine, R> => {
  const options = withReducers(machine, optionsOf(machine, given))
  check(machine.id, options as MachineOptions<AnyStateMachine, R>)
  const { version, kind = machine.id, input, output, concurrency } = options
  const signals = Object.entries<SchemaFor<unknown> | undefined>(options.events ?? {}).flatMap(([type, payload]) => {
    if (payload === undefined) return []
    const problem = signalNameProblem(type)
    if (problem === undefined) return [Signals.make(type, { payload: schemaOf(payload) })]
    throw new InputInvalid({
      field: `event \`${type}\` of machine \`${machine.id}\``,
      problem: `is no name of a signal: ${problem}`
    })
  })
  const chart = chartOf(machine, { ...(options as MachineOptions<AnyStateMachine, R>), kind, signals })
  const engine = Engines.make(kind, {
    version,
    payload: schemaOf(input),
    success: output === undefined ? (Schema.Unknown as Schema.Schema<OutputFrom<Machine>, unknown>) : schemaOf(output), // any JSON
    disposition: "rerunnable",
    signals,
    ...(concurrency === undefined ? {} : { concurrency }),
    run: () => Effect.dieMessage("a machine has no body of code")
  })
  return {
    ...engine,
    disposition: "rerunnable",
    signals: signals as unknown as ReadonlyArray<SignalOf<Machine>>, // made of the same events
    ...(chart.chart.migrates.length === 0 ? {} : { accepts: chart.chart.migrates }),
    chart: chart.chart,
    body: performing(chart.performers),
    parts: chart.parts,
    machine,
    view: Views.make(chart, signals),
    options: given
  }
}

/** The options with an engine in the place of each actor that is a reducer. */
const withReducers = <Machine extends AnyStateMachine, R>(
  { id, implementations }: AnyStateMachine,
  options: MachineOptions<Machine, R>
): MachineOptions<Machine, R> => {
  const { kind = id, version, actors } = options
  if (actors === undefined) return options
  const all = Arguments.record(`actors of machine \`${id}\``, actors)
  const names = Object.keys(all).filter((name) => Reducers.isReducer(implementations.actors[name]))
  if (names.length === 0) return options
  const given = all as unknown as Readonly<Record<string, ReducerOptions<unknown, EventObject>>> // each of those names
  const engines = names.map((name) => {
    const of = `actors of machine \`${id}\`/${name}`
    const options = given[name] as NonNullable<(typeof given)[string]> // one of its keys
    const { events, state } = Arguments.options(of, { events: true, state: true }, options)
    const reducer = implementations.actors[name] as unknown as Reducers.Reducer // see above
    const engine = engineOf<AnyStateMachine, R>(Reducers.machineOf(`${kind}.${name}`, reducer), {
      version,
      input: Schema.Unknown,
      events: Arguments.record(`${of}/events`, events),
      ...(state === undefined ? {} : { context: Schema.Struct({ state: schemaOf(state) }) })
    })
    return [name, engine] as const
  })
  return { ...options, actors: { ...all, ...Object.fromEntries(engines) } as NonNullable<typeof actors> } // what runs each
}
