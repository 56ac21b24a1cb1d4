/**
 * Unions of errors that travel together.
 */
import type {
  EngineMissing,
  InputInvalid,
  LeaseLost,
  OutputInvalid,
  ParentClosing,
  ProcessAbandoned,
  ProcessCancelled,
  ProcessFailed,
  ProcessIdConflict,
  ProcessPruned,
  ProcessUnknown,
  RegistrationInvalid,
  StoreError
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

/** Every failure of the runtime that a body may let through: the worker knows what each means for the process. */
export type RuntimeError = StartError | AwaitError | EngineMissing
