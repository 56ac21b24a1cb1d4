/**
 * The words of the command line before the parser has them. `npm start` puts `--yes` before whatever is typed, and the parser
 * knows a question about the program in the first place only, and a flag once only.
 */

/** The word that asks about the program instead of asking it for work. After `--` nothing is an option. */
export const questionIn = (words: ReadonlyArray<string>): string | undefined => {
  const end = words.indexOf("--")
  return words.slice(0, end === -1 ? words.length : end).find((word) => questions.has(word))
}

/** A question alone, or else every flag once. */
export const heard = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const question = questionIn(words)
  return question === undefined
    ? words.filter((word, index) => !flags.has(word) || words.indexOf(word) === index)
    : [question]
}

const questions: ReadonlySet<string> = new Set(["--help", "-h", "--version"])

const flags: ReadonlySet<string> = new Set(["--yes", "--wait", "--verbose", "--no-open", "--no-inspect"])
