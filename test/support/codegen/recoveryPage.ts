/**
 * Writes the table of the sweep's verdicts, by asking for every case there is and merging those that do not differ.
 */
import type { RowFacts, Verdict } from "../../../machines/recovery.ts"
import { verdict } from "../../../machines/recovery.ts"

/** A question about a case, and its answers. */
export interface Question<Case> {
  readonly title: string
  readonly answers: ReadonlyArray<{ readonly name: string; readonly facts: Partial<Case> }>
}

/** The page of the verdict table. */
export const recoveryPage = (): string => {
  const rows = condensed(questions, (facts) => describe(verdict({ ...base, ...facts })))
  return [
    "# The verdict of a recovery sweep",
    "",
    "<!-- Written by `npm run codegen` from `machines/recovery.ts`. -->",
    "",
    "What a sweep does with a row, by what is known about it. Every case there is falls under exactly one line; a dash says",
    "that the answer does not matter there.",
    "",
    `| ${[...questions.map(({ title }) => title), "Verdict"].join(" | ")} |`,
    `|${" --- |".repeat(questions.length + 1)}`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
    ""
  ].join("\n")
}

/**
 * The shortest table of a function that these questions allow in this order: one line for each case, its last cell the
 * answer; answers to a question that lead to the same lines share them, and a question that decides nothing gets a dash.
 */
export const condensed = <Case>(
  [question, ...later]: ReadonlyArray<Question<Case>>,
  decide: (facts: Partial<Case>) => string,
  known: Partial<Case> = {}
): ReadonlyArray<ReadonlyArray<string>> => {
  if (question === undefined) return [[decide(known)]]
  const groups = new Map<
    string,
    { readonly names: Array<string>; readonly rows: ReadonlyArray<ReadonlyArray<string>> }
  >()
  for (const { name, facts } of question.answers) {
    const rows = condensed(later, decide, { ...known, ...facts })
    const group = groups.get(JSON.stringify(rows))
    if (group === undefined) groups.set(JSON.stringify(rows), { names: [name], rows })
    else group.names.push(name)
  }
  return [...groups.values()].flatMap(({ names, rows }) => {
    const answer = groups.size === 1 ? "–" : names.join(" or ")
    return rows.map((row) => [answer, ...row])
  })
}

const base: RowFacts = {
  disposition: "rerunnable",
  terminal: false,
  started: false,
  lease: "free",
  cancelRequested: false,
  abandonRequested: false,
  nextAttempt: 1,
  maxAttempts: 1,
  engine: "present"
}

const yesOrNo = (
  title: string,
  field: "terminal" | "started" | "cancelRequested" | "abandonRequested"
): Question<RowFacts> => ({
  title,
  answers: [
    { name: "no", facts: { [field]: false } },
    { name: "yes", facts: { [field]: true } }
  ]
})

const questions: ReadonlyArray<Question<RowFacts>> = [
  yesOrNo("Ended", "terminal"),
  {
    title: "Disposition",
    answers: (["rerunnable", "owner_bound", "externally_owned"] as const).map((disposition) => ({
      name: disposition,
      facts: { disposition }
    }))
  },
  yesOrNo("Started", "started"),
  {
    title: "Lease",
    answers: (["free", "lapsed", "dead", "held"] as const).map((lease) => ({ name: lease, facts: { lease } }))
  },
  yesOrNo("Abandon requested", "abandonRequested"),
  yesOrNo("Cancel requested", "cancelRequested"),
  {
    title: "Attempts left",
    answers: [
      { name: "yes", facts: { nextAttempt: 1 } },
      { name: "no", facts: { nextAttempt: 2 } }
    ]
  },
  {
    title: "Engine",
    answers: (["present", "missing"] as const).map((engine) => ({ name: engine, facts: { engine } }))
  }
]

const describe = (decided: Verdict): string => {
  switch (decided._tag) {
    case "Abandon":
      return `**Abandon** as \`${decided.writer}\`, owner \`${decided.owner}\``
    case "Leave":
      return `Leave: \`${decided.why}\``
    default:
      return `**${decided._tag}**`
  }
}
