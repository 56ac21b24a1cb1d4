/**
 * Whatever a program may hand over where something else was asked for, and how the answer to it is judged.
 */
import * as FC from "effect/FastCheck"
import * as Errors from "../../src/model/errors.ts"

/** What throws whatever it is used for. */
export const no = (): never => {
  throw new Error("no")
}

/** What throws whatever is read of it. */
export const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** Values of any kind, each in a function: the generator of values looks into what it generates. */
export const junk: FC.Arbitrary<() => unknown> = FC.oneof(
  FC.anything({ maxDepth: 1, withBigInt: true, withDate: true, withNullPrototype: true }).map((value) => () => value),
  FC.constantFrom<Array<() => unknown>>(
    () => Number.NaN,
    () => -1,
    () => "soon",
    () => "-1 seconds",
    () => new Date(Number.NaN),
    () => Symbol("s"),
    () => no,
    () => new Map(),
    revoked,
    () => new Proxy({}, { get: no, ownKeys: no, getOwnPropertyDescriptor: no }),
    () => Object.defineProperty({}, "a", { get: no, enumerable: true })
  )
)

/** Whether an error is one of the library's. */
export const isOwn = (error: unknown): boolean => Object.values(Errors).some((type) => error instanceof type)
