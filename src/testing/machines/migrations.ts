/**
 * A migration tried on states that processes of the earlier version reach.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AnyStateMachine } from "xstate"
import { getStateNodes } from "xstate"
import type { ChartState, ChartTransition } from "../../../machines/chart/state.ts"
import { transitioned } from "../../../machines/chart/state.ts"
import { messageOf } from "../../model/Failure.ts"
import { canonicalText } from "../../model/json.ts"
import type { MachineEngine } from "../../runtime/engine/fromMachine.ts"
import { schemaOf } from "../../runtime/engine/MachineOptions.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import * as Drives from "./drive.ts"
import { Broken, id } from "./drive.ts"
import type { Models } from "./models.ts"
import { nodesOf } from "./paths.ts"
import type { Script } from "./script.ts"

/** What a migration was tried on, and what it leaves to its author. */
export interface Migrations {
  /** The states of the earlier version that were taken over, by their ids; and those that no history reached. */
  readonly reached: ReadonlyArray<string>
  readonly unreached: ReadonlyArray<string>
  /** Timers and children that the new version does not know, and that the migration does not end. */
  readonly unknown: ReadonlyArray<string>
  /**
   * Timers and actors of a new state that a process does not have: they begin when the state is entered, and a migration enters
   * nothing. Such a state may wait for what never comes.
   */
  readonly missing: ReadonlyArray<string>
}

/** Collects what histories find. */
export type Findings = Readonly<Record<Exclude<keyof Migrations, "unreached">, Set<string>>>

/** What was found of the states of a machine. One that has ended is not taken over. */
export const reportOf = (from: AnyStateMachine, { reached, unknown, missing }: Findings): Migrations => ({
  reached: [...reached],
  unreached: nodesOf(from.root)
    .filter(({ id: state, type, parent }) => {
      return type !== "history" && !(type === "final" && parent === from.root) && !reached.has(state)
    })
    .map(({ id: state }) => state),
  unknown: [...unknown],
  missing: [...missing]
})

/** Plays a script on the earlier version, and takes over each state that it reaches. Throws `Broken`. */
export const takeOver = <From extends AnyStateMachine, To extends AnyStateMachine, R, S>(
  from: MachineEngine<From, R>,
  to: MachineEngine<To, S>,
  models: Models<AnyStateMachine>,
  script: Script,
  findings: Findings
): Effect.Effect<void> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { host, run } = yield* Drives.make(from, models, { before: () => {}, perform: () => {} })
      let state: ChartState | undefined
      let seen = 0
      const look = Effect.gen(function* () {
        const log = yield* host.log(id)
        const row = yield* host.row(id)
        for (const { eventType, payload } of log.slice(seen)) {
          if (eventType !== "machine.transitioned" || row === undefined) continue
          state = transitioned(state, payload as ChartTransition) // written by the library
          // A chart is taken over when its actions are done.
          if (state.end === undefined) land(from.machine, to, models, row, { ...state, actions: [] }, findings)
        }
        seen = log.length
      })
      yield* run(script, look)
    })
  )

/** Takes over one state. Throws `Broken`. */
const land = <To extends AnyStateMachine, R>(
  from: AnyStateMachine,
  to: MachineEngine<To, R>,
  models: Models<AnyStateMachine>,
  row: ProcessRow,
  state: ChartState,
  { reached, unknown, missing }: Findings
): void => {
  const { chart } = to.view
  const at = `in state ${JSON.stringify(state.value)} with context ${JSON.stringify(state.context)}`
  const migrate = () => {
    try {
      return chart.migrate(row, state)
    } catch (thrown) {
      throw new Broken(`a process of version ${state.definition.version} is not taken over ${at}: ${messageOf(thrown)}`)
    }
  }
  const { step, unknown: left } = migrate()
  if (canonicalText(step) !== canonicalText(migrate().step)) {
    throw new Broken(`the migration is impure: ${at} it gave two answers`)
  }
  for (const node of getStateNodes(from.root, state.value)) reached.add(node.id)
  for (const timer of left.timers) unknown.add(`timer ${timer}`)
  for (const child of left.children) unknown.add(`actor ${child}`)
  const ended = step.effects.flatMap((effect) => (effect.do === "disarm" || effect.do === "stop" ? [effect.id] : []))
  const kept = [...state.timers.map((timer) => timer.id), ...Object.keys(state.children)].filter(
    (name) => !ended.includes(name)
  )
  for (const node of getStateNodes(to.machine.root, step.value)) {
    for (const { eventType } of node.after) if (!kept.includes(eventType)) missing.add(`timer ${eventType}`)
    for (const { id: actor } of node.invoke) if (!kept.includes(actor)) missing.add(`actor ${actor} of ${node.id}`)
  }
  const { context } = to.options
  for (const [name, holds] of Object.entries(models.invariants ?? {})) {
    const read = context === undefined ? step.context : Schema.decodeUnknownSync(schemaOf(context))(step.context)
    // The invariants are those of this machine.
    if (!holds({ value: step.value, context: read as never })) {
      throw new Broken(`the invariant "${name}" does not hold in ${JSON.stringify(step.value)}, taken over ${at}`)
    }
  }
}
