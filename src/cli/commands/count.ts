/**
 * `holdfast count`: how many processes there are, by what they have in common.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import { selected } from "../../explain/selection.ts"
import { look } from "../database.ts"
import { didYouMean } from "../nearest.ts"
import * as Shared from "../options.ts"
import type { Explained } from "../rows.ts"
import { paintOf, printAll } from "../rows.ts"
import type { CliFailure } from "../Screen.ts"
import { misused, TheScreen } from "../Screen.ts"
import { explained, narrowing, selectionOf, status } from "../selecting.ts"
import { wireName } from "../shortly.ts"
import { harmless, table } from "../table.ts"

const options = {
  db: Shared.db,
  json: Shared.json,
  by: Shared.text("by", "what", "By what: kind, reason, state, or several: kind,reason. Default: state.").pipe(
    Options.withDefault("state")
  ),
  status: status("any"),
  ...narrowing
}

/** The command. */
export const command = Command.make("count", options, (typed) =>
  Effect.gen(function* () {
    const by = yield* dimensionsOf(typed.by)
    yield* look(
      typed.db,
      Effect.gen(function* () {
        const screen = yield* TheScreen
        const rows = yield* explained(yield* selected(selectionOf(typed, typed.status)), typed.because)
        const groups = counted(rows, by)
        if (typed.json) {
          return yield* screen.jsonRows(
            groups.map(({ names, count }) => ({
              ...Object.fromEntries(by.map((name, index) => [name, names[index]])),
              count
            }))
          )
        }
        const columns = [
          { title: "COUNT", yields: 9, least: 5, align: "right" as const },
          ...by.map((name, index) => ({ title: name.toUpperCase(), yields: index, least: 8 }))
        ]
        const cells = groups.map(({ names, count, first }) => [
          String(count),
          ...names.map((name) => ({ text: harmless(name), paint: paintOf(first.because) }))
        ])
        yield* printAll(screen, [...table(screen, columns, cells), `${rows.length} in all`])
      })
    )
  })
).pipe(Command.withDescription("Count processes by kind, reason or state."))

const dimensions: Readonly<Record<string, (one: Explained) => string>> = {
  kind: ({ row }) => row.base.registration.identity.kind,
  reason: ({ because }) => wireName(because._tag),
  state: ({ row }) => lifecycleOf(row.snapshot)
}

const dimensionsOf = (typed: string): Effect.Effect<ReadonlyArray<string>, CliFailure> => {
  const names = typed.split(",").map((name) => name.trim())
  const known = Object.keys(dimensions)
  const strange = names.find((name) => !known.includes(name))
  return strange === undefined
    ? Effect.succeed(names)
    : Effect.fail(
        misused(`--by takes kind, reason and state, and ${harmless(strange)} is none${didYouMean(strange, known)}`)
      )
}

interface Group {
  readonly names: ReadonlyArray<string>
  readonly count: number
  readonly first: Explained
}

/** The largest group comes first. */
const counted = (rows: ReadonlyArray<Explained>, by: ReadonlyArray<string>): ReadonlyArray<Group> => {
  const groups = new Map<string, Group>()
  for (const one of rows) {
    const names = by.map((name) => dimensions[name]?.(one) ?? "")
    const key = JSON.stringify(names)
    groups.set(key, { names, first: one, count: (groups.get(key)?.count ?? 0) + 1 })
  }
  return [...groups.entries()]
    .toSorted(([a, one], [b, other]) => other.count - one.count || (a < b ? -1 : 1))
    .map(([, group]) => group)
}
