/**
 * The services of a host for programs that do not use Effect: the same operations, whose answers are Promises.
 */
import * as Effect from "effect/Effect"
import type { Perform } from "./handle.ts"

/** A service whose effects are Promises: an operation answers one, and what is an effect itself is an operation without arguments. */
export type PromisedService<Service> = {
  readonly [Name in keyof Service]: Service[Name] extends (...args: infer Args) => Effect.Effect<infer A, infer _E>
    ? (...args: Args) => Promise<A>
    : Service[Name] extends Effect.Effect<infer A, infer _E>
      ? () => Promise<A>
      : Service[Name]
}

/** Turns a service into one of Promises. `perform` says how the operation of a name is carried out. */
export const promisedService = <Service extends object>(
  service: Service,
  perform: (name: string) => Perform
): PromisedService<Service> =>
  Object.fromEntries(
    Object.entries(service).map(([name, member]) => [name, promisedMember(member, perform(name))])
  ) as PromisedService<Service> // the same names

const promisedMember = (member: unknown, perform: Perform): unknown => {
  if (Effect.isEffect(member)) return () => perform(closed(member))
  if (typeof member !== "function") return member
  return (...args: ReadonlyArray<unknown>) => {
    const answer: unknown = member(...args)
    return Effect.isEffect(answer) ? perform(closed(answer)) : answer
  }
}

/** An operation of a service requires nothing. */
const closed = (effect: Effect.Effect<unknown, unknown, unknown>) => effect as Effect.Effect<unknown, unknown>
