/**
 * Which fiber was forked by which, within bodies.
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
type Linked = AnyFiber & { [parent]?: AnyFiber }

/** The fiber that forked a fiber of a body. */
export const parentOf = (fiber: AnyFiber): AnyFiber | undefined => (fiber as Linked)[parent] // as it was noted below

class Lineage extends Supervisor.AbstractSupervisor<void> {
  readonly value = Effect.void
  override onStart(...[, , by, fiber]: Parameters<Supervisor.AbstractSupervisor<void>["onStart"]>): void {
    if (Option.isSome(by)) Object.assign(fiber, { [parent]: by.value })
  }
}

const lineage = new Lineage()

/** Notes who forks whom, beside what a host's own supervisor does. */
export const supervisedBy = (hosts: Supervisor.Supervisor<unknown>): Supervisor.Supervisor<unknown> =>
  hosts === Supervisor.none ? lineage : hosts.zip(lineage)

/** Whether a fiber was interrupted. It may not have noticed yet. */
export const isInterrupted = (fiber: AnyFiber): boolean => !Cause.isEmpty(fiber.getFiberRef(FiberRef.interruptedCause))

/** Whether a fiber is `root`, or was forked by it or by one that was. */
export const isFrom = (root: AnyFiber, fiber: AnyFiber): boolean => {
  for (let at: AnyFiber | undefined = fiber; at !== undefined; at = parentOf(at)) if (at === root) return true
  return false
}
