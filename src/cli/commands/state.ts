/**
 * `holdfast state ID`: where the machine of a process is, as it is stored. No program that has the machine need run.
 */
import * as Command from "@effect/cli/Command"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ChartState } from "../../../machines/chart/state.ts"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import { ago, moment } from "../../explain/remedies.ts"
import type { StoreError } from "../../model/errors.ts"
import { engineOf } from "../../model/Registration.ts"
import { acceptedBy, definitionOf } from "../../operations/Charts.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { look, presentRow } from "../database.ts"
import * as Shared from "../options.ts"
import { pairs, printAll } from "../rows.ts"
import { TheScreen } from "../Screen.ts"
import { compact, harmless } from "../table.ts"

/** The command. */
export const command = Command.make("state", { id: Shared.id, db: Shared.db, json: Shared.json }, ({ id, db, json }) =>
  look(
    db,
    Effect.gen(function* () {
      const screen = yield* TheScreen
      const row = yield* presentRow(id)
      const { chart } = row.snapshot.context
      if (chart === undefined) {
        if (json) return yield* screen.json({ id, machine: null })
        return yield* screen.print(`${harmless(id)}: its body is no machine, or the machine has not begun`)
      }
      const accepts = yield* acceptedEvents(row, chart)
      const status = lifecycleOf(row.snapshot)
      const { definition, value, revision, context, timers, children, actions, inputs, end } = chart
      if (json) {
        const shown = {
          id,
          status,
          machine: definition,
          value,
          revision,
          context,
          timers,
          children,
          actions,
          inputs,
          end
        }
        return yield* screen.json({ ...shown, accepts })
      }
      const nowMs = yield* Clock.currentTimeMillis
      yield* printAll(
        screen,
        pairs(screen, [
          ["id", id],
          ["machine", `${definition.id} version ${definition.version}`],
          ["state", typeof value === "string" ? value : compact(value)],
          ["process", status],
          ["revision", String(revision)],
          ["context", compact(context)],
          ["ended with", end && compact(end)],
          ...timers.map(
            ({ id: timer, at }) =>
              ["timer", `${timer}, due ${moment(at)}${at < nowMs ? ` (${ago(at, nowMs)})` : ""}`] as const
          ),
          ...Object.entries(children).map(([name, { process }]) => ["child", `${name}: ${process}`] as const),
          ...actions.map(
            ({ name, params }) => ["to perform", `${name}${params === undefined ? "" : ` ${compact(params)}`}`] as const
          ),
          ["to take", inputs === 0 ? undefined : inputs === 1 ? "1 event" : `${inputs} events`],
          ...accepts.map(({ type, schema }) => ["accepts", `${type} ${compact(schema)}`] as const)
        ])
      )
    })
  )
).pipe(
  Command.withDescription(
    "Show where the machine of a process is: its state, context, timers, children, and the events it takes."
  )
)

/** The events that the present state takes, by the definition that the process began with. */
const acceptedEvents = (
  { base, snapshot }: ProcessRow,
  chart: ChartState
): Effect.Effect<ReadonlyArray<{ readonly type: string; readonly schema: unknown }>, StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const { definitions } = yield* ProcessStore
    const found = yield* definitionOf(definitions, engineOf(base.registration).kind, chart.definition)
    return found === undefined || lifecycleOf(snapshot) !== "running" ? [] : acceptedBy(found, chart)
  })
