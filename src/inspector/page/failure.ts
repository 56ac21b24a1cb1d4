/**
 * A failure: its name and message first; where it was thrown, and because of what, when a person asks.
 */
import { h } from "./dom.ts"
import { jsonTree } from "./json.ts"

/** What was thrown, as the host describes it. Each field may be hidden by the host's redaction. */
interface Thrown {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly data?: unknown
  readonly stack?: string
  readonly cause?: Thrown
}

/** Shows a failure that is the output of a process; nothing for anything else. */
export const outputFailure = (output: unknown): HTMLElement | undefined => {
  if (!isRecord(output) || output["type"] !== "failure") return undefined
  const { class: kind, code, message, thrown } = output
  const note = h("p", "muted", `${String(kind)}, ${String(code)}`)
  if (!isThrown(thrown)) return h("div", "failure", head(String(code), String(message)), note)
  const said = String(message).includes(thrown.message) ? undefined : h("p", {}, String(message))
  return h("div", "failure", ...parts(thrown), said, note)
}

/** Shows a failure that is recorded in a journal; nothing for any other outcome. */
export const recordedFailure = (outcome: unknown): HTMLElement | undefined => {
  if (!isRecord(outcome)) return undefined
  const thrown = outcome["failed"] ?? outcome["defect"]
  return isThrown(thrown) ? h("div", "failure", ...parts(thrown)) : undefined
}

const parts = ({ name, message, code, data, stack, cause }: Thrown): ReadonlyArray<HTMLElement> => [
  head(name, message),
  ...(code === undefined || code === name ? [] : [h("p", "muted", `code ${code}`)]),
  ...(data === undefined ? [] : [jsonTree(data, 0)]),
  ...(stack === undefined ? [] : [h("details", {}, h("summary", {}, "Stack"), h("pre", { tabindex: 0 }, stack))]),
  ...(isThrown(cause)
    ? [h("details", {}, h("summary", {}, `Caused by ${headOf(cause.name, cause.message)}`), ...parts(cause).slice(1))]
    : [])
]

const head = (name: string, message: string): HTMLElement => h("p", "problem", headOf(name, message))

const headOf = (name: string, message: string): string =>
  message === "" || message === name ? name : `${name}: ${message}`

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const isThrown = (value: unknown): value is Thrown =>
  isRecord(value) && typeof value["name"] === "string" && typeof value["message"] === "string"
