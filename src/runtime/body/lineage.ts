/**
 * Which fiber was forked by which, within bodies: what is interrupted is often not the fiber that an operation is in, but one
 * that waits for it.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as Supervisor from "effect/Supervisor"

/** A fiber of any kind. */
export type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** Kept on the fiber: a weak map of all fibers costs more to collect than the fibers do. */
const parent = Symbol("holdfast/parent")
const began = Symbol("holdfast/began")
type Linked = AnyFiber & { [parent]?: AnyFiber; [began]?: number }

let moments = 0

/** The next moment, in the order in which fibers began and pauses were over. */
export const moment = (): number => ++moments

/** The moment at which a fiber of a body was forked. */
export const beganAt = (fiber: AnyFiber): number => (fiber as Linked)[began] ?? 0 // as it was noted below

/** The fiber that forked a fiber of a body. */
export const parentOf = (fiber: AnyFiber): AnyFiber | undefined => (fiber as Linked)[parent] // as it was noted below

class Lineage extends Supervisor.AbstractSupervisor<void> {
  readonly value = Effect.void
  override onStart(...[, , by, fiber]: Parameters<Supervisor.AbstractSupervisor<void>["onStart"]>): void {
    if (Option.isSome(by)) Object.assign(fiber, { [parent]: by.value, [began]: moment() })
  }
}

const lineage = new Lineage()

/** Notes who forks whom, beside what a host's own supervisor does. */
export const supervisedBy = (hosts: Supervisor.Supervisor<unknown>): Supervisor.Supervisor<unknown> =>
  hosts === Supervisor.none ? lineage : hosts.zip(lineage)

/** A fiber and the ones above it, up to `root`. */
export const upwards = (root: AnyFiber, fiber: AnyFiber): ReadonlyArray<AnyFiber> => {
  const found: Array<AnyFiber> = []
  for (let at: AnyFiber | undefined = fiber; at !== undefined; at = at === root ? undefined : parentOf(at))
    found.push(at)
  return found
}

/** Whether a fiber was interrupted. It may not have noticed yet. */
export const isInterrupted = (fiber: AnyFiber): boolean => !Cause.isEmpty(fiber.getFiberRef(FiberRef.interruptedCause))

/** Whether a fiber is `root`, or was forked by it or by one that was. */
export const isFrom = (root: AnyFiber, fiber: AnyFiber): boolean => {
  for (let at: AnyFiber | undefined = fiber; at !== undefined; at = parentOf(at)) if (at === root) return true
  return false
}
