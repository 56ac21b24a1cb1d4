/**
 * Completion in a shell: the script asks this program what may come next, so ids, kinds and signals of the file are among it.
 *
 * Invariant: the shell gets whole words, one a line, and evaluates none of them.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { selected } from "../explain/selection.ts"
import { processId, signalNameOf } from "../model/ids.ts"
import { eventTypesOf } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import { look, presentRow } from "./database.ts"
import type { Described, Entry } from "./help.ts"
import type { TheScreen } from "./Screen.ts"
import { reasonNames } from "./shortly.ts"
import { harmless } from "./table.ts"

/** The shells that there is a script for. */
export const scripts: Readonly<Record<string, string>> = {
  bash: `_holdfast() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("$(printf %q "$line")")
  done < <(holdfast __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -o nosort -F _holdfast holdfast`,
  zsh: `#compdef holdfast
_holdfast() {
  local -a found
  found=("\${(@f)$(holdfast __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -U -a found; else _files; fi
}
compdef _holdfast holdfast`,
  fish: `function __holdfast_complete
  set -l words (commandline -opc)
  holdfast __complete $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c holdfast -f -a '(__holdfast_complete)'
complete -c holdfast -l db -r -F
complete -c holdfast -l from -r -F`
}

/** How many ids are offered: a longer list is not read. */
const mostIds = 200

/** What may be typed in place of the last of these words. Where the file cannot be read, only what needs none. */
export const candidates = (
  words: ReadonlyArray<string>,
  commands: ReadonlyArray<Described>
): Effect.Effect<ReadonlyArray<string>, never, TheScreen> => {
  const typed = words.at(-1) ?? ""
  const [name, ...rest] = words.slice(0, -1)
  const command = commands.find((one) => one.name === name)
  const starting = (found: ReadonlyArray<string>) =>
    [...new Set(found)].filter((word) => word.startsWith(typed) && harmless(word) === word)
  if (name === undefined) return Effect.succeed(starting([...commands.map((one) => one.name), "--help", "--version"]))
  if (command === undefined) return Effect.succeed([])
  const db = dbIn(rest)
  const before = optionOf(command, rest.at(-1))
  if (before !== undefined && takesValue(before)) return Effect.map(valuesOf(before, db), starting)
  if (typed.startsWith("-")) {
    return Effect.succeed(starting([...command.options.map((option) => nameOf(option)), "--help"]))
  }
  return Effect.map(placesOf(command, given(command, rest), db), starting)
}

type Found = Effect.Effect<ReadonlyArray<string>, never, TheScreen>

const nameOf = ({ term }: Entry): string => term.split(" ")[0] ?? term
const takesValue = ({ term }: Entry): boolean => term.trim().includes(" ")

const optionOf = ({ options }: Described, word: string | undefined): Entry | undefined =>
  options.find((option) => nameOf(option) === word)

const dbIn = (words: ReadonlyArray<string>): Option.Option<string> => {
  const at = words.indexOf("--db")
  return Option.fromNullable(at === -1 ? undefined : words[at + 1])
}

/** The arguments that were typed, without options and their values. */
const given = (command: Described, words: ReadonlyArray<string>): ReadonlyArray<string> =>
  words.filter((word, index) => {
    const before = optionOf(command, words[index - 1])
    return !word.startsWith("-") && !(before !== undefined && takesValue(before))
  })

const valuesOf = (option: Entry, db: Option.Option<string>): Found => {
  switch (nameOf(option)) {
    case "--kind":
      return rowsOf(db, (row) => [row.base.registration.identity.kind])
    case "--parent":
      return rowsOf(db, (row) => row.base.registration.parent?.processId ?? [])
    case "--because":
      return Effect.succeed(reasonNames)
    case "--by":
      return Effect.succeed(["kind", "reason", "state", "kind,reason"])
    default:
      return Effect.succeed(option.term.includes("|") ? (option.term.split(" ")[1] ?? "").split("|") : [])
  }
}

/** Commands about one process; those that ask something of it are about one that runs. */
const aboutRunning = new Set(["signal", "send", "cancel", "abandon", "resume", "wait"])
const aboutAny = new Set(["show", "state", "tail", "tree", "explain", "open", "verify"])

const placesOf = ({ name, parts }: Described, words: ReadonlyArray<string>, db: Option.Option<string>): Found => {
  const [id] = words
  if (id === undefined) {
    if (name === "redrive") return wakesOf(db)
    if (name === "machines") return Effect.succeed(parts.map((part) => part.name.split(" ")[1] ?? ""))
    if (aboutRunning.has(name)) return rowsOf(db, (row) => row.base.registration.id, "running")
    return aboutAny.has(name) ? rowsOf(db, (row) => row.base.registration.id) : Effect.succeed([])
  }
  const takesName = (name === "signal" || name === "send") && words.length === 1
  return takesName ? signalsOf(id, db) : Effect.succeed([])
}

type Row = Effect.Effect.Success<ReturnType<typeof presentRow>>

const rowsOf = (
  db: Option.Option<string>,
  of: (row: Row) => string | ReadonlyArray<string>,
  status: "running" | "any" = "any"
): Found =>
  orNothing(
    look(
      db,
      Effect.map(selected(status === "any" ? {} : { state: status }, { limit: 20 * mostIds }), (rows) =>
        rows.flatMap(of)
      )
    )
  ).pipe(Effect.map((found) => [...new Set(found)].slice(0, mostIds)))

const signalsOf = (id: string, db: Option.Option<string>): Found =>
  orNothing(
    look(
      db,
      Effect.map(presentRow(processId(id)), (row) => eventTypesOf(row).flatMap(({ name }) => signalNameOf(name) ?? []))
    )
  )

const wakesOf = (db: Option.Option<string>): Found =>
  orNothing(
    look(
      db,
      Effect.flatMap(ProcessStore, ({ outbox }) =>
        Effect.map(outbox.list({ states: ["discarded"], limit: mostIds }), (rows) =>
          rows.map(({ wake }) => wake.wakeId)
        )
      )
    )
  )

const orNothing = <E>(found: Effect.Effect<ReadonlyArray<string>, E, TheScreen>): Found =>
  Effect.catchAllCause(found, () => Effect.succeed([]))
