/**
 * The delays of a machine: durations in words, such as "3 days", beside XState's milliseconds.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { AnyStateMachine } from "xstate"
import { namesOf } from "../../../machines/chart/definition.ts"
import { InputInvalid } from "../../model/errors.ts"
import * as Arguments from "../arguments.ts"

/**
 * The same machine, whose delays may be words wherever XState takes one: in a state, an action, `setup({ delays })`, and what is
 * enqueued. Throws `InputInvalid` for a word that is seen to be no duration.
 */
export const withDelays = (machine: AnyStateMachine): AnyStateMachine => {
  const given = machine.implementations.delays as Readonly<Record<string, unknown>>
  const own = Object.entries(given).flatMap(([name, delay]) => (typeof delay === "string" ? [[name, delay]] : []))
  const words = namesOf(machine).delays.map((word) => [word, word])
  const lengths = Object.fromEntries(
    [...words, ...own].map(([name = "", word = ""]) => [name, lengthOf(machine, word)])
  )
  const named = machine.provide({ delays: lengths } as object) // the delays of a machine of any type
  // XState looks a delay up when it is asked for, and takes one that it does not find for none.
  named.implementations.delays = new Proxy(named.implementations.delays, {
    get: (delays, word) =>
      typeof word === "string" && !Object.hasOwn(delays, word)
        ? () => lengthOf(machine, word) // called where the delay is used: to look does not throw
        : Reflect.get(delays, word)
  })
  return named
}

/** How long a word says. Units: milliseconds. Throws `InputInvalid`. */
const lengthOf = ({ id }: AnyStateMachine, word: string): number => {
  const field = `delay \`${word}\` of machine \`${id}\``
  const length = Duration.decodeUnknown(word)
  if (Option.isSome(length)) {
    const ms = Arguments.durationMs(field, word as Duration.DurationInput) // it was read as one
    if (Number.isFinite(ms)) return ms
  }
  throw new InputInvalid({ field, problem: 'is no duration, such as "3 days", and no delay of `setup({ delays })`' })
}
