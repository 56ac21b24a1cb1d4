/**
 * `holdfast explain ID`: why a process does not move, and what would move it.
 */

import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Explanation from "../../explain/Explanation.ts"
import { explain } from "../../explain/explain.ts"
import type { Line } from "../../explain/render.ts"
import { indents, lines } from "../../explain/render.ts"
import { quoted } from "../../model/ids.ts"
import { look, sourceOf } from "../database.ts"
import * as Shared from "../options.ts"
import { printAll } from "../rows.ts"
import type { Paint, Screen } from "../Screen.ts"
import { TheScreen } from "../Screen.ts"
import { harmless, wrapped } from "../table.ts"

/** The command. */
export const command = Command.make(
  "explain",
  { id: Shared.id, db: Shared.db, json: Shared.json },
  ({ id, db, json }) =>
    look(
      db,
      Effect.gen(function* () {
        const screen = yield* TheScreen
        const explanation = yield* explain(id)
        if (json) return yield* screen.json(Explanation.encode(explanation))
        const database = Option.isSome(db) ? (yield* sourceOf(db)).shown : undefined
        yield* printAll(
          screen,
          lines(explanation).flatMap((line) => shown(screen, onSame(database, line)))
        )
      })
    )
).pipe(Command.withDescription("Say why a process does not move, and what would move it."))

/** A command to copy names the database that this one was given, without a password. */
const onSame = (database: string | undefined, line: Line): Line =>
  line.role === "command" && database !== undefined ? { ...line, text: `${line.text} --db ${quoted(database)}` } : line

/** A command is never wrapped: it is there to be copied. */
const shown = (screen: Screen, { role, text }: Line): ReadonlyArray<string> => {
  const indent = indents[role]
  const said = harmless(text)
  const parts = role === "command" ? [said] : wrapped(said, Math.min(screen.width, readable) - indent.length - 2)
  const painted = parts.map((part, index) => `${indent}${index === 0 ? "" : "  "}${screen.paint(paints[role], part)}`)
  return role === "heading" ? ["", ...painted] : painted
}

/** Longer lines are hard to read, however wide the terminal is. */
const readable = 100

const paints: Readonly<Record<Line["role"], Paint>> = {
  reason: "strong",
  heading: "faint",
  text: "plain",
  command: "good"
}
