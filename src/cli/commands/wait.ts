/**
 * `holdfast wait ID`: waits until a process has ended, and ends as it did.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { reasonsOf } from "../../explain/explain.ts"
import { brief } from "../../explain/render.ts"
import { troubleOf } from "../../explain/selection.ts"
import type { ProcessPruned, ProcessUnknown, StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import * as Wire from "../../model/wire.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import { recordOf } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { look, presentRow } from "../database.ts"
import * as Shared from "../options.ts"
import { CliFailure, TheScreen } from "../Screen.ts"
import { compact, harmless } from "../table.ts"
import { pollMs } from "./tail.ts"

/** The command. */
export const command = Command.make(
  "wait",
  {
    id: Shared.id,
    db: Shared.db,
    json: Shared.json,
    timeout: Shared.positive(
      "timeout",
      "Wait at most so many seconds. Exit code 7 then. Default: as long as it takes."
    ).pipe(Options.optional)
  },
  ({ id, db, json, timeout }) =>
    look(
      db,
      Effect.gen(function* () {
        const screen = yield* TheScreen
        const inTime = Option.isNone(timeout)
          ? Effect.asSome(ended(id))
          : Effect.timeoutOption(ended(id), Duration.seconds(timeout.value))
        const found = yield* inTime
        if (Option.isNone(found)) {
          const [because] = yield* reasonsOf([yield* presentRow(id)])
          const why = because === undefined ? "" : `: ${harmless(brief(because, yield* Clock.currentTimeMillis))}`
          return yield* new CliFailure({ code: 7, line: `${harmless(id)} has not ended yet${why}` })
        }
        const { status } = recordOf(found.value)
        if (status._tag === "Running") return yield* Effect.dieMessage("what has ended does not run")
        const output = Wire.wire.awaitOutput.encode(status.output)
        yield* json ? screen.json({ id, state: status._tag.toLowerCase(), output }) : screen.print(compact(output))
        const trouble = troubleOf(found.value)
        const line = `${harmless(id)} ended as ${status._tag.toLowerCase()}${trouble === undefined ? "" : `: ${harmless(trouble)}`}`
        const code = codes[status._tag]
        if (code !== 0) return yield* new CliFailure({ code, line })
      })
    )
).pipe(Command.withDescription("Wait until a process has ended. The exit code says how it did."))

const codes = { Completed: 0, Failed: 1, Cancelled: 5, Abandoned: 6 } as const

/** The row of a process once it has ended, whichever program ends it. */
const ended = (id: ProcessId): Effect.Effect<ProcessRow, ProcessUnknown | ProcessPruned | StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    let row = yield* presentRow(id)
    while (row.snapshot.status === "active") {
      yield* Effect.sleep(pollMs)
      if ((yield* store.externalChanges).includes(id)) row = yield* presentRow(id)
    }
    return row
  })
