/**
 * Actors that a machine names and an engine implements.
 */
import type { ActorLogic, AnyEventObject, Snapshot } from "xstate"

const durable: unique symbol = Symbol.for("holdfast/durable")

/** An actor that a machine names and `Engine.fromMachine` implements: it runs as a process of its own. */
export type DurableLogic<Input, Output> = ActorLogic<Snapshot<Output>, AnyEventObject, Input>

/**
 * Declares an actor in `setup({ actors })`. A function that exists only in one memory cannot be durable, so the machine only
 * says what goes in and what comes out.
 */
export const fromDurable = <Input = undefined, Output = unknown>(): DurableLogic<Input, Output> => {
  const active = { status: "active", output: undefined, error: undefined } as const
  const logic: DurableLogic<Input, Output> = {
    transition: (snapshot) => snapshot,
    getInitialSnapshot: () => active,
    getPersistedSnapshot: (snapshot) => snapshot,
    restoreSnapshot: (snapshot) => snapshot as Snapshot<Output> // it was such when it was stored
  }
  return Object.assign(logic, { [durable]: true })
}

/** Whether an actor was declared with `fromDurable`, whichever copy of the library that came from. */
export const isDurable = (logic: unknown): boolean => typeof logic === "object" && logic !== null && durable in logic
