/**
 * Hints given between the commit that begins an activation and the moment its actor exists: kept, so that none is lost.
 */
import * as Effect from "effect/Effect"
import type { ProcessCommand } from "../../machines/process.ts"
import type { ProcessId } from "../model/ids.ts"

/** The hints given for a process while it is being started here. */
export interface Heard {
  readonly id: ProcessId
  readonly commands: ReadonlyArray<ProcessCommand>
}

/** Listens for processes that are being started. */
export interface EarlyHints {
  /** Runs a start, which is handed what is given for its process meanwhile. */
  readonly during: <A, E>(id: ProcessId, start: (heard: Heard) => Effect.Effect<A, E>) => Effect.Effect<A, E>
  readonly give: (id: ProcessId, command: ProcessCommand) => void
}

/** Makes one; several starts of one id may be under way at once, and each hears everything. */
export const make = (): EarlyHints => {
  const all = new Set<{ readonly id: ProcessId; readonly commands: Array<ProcessCommand> }>()
  return {
    during: (id, start) =>
      Effect.suspend(() => {
        const heard = { id, commands: [] }
        all.add(heard)
        return Effect.ensuring(
          start(heard),
          Effect.sync(() => all.delete(heard))
        )
      }),
    give: (id, command) => {
      for (const heard of all) if (heard.id === id) heard.commands.push(command)
    }
  }
}
