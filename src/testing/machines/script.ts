/**
 * What happens to a process under test: a script that is data, so that it can shrink, be printed and be played again.
 */
import * as FastCheck from "effect/FastCheck"

/** One thing that happens. Units: milliseconds. */
export type Step =
  /** An event comes; `burst`: the next step comes before the process has come to rest. */
  | { readonly do: "send"; readonly event: { readonly type: string }; readonly burst: boolean }
  | { readonly do: "advance"; readonly ms: number }
  /** The host dies, and the next one begins. */
  | { readonly do: "crash" }
  /** The host dies, and the next one dies with a commit of its own: `lost` says whether the commit is lost as well. */
  | { readonly do: "doom"; readonly commit: number; readonly lost: boolean }
  /** The host dies when it has performed the next action, and before the record of it. */
  | { readonly do: "cut" }
  /** A second host begins to work on the same store. */
  | { readonly do: "second" }
  /** The next action that is performed fails, once. */
  | { readonly do: "fail" }

/** A process, and what happens to it. */
export interface Script {
  readonly input: unknown
  readonly steps: ReadonlyArray<Step>
}

/** What a machine can be given. */
export interface Givens {
  readonly input: FastCheck.Arbitrary<unknown>
  readonly events: ReadonlyArray<FastCheck.Arbitrary<{ readonly type: string }>>
  /** Lengths that matter to it. */
  readonly delays: ReadonlyArray<number>
  readonly mayAct: boolean
  /** Whether hosts die, and others work beside them. */
  readonly mayDie: boolean
}

/** Scripts for a machine. */
export const scripts = ({ input, events, delays, mayAct, mayDie }: Givens): FastCheck.Arbitrary<Script> => {
  const lengths = [...new Set([1, 50, ...delays.flatMap((ms) => [Math.max(0, ms - 1), ms, ms + 1])])]
  const step = FastCheck.oneof(
    ...(events.length === 0
      ? []
      : [
          {
            weight: 8,
            arbitrary: FastCheck.record({
              do: FastCheck.constant("send" as const),
              event: FastCheck.oneof(...events),
              burst: FastCheck.boolean()
            })
          }
        ]),
    {
      weight: 4,
      arbitrary: FastCheck.constantFrom(...lengths).map((ms): Step => ({ do: "advance", ms }))
    },
    ...(mayDie ? deaths : []),
    ...(mayDie && mayAct ? [{ weight: 2, arbitrary: FastCheck.constant<Step>({ do: "cut" }) }] : []),
    ...(mayAct ? [{ weight: 1, arbitrary: FastCheck.constant<Step>({ do: "fail" }) }] : [])
  )
  return FastCheck.record({ input, steps: FastCheck.array(step, { maxLength: 12 }) })
}

const deaths = [
  { weight: 1, arbitrary: FastCheck.constant<Step>({ do: "crash" }) },
  {
    weight: 2,
    arbitrary: FastCheck.record({
      do: FastCheck.constant("doom" as const),
      commit: FastCheck.integer({ min: 1, max: 6 }),
      lost: FastCheck.boolean()
    })
  },
  { weight: 1, arbitrary: FastCheck.constant<Step>({ do: "second" }) }
]

/** A script as text, which is a value that can be played again. */
export const print = (script: Script): string => JSON.stringify(script, undefined, 2)

/** How many shorter scripts are tried. */
const mostShorter = 100

/**
 * A script with fewer of its steps, in every way, the shortest ones first. Fast-check takes steps away at the beginning, and stops
 * where one that it has taken away needs another to be gone as well.
 */
export function* shorter({ input, steps }: Script): Generator<Script> {
  let made = 0
  for (let length = 0; length < steps.length; length++) {
    for (const chosen of choices(steps, length)) {
      if (made++ === mostShorter) return
      yield { input, steps: chosen }
    }
  }
}

/** So many of these, in their order, in every way. */
function* choices<A>(all: ReadonlyArray<A>, count: number): Generator<ReadonlyArray<A>> {
  if (count === 0) return yield []
  for (const [index, first] of all.entries()) {
    for (const rest of choices(all.slice(index + 1), count - 1)) yield [first, ...rest]
  }
}
