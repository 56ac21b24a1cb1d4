/**
 * `holdfast machines [NAME]`: the library's statecharts, and one of them as a picture in Mermaid or as JSON.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { machines } from "../../inspector/charts/definition.ts"
import { diagram } from "../../inspector/charts/mermaid.ts"
import { importable } from "../../inspector/charts/stately.ts"
import * as Shared from "../options.ts"
import { printAll } from "../rows.ts"
import { notFound, TheScreen } from "../Screen.ts"
import { table } from "../table.ts"

const options = {
  name: Shared.word("name", "Which machine. Without one they are listed.").pipe(Args.optional),
  json: Shared.json
}

/** The command. It reads no database. */
export const command = Command.make("machines", options, ({ name, json }) =>
  Effect.gen(function* () {
    const screen = yield* TheScreen
    if (Option.isNone(name)) {
      const listed = Array.from(machines.values(), (machine) => ({
        name: machine.id,
        version: machine.version ?? "",
        description: machine.root.description ?? ""
      }))
      if (json) return yield* screen.json({ machines: listed })
      const columns = [
        { title: "NAME", yields: 3, least: 6 },
        { title: "VERSION", yields: 9, least: 7 },
        { title: "WHAT IT IS", yields: 1, least: 12 }
      ]
      const rows = listed.map((machine) => [machine.name, machine.version, machine.description])
      return yield* printAll(screen, table(screen, columns, rows))
    }
    const machine = machines.get(name.value)
    if (machine === undefined) return yield* notFound(`there is no machine ${name.value}; holdfast machines lists them`)
    if (json) return yield* screen.json(importable(machine))
    yield* printAll(screen, diagram(machine))
  })
).pipe(
  Command.withDescription(
    "List the statecharts, or print one as Mermaid (with --json as the config that an editor imports)."
  )
)
