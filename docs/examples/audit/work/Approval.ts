/**
 * The approval: a signal that an audit waits for before it publishes, and how people are told to send it.
 *
 * Invariant: it is kept with the process. Who approves need not know whether the audit runs anywhere, or ever again.
 */
import { userInfo } from "node:os"
import { relative } from "node:path"
import { fileURLToPath } from "node:url"
import * as Schema from "effect/Schema"
import { Signal } from "../../../../src/index.ts"
import { Totals } from "../report/report.ts"
import { shellWord } from "../report/text.ts"

/** Says whether a report may be published. */
export const Approval = Signal.make("approval", {
  payload: Schema.Struct({ approved: Schema.Boolean, by: Schema.NonEmptyString })
})

/** The draft is written: what it comes to, for those who decide. */
export const Drafted = Signal.event("audit.drafted", { payload: Totals })

/** Somebody decided that the report must not be published. The draft stays where it is. */
export class ReportRejected extends Schema.TaggedError<ReportRejected>()("ReportRejected", { by: Schema.String }) {
  override get message(): string {
    return `the report was rejected by ${this.by}; the draft stays where it is`
  }
}

/** Who uses this program. In a container the user may have no name. */
export const user = (): string => {
  try {
    return userInfo().username || "somebody"
  } catch {
    return "somebody"
  }
}

/** Two ways to approve an audit from another terminal. */
export const howToApprove = (id: string, stateFile: string): ReadonlyArray<string> => [
  `to approve it: node ${shellWord(script())} --state ${shellWord(stateFile)} ${id}`,
  `           or: npx holdfast signal ${id} ${Approval.signal} --db ${shellWord(stateFile)} --payload '{"approved":true,"by":"${nameInShell(user())}"}'`
]

/** The script beside this module, as it is typed in the folder that this program was started in. */
const script = (): string => {
  const path = fileURLToPath(new URL("../cli/approve.js", import.meta.url))
  const way = relative(process.cwd(), path)
  return way.startsWith("..") ? path : way
}

const nameInShell = (name: string): string => name.replace(/[^\w.@ -]/g, "")
