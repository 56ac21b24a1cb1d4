/**
 * `holdfast verify`: folds every log anew and compares it with what the file keeps.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Difference } from "../../operations/verify.ts"
import { verify } from "../../operations/verify.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { look, watched } from "../database.ts"
import { enginesOf } from "../hostModule.ts"
import * as Shared from "../options.ts"
import { printAll } from "../rows.ts"
import { refused, TheScreen } from "../Screen.ts"
import { compact, harmless, table } from "../table.ts"

const options = {
  ids: Shared.id.pipe(Args.repeated, Args.withDescription("Only these processes. Default: all.")),
  db: Shared.db,
  json: Shared.json,
  engines: Shared.text(
    "engines",
    "module",
    "A module that exports engines of machines, which take the transitions of their processes anew. It is imported, so it must start no host."
  ).pipe(Options.optional)
}

/** The command. */
export const command = Command.make("verify", options, ({ ids, db, json, engines }) =>
  look(
    db,
    Effect.gen(function* () {
      const screen = yield* TheScreen
      const machines = Option.isNone(engines) ? [] : yield* enginesOf(engines.value)
      const report = yield* verify({ machines, ...(ids.length === 0 ? {} : { ids }) }).pipe(
        Effect.provideServiceEffect(ProcessStore, watched(screen, "verifying"))
      )
      yield* screen.progress("")
      const { checked, retaken, differences } = report
      if (json) {
        yield* screen.json({ checked, retaken, differences: differences.map(wireOf) })
      } else if (differences.length > 0) {
        const columns = [
          { title: "ID", yields: 3, least: 12 },
          { title: "WHERE", yields: 2, least: 12 },
          { title: "STORED", yields: 1, least: 6 },
          { title: "FOLDED", yields: 1, least: 6 }
        ]
        const cells = differences.map(({ processId, field, stored, folded }) => [
          harmless(processId),
          harmless(field),
          compact(stored),
          compact(folded)
        ])
        yield* printAll(screen, table(screen, columns, cells))
      }
      const transitions = Option.isNone(engines) ? "" : `, ${retaken} transitions taken anew`
      yield* screen.remark(`${checked} verified${transitions}, ${differences.length} differences`)
      if (differences.length > 0) return yield* refused("what is stored is not what the logs fold to")
    })
  )
).pipe(Command.withDescription("Fold every log anew and compare it with what is stored. Exit code 1 if they differ."))

const wireOf = ({ processId, field, stored, folded }: Difference): unknown => ({
  process_id: processId,
  field,
  ...(stored === undefined ? {} : { stored }),
  ...(folded === undefined ? {} : { folded })
})
