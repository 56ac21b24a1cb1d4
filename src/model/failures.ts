/**
 * Unions of errors that travel together.
 */
import type {
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
  | ProcessUnknown
  | InputInvalid
  | LeaseLost
  | StoreError

/** Every failure of the runtime that a body may let through: the worker knows what each means for the process. */
export type RuntimeError = StartError | AwaitError | EngineMissing | OperationError
