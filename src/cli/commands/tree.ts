/**
 * `holdfast tree [ID]`: which process started which.
 *
 * What runs is listed; from there the way leads up by what a child's registration names, and down by the index of children.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import { reasonsOf } from "../../explain/explain.ts"
import type { StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { allRows, look, presentRow } from "../database.ts"
import * as Shared from "../options.ts"
import { nameOf, paintOf, printAll, stateOf } from "../rows.ts"
import { TheScreen } from "../Screen.ts"
import type { Cell } from "../table.ts"
import { harmless, table } from "../table.ts"

const options = {
  id: Shared.id.pipe(Args.optional),
  db: Shared.db,
  json: Shared.json,
  all: Options.boolean("all").pipe(
    Options.withDescription("Also trees in which everything has ended. With an id, nothing is left out anyway.")
  ),
  limit: Shared.positive("limit", "At most so many processes, roots first. Default: 500.").pipe(
    Options.withDefault(500)
  )
}

/** A process with those it started. */
interface Node {
  readonly row: ProcessRow
  readonly children: ReadonlyArray<Node>
}

/** The command. */
export const command = Command.make("tree", options, ({ id, db, json, all, limit }) =>
  look(
    db,
    Effect.gen(function* () {
      const screen = yield* TheScreen
      const { readTogether } = yield* ProcessStore
      const { every, lines, reasons } = yield* readTogether(
        Effect.gen(function* () {
          const trees = Option.isSome(id)
            ? forestOf(yield* descended([yield* presentRow(id.value)]))
            : all
              ? forestOf(yield* allRows({ status: "any" }))
              : forestOf(yield* descended(yield* risen(yield* allRows({ status: "running" })))).filter(isRunning)
          const every = trees.flatMap((node) => drawn(node, "", ""))
          const lines = every.slice(0, limit)
          return { every, lines, reasons: json ? [] : yield* reasonsOf(lines.map(({ row }) => row)) }
        })
      )
      const left = `there are ${every.length - limit} more: raise --limit, or name an id`
      if (json) {
        yield* screen.jsonRows(lines.map(jsonOf))
        if (every.length > limit) yield* screen.remark(left)
        return
      }
      if (every.length === 0) return yield* screen.remark("no such processes")
      const nowMs = yield* Clock.currentTimeMillis
      const cells = lines.map(({ row, branch }, index): ReadonlyArray<Cell> => {
        const because = reasons[index]
        return [
          `${branch}${harmless(row.base.registration.id)}`,
          nameOf(row),
          because === undefined ? "" : { text: stateOf(screen, because, nowMs), paint: paintOf(because) }
        ]
      })
      const columns = [
        { title: "PROCESS", yields: 2, least: 30, cut: "middle" as const },
        { title: "KIND", yields: 1, least: 6 },
        { title: "STATE", yields: 3, least: 10 }
      ]
      yield* printAll(screen, table(screen, columns, cells))
      if (every.length > limit) yield* screen.remark(left)
    })
  )
).pipe(Command.withDescription("Show parents and children."))

type Read = Effect.Effect<ReadonlyArray<ProcessRow>, StoreError, ProcessStore>

/** These rows with those above them, each once. */
const risen = (rows: ReadonlyArray<ProcessRow>): Read =>
  reached(rows, ({ base }) => Effect.succeed(base.registration.parent === undefined ? [] : [base.registration.parent]))

/** These rows with those below them, each once. */
const descended = (rows: ReadonlyArray<ProcessRow>): Read =>
  reached(rows, ({ base }) => Effect.flatMap(ProcessStore, ({ children }) => children.of(base.registration.id)))

type Leads = (
  row: ProcessRow
) => Effect.Effect<ReadonlyArray<{ readonly processId: ProcessId }>, StoreError, ProcessStore>

/** Goes on from rows to what they lead to, as long as that is news; ascending by id, as a list is. */
const reached = (rows: ReadonlyArray<ProcessRow>, leads: Leads): Read =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const known = new Map(rows.map((row) => [row.base.registration.id, row]))
    const next = [...rows]
    while (true) {
      const row = next.pop()
      if (row === undefined) break
      for (const { processId } of yield* leads(row)) {
        const found = known.has(processId) ? undefined : yield* store.find(processId)
        if (found?._tag !== "Present") continue
        known.set(processId, found.row)
        next.push(found.row)
      }
    }
    return [...known.values()].sort((a, b) => bytewise(a.base.registration.id, b.base.registration.id))
  })

const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** A row whose parent is missing is a root. A circle, which only damage makes, is cut where it closes. */
const forestOf = (rows: ReadonlyArray<ProcessRow>): ReadonlyArray<Node> => {
  const present = new Set(rows.map(({ base }) => base.registration.id))
  const childrenOf = new Map<ProcessId, Array<ProcessRow>>()
  const roots: Array<ProcessRow> = []
  for (const row of rows) {
    const parent = row.base.registration.parent?.processId
    if (parent === undefined || !present.has(parent)) roots.push(row)
    else childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), row])
  }
  const seen = new Set<ProcessId>()
  const nodeOf = (row: ProcessRow): Node => {
    const { id } = row.base.registration
    seen.add(id)
    const children = childrenOf.get(id) ?? []
    return { row, children: children.filter(({ base }) => !seen.has(base.registration.id)).map(nodeOf) }
  }
  const forest = roots.map(nodeOf)
  return [...forest, ...rows.flatMap((row) => (seen.has(row.base.registration.id) ? [] : [nodeOf(row)]))]
}

const isRunning = ({ row, children }: Node): boolean => row.snapshot.status === "active" || children.some(isRunning)

interface Drawn {
  readonly row: ProcessRow
  readonly branch: string
  readonly depth: number
}

const drawn = ({ row, children }: Node, branch: string, indent: string, depth = 0): ReadonlyArray<Drawn> => [
  { row, branch, depth },
  ...children.flatMap((child, index) =>
    index === children.length - 1
      ? drawn(child, `${indent}└─ `, `${indent}   `, depth + 1)
      : drawn(child, `${indent}├─ `, `${indent}│  `, depth + 1)
  )
]

const jsonOf = ({ row, depth }: Drawn): unknown => {
  const { id, identity, parent } = row.base.registration
  return {
    id,
    kind: identity.kind,
    ...(identity.label === undefined ? {} : { label: identity.label }),
    ...(parent === undefined ? {} : { parent: parent.processId, close_policy: parent.closePolicy }),
    status: lifecycleOf(row.snapshot),
    depth
  }
}
