/**
 * The side log: what children say outside the database, one line of JSON each, so that a crash cannot take it back.
 *
 * Invariant: a line is in the file before its writer goes on; what the page cache has survives SIGKILL.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs"

/** One event as a batch wrote it: the row's number, its sequence, its type. */
export type Written = readonly [pk: number, sequence: number, eventType: string]

/** How one write of a zombie went. `changed`: the rows that were not the same after it. */
export interface Attempt {
  readonly name: string
  readonly answer: string
  readonly changed: ReadonlyArray<string>
}

/** What children say. */
export type Fact =
  /** A body began, under a fence. */
  | { readonly fact: "began"; readonly kind: string; readonly id: string; readonly fence: number }
  /** The library answered a caller that something is durable. */
  | { readonly fact: "registered"; readonly id: string }
  | { readonly fact: "appended"; readonly id: string; readonly sequence: number; readonly eventType: string }
  | { readonly fact: "cancel requested"; readonly id: string }
  | { readonly fact: "ended"; readonly id: string; readonly state: string }
  /** The named point was reached; what the transaction had written by then. The child ends or freezes right after. */
  | { readonly fact: "reached"; readonly isCommitted: boolean; readonly written: ReadonlyArray<Written> }
  /** A sink was handed a wake, under its id and its source key. */
  | { readonly fact: "delivered"; readonly wakeId: string; readonly source: string }
  | { readonly fact: "ready" }
  | { readonly fact: "freezing"; readonly attempts: number }
  | { readonly fact: "tried"; readonly attempts: ReadonlyArray<Attempt> }
  /** What a host answered during a store outage. */
  | { readonly fact: "outage"; readonly read: string; readonly write: string }

/** Adds a line. */
export const say = (path: string, fact: Fact): void => appendFileSync(path, `${JSON.stringify(fact)}\n`)

/** Everything that was said, in order; a line that is still being written is left for later. */
export const read = (path: string): ReadonlyArray<Fact> =>
  existsSync(path)
    ? readFileSync(path, "utf8")
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Fact) // only `say` writes it
    : []

/** The facts of one kind. */
export const only = <Name extends Fact["fact"]>(
  facts: ReadonlyArray<Fact>,
  name: Name
): ReadonlyArray<Extract<Fact, { readonly fact: Name }>> =>
  facts.filter((fact): fact is Extract<Fact, { readonly fact: Name }> => fact.fact === name)
