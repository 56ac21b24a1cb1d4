/**
 * The services of a host for programs that do not use Effect: the same operations, whose answers are Promises.
 */
import * as Effect from "effect/Effect"
import type { Perform } from "./handle.ts"

/**
 * A service whose effects are Promises: an operation answers one, and what is an effect itself is an operation without arguments.
 * What an operation waits for, or tells of its progress, is a Promise too.
 */
export type PromisedService<Service> = {
  readonly [Name in keyof Service]: Service[Name] extends (...args: infer Args) => Effect.Effect<infer A, infer _E>
    ? (...args: { [Index in keyof Args]: PromisedArgument<Args[Index]> }) => Promise<A>
    : Service[Name] extends Effect.Effect<infer A, infer _E>
      ? () => Promise<A>
      : Service[Name]
}

/** An argument with Promises where it has effects: what it tells, and what it waits for. */
export type PromisedArgument<Argument> = "onProgress" extends keyof Argument
  ? Omit<Argument, "onProgress"> & { readonly onProgress?: Progress<NonNullable<Argument["onProgress"]>> }
  : "stopping" extends keyof Argument
    ? Omit<Argument, "stopping"> & { readonly stopping?: Answered<NonNullable<Argument["stopping"]>> }
    : Argument

type Progress<Tell> = Tell extends (...args: infer Args) => Effect.Effect<infer A>
  ? (...args: Args) => A | Promise<A>
  : never

type Answered<Wait> = Wait extends Effect.Effect<infer A> ? Promise<A> : never

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
    const answer: unknown = member(...args.map(withEffects))
    return Effect.isEffect(answer) ? perform(closed(answer)) : answer
  }
}

/** What of an argument waits, or hears of progress, as effects. Everything else is as it was given. */
const withEffects = (argument: unknown): unknown => {
  try {
    const { onProgress, stopping } = Object(argument)
    if (typeof onProgress === "function") {
      return {
        ...Object(argument),
        onProgress: (...args: ReadonlyArray<unknown>) => settled(() => onProgress(...args))
      }
    }
    if (!isPromise(stopping)) return argument
    // One that rejects before anything waits for it ends no program.
    stopping.then(undefined, () => {})
    return { ...Object(argument), stopping: settled(() => stopping) }
  } catch {
    // What cannot be read is left to the operation, which refuses it.
    return argument
  }
}

const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof value === "object" && value !== null && "then" in value

/** A Promise, or a plain answer, as an effect. */
const settled = (ask: () => unknown): Effect.Effect<unknown> => Effect.promise(async () => ask())

/** An operation of a service requires nothing. */
const closed = (effect: Effect.Effect<unknown, unknown, unknown>) => effect as Effect.Effect<unknown, unknown>
