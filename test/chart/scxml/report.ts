/** The page that says which documents of the suite run, and why the others do not. */
import type { Case } from "./suite.ts"

/** Writes the page. */
export const report = (suite: ReadonlyArray<Case>): string => {
  const run = suite.filter(({ leftOut }) => leftOut === undefined)
  const reasons = new Map<string, Array<string>>()
  for (const { name, leftOut } of suite) {
    if (leftOut !== undefined) reasons.set(leftOut, [...(reasons.get(leftOut) ?? []), name])
  }
  const rows = [...reasons]
    .sort(([, one], [, other]) => other.length - one.length)
    .map(([reason, names]) => `| ${names.length} | ${reason} | ${names.map(short).join(", ")} |`)
  return [
    "# The SCXML suite",
    "",
    "The tests of `@scion-scxml/test-framework` (Apache-2.0), among them those of the W3C, are documents with a script of events and",
    "the configurations that must follow. `test/chart/scxml` turns the documents into machines of XState, and runs each as a process",
    "whose host dies before each event: the next host finds what the store has, and nothing else. A document that another one invokes",
    "is a child process: `#_parent` and the invocation are owed signals, `done.invoke` is the end of the child, and leaving the state",
    "cancels it. Where a document finalizes or forwards, its events come by its root, which does so before the states have them.",
    "",
    `**${run.length} of ${suite.length} run**, and end each event in the configuration that the suite expects, as XState's own actor does.`,
    "The rest are left out, because they ask for what XState, or a context of JSON, does not have:",
    "",
    "| tests | reason | which |",
    "|---|---|---|",
    ...rows,
    ""
  ].join("\n")
}

const short = (name: string): string => name.replace(/^w3c-ecma\/test(.*)\.txml$/, "$1")
