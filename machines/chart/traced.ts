/**
 * A machine made again of its definition, which says what it does: the states that it leaves and enters, and the transitions that it
 * takes, are actions. What only a function knows is asked for.
 */
import type { AnyStateMachine } from "xstate"
import { enqueueActions, fromTransition } from "xstate"
import type { StateDefinition, TransitionDefinition } from "./definition.ts"
import type { Condition } from "./parts.ts"
import { stateGuard } from "./parts.ts"
import { delaysOf, machineFrom, raising } from "./rebuilt.ts"

/** What a definition does not say: how a guard answers, and which event a function raises. */
export interface Question {
  readonly what: string
  /** How many answers there are. Of a guard, 0 is yes; of a function, 0 is that it raises nothing. */
  readonly answers: number
}

/** What a traced machine says that it does: by the name of an action, whose parameter is the id of a state or transition. */
export const didBy: ReadonlyMap<string, "leave" | "take" | "enter"> = new Map(
  (["leave", "take", "enter"] as const).map((did) => [`\u0000${did}`, did]) // no machine's own begins so
)

/** Makes a machine that says what it does, and asks for what its definition does not say. */
export const tracedMachine = (
  definition: { readonly version: string; readonly structure: StateDefinition },
  ask: (question: Question) => number
): AnyStateMachine => {
  const { guards, delays, actors, events } = namesIn(definition.structure)
  const { raises = {} } = definition.structure
  const perform = (name: string): ReadonlyArray<unknown> => {
    const built = Object.hasOwn(raises, name) ? (raises[name] ?? name) : name
    if (!built.startsWith("xstate.")) return [built]
    const raised = raising(built)
    if (raised !== undefined) return raised
    return built === "xstate.raise" || built === "xstate.enqueueActions" ? [guessed(built)] : []
  }
  const guessed = (built: string): unknown =>
    enqueueActions(({ enqueue }) => {
      const answer = ask({ what: built.slice("xstate.".length), answers: events.length + 1 })
      const type = events[answer - 1]
      if (type !== undefined) enqueue.raise({ type } as never) // an event of any machine
    })
  return machineFrom(definition, {
    entry: ({ id }) => [mark("enter", id)],
    exit: ({ id }) => [mark("leave", id)],
    transition: (state, transition, index) =>
      isForbidden(transition) ? [] : [mark("take", `${state.id} ${transition.event} ${index}`)],
    perform
  }).provide({
    guards: Object.fromEntries(
      guards.map((name) => [name, () => ask({ what: `the guard ${name}`, answers: 2 }) === 0])
    ),
    // A delay without a length would be over at once.
    delays: Object.fromEntries(delays.map((name) => [name, 1])),
    actors: Object.fromEntries(actors.map((name) => [name, fromTransition((state) => state, null)]))
  } as object) // of a machine of any type
}

/**
 * Takes a step with one series of answers after another, until `isFound` or all were tried, or `mostTries`. The answers of the
 * first series are all 0, and those with fewer others come before those with more: a function that raises what asks it again would
 * be asked without end.
 */
export const triedAll = <A>(
  definition: { readonly version: string; readonly structure: StateDefinition },
  { mostTries = 256, onlyGuards = false }: { readonly mostTries?: number; readonly onlyGuards?: boolean } = {}
): ((take: (machine: AnyStateMachine) => A, isFound: (answer: A | Error) => boolean) => void) => {
  let answers: ReadonlyArray<number> = []
  let asked: Array<Question> = []
  const machine = tracedMachine(definition, (question) => {
    if (onlyGuards && !question.what.startsWith("the guard ")) return 0
    if (asked.length >= mostAsked) throw new Error("a guard is asked without end")
    asked.push(question)
    return answers[asked.length - 1] ?? 0
  })
  return (take, isFound) => {
    const waiting: Array<ReadonlyArray<number>> = [[]]
    for (let tries = 0; tries < mostTries; tries++) {
      const next = waiting.shift()
      if (next === undefined) return
      answers = next
      asked = []
      if (isFound(attempt(() => take(machine)))) return
      asked.forEach((question, index) => {
        if (index < next.length) return
        const before = [...next, ...Array.from({ length: index - next.length }, () => 0)]
        for (let answer = 1; answer < question.answers; answer++) waiting.push([...before, answer])
      })
    }
  }
}

/** How many answers may be asked for in one step. */
const mostAsked = 64

/** What a function answers or throws. */
export const attempt = <A>(run: () => A): A | Error => {
  try {
    return run()
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(String(thrown))
  }
}

const mark = (did: string, params: string): object => ({ type: `\u0000${did}`, params })

const isForbidden = ({ targets, actions }: TransitionDefinition): boolean =>
  targets === undefined && actions === undefined

interface Names {
  readonly guards: ReadonlyArray<string>
  readonly delays: ReadonlyArray<string>
  readonly actors: ReadonlyArray<string>
  readonly events: ReadonlyArray<string>
}

const namesIn = (state: StateDefinition): Names => {
  const inner = Object.values(state.states ?? {}).map(namesIn)
  const transitions = state.transitions ?? []
  const own = transitions.map(({ event }) => event).filter((event) => event !== "" && !event.startsWith("xstate."))
  return {
    guards: [
      ...transitions.flatMap(({ guard, condition }) => (condition === undefined ? (guard ?? []) : guardsOf(condition))),
      ...inner.flatMap(({ guards }) => guards)
    ],
    delays: [...delaysOf(state), ...inner.flatMap(({ delays }) => delays)],
    actors: [...(state.invoke ?? []).map(({ src }) => src), ...inner.flatMap(({ actors }) => actors)],
    events: [...new Set([...own, ...inner.flatMap(({ events }) => events)])]
  }
}

const guardsOf = ({ guard, of }: Condition): ReadonlyArray<string> => {
  if (of !== undefined) return of.flatMap(guardsOf)
  return guard === stateGuard ? [] : [guard]
}
