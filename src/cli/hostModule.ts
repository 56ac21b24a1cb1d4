/**
 * A module of the host, as a command that needs its machines imports it: what it exports, and what of that is a machine.
 *
 * Invariant: machines and engines are known by what they have, whichever copy of the libraries made them.
 */
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import type { AnyStateMachine } from "xstate"
import { messageOf } from "../model/Failure.ts"
import type { Runnable } from "../runtime/engine/Engine.ts"
import type { CliFailure } from "./Screen.ts"
import { notFound, refused } from "./Screen.ts"

/** A machine that a module exports, by itself or in an engine. */
export interface ExportedMachine {
  /** The names that it goes by: of its export, its id, its kind. */
  readonly names: ReadonlyArray<string>
  readonly machine: AnyStateMachine
  readonly engine?: MachineEngine
}

/** An engine whose body is a machine. */
export type MachineEngine = Runnable<unknown> & Required<Pick<Runnable<unknown>, "chart">>

/** The machines that a module exports, each once. Fails with a sentence for a file that cannot be imported or has none. */
export const machinesOf = (file: string): Effect.Effect<ReadonlyArray<ExportedMachine>, CliFailure> =>
  Effect.flatMap(exportsOf(file), (exported) => {
    const byMachine = new Map<AnyStateMachine, ExportedMachine>()
    for (const [name, value] of exported) {
      const found = machineIn(value)
      if (found === undefined) continue
      const { machine } = found
      const known = byMachine.get(machine)
      const names = [
        ...(known?.names ?? []),
        name,
        machine.id,
        ...(found.engine === undefined ? [] : [found.engine.kind])
      ]
      byMachine.set(machine, { ...known, ...found, names: [...new Set(names)] })
    }
    const problem = `${file} exports no machine, as setup(…).createMachine or Engine.fromMachine makes one`
    return byMachine.size === 0 ? Effect.fail(refused(problem)) : Effect.succeed([...byMachine.values()])
  })

/** The engines of machines that a module exports, by themselves or in a list. Fails as {@link machinesOf} does. */
export const enginesOf = (file: string): Effect.Effect<ReadonlyArray<MachineEngine>, CliFailure> =>
  Effect.flatMap(exportsOf(file), (exported) => {
    const engines = [...new Set(exported.map(([, value]) => value).filter(isEngine))]
    const problem = `${file} exports no engine of a machine, as Engine.fromMachine makes one`
    return engines.length === 0 ? Effect.fail(refused(problem)) : Effect.succeed(engines)
  })

type Export = readonly [name: string, value: unknown]

/** What a module exports; a list counts by what is in it. */
const exportsOf = (file: string): Effect.Effect<ReadonlyArray<Export>, CliFailure> =>
  existsSync(file)
    ? Effect.tryPromise({
        try: async (): Promise<ReadonlyArray<Export>> => {
          const exported = (await import(pathToFileURL(resolve(file)).href)) as Readonly<Record<string, unknown>> // a module is one
          const byName = Object.entries(exported).toSorted(([a], [b]) => (a < b ? -1 : 1))
          return byName.flatMap(([name, value]) =>
            Array.isArray(value) ? value.map((one): Export => [name, one]) : [[name, value] as const]
          )
        },
        catch: (thrown) => refused(`${file} cannot be imported: ${whyNot(thrown)}`)
      })
    : Effect.fail(notFound(`there is no file ${file}`))

const whyNot = (thrown: unknown): string => {
  const { code } = Object(thrown) as { readonly code?: unknown }
  const isUnread = code === "ERR_UNKNOWN_FILE_EXTENSION" || thrown instanceof SyntaxError
  return isUnread
    ? `${messageOf(thrown)}. If it is TypeScript, name the compiled file, or let node read it: NODE_OPTIONS="--import tsx"`
    : messageOf(thrown)
}

const machineIn = (value: unknown): Omit<ExportedMachine, "names"> | undefined => {
  if (isMachine(value)) return { machine: value }
  if (!isEngine(value)) return undefined
  const { machine } = value as { readonly machine?: unknown }
  return isMachine(machine) ? { machine, engine: value } : undefined
}

const isMachine = (value: unknown): value is AnyStateMachine =>
  has(value, "root", "config", "implementations") && typeof value.transition === "function"

const isEngine = (value: unknown): value is MachineEngine =>
  has(value, "kind", "version", "chart") && has(value.chart, "definition", "body", "migrate")

const has = (value: unknown, ...fields: ReadonlyArray<string>): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && fields.every((field) => field in value)
