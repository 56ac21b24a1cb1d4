/**
 * `holdfast top`: what does not move, and why, as it changes; until q or Ctrl-C.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import { moment } from "../../explain/remedies.ts"
import type { Selection } from "../../explain/selection.ts"
import { inOrder, orders, selected } from "../../explain/selection.ts"
import { look } from "../database.ts"
import * as Shared from "../options.ts"
import type { Explained } from "../rows.ts"
import { printAll, processTable } from "../rows.ts"
import type { Screen } from "../Screen.ts"
import { interruptIsItsEnd, TheScreen } from "../Screen.ts"
import { explained, narrowing, selectionOf, status } from "../selecting.ts"
import { wireName } from "../shortly.ts"
import { cut } from "../table.ts"

const options = {
  db: Shared.db,
  status: status("running"),
  ...narrowing,
  sort: Options.choice("sort", orders).pipe(
    Options.withDescription("In which order. Default: changed, the latest first."),
    Options.withDefault("changed" as const)
  ),
  interval: Shared.positive("interval", "Seconds between two looks. Default: 1.").pipe(Options.withDefault(1))
}

/** The command. */
export const command = Command.make("top", options, (typed) =>
  interruptIsItsEnd(
    look(
      typed.db,
      Effect.gen(function* () {
        const screen = yield* TheScreen
        const wanted = selectionOf(typed, typed.status)
        const once = Effect.flatMap(lookedAt(wanted, typed.because, typed.sort), (rows) => drawn(screen.fitted(), rows))
        // Without a terminal there is nothing to draw over: one look is the answer.
        if (!screen.isLive) return yield* once
        yield* screen.whole(Effect.forever(Effect.zipRight(once, Effect.sleep(Duration.seconds(typed.interval)))))
      })
    )
  )
).pipe(Command.withDescription("Show what happens as it changes, until q or Ctrl-C; without a terminal, once."))

const lookedAt = (wanted: Selection, reason: Option.Option<string>, sort: (typeof orders)[number]) =>
  Effect.flatMap(selected(wanted), (rows) => explained(inOrder(rows, sort), reason))

const drawn = (screen: Screen, rows: ReadonlyArray<Explained>): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
    const counts = new Map<string, number>()
    for (const { because } of rows) counts.set(wireName(because._tag), (counts.get(wireName(because._tag)) ?? 0) + 1)
    const parts = [...counts.entries()].toSorted(([, a], [, b]) => b - a).map(([name, count]) => `${count} ${name}`)
    const head = cut(`${moment(nowMs)}  ${rows.length} processes: ${parts.join(", ")}`, screen.width)
    const shown = rows.slice(0, Math.max(1, screen.height - 4))
    const table = processTable(screen, shown, nowMs)
    const rest = rows.length > shown.length ? [`${rows.length - shown.length} more`] : []
    return printAll(screen, [`${screen.isLive ? home : ""}${screen.paint("strong", head)}`, "", ...table, ...rest])
  })

/** Begins at the top of an empty screen. */
const home = "\u001b[H\u001b[2J"
