/**
 * Mutants of the library: each is the build with one promise of the law of replay taken out. The random bodies must find each.
 *
 * A mutation is by exact text of the compiled code, which must be there once: a test says so when the code has moved on.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { projectRoot } from "../support/projectRoot.ts"

/** One place of a compiled file that is replaced. */
export interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** What each mutant lacks, and how. */
export const mutants: Readonly<Record<string, Edit>> = {
  "the order of ends": {
    file: "src/runtime/body/End.js",
    find: "one.sequence === other.sequence ? one.position < other.position : one.sequence < other.sequence",
    replace: "false"
  },
  "the drop of losers": {
    file: "src/runtime/body/operate.js",
    find: "if (!(own ?? isOwn()))",
    replace: "if (true)"
  },
  "the turns of a body's own pauses": {
    file: "src/runtime/body/Journal.js",
    find: "ends.order.begin(journal.flatMap(turnsOf))",
    replace: "ends.order.begin([])"
  },
  "the record of failures": {
    file: "src/runtime/body/step.js",
    find: 'return record === "success" && !("ok" in outcome)',
    replace: 'return !("ok" in outcome)'
  },
  "the shared read of the journal": {
    file: "src/runtime/body/operate.js",
    find: "return ends.isCaughtUp() ? perform :",
    replace:
      "return ends.isCaughtUp() ? Effect.zipRight(Effect.ignore(store.journalOf(activation.id, { after: 0, limit: 1000 })), perform) :"
  },
  "the refusal inside steps": {
    file: "src/runtime/body/Journal.js",
    find: "if (running?.processId === processId) {",
    replace: "if (false) {"
  },
  "the fence of a record": {
    file: "src/operations/decisions/execution.js",
    find: "return onLease(lease, (row, view) => acceptWith(row.sequence, journaling(view, lease.processId, written)));",
    replace:
      "return (view) => acceptWith(view.row(lease.processId).sequence, journaling(view, lease.processId, written));"
  }
}

/** A file of the build. */
export const builtFile = ({ file }: Edit): string => readFileSync(join(projectRoot, "dist", file), "utf8")
