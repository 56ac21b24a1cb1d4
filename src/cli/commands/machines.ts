/**
 * `holdfast machines`: statecharts, of the library, of a module and of a database file, as lists and as pictures.
 */
import { closeSync, openSync, readSync, writeFileSync } from "node:fs"
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { AnyStateMachine } from "xstate"
import { structureOf } from "../../../machines/chart/definition.ts"
import { machineFrom } from "../../../machines/chart/rebuilt.ts"
import { activeStates, machines } from "../../inspector/charts/definition.ts"
import { isLarge } from "../../inspector/charts/layout.ts"
import { diagram } from "../../inspector/charts/mermaid.ts"
import { importable } from "../../inspector/charts/stately.ts"
import { svgOf } from "../../inspector/charts/svg.ts"
import type { InputInvalid, StoreError } from "../../model/errors.ts"
import { messageOf } from "../../model/Failure.ts"
import { processId } from "../../model/ids.ts"
import { engineOf } from "../../model/Registration.ts"
import type { StoredDefinition } from "../../operations/Charts.ts"
import { definitionIn } from "../../operations/Charts.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isServer, look } from "../database.ts"
import { machinesOf } from "../hostModule.ts"
import * as Shared from "../options.ts"
import { printAll } from "../rows.ts"
import type { CliFailure } from "../Screen.ts"
import { misused, notFound, refused, TheScreen } from "../Screen.ts"
import { harmless, table } from "../table.ts"

/** A machine that can be drawn. */
interface Drawable {
  readonly machine: AnyStateMachine
  /** What `--format json` answers. */
  readonly definition: unknown
  readonly active: ReadonlyArray<string>
}

const draw = Command.make(
  "draw",
  {
    target: Shared.word("target", "A module that exports machines or engines of machines, or a database file."),
    name: Shared.word(
      "name",
      "Of a database: a process, whose active states are then highlighted, or a stored definition: KIND, or KIND@VERSION. Of a module: the machine, by its id or the name of its export."
    ).pipe(Args.optional),
    format: Options.choice("format", ["mermaid", "svg", "stately", "json"]).pipe(
      Options.withDescription(
        "mermaid: a diagram as text. svg: a picture. stately: the config that Stately's editor imports. json: the definition, as it is stored. Default: mermaid."
      ),
      Options.withDefault("mermaid")
    ),
    out: Shared.text("out", "file", "Write it to this file. Default: stdout.").pipe(Options.optional)
  },
  ({ target, name, format, out }) =>
    Effect.gen(function* () {
      const screen = yield* TheScreen
      const wanted = Option.getOrUndefined(name)
      const { machine, definition, active } = yield* isDatabase(target)
        ? look(Option.some(target), inStore(wanted))
        : inModule(target, wanted)
      if (format === "svg" && isLarge(machine)) {
        yield* screen.remark(
          `${harmless(machine.id)}: a picture of so many states takes a minute; mermaid is there at once`
        )
      }
      const text = yield* textOf(format, machine, definition, active)
      if (Option.isNone(out)) return yield* screen.print(text)
      yield* Effect.try({
        try: () => writeFileSync(out.value, `${text}\n`),
        catch: (thrown) => refused(`${out.value} cannot be written: ${messageOf(thrown)}`)
      })
      yield* screen.remark(`${harmless(machine.id)}: written to ${harmless(out.value)}`)
    })
).pipe(
  Command.withDescription(
    "Draw a machine of a module, or one that a database file has: a process with its active states, whether its program is there or not."
  )
)

const list = Command.make(
  "ls",
  {
    file: Shared.word("file", "The database file. Default: what --db or HOLDFAST_DB says.").pipe(Args.optional),
    db: Shared.db,
    json: Shared.json
  },
  ({ file, db, json }) =>
    look(
      Option.orElse(file, () => db),
      Effect.gen(function* () {
        const screen = yield* TheScreen
        const { definitions } = yield* ProcessStore
        const all = yield* definitions.all
        const listed = all.map(({ kind, version, hash, body }) => {
          const { id, structure, events } = definitionIn(body)
          return { kind, version, hash, id, states: countOf(structure), events: Object.keys(events) }
        })
        if (json) return yield* screen.jsonRows(listed)
        if (listed.length === 0) return yield* screen.remark("no process of this file has begun a machine")
        const columns = [
          { title: "KIND", yields: 3, least: 6 },
          { title: "VERSION", yields: 9, least: 7 },
          { title: "MACHINE", yields: 2, least: 6 },
          { title: "HASH", yields: 4, least: 8 },
          { title: "STATES", yields: 9, least: 6, align: "right" as const },
          { title: "EVENTS", yields: 1, least: 8 }
        ]
        const rows = listed.map(({ kind, version, id, hash, states, events }) =>
          [kind, version, id, hash.slice(0, 12), String(states), events.join(", ")].map(harmless)
        )
        yield* printAll(screen, table(screen, columns, rows))
      })
    )
).pipe(Command.withDescription("List the definitions of machines that a database file has."))

