/**
 * Rows of processes and events as tables show them.
 */
import type * as Effect from "effect/Effect"
import type { Reason } from "../explain/Explanation.ts"
import { ago, moment } from "../explain/remedies.ts"
import { brief } from "../explain/render.ts"
import type { JournalEntry } from "../model/JournalEntry.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import type { ProcessRow } from "../store/Decision.ts"
import type { Paint, Screen } from "./Screen.ts"
import { shortly } from "./shortly.ts"
import type { Cell } from "./table.ts"
import { compact, cut, harmless, padded, table } from "./table.ts"

/** A row with the reason why it does not move. */
export interface Explained {
  readonly row: ProcessRow
  readonly because: Reason
}

/** What people know a process by: its kind, and its label behind a slash. */
export const nameOf = ({ base }: ProcessRow): string => {
  const { kind, label } = base.registration.identity
  return harmless(label === undefined ? kind : `${kind}/${label}`)
}

/** The colour of a reason: what went well, what went wrong, what needs a person. */
export const paintOf = (reason: Reason): Paint => {
  switch (reason._tag) {
    case "Ended":
      return reason.state === "completed" ? "good" : reason.state === "failed" ? "bad" : "faint"
    case "Running":
      return "good"
    case "OutcomeUnknown":
    case "NoEngine":
    case "AttemptsExhausted":
    case "HolderDead":
    case "HeldByUnprovable":
      return "warn"
    default:
      return "strong"
  }
}

/** A narrower terminal gets reasons in two or three words. */
const roomy = 100

/** A reason as a table shows it. */
export const stateOf = ({ width }: Pick<Screen, "width">, because: Reason, nowMs: number): string =>
  harmless(width < roomy ? shortly(because, nowMs) : brief(because, nowMs))

/** A table of processes. */
export const processTable = (screen: Screen, rows: ReadonlyArray<Explained>, nowMs: number): ReadonlyArray<string> =>
  table(
    screen,
    [
      { title: "ID", yields: 1, least: 27, cut: "middle" },
      { title: "KIND", yields: 2, least: 10 },
      { title: "STATE", yields: 4, least: 10 },
      { title: "TRY", yields: 9, least: 3, align: "right" },
      { title: "CHANGED", yields: 3, least: 8 }
    ],
    rows.map(({ row, because }): ReadonlyArray<Cell> => {
      const { attempts, updatedAtMs } = row.snapshot.context
      return [
        harmless(row.base.registration.id),
        nameOf(row),
        { text: stateOf(screen, because, nowMs), paint: paintOf(because) },
        String(attempts),
        ago(updatedAtMs, nowMs)
      ]
    })
  )

/** A table of events of one process. */
export const eventTable = (screen: Screen, events: ReadonlyArray<ProcessEvent>): ReadonlyArray<string> =>
  table(
    screen,
    [
      { title: "SEQ", yields: 9, least: 3, align: "right" },
      { title: "TIME", yields: 8, least: 24 },
      { title: "EVENT", yields: 7, least: 10 },
      { title: "PAYLOAD", yields: 1, least: 8 }
    ],
    events.map(({ sequence, occurredAtMs, eventType, payload }) => [
      String(sequence),
      moment(occurredAtMs),
      harmless(eventType),
      compact(payload)
    ])
  )

/** A table of the outcomes of a body's operations. */
export const journalTable = (screen: Screen, journal: ReadonlyArray<JournalEntry>): ReadonlyArray<string> =>
  table(
    screen,
    [
      { title: "POS", yields: 9, least: 3, align: "right" },
      { title: "TIME", yields: 8, least: 24 },
      { title: "OPERATION", yields: 7, least: 9 },
      { title: "KEY", yields: 5, least: 10 },
      { title: "OUTCOME", yields: 1, least: 8 }
    ],
    journal.map(({ position, atMs, operation, key, outcome }) => [
      String(position),
      moment(atMs),
      operation.replaceAll("_", " "),
      harmless(key),
      compact(outcome)
    ])
  )

/** One event as one line, for a log that goes on: there is no table whose columns could be fitted. */
export const eventLine = (screen: Screen, event: ProcessEvent, withId: boolean): string => {
  const { processId, sequence, occurredAtMs, eventType, payload } = event
  const time = moment(occurredAtMs).slice(11)
  const who = withId ? `${harmless(processId)} ` : ""
  const head = `${time} ${who}#${padded(String(sequence), 3)} `
  const type = harmless(eventType)
  const shown = cut(`${head}${type} ${compact(payload)}`, screen.width)
  return shown.startsWith(`${head}${type}`)
    ? `${screen.paint("faint", head)}${screen.paint("strong", type)}${shown.slice(head.length + type.length)}`
    : shown
}

/** Lines of names and values; a value that was left out is no line. */
export const pairs = (
  screen: Screen,
  fields: ReadonlyArray<readonly [string, string | undefined]>
): ReadonlyArray<string> => {
  const present = fields.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  const width = Math.max(...present.map(([name]) => name.length))
  return present.map(([name, value]) => {
    const shown = cut(harmless(value), screen.width - width - 2)
    return `${screen.paint("faint", padded(name, width))}  ${shown}`
  })
}

/** Prints lines in order. */
export const printAll = (screen: Screen, lines: ReadonlyArray<string>): Effect.Effect<void> =>
  screen.print(lines.join("\n"))
