/**
 * What the schemas of the stores in SQL have in common: which tables hold a process, and what a database is refused with.
 */
import { StoreError } from "../../model/errors.ts"

/** The tables with rows of a process, by its `pk`; its own row comes last. */
export const tablesOfProcess = [
  "debt",
  "child",
  "journal",
  "progress",
  "wake_outbox",
  "wake_ack",
  "handle_grant",
  "event",
  "lease",
  "state",
  "process"
] as const

/** A database that cannot be used as it is. */
export const unusable = (detail: string): StoreError =>
  new StoreError({ operation: "open the database", reason: "unusable", written: "no", detail })

/** A database of a later version of this library than knows schemas up to `known`. */
export const newerSchema = (found: number, known: number): StoreError =>
  new StoreError({
    operation: "open the database",
    reason: "newer_schema",
    written: "no",
    detail: `it has schema version ${found}, and this library knows versions up to ${known}: use the newer library`
  })