const options = {
  name: Shared.word("name", "Which machine of the library. Without one they are listed.").pipe(Args.optional),
  json: Shared.json
}

/** The command. By itself it reads no database. */
export const command = Command.make("machines", options, ({ name, json }) =>
  Effect.gen(function* () {
    const screen = yield* TheScreen
    if (Option.isNone(name)) {
      const listed = Array.from(machines.values(), (machine) => ({
        name: machine.id,
        version: machine.version ?? "",
        description: machine.root.description ?? ""
      }))
      if (json) return yield* screen.jsonRows(listed)
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
    "List the statecharts of the library, or print one as Mermaid (with --json as the config that an editor imports); draw or list those of a program."
  ),
  Command.withSubcommands([draw, list])
)

const textOf = (
  format: "mermaid" | "svg" | "stately" | "json",
  machine: AnyStateMachine,
  definition: unknown,
  active: ReadonlyArray<string>
): Effect.Effect<string> => {
  switch (format) {
    case "mermaid":
      return Effect.succeed(diagram(machine, active).join("\n"))
    case "svg":
      return svgOf(machine, active)
    case "stately":
      return Effect.succeed(JSON.stringify(importable(machine), null, 2))
    case "json":
      return Effect.succeed(JSON.stringify({ ...Object(definition), active }, null, 2))
  }
}

/** A URL of a server, or what every SQLite file begins with; a module cannot. */
const isDatabase = (file: string): boolean => {
  if (isServer(file)) return true
  const magic = "SQLite format 3\0"
  try {
    const opened = openSync(file, "r")
    const begin = Buffer.alloc(magic.length)
    readSync(opened, begin)
    closeSync(opened)
    return begin.toString("latin1") === magic
  } catch {
    return false
  }
}

const inModule = (file: string, wanted: string | undefined): Effect.Effect<Drawable, CliFailure> =>
  Effect.gen(function* () {
    const exported = yield* machinesOf(file)
    const found = wanted === undefined ? exported : exported.filter(({ names }) => names.includes(wanted))
    const [first] = found
    const named = exported.map(({ names, machine }) => names[0] ?? machine.id).join(", ")
    if (first === undefined) return yield* notFound(`${file} exports no machine ${wanted}; it has ${named}`)
    if (found.length > 1) return yield* misused(`${file} exports several machines: name one of ${named}`)
    const { machine, engine } = first
    const { id, version } = machine
    const definition =
      engine === undefined
        ? { id, ...(version === undefined ? {} : { version }), structure: structureOf(machine) }
        : definitionIn(engine.chart.body)
    return { machine, definition, active: [] }
  })

/** A process of that id comes before a definition of that kind. */
const inStore = (
  wanted: string | undefined
): Effect.Effect<Drawable, CliFailure | InputInvalid | StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const { find, definitions } = yield* ProcessStore
    const all = yield* definitions.all
    const found = wanted === undefined ? undefined : yield* find(processId(wanted))
    if (found?._tag === "Present") {
      const { base, snapshot } = found.row
      const { kind } = engineOf(base.registration)
      const { chart } = snapshot.context
      if (chart === undefined) {
        return yield* refused(`${wanted}: its body is no machine, or the machine has not begun`)
      }
      const { hash, version } = chart.definition
      const stored = all.find((one) => one.kind === kind && one.version === version && one.hash === hash)
      if (stored === undefined) {
        return yield* refused(`${wanted}: the file does not have the definition of its machine`)
      }
      const drawn = yield* drawable(definitionIn(stored.body))
      return { ...drawn, active: activeStates(drawn.machine, chart.value) }
    }
    const matching = all.filter(
      ({ kind, version }) => wanted === undefined || kind === wanted || `${kind}@${version}` === wanted
    )
    const [first] = matching
    const named = all.map(({ kind, version }) => `${kind}@${version}`).join(", ")
    if (first === undefined) {
      return yield* notFound(
        `there is no process and no machine ${wanted ?? ""}; the file has ${named || "no machine"}`
      )
    }
    if (matching.length > 1) return yield* misused(`name a process, or one of ${named}`)
    return { ...(yield* drawable(definitionIn(first.body))), active: [] }
  })

const drawable = (definition: StoredDefinition): Effect.Effect<Omit<Drawable, "active">, CliFailure> =>
  Effect.try({
    try: () => ({ machine: machineFrom(definition), definition }),
    catch: (thrown) => refused(`the definition cannot be drawn: ${messageOf(thrown)}`)
  })

/** How many states a machine has, itself left out. */
const countOf = (structure: StoredDefinition["structure"]): number =>
  Object.values(structure.states ?? {}).reduce((sum, state) => sum + 1 + countOf(state), 0)
