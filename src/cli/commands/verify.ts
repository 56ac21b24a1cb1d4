/**
 * `holdfast verify`: folds every log anew and compares it with what the file keeps.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import type { Difference } from "../../operations/verify.ts"
import { verify } from "../../operations/verify.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { look, watched } from "../database.ts"
import * as Shared from "../options.ts"
import { printAll } from "../rows.ts"
import { refused, TheScreen } from "../Screen.ts"
import { compact, harmless, table } from "../table.ts"

const options = {
  ids: Shared.id.pipe(Args.repeated, Args.withDescription("Only these processes. Default: all.")),
  db: Shared.db,
  json: Shared.json
}

/** The command. */
export const command = Command.make("verify", options, ({ ids, db, json }) =>
  look(
    db,
    Effect.gen(function* () {
      const screen = yield* TheScreen
      const report = yield* verify(ids.length === 0 ? {} : { ids }).pipe(
        Effect.provideServiceEffect(ProcessStore, watched(screen, "verifying"))
      )
      yield* screen.progress("")
      const { checked, differences } = report
      if (json) {
        yield* screen.json({ checked, differences: differences.map(wireOf) })
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
      yield* screen.remark(`${checked} verified, ${differences.length} differences`)
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
