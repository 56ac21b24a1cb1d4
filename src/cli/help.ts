/**
 * The parser's help, made to fit: it lists every command with all its options on one line, wider than any terminal.
 */
import { stripVTControlCharacters } from "node:util"
import { padded, wrapped } from "./text.ts"

/** Lays help out for a width; every other text of the parser (a completion script, a version) is left as it is. */
export const laidOut = (text: string, width: number): string => {
  const lines = text.split("\n")
  if (!lines.some((line) => stripVTControlCharacters(line) === "USAGE")) return text
  const names = lines.flatMap((line) => commandOf(line)?.name ?? [])
  const nameWidth = Math.max(0, ...names.map((name) => name.length))
  const columns = Math.min(width, readable)
  let isAfterCommand = false
  return lines
    .flatMap((line): ReadonlyArray<string> => {
      const command = commandOf(line)
      if (command !== undefined) {
        isAfterCommand = true
        return indented(command.description, columns, `  ${padded(command.name, nameWidth)}  `)
      }
      if (isAfterCommand && line.trim() === "") return []
      const plain = stripVTControlCharacters(line)
      if (plain.length <= columns) return [line]
      return indented(plain.trimStart(), columns, /^ */.exec(plain)?.[0] ?? "")
    })
    .join("\n")
}

/**
 * What is typed, as the parser understands it: it knows `--help` right behind a command only, and takes it for an unknown
 * option elsewhere. After `--` nothing is an option.
 */
export const questionFirst = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const end = words.indexOf("--")
  const options = words.slice(0, end === -1 ? words.length : end)
  const [command] = options
  if (!options.some((word) => word === "--help" || word === "-h")) return words
  return command === undefined || command.startsWith("-") ? ["--help"] : [command, "--help"]
}

/** Longer lines are hard to read, however wide the terminal is. */
const readable = 100

/** The first line begins with the head, the others with as much space. */
const indented = (text: string, width: number, head: string): ReadonlyArray<string> =>
  wrapped(text, width - head.length).map((part, index) => `${index === 0 ? head : " ".repeat(head.length)}${part}`)

const commandOf = (line: string): { readonly name: string; readonly description: string } | undefined => {
  const [, name, description] = /^ {2}- (\S+).*? {2,}(\S.*)$/.exec(stripVTControlCharacters(line)) ?? []
  return name === undefined || description === undefined ? undefined : { name, description }
}
