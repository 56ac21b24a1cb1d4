/**
 * Arguments before the parser gets them. `npm start` puts `--yes` first, but the parser accepts `--help` and `--version` only
 * in first place, and a flag only once.
 */

/** The argument that asks for help or the version. After `--` nothing is an option. */
export const questionIn = (words: ReadonlyArray<string>): string | undefined => {
  const end = words.indexOf("--")
  return words.slice(0, end === -1 ? words.length : end).find((word) => questions.has(word))
}

/** Arguments for the parser: a question alone, or else every flag once. */
export const normalised = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const question = questionIn(words)
  return question === undefined
    ? words.filter((word, index) => !flags.has(word) || words.indexOf(word) === index)
    : [question]
}

const questions: ReadonlySet<string> = new Set(["--help", "-h", "--version"])

const flags: ReadonlySet<string> = new Set(["--yes", "--wait", "--verbose", "--no-open", "--no-inspect"])
