/**
 * Unions of errors that travel together.
 */
import type {
  CompletionRefused,
  EngineMissing,
  EventRejected,
  InputInvalid,
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
  | StepNameAmbiguous
  | OutsideProcess
  | WaitTimedOut
  | EventRejected
  | ProcessAlreadyTerminal
  | TerminalOutcomeMismatch
  | CompletionRefused
  | ProcessUnknown
  | InputInvalid
  | LeaseLost
  | StoreError

/** Every failure of the runtime that a body may let through: the worker knows what each means for the process. */
export type RuntimeError = StartError | AwaitError | EngineMissing | OperationError

/** Failures that say something about a process, and nothing about the work of its body. */
export type AboutProcess = LeaseLost | ParentClosing | StoreError | ReplayDiverged

/** Whether an error is about the process: a tool or a turn that meets one lets it through to the worker. */
export const isAboutProcess = (error: unknown): error is AboutProcess =>
  [Errors.LeaseLost, Errors.ParentClosing, Errors.StoreError, Errors.ReplayDiverged].some(
    (type) => error instanceof type
  )
