/**
 * A failure: its name, its message and the line that threw first; its whole stack and its causes when a person asks.
 */
import type { VNode } from "preact"
import { Json } from "./json.tsx"
import { Copy } from "./parts.tsx"

/** What was thrown, as the host describes it. Each field may be hidden by the host's redaction. */
interface Thrown {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly data?: unknown
  readonly stack?: string
  readonly cause?: Thrown
}

/** The output of a process, where it is a failure. */
export const OutputFailure = ({ output }: { readonly output: Readonly<Record<string, unknown>> }): VNode => {
  const { class: kind, code, message, thrown } = output
  const note = <p class="muted">{`${String(kind)}, ${String(code)}`}</p>
  if (!isThrown(thrown)) {
    return (
      <div class="failure">
        <Head name={String(code)} message={String(message)} />
        {note}
      </div>
    )
  }
  return (
    <div class="failure">
      <ThrownParts thrown={thrown} />
      {String(message).includes(thrown.message) ? null : <p>{String(message)}</p>}
      {note}
    </div>
  )
}

/** What a journal has of an operation that failed; `undefined` for any other outcome. */
export const recordedFailure = (outcome: unknown): VNode | undefined => {
  if (!isRecord(outcome)) return undefined
  const thrown = outcome["failed"] ?? outcome["defect"]
  return isThrown(thrown) ? (
    <div class="failure">
      <ThrownParts thrown={thrown} />
    </div>
  ) : undefined
}

const ThrownParts = ({ thrown, isCause = false }: { readonly thrown: Thrown; readonly isCause?: boolean }): VNode => {
  const { name, message, code, data, stack, cause } = thrown
  const line = typeof stack === "string" ? lineThatThrew(stack) : undefined
  return (
    <>
      {isCause ? null : <Head name={name} message={message} />}
      {line === undefined ? null : <p class="threw mono">{line}</p>}
      {code === undefined || code === name ? null : <p class="muted">code {code}</p>}
      {data === undefined ? null : <Json value={data} open={0} />}
      {typeof stack !== "string" ? null : (
        <details>
          <summary>Stack</summary>
          <pre tabIndex={0}>{stack}</pre>
          <Copy what="the stack" text={() => `${headOf(name, message)}\n${stack}`} />
        </details>
      )}
      {isThrown(cause) ? (
        <details>
          <summary>Caused by {headOf(cause.name, cause.message)}</summary>
          <ThrownParts thrown={cause} isCause />
        </details>
      ) : null}
    </>
  )
}

const Head = ({ name, message }: { readonly name: string; readonly message: string }): VNode => (
  <p class="problem">{headOf(name, message)}</p>
)

const headOf = (name: string, message: string): string =>
  message === "" || message === name ? name : `${name}: ${message}`

/** The first line of a stack that is of the program, not of a package or of Node; else the first one. */
const lineThatThrew = (stack: string): string | undefined => {
  const lines = stack.split("\n").filter((line) => /^\s*at /.test(line))
  const own = lines.find((line) => !/node_modules|node:|<anonymous>/.test(line))
  return (own ?? lines[0])?.trim()
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const isThrown = (value: unknown): value is Thrown =>
  isRecord(value) && typeof value["name"] === "string" && typeof value["message"] === "string"
