/**
 * Branches of a body of Promises that run at once.
 *
 * Invariant: once they are let go of, none of them is under way, and nothing listens for the end of the branch around them.
 */
import { InputInvalid } from "../../model/errors.ts"
import * as Arguments from "../../runtime/arguments.ts"
import { onAbort } from "./aborts.ts"

/** Branches under way. */
export interface Running {
  /** The name and the value of each. */
  readonly running: ReadonlyArray<Promise<readonly [name: string, value: unknown]>>
  /** Lets go of those that are still under way, which are over before it answers. */
  readonly letGo: () => Promise<void>
}

/** Checks branches by name. Throws `InputInvalid`, which names what is no branch; a race has at least one, or it never ends. */
export const checked = <Values extends object>(operation: "race" | "all", branches: Values): Values => {
  const field = `branches of \`${operation}\``
  const each = Arguments.record(field, branches)
  for (const [name, branch] of Object.entries(each)) Arguments.callable(`${field}/${name}`, branch)
  if (operation === "race" && Object.keys(each).length === 0) {
    throw new InputInvalid({ field, problem: "are none; a race must have at least one" })
  }
  return each
}

/** Begins a branch for each name. They are let go of with the branch that they are in, which `around` says the end of. */
export const begin = (
  names: ReadonlyArray<string>,
  run: (name: string, signal: AbortSignal) => Promise<unknown>,
  around: AbortSignal | undefined
): Running => {
  const lost = new AbortController()
  const isOver = around === undefined ? undefined : onAbort(around, () => lost.abort(around.reason))
  const running = names.map((name) => run(name, lost.signal).then((value) => [name, value] as const))
  return {
    running,
    letGo: async () => {
      isOver?.()
      lost.abort(Object.assign(new Error("another branch was first"), { name: "AbortError" }))
      await Promise.allSettled(running)
    }
  }
}
