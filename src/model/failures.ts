/**
 * Unions of errors that travel together.
 */
import * as Schema from "effect/Schema"
import type {
  CompletionRefused,
  EngineMissing,
  EventRejected,
  InputInvalid,
  InsideStep,
  LeaseLost,
  OutputInvalid,
  OutsideProcess,
  ParentClosing,
  ProcessAbandoned,
  ProcessAlreadyTerminal,
  ProcessCancelled,
  ProcessFailed,
  ProcessIdConflict,
  ProcessPruned,
  ProcessUnknown,
  RegistrationInvalid,
  ReplayDiverged,
  StepFailed,
  StepNameAmbiguous,
  StoreError,
  TerminalOutcomeMismatch,
  WaitTimedOut
} from "./errors.ts"
import * as Errors from "./errors.ts"

/** Why a process could not be started. */
export type StartError =
  | InputInvalid
  | RegistrationInvalid
  | ProcessIdConflict
  | ProcessPruned
  | LeaseLost
  | ParentClosing
  | StoreError

/** Why waiting for a process gave no value of its engine's own. */
export type AwaitError =
  | ProcessFailed
  | ProcessCancelled
  | ProcessAbandoned
  | OutputInvalid
  | ProcessUnknown
  | ProcessPruned
  | StoreError

/** Why an operation of a body's context failed, beside its own errors. */
export type OperationError =
  | ReplayDiverged
  | InsideStep
  | StepFailed
  | StepNameAmbiguous
  | OutsideProcess
  | WaitTimedOut
  | EventRejected
  | ProcessAlreadyTerminal
  | TerminalOutcomeMismatch
  | CompletionRefused
  | ProcessUnknown
  | ProcessPruned
  | InputInvalid
  | LeaseLost
  | StoreError

/** Every failure of the runtime that a body may let through: the worker knows what each means for the process. */
export type RuntimeError = StartError | AwaitError | EngineMissing | OperationError

/** An error of the library as JSON; `undefined` when it is none. */
export const encodeError = (error: unknown): unknown => {
  try {
    const type = typeof error === "object" && error !== null && "_tag" in error ? typeOf(String(error._tag)) : undefined
    return type !== undefined && Schema.is(type)(error) ? Schema.encodeSync(type)(error) : undefined
  } catch {
    // What cannot even be looked at is none of the library's errors.
    return undefined
  }
}

/** The error that {@link encodeError} wrote. */
export const decodeError = (stored: unknown): RuntimeError => {
  const type = typeOf((stored as { readonly _tag: string })._tag) // written by `encodeError`
  return Schema.decodeUnknownSync(type as NonNullable<typeof type>)(stored) as RuntimeError // as above
}

const typeOf = (tag: string): Schema.Schema<{ readonly _tag: string }, unknown> | undefined =>
  (Errors as unknown as Readonly<Record<string, Schema.Schema<{ readonly _tag: string }, unknown>>>)[tag] // classes by their tags

/** Failures that say something about a process, and nothing about the work of its body. */
export type AboutProcess = LeaseLost | ParentClosing | StoreError | ReplayDiverged

/** Whether an error is about the process: a tool or a turn that meets one lets it through to the worker. */
export const isAboutProcess = (error: unknown): error is AboutProcess =>
  [Errors.LeaseLost, Errors.ParentClosing, Errors.StoreError, Errors.ReplayDiverged].some(
    (type) => error instanceof type
  )
